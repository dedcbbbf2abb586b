"""Reservations of devices for projects, and maintenance windows of devices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

import msgspec

WindowKind = Literal["reservation", "maintenance"]

DRAIN_S: Final = 10
"""Default of `Reservation.drain_ms` on simulators, in seconds."""
EXTERNAL_DRAIN_S: Final = 60
"""The same on devices of agents and other clouds, whose estimates are less certain."""
MAX_DRAIN_S: Final = 86_400
MAX_WINDOW_S: Final = 366 * 86_400
MAX_AHEAD_S: Final = 5 * 366 * 86_400
"""Latest end of a window, or of the first of a weekly series, in seconds from now."""
MAX_REPEATS: Final = 260
"""Weeks in which a maintenance window can repeat: five years."""
MAX_REASON_CHARS: Final = 200
MAX_PROJECTS: Final = 1_000
MAX_SLOTS: Final = 10_000
"""Bounds `slots` and `waiting_limit`."""


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """A window in which a device, or some of its slots, run only jobs of some projects, or none.

    Times are Unix milliseconds.

    Attributes:
        id: Its id.
        kind: `maintenance` has no projects, and the device is off meanwhile.
        device: The device.
        agent_device: The device again, if agents or another cloud run its jobs: `slots` are then
            among theirs. None for devices that share the workers of the servers.
        from_at: Beginning of the window.
        until_at: End of the window.
        drain_ms: Time before `from_at` in which no job of another project starts, however short.
        slots: Number of slots for the projects, so that others use the rest; None is all.
        is_exclusive: Whether it includes the other devices that use the same workers.
        waiting_limit: Limit on the waiting jobs of each account in an exam, during which only
            tokens of the projects may submit; None for other reservations.
        withholds_results: Whether results of an exam's jobs are shown only after its end.
        reason: Text for all users; may be empty.
        series: Id that the windows of a weekly series share; None for a single window.
        created_at: Time of its creation.
        devices: All devices that it concerns.
        projects: Ids of the projects, with those below them once it is stored.
    """

    id: str
    kind: WindowKind
    device: str
    agent_device: str | None
    from_at: int
    until_at: int
    drain_ms: int
    slots: int | None
    is_exclusive: bool
    waiting_limit: int | None
    withholds_results: bool = False
    reason: str
    series: str | None
    created_at: int
    devices: tuple[str, ...] = ()
    projects: frozenset[str] = frozenset()

    def is_active(self, now: int) -> bool:
        return self.from_at <= now < self.until_at

    def permits(self, project: str) -> bool:
        return project in self.projects

    def last_start(self, run_s: float) -> float:
        """Return until when a job of another project may start before the window, in Unix ms.

        As in the statements that claim jobs ({may_start:…}), the job may take
        twice its estimate of `run_s` seconds, or the estimate plus `drain_ms` if that is more.
        """
        return self.from_at - 1000 * run_s - max(1000 * run_s, self.drain_ms)


class Window(NamedTuple):
    """A reservation or maintenance window, as an administrator or a user sees it.

    Attributes:
        reservation: The window.
        projects: Names of its projects; for a user, of those of which the account is a member.
    """

    reservation: Reservation
    projects: tuple[str, ...]

    def waiting_reason(self, run_s: float, now: int) -> str:
        """Return how this window restricts a job of another project now; empty if it does not.

        Args:
            run_s: Estimated run time of the job in seconds.
            now: Unix milliseconds.
        """
        window, until = self.reservation, _time(self.reservation.until_at)
        if not window.last_start(run_s) <= now < window.until_at:
            return ""
        begin = "" if window.is_active(now) else f" from {_time(window.from_at)}"
        end = "" if window.is_active(now) else ", when this job may still run"
        reason = f": {window.reason}" if window.reason else ""
        if window.kind == "maintenance":
            return f"maintenance{begin} until {until}{end}{reason}"
        projects = f" for {', '.join(self.projects)}" if self.projects else ""
        slots = "" if window.slots is None else f"{window.slots} {_slots(window.slots)} "
        return f"{slots}reserved{projects}{begin} until {until}{end}{reason}"


def _slots(number: int) -> str:
    return "slot" if number == 1 else "slots"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
