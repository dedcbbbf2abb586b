"""Bodies of the API for reservations and maintenance windows of devices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from qwicket.schema.base import ResponseBody, ResponsePart

Name = Annotated[str, msgspec.Meta(max_length=254)]
Line = Annotated[str, msgspec.Meta(max_length=200)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Drain = Annotated[int, msgspec.Meta(ge=0, le=86_400)]


class NewReservationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/reservations`: reserves a device, or some of its slots, for projects.

    Attributes:
        device: Name of the device.
        projects: Names of the projects.
        from: Beginning, with its zone; null for now.
        until: End, with its zone.
        slots: Number of slots that are reserved; other projects use the rest. Null for all.
        exclusive: Whether it includes the other devices that use the same workers.
        drain_s: Seconds before the beginning in which no job of another project starts, however
            short; null for 10 s, or 60 s on devices of labs and other clouds.
        exam_waiting: Limit on the waiting jobs of each account. It makes the reservation an exam,
            in which only tokens of the projects may submit.
        withhold_results: Whether jobs that are submitted in the exam are shown as running until it
            ends, and their results only then.
        reason: Text for all users.
    """

    device: Name
    projects: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=1_000)]
    begin: Time | None = msgspec.field(name="from", default=None)
    until: Time
    slots: Count | None = None
    exclusive: bool = False
    drain_s: Drain | None = None
    exam_waiting: Count | None = None
    withhold_results: bool = False
    reason: Line = ""


class NewMaintenanceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/maintenance`: a device is off in a window, once or weekly.

    Attributes:
        device: Name of the device.
        from: Beginning, with its zone; null for now.
        until: End, with its zone.
        reason: Text for all users.
        weeks: Number of weeks in which the window is repeated, at the same local time.
        timezone: IANA name of the time zone of this local time.
        drain_s: Seconds before the beginning in which no job starts, however short; null for 10 s,
            or 60 s on devices of labs and other clouds.
    """

    device: Name
    begin: Time | None = msgspec.field(name="from", default=None)
    until: Time
    reason: Line = ""
    weeks: Annotated[int, msgspec.Meta(ge=1, le=260)] = 1
    timezone: Annotated[str, msgspec.Meta(max_length=100)] = "UTC"
    drain_s: Drain | None = None


class ReservationBody(ResponsePart, frozen=True, kw_only=True):
    """A reservation or a maintenance window, as administrators see it.

    Attributes:
        id: Its id.
        kind: `reservation` or `maintenance`.
        device: Name of the device.
        devices: Names of all devices that it concerns.
        projects: Names of the projects; none for maintenance.
        from: Beginning.
        until: End.
        slots: Number of slots that are reserved; null for all.
        exclusive: Whether it includes the other devices that use the same workers.
        drain_s: Seconds before the beginning in which no job of another project starts, however
            short.
        exam_waiting: Limit on the waiting jobs of each account in an exam; null outside of exams.
        withhold_results: Whether results of an exam's jobs are shown only after its end.
        reason: Text for all users.
        series: Id of the weekly series; null for a single window.
    """

    id: str
    kind: str
    device: str
    devices: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    begin: str | None = msgspec.field(name="from", default=None)
    until: str | None = None
    slots: int | None = None
    exclusive: bool = False
    drain_s: float = 0.0
    exam_waiting: int | None = None
    withhold_results: bool = False
    reason: str = ""
    series: str | None = None


class ReservationList(ResponseBody, frozen=True, kw_only=True):
    """Reservations and maintenance windows that have not ended, the earliest first.

    Attributes:
        reservations: All of them, or those that the request made.
    """

    reservations: tuple[ReservationBody, ...]
