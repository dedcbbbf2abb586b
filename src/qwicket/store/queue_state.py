"""State of a device's queue, for forecasts and operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.model.reservations import Reservation


class WaitingJob(NamedTuple):
    """A waiting job.

    `express_turn` orders the accounts of express jobs, the least first; None for other jobs.
    `barred_until` is the time, in Unix ms, until which the account has no express slot for this
    short job; None for other jobs.
    """

    id: str
    project: str
    est_seconds: float
    account: str = ""
    express_turn: int | None = None
    priority: int = 0
    queued_at: int = 0
    barred_until: int | None = None


class RunningJob(NamedTuple):
    """A running job."""

    id: str
    est_seconds: float
    started_at: int
    project: str = ""
    priority: int = 0
    queued_at: int = 0


class QueueDepth(NamedTuple):
    """Numbers of waiting jobs, and of claimed jobs that have not ended."""

    waiting: int
    running: int


class WaitingWork(NamedTuple):
    """Number of waiting jobs, and the sum of their estimated run times."""

    jobs: int
    seconds: float


class Claimable(NamedTuple):
    """Devices that are on and have waiting jobs that may start.

    Attributes:
        devices: Their names.
        due_at: Time in Unix ms when a device is on again or a window ends; None if none is known.
        reserves_slots: Whether only some slots are reserved in a window, so that the end of a job
            may allow another one to start.
    """

    devices: set[str]
    due_at: int | None
    reserves_slots: bool = False

    def pause_s(self, now: int, longest_s: float) -> float:
        """Return the seconds until `due_at`, at most `longest_s`."""
        if self.due_at is None:
            return longest_s
        return min(longest_s, max(0.0, (self.due_at - now) / 1000))


class EndedJob(NamedTuple):
    """An ended job: its estimate and its measured times."""

    est_seconds: float
    started_at: int
    ended_at: int
    project: str = ""
    priority: int = 0
    queued_at: int = 0


class ProjectShare(NamedTuple):
    """Fair share of a project on a device: its usage per share (`vtime`), and its shares."""

    project: str
    vtime: float
    shares: int


class QueueState(NamedTuple):
    """State of a device's queue.

    `recent` are the last completed jobs. `shares` are those of projects with waiting jobs,
    `idle_shares` those of other projects with jobs in `recent`. `epoch` is the origin of fair
    share's decay, in Unix ms. `windows` are the reservations and maintenance windows of the next
    days, by their begin.
    """

    waiting: list[WaitingJob]
    running: list[RunningJob]
    shares: list[ProjectShare]
    recent: list[EndedJob]
    epoch: int
    idle_shares: Sequence[ProjectShare] = ()
    windows: Sequence[Reservation] = ()
