"""Bodies of Xanadu Cloud's responses, as structs for the dialect's description."""

from __future__ import annotations

import msgspec


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Granted(_Body, frozen=True):
    """An access token, with its life in seconds, `expires_in`."""

    access_token: str
    expires_in: int
    refresh_expires_in: int
    refresh_token: str
    token_type: str
    not_before_policy: int = msgspec.field(name="not-before-policy")
    scope: str


class Status(_Body, frozen=True):
    """The access token is valid: `status` is `ok`."""

    status: str


class Device(_Body, frozen=True):
    """A device. `expected_uptime` has the beginning and the end of its hours by day of the week."""

    target: str
    status: str
    created_at: str
    expected_uptime: dict[str, tuple[str, str]]


class DeviceList(_Body, frozen=True):
    """Devices."""

    data: list[Device]


class Specification(_Body, frozen=True):
    """Specification of a device, from which Strawberry Fields compiles programs.

    Attributes:
        layout: Blackbird template of the device's fixed circuit; empty allows any circuit.
        modes: Limit on modes; or limits by kind of measurement, or of time-domain programs.
        compiler: Names of compilers, the default one first.
        gate_parameters: Allowed values, and ranges [low, high], of the layout's parameters.
    """

    target: str
    layout: str
    modes: int | dict[str, int | dict[str, int]]
    compiler: list[str]
    gate_parameters: dict[str, list[float | tuple[float, float]]]


Certificate = dict[str, str | float]
"""Measured properties of a machine, by name and with their units in the names."""


class Job(_Body, frozen=True):
    """A job.

    Attributes:
        running_time: Seconds from its start to its end.
        meta: `error-code` and `error-detail` of a failed job; else empty.
    """

    id: str
    name: str | None
    status: str
    target: str
    language: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    running_time: float | None
    meta: dict[str, str]


class JobList(_Body, frozen=True):
    """Jobs, newest first."""

    data: list[Job]


class Circuit(_Body, frozen=True):
    """A job's program in Blackbird."""

    circuit: str
