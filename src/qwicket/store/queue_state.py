"""Queues of devices, for forecasts, scalers and operators."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.jobs import ALL_PROJECTS
from qwicket.model.limits import INT64_MAX
from qwicket.registrations import hook
from qwicket.store.operations import Operations, read, scan
from qwicket.store.rows import project_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qwicket.model.jobs import Job, Projects
    from qwicket.model.reservations import Reservation
    from qwicket.store.database import Row, Tx

RECENT: Final = 100
"""Last completed jobs of a device that a forecast considers."""
_NO_DEPTHS: Final[Mapping[tuple[str, str], int]] = MappingProxyType({})
_AHEAD_MS: Final = 7 * 24 * 3600 * 1000
"""Time ahead for which a forecast considers reservations and maintenance windows."""


class WaitingJob(NamedTuple):
    """A waiting job that is not held.

    `express_turn` orders the accounts of jobs for the express slot, the least first.
    `barred_until` is the time, in Unix ms, until which the account has no express slot for this
    short job. Both are None for other jobs.
    """

    id: str
    project: str
    est_seconds: float
    account: str = ""
    express_turn: int | None = None
    priority: int = 0
    queued_at: int = 0
    barred_until: int | None = None
    est_bytes: int = 0
    seq: int = 0


class RunningJob(NamedTuple):
    """A claimed job that has not ended."""

    id: str
    est_seconds: float
    started_at: int
    project: str = ""
    priority: int = 0
    queued_at: int = 0

    def remaining_s(self, now_ms: int) -> float:
        """Return the expected rest of its run time in seconds."""
        # max: after the clock was set back, a job must not seem longer than expected.
        return max(0.0, self.est_seconds - max(0, now_ms - self.started_at) / 1000)


class QueueDepth(NamedTuple):
    """Numbers of waiting jobs that are not held, and of claimed jobs that have not ended."""

    waiting: int
    running: int


class WaitingWork(NamedTuple):
    """Number of waiting jobs that are not held, and the sum of their estimates in seconds."""

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
    """A completed job: its estimate and its measured times."""

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


class MemberShare(NamedTuple):
    """Fair share of a member of a project on a device, as in `ProjectShare`."""

    project: str
    account: str
    vtime: float
    shares: int


class QueueState(NamedTuple):
    """State of a device's queue.

    `recent` are the last completed jobs. `shares` are those of projects with waiting jobs,
    `idle_shares` those of other projects with jobs in `recent`. `epoch` is the origin of fair
    share's decay, in Unix ms. `windows` are the reservations and maintenance windows of the next 7
    days, by their start. `n_more` is the number of waiting jobs that are not in `waiting`.
    `members` are the shares of members with waiting jobs. `depths` are the numbers of waiting jobs
    by project and account, if not all are in `waiting`.
    """

    waiting: list[WaitingJob]
    running: list[RunningJob]
    shares: list[ProjectShare]
    recent: list[EndedJob]
    epoch: int
    idle_shares: Sequence[ProjectShare] = ()
    windows: Sequence[Reservation] = ()
    n_more: int = 0
    members: Sequence[MemberShare] = ()
    depths: Mapping[tuple[str, str], int] = _NO_DEPTHS


class Queues(Operations):
    """Reads the queues of devices."""

    @scan
    def state(tx: Tx, device: str, now: int, *, limit: int) -> QueueState:
        """Return the state of a device's queue, with up to `limit` waiting jobs.

        If more jobs wait, they are the first ones of each member, at most equally many.
        """
        shares = [ProjectShare(*row) for row in tx.all("share_list", device=device)]
        members = [MemberShare(*row) for row in tx.all("member_share_list", device=device)]
        waiting = tx.all("job_waiting_list", device=device, now=now, limit=limit)
        n_waiting, depths = len(waiting), {}
        if n_waiting == limit:  # it may have been cut, and then lacks whole projects
            waiting = _first_of_each_member(tx, device, now, members, limit)
            counted = tx.all("job_count_by_member", device=device)
            depths = {(project, account): int(number) for project, account, number in counted}
            n_waiting = sum(depths.values())
        return QueueState(
            [WaitingJob(*row) for row in waiting],
            [RunningJob(*row) for row in tx.all("job_running_list", device=device)],
            shares,
            [EndedJob(*row) for row in tx.all("job_completed_list", device=device, limit=RECENT)],
            (tx.one("epoch_get") or (0,))[0],
            [ProjectShare(*row) for row in tx.all("share_list_idle", device=device, limit=RECENT)],
            _windows(tx, device, now),
            n_waiting - len(waiting),
            members,
            depths,
        )

    @scan
    def rank(tx: Tx, job: Job) -> int:
        """Return how many jobs of its account, for its project and device, wait before a job."""
        of = {"device": job.device, "project": job.project, "account": job.account}
        row = tx.one("job_rank", **of, priority=job.priority, seq=job.seq)
        return int(row[0]) if row else 0

    @read
    def may_start(tx: Tx, job: str, now: int) -> bool:
        """Return whether no reservation or maintenance window keeps a job from starting."""
        return tx.one("job_may_start", id=job, now=now) is not None

    @scan
    def count_unfinished(tx: Tx, project: str, device: str, limit: int = INT64_MAX) -> int:
        """Return the number of unfinished jobs of a project on a device.

        Drafts and queued jobs, held ones included, are counted up to `limit`, running ones all.
        """
        row = tx.one("job_unfinished", project=project, device=device, limit=limit)
        return int(row[0]) if row else 0

    @scan
    def completed_by_hour(tx: Tx, device: str, since: int, limit: int) -> dict[int, int]:
        """Return how many of a device's jobs completed in each hour, by its start in Unix ms.

        Only the last `limit` jobs since a time are counted.
        """
        found = tx.all("job_completed_by_hour", device=device, since=since, limit=limit)
        return {int(hour): int(number) for hour, number in found}

    @scan
    def depths(tx: Tx, devices: Sequence[str]) -> dict[str, QueueDepth]:
        """Return the numbers of waiting and running jobs of each of these devices."""
        found = {name: tx.one("job_depth", device=name) or (0, 0) for name in devices}
        return {name: QueueDepth(*map(int, row)) for name, row in found.items()}

    @scan
    def without_slurm(tx: Tx, devices: Mapping[str, int]) -> dict[str, int]:
        """Return how many jobs of devices wait or run and name no job of Slurm.

        Waiting jobs are counted up to the number that comes with each device.
        """
        found = {
            name: tx.one("job_without_slurm", device=name, limit=limit)
            for name, limit in devices.items()
        }
        return {name: int(row[0]) if row else 0 for name, row in found.items()}

    @read
    def waiting_work(
        tx: Tx,
        devices: Collection[str],
        *,
        maximum: int,
        memory_bytes: int = INT64_MAX,
        above_bytes: int = -1,
        projects: Projects = ALL_PROJECTS,
    ) -> WaitingWork:
        """Return the work that waits for some devices, counting at most `maximum` jobs of each.

        Jobs that need more memory than `memory_bytes`, or no more than `above_bytes`, are left out,
        and those of other projects.
        """
        given = {
            "maximum": maximum,
            "memory_bytes": memory_bytes,
            "above_bytes": above_bytes,
            **project_columns(projects),
        }
        found = [tx.one("job_waiting_work", device=name, **given) or (0, 0.0) for name in devices]
        return WaitingWork(
            sum(int(jobs) for jobs, _ in found), sum(float(seconds) for _, seconds in found)
        )


def _first_of_each_member(
    tx: Tx, device: str, now: int, members: Sequence[MemberShare], limit: int
) -> list[Row]:
    given = {"device": device, "now": now, "limit": max(1, limit // max(1, len(members)))}
    return [
        row
        for each in members[:limit]
        for row in tx.all(
            "job_waiting_list_of_member", project=each.project, account=each.account, **given
        )
    ]


def _windows(tx: Tx, device: str, now: int) -> Sequence[Reservation]:
    windows = hook("windows")
    found: Sequence[Reservation] = ()
    if windows is not None:
        found = windows(tx, device, now, now + _AHEAD_MS)
    return found
