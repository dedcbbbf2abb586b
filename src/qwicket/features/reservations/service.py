"""Reservations and maintenance windows: for administrators, and as users see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import structs

from qwicket.features.reservations.store import ReservationStore
from qwicket.gateway.refusals import existing_device
from qwicket.model.errors import Forbidden, InvalidRequest
from qwicket.model.ids import new_id
from qwicket.model.reservations import (
    DRAIN_S,
    EXTERNAL_DRAIN_S,
    MAX_AHEAD_S,
    MAX_DRAIN_S,
    MAX_PROJECTS,
    MAX_REASON_CHARS,
    MAX_REPEATS,
    MAX_SLOTS,
    MAX_WINDOW_S,
    Reservation,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job
    from qwicket.store import Store


class ReservationAdmin:
    """Administration of reservations and maintenance windows.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._reservations = store.feature(ReservationStore)
        self._now_ms = now_ms

    async def reserve(
        self,
        device: str,
        projects: Sequence[str],
        from_at: int | None,
        until_at: int,
        *,
        slots: int | None = None,
        is_exclusive: bool = False,
        drain_s: int | None = None,
        waiting_limit: int | None = None,
        withholds_results: bool = False,
        reason: str = "",
    ) -> Window:
        """Reserve a device, or some of its slots, for projects.

        Args:
            device: Name of the device.
            projects: Names of the projects.
            from_at: Beginning in Unix milliseconds; None is now.
            until_at: End in Unix milliseconds.
            slots: Number of slots; None is all.
            is_exclusive: Whether it includes the other devices that use the same workers.
            drain_s: Seconds before the beginning in which no job of another project starts; None is
                `DRAIN_S`, or `EXTERNAL_DRAIN_S` on devices of agents and other clouds.
            waiting_limit: Limit on waiting jobs of each account, which makes it an exam.
            withholds_results: Whether results of the exam's jobs are shown only after its end.
            reason: Text for all users.

        Raises:
            NotFound: There is no such device or project.
            InvalidRequest: A field is invalid.
            Conflict: One of the devices is reserved in a part of this time.
        """
        found = await existing_device(self._store, device)
        is_simulated = found.is_simulated
        if is_exclusive and not is_simulated:
            raise _invalid("exclusive", f"is only for simulators: {device} shares no slots")
        _check_number("slots", slots, 1, MAX_SLOTS)
        _check_number("exam_waiting", waiting_limit, 1, MAX_SLOTS)
        if withholds_results and waiting_limit is None:
            raise _invalid("withhold_results", "needs exam_waiting: only exams withhold results")
        names = tuple(dict.fromkeys(projects))
        _check_number("the number of projects", len(names), 1, MAX_PROJECTS, field="projects")
        devices: tuple[str, ...] = (device,)
        if is_exclusive:
            known = await self._store.devices.all()
            devices = tuple(sorted(each.name for each in known if each.is_simulated))
        new = self._window(found, from_at, until_at, drain_s, reason)
        new = structs.replace(
            new,
            slots=slots,
            is_exclusive=is_exclusive,
            waiting_limit=waiting_limit,
            withholds_results=withholds_results,
            devices=devices,
        )
        (made,) = await self._reservations.add([new], names)
        return Window(made, tuple(sorted(names)))

    async def add_maintenance(
        self,
        device: str,
        from_at: int | None,
        until_at: int,
        reason: str,
        *,
        weeks: int = 1,
        timezone: str = "UTC",
        drain_s: int | None = None,
    ) -> list[Window]:
        """Add a maintenance window, in which the device is off and shows the reason.

        Args:
            device: Name of the device.
            from_at: Beginning in Unix milliseconds; None is now.
            until_at: End in Unix milliseconds.
            reason: Text for all users.
            weeks: Number of weekly windows, at the same local time; 1 is a single window.
            timezone: IANA name of the time zone of this local time.
            drain_s: Seconds before the beginning in which no job starts; None is as for `reserve`.

        Raises:
            NotFound: There is no such device.
            InvalidRequest: A field is invalid.
        """
        found = await existing_device(self._store, device)
        _check_number("weeks", weeks, 1, MAX_REPEATS)
        first = self._window(found, from_at, until_at, drain_s, reason)
        zone = _zone(timezone)
        if weeks > 1 and first.until_at - first.from_at > 7 * 86_400_000:
            raise _invalid("until", "of a window that is repeated must be within a week of from")
        series = new_id(self._now_ms()) if weeks > 1 else None
        new = [
            structs.replace(
                first,
                id=new_id(self._now_ms()),
                kind="maintenance",
                from_at=from_at,
                # Both ends keep their local times, unless a change of clocks leaves none between.
                until_at=until_at
                if until_at > from_at
                else from_at + first.until_at - first.from_at,
                series=series,
            )
            for week in range(weeks)
            for from_at in [_weeks_later(first.from_at, week, zone)]
            for until_at in [_weeks_later(first.until_at, week, zone)]
        ]
        return [Window(each, ()) for each in await self._reservations.add(new, ())]

    async def all(self) -> list[Window]:
        """Return the windows that have not ended, the earliest first."""
        reservations = self._reservations
        return [
            Window(each, tuple(await reservations.project_names(each.id)))
            for each in await reservations.all(self._now_ms())
        ]

    async def remove(self, reservation: str, *, with_series: bool = False) -> None:
        """Remove a window, or all of its weekly series. Withheld results are shown at once.

        Raises:
            NotFound: There is no such window.
        """
        now = self._now_ms()
        await self._reservations.remove(reservation, now, with_series=with_series)
        while await self._store.maintenance.release_results(now):  # in batches
            pass

    def _window(
        self, device: Device, from_at: int | None, until_at: int, drain_s: int | None, reason: str
    ) -> Reservation:
        now = self._now_ms()
        is_external = not device.is_simulated
        from_at = now if from_at is None else from_at
        if until_at <= now:
            raise _invalid("until", "has passed")
        if until_at <= from_at:
            raise _invalid("until", "must be after from")
        if until_at - from_at > 1000 * MAX_WINDOW_S:
            raise _invalid("until", f"must be at most {MAX_WINDOW_S // 86_400} days after from")
        if until_at - now > 1000 * MAX_AHEAD_S:
            raise _invalid("until", f"must be within {MAX_AHEAD_S // 86_400} days from now")
        if len(reason) > MAX_REASON_CHARS or not reason.isprintable():
            raise _invalid("reason", f"must be one line of at most {MAX_REASON_CHARS} characters")
        _check_number("drain_s", drain_s, 0, MAX_DRAIN_S)
        default_s = EXTERNAL_DRAIN_S if is_external else DRAIN_S
        return Reservation(
            id=new_id(now),
            kind="reservation",
            device=device.name,
            agent_device=device.name if is_external else None,
            from_at=from_at,
            until_at=until_at,
            drain_ms=1000 * (default_s if drain_s is None else drain_s),
            slots=None,
            is_exclusive=False,
            waiting_limit=None,
            reason=reason,
            series=None,
            created_at=now,
            devices=(device.name,),
        )


async def visible(store: Store, reservations: Iterable[Reservation], account: str) -> list[Window]:
    """Return windows, each with the names of those of its projects that the account is in."""
    names = store.feature(ReservationStore).project_names_for
    return [Window(each, tuple(await names(each.id, account))) for each in reservations]


async def waiting_reasons(
    store: Store, reservations: Iterable[Reservation], job: Job, now: int
) -> list[str]:
    """Return how windows restrict a waiting job now."""
    others = [each for each in reservations if not each.permits(job.project)]
    windows = await visible(store, others, job.account)
    reasons = [each.waiting_reason(job.est_seconds, now) for each in windows]
    return [each for each in reasons if each]


async def check_exam(
    store: Store, actor: Actor, device: str, exam: str, now: int
) -> dict[str, int | None]:
    """Return the fields of a new job that an exam sets; none unless the exam is going on.

    Raises:
        Forbidden: The exam is not for the actor's project.
    """
    found = await store.feature(ReservationStore).get(exam)
    if found is None or not found.is_active(now):
        return {}
    if not found.permits(actor.project):
        raise Forbidden(
            f"The device {device} is reserved for an exam until {_time(found.until_at)}, and only"
            " tokens of the exam's project may submit to it.",
            field="device",
        )
    withheld_until = found.until_at if found.withholds_results else None
    return {"exam_waiting": found.waiting_limit, "withheld_until": withheld_until}


def _weeks_later(at_ms: int, weeks: int, zone: ZoneInfo) -> int:
    """Return a time some weeks later, at the same local time of a zone."""
    if not weeks:
        return at_ms
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    # When clocks are set back, `fold` distinguishes the two hours of one name; a sum loses it.
    later = (local + timedelta(weeks=weeks)).replace(fold=local.fold)
    return round(1000 * later.timestamp())


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo  # late: it takes 0.5 MB of memory with its imports

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise _invalid(
            "timezone", f"must be an IANA name such as UTC or Europe/Berlin, not {name[:100]!r}"
        ) from None


def _check_number(
    name: str, value: int | None, minimum: int, maximum: int, *, field: str | None = None
) -> None:
    if value is not None and not minimum <= value <= maximum:
        raise InvalidRequest(
            f"{name} must be {minimum} to {maximum}, not {value}.", field=field or name
        )


def _invalid(field: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"{field} {rule}.", field=field)


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
