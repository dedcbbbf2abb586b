"""Forecasts of start times, from waiting and running jobs and measured run times.

A forecast simulates fair share and the express slots from one snapshot of the queue. It is cached
for 1 s; open pages of jobs renew it after 0.4 s, `end_in_s` after 50 ms for a job that was queued
later. The expected start ignores future submissions; its interval includes them. Both ignore other
devices' load on the same workers.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import Counter, defaultdict, deque
from datetime import UTC, datetime
from math import ceil, floor, inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.fair_share import charge_s, weight
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.registrations import hook
from qwicket.scheduling.run_times import fit
from qwicket.scheduling.start_intervals import StartIntervals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from qwicket.model.devices import DeviceStatus
    from qwicket.model.jobs import Job, Projects, Runner
    from qwicket.model.reservations import Reservation
    from qwicket.scheduling.run_times import RunTimes
    from qwicket.scheduling.start_intervals import Interval
    from qwicket.store import MemberShare, QueueState, Store, WaitingJob

_MAX_AGE_S: Final = 1.0
"""Older forecasts are made anew."""
_MAX_AGE_FOR_NEW_JOB_S: Final = 0.05
"""The same in `end_in_s` for a job that was queued after the forecast was made."""
_MAX_JOBS: Final = 5_000
"""Limit on the jobs with a forecast; if more wait, these are the first ones of each member."""
_NO_STARTS: Final[Mapping[str, float]] = MappingProxyType({})
_NO_PROJECTS: Final[Mapping[str, str]] = MappingProxyType({})
_NOTHING_BEFORE: Final[Mapping[str, JobsBefore]] = MappingProxyType({})


class QueuePosition(NamedTuple):
    """Number of jobs ahead, and the expected seconds until the start.

    The start is None while no worker or agent serves the device, or while it is off without a
    known end. The interval contains the start with a probability of 80 %; only
    `Forecast.position_with_interval` computes it. Only the gateway sets what keeps the job from
    starting, and `turn`: whose jobs start before it.
    """

    ahead: int
    start_in_s: float | None
    interval: Interval | None = None
    obstacles: tuple[str, ...] = ()
    turn: str = ""

    @property
    def reason(self) -> str:
        """What keeps the job from starting besides the jobs before it; empty if nothing does."""
        return self.obstacles[0] if self.obstacles else ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the job waits: what keeps it from starting, then its turn."""
        return (*self.obstacles, self.turn) if self.turn else self.obstacles


class JobsBefore(NamedTuple):
    """Numbers of the jobs that start before a job.

    Attributes:
        own: Those of its account in its project.
        project: Those of other accounts in its project.
        others: Those of other projects.
        n_projects: Number of these other projects.
    """

    own: int
    project: int
    others: int
    n_projects: int

    @property
    def text(self) -> str:
        """Whose jobs start before the job; without names, which not every reader may know."""
        counted = (
            (self.own, "its account"),
            (self.project, "other members of its project"),
            (self.others, _other_projects(self.n_projects)),
        )
        found = [f"{number:,} of {whose}" for number, whose in counted if number]
        number = self.own + self.project + self.others
        if not number:
            return "it is the next job of its device"
        start = "job starts" if number == 1 else "jobs start"
        return f"{number:,} {start} before it by turns: {', '.join(found)}"


def _other_projects(number: int) -> str:
    return "another project" if number == 1 else f"{number:,} other projects"


class Workers:
    """What the connected workers of simulated devices take.

    Args:
        runners: The workers.
        now_ms: Unix time in milliseconds.
    """

    def __init__(self, runners: Iterable[Runner] = (), now_ms: int = 0) -> None:
        self._left_s: dict[Projects, dict[int, float]] = {}
        for each in runners:
            memory = each.memory_bytes or each.task_bytes or INT64_MAX
            left_s = inf if each.ends_at is None else max(0, each.ends_at - now_ms) / 1000
            of_projects = self._left_s.setdefault(each.projects, {})
            of_projects[memory] = max(left_s, of_projects.get(memory, 0.0))

    def why_not(self, job: Job | WaitingJob) -> str:
        """Return why none of them takes a job; empty if one does, or if there are none."""
        taking = [
            (memory, left_s)
            for projects, of_projects in self._left_s.items()
            if projects.has(job.project)
            for memory, left_s in of_projects.items()
        ]
        if not taking:
            return "no connected worker takes this project's jobs" if self._left_s else ""
        times = [left_s for memory, left_s in taking if job.est_bytes <= memory]
        if not times:
            needed, most = -(-job.est_bytes >> 20), max(taking)[0] >> 20
            return f"it needs {needed:,} MiB of memory, and {self._none_of(taking)} {most:,} MiB"
        if job.est_seconds <= max(times):
            return ""
        needed, most = ceil(job.est_seconds), floor(max(times))
        return f"it runs for about {needed:,} s, and {self._none_of(times)} {most:,} s left"

    def _none_of(self, found: Sequence[object]) -> str:
        """Return the words for no worker: of all, or of those that fit in other respects."""
        is_all = len(found) == sum(map(len, self._left_s.values()))
        return f"no connected worker {'' if is_all else 'for such jobs '}has more than"


class Crowd(NamedTuple):
    """More jobs than have a position.

    Attributes:
        depths: Numbers of waiting jobs by project and account.
        projects: Shares of projects.
        members: Shares of members by project and account.
    """

    depths: Mapping[tuple[str, str], int]
    projects: Mapping[str, int]
    members: Mapping[tuple[str, str], int]

    def jobs_before(self, project: str, account: str, rank: int) -> int:
        """Estimate how many jobs start before one, as if all run equally long.

        Args:
            project: Id of its project.
            account: Id of its account.
            rank: How many jobs of the same member wait before it.
        """
        me, turns = (project, account), rank + 1
        own = self.members.get(me, 1)
        in_project = rank + sum(
            min(number, turns * self.members.get(member, 1) // own)
            for member, number in self.depths.items()
            if member[0] == project and member != me
        )
        others: Counter[str] = Counter()
        for (other, _), number in self.depths.items():
            others[other] += number
        del others[project]
        turns, own = in_project + 1, self.projects.get(project, 1)
        return in_project + sum(
            min(number, turns * self.projects.get(other, 1) // own)
            for other, number in others.items()
        )


_NO_WORKERS: Final = Workers()


class Forecast(NamedTuple):
    """Forecast of one device's queue.

    Attributes:
        positions: Positions of waiting jobs, by id. If very many wait, they are the first ones of
            each member of a project, equally many.
        start_in_s: Expected seconds until a job submitted now starts in a worker slot; None while
            no worker or agent serves the device, or while it is off without a known end.
        run_times: Expected run times, derived from recent jobs.
        intervals: Computes the intervals of the starts; None if these are unknown, such as while a
            reservation delays jobs.
        windows: Reservations and maintenance windows of the next days.
        reservation_start_in_s: By the id of a reservation: expected seconds until a job that is
            submitted now for one of its projects starts.
        projects: Projects of the waiting jobs, by the jobs' ids.
        n_more: Waiting jobs without a position.
        n_elsewhere: Jobs that wait at the other cloud that runs the device's jobs.
        n_running: Claimed jobs that have not ended.
        stopped: Why the device starts no job now, for users; empty if it can.
        workers: The connected workers of simulated devices; none for other devices.
        before: Whose jobs start before each job that one of these takes, by the jobs' ids.
        n_unfit: Number of the other jobs, which have the last positions.
        crowd: The waiting jobs by member, if some have no position.
    """

    positions: dict[str, QueuePosition]
    start_in_s: float | None
    run_times: RunTimes
    intervals: StartIntervals | None = None
    windows: Sequence[Reservation] = ()
    reservation_start_in_s: Mapping[str, float] = _NO_STARTS
    projects: Mapping[str, str] = _NO_PROJECTS
    n_more: int = 0
    n_elsewhere: int = 0
    n_running: int = 0
    stopped: str = ""
    workers: Workers = _NO_WORKERS
    before: Mapping[str, JobsBefore] = _NOTHING_BEFORE
    n_unfit: int = 0
    crowd: Crowd | None = None

    @property
    def n_waiting(self) -> int:
        """Number of jobs that wait for the device, here and elsewhere."""
        return len(self.positions) + self.n_more + self.n_elsewhere

    def position_with_interval(self, job: str) -> QueuePosition | None:
        """Return the position of a waiting job with the interval of its start."""
        position = self.positions.get(job)
        if position is None or position.start_in_s is None or self.intervals is None:
            return position
        interval = self.intervals.of(job, position.ahead, position.start_in_s)
        return position._replace(interval=interval)

    def new_job_start_in_s(self, project: str) -> float | None:
        """Return the expected seconds until a job submitted now for a project starts."""
        for window in self.windows:
            if window.permits(project) and window.id in self.reservation_start_in_s:
                return self.reservation_start_in_s[window.id]
        return self.start_in_s

    @property
    def new_job_interval(self) -> Interval | None:
        """The interval of the start of a job submitted now; None if it is unknown."""
        if self.start_in_s is None or self.intervals is None:
            return None
        return self.intervals.of_next(len(self.positions) - self.n_unfit, self.start_in_s)


class _Capacity(NamedTuple):
    """What serves a device.

    Attributes:
        missing: What is missing if there are no slots.
        slots: Number of slots.
        express_slots: Number of express slots.
        n_elsewhere: Number of jobs that wait at the other cloud.
        workers: The workers of a simulated device that have slots.
    """

    missing: str
    slots: int
    express_slots: int = 0
    n_elsewhere: int = 0
    workers: Workers = _NO_WORKERS


class Forecaster:
    """Forecasts for all devices.

    Args:
        store: The queue.
        now_ms: Clock; returns Unix milliseconds.
        max_jobs: Limit on the jobs with a position of their own.
    """

    def __init__(
        self, store: Store, now_ms: Callable[[], int], *, max_jobs: int = _MAX_JOBS
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._max_jobs = max_jobs
        self._forecasts: dict[str, tuple[float, asyncio.Task[Forecast]]] = {}
        store.changes.on_resync(self._forecasts.clear)

    async def forecast(self, device: str, fresh_s: float = _MAX_AGE_S) -> Forecast:
        """Return a forecast of a device's queue that is at most `fresh_s` seconds old."""
        made_at, task = self._forecasts.get(device, (-_MAX_AGE_S, None))
        now = time.monotonic()
        if task is None or now - made_at >= fresh_s:
            task = asyncio.create_task(self._compute(device))
            self._forecasts[device] = (now, task)
        try:
            return await asyncio.shield(task)
        except Exception:
            self._forecasts.pop(device, None)
            raise

    async def end_in_s(self, job: Job) -> float | None:
        """Return the expected seconds until a waiting or running job ends; None if it is unknown.

        A fresh forecast is made if a waiting job is newer than the last one and all slots are busy,
        because the job may go to an express slot.
        """
        if job.is_held:
            return None
        forecast = await self.forecast(job.device)
        if (
            job.state is JobState.QUEUED
            and job.id not in forecast.positions
            and forecast.start_in_s
        ):
            forecast = await self.forecast(job.device, _MAX_AGE_FOR_NEW_JOB_S)
        if job.started_at is not None and job.state is JobState.RUNNING:
            start_in_s: float | None = (job.started_at - self._now_ms()) / 1000
        else:
            position = forecast.positions.get(job.id)
            start_in_s = position.start_in_s if position else forecast.start_in_s
            if start_in_s is not None:
                now = time.monotonic()
                made_at, _ = self._forecasts.get(job.device, (now, None))
                start_in_s = max(0.0, start_in_s - (now - made_at))
        if start_in_s is None:
            return None
        # A running job may take longer than expected.
        return max(0.0, start_in_s + forecast.run_times.expected_s(job.est_seconds))

    async def _compute(self, device: str) -> Forecast:
        now = self._now_ms()
        state = await self._store.queues.state(device, now, limit=self._max_jobs)
        capacity = await self._capacity(device, now)
        slots = capacity.slots
        status = await self._store.devices.status(device, now)
        off_s = 0.0
        if not status.is_on:
            off_s = (status.until_at - now) / 1000 if status.until_at else 0.0
            slots = slots if status.until_at else 0
        forecast = await asyncio.to_thread(_simulate, state, slots, now, capacity, off_s)
        projects = {job.id: job.project for job in state.waiting}
        return forecast._replace(
            projects=projects,
            n_more=state.n_more,
            n_elsewhere=capacity.n_elsewhere,
            n_running=len(state.running),
            stopped=_why_stopped(status, capacity),
            workers=capacity.workers,
            crowd=_crowd(state) if state.n_more else None,
        )

    async def _capacity(self, name: str, now: int) -> _Capacity:
        runners = await self._store.leases.runners()
        device = await self._store.devices.get(name)
        if device is not None and not device.is_simulated:
            slots = sum(runner.slots for runner in runners if runner.device == name)
            if device.driver != "remote":
                return _Capacity("no agent serves the device", slots)
            presence = await self._store.devices.presence(device)
            return _Capacity("the other cloud runs no jobs now", slots, 0, presence.n_waiting or 0)
        others = [runner for runner in runners if runner.device is None]
        return _Capacity(
            "no worker is connected",
            slots=sum(runner.slots for runner in others),
            express_slots=sum(runner.express_slots for runner in others),
            workers=Workers((runner for runner in others if runner.slots), now),
        )


def _crowd(state: QueueState) -> Crowd:
    return Crowd(
        state.depths,
        {each.project: each.shares for each in state.shares},
        {(each.project, each.account): each.shares for each in state.members},
    )


def _why_stopped(status: DeviceStatus, capacity: _Capacity) -> str:
    """Return why a device starts no job now; empty if it can."""
    if status.is_on:
        return "" if capacity.slots else capacity.missing
    until = ""
    if status.until_at is not None:
        until = f" until {datetime.fromtimestamp(status.until_at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    return f"the device is {status.state}{until}" + (f": {status.reason}" if status.reason else "")


def _simulate(
    state: QueueState, slots: int, now_ms: int, capacity: _Capacity, off_s: float
) -> Forecast:
    """Simulate the queue of the jobs that a worker takes; add the others."""
    unfit = [job.id for job in state.waiting if capacity.workers.why_not(job)]
    left = {*unfit}
    fitting = [job for job in state.waiting if job.id not in left]
    forecast = simulate_queue(
        state._replace(waiting=fitting), slots, now_ms, capacity.express_slots, off_s
    )
    positions, before = forecast.positions, _jobs_before(forecast.positions, fitting)
    last = {job: QueuePosition(k, None) for k, job in enumerate(unfit, len(positions))}
    return forecast._replace(positions=positions | last, before=before, n_unfit=len(unfit))


def _jobs_before(
    positions: Mapping[str, QueuePosition], waiting: Sequence[WaitingJob]
) -> dict[str, JobsBefore]:
    """Count whose jobs are before each, in the order of the positions."""
    jobs = {job.id: job for job in waiting}
    of_members: Counter[tuple[str, str]] = Counter()
    of_projects: Counter[str] = Counter()
    found = {}
    for number, name in enumerate(positions):
        job = jobs[name]
        own, project = of_members[job.project, job.account], of_projects[job.project]
        n_projects = len(of_projects) - (job.project in of_projects)
        found[name] = JobsBefore(own, project - own, number - project, n_projects)
        of_members[job.project, job.account] += 1
        of_projects[job.project] += 1
    return found


def simulate_queue(
    state: QueueState, slots: int, now_ms: int, express_slots: int = 0, off_s: float = 0.0
) -> Forecast:
    """Simulate the queue until every waiting job has started.

    Args:
        state: Waiting and running jobs.
        slots: Number of worker slots; 0 while no worker or agent serves the device, or while it
            is off without a known end.
        now_ms: Unix time in milliseconds.
        express_slots: Additional slots for short jobs while all worker slots are busy.
        off_s: Seconds until the device is on again.
    """
    run_times = fit(state.recent)
    # The store compares the uncorrected estimates with windows, so both are needed.
    weight_per_s = weight(now_ms, state.epoch)
    estimated, state = state, _in_turn_of_members(run_times.correct(state), weight_per_s)
    jobs_in_turn = _in_turn(state, weight_per_s)
    if not slots:
        positions = {job.id: QueuePosition(k, None) for k, job in enumerate(jobs_in_turn)}
        return Forecast(positions, None, run_times, windows=state.windows)
    remaining_s = sorted(job.remaining_s(now_ms) for job in state.running)
    slots_free_in_s = _slots_free_in_s(remaining_s[-slots:], slots, off_s)
    # Express slots run the shortest jobs, so running jobs beyond the worker slots are in them.
    express_slots_free_in_s = _slots_free_in_s(
        remaining_s[:-slots][-express_slots:] if express_slots else [], express_slots, off_s
    )
    short_jobs = _in_express_order(state)
    positions = {}
    express_jobs: list[str] = []
    barred_accounts_free_in_s = 0.0
    fallback_in_s: dict[str, float] = {}
    # Both iterators yield short jobs. Each skips those that the other one has started.
    while True:
        is_express = (
            bool(express_slots_free_in_s) and express_slots_free_in_s[0] < slots_free_in_s[0]
        )
        for job in short_jobs if is_express else jobs_in_turn:
            if job.id not in positions:
                break
        else:
            if is_express:
                express_slots_free_in_s = []
                continue
            break
        free_in_s = slots_free_in_s
        # The job of a barred account goes to an express slot when the account may use one again,
        # unless a worker slot is free before.
        if job.barred_until is not None and express_slots:
            barred_s = max((job.barred_until - now_ms) / 1000, barred_accounts_free_in_s, off_s)
            if barred_s < slots_free_in_s[0]:
                express_jobs.append(job.id)
                positions[job.id] = QueuePosition(len(positions), barred_s)
                fallback_in_s[job.id] = slots_free_in_s[0]
                barred_accounts_free_in_s = barred_s + job.est_seconds
                continue
        if is_express:
            free_in_s = express_slots_free_in_s
            express_jobs.append(job.id)
        start_in_s = free_in_s[0]
        positions[job.id] = QueuePosition(len(positions), start_in_s)
        heapq.heapreplace(free_in_s, start_in_s + job.est_seconds)
    express_starts = [
        (job, positions[job].ahead, fallback_in_s.get(job, 0.0)) for job in express_jobs
    ]
    intervals = StartIntervals(state, slots, now_ms, weight_per_s, express_starts, off_s)
    # A job that is submitted now starts after those without a position, too.
    mean_s = sum(job.est_seconds for job in state.waiting) / max(1, len(state.waiting))
    start_in_s = slots_free_in_s[0] + state.n_more * mean_s / slots
    forecast = Forecast(positions, start_in_s, run_times, intervals, state.windows)
    if not _is_delayed(forecast, estimated, now_ms):
        return forecast
    simulate = hook("starts_in_windows")
    assert simulate is not None  # as there are windows
    starts = simulate(
        state,
        {job.id: job.est_seconds for job in estimated.waiting},
        _slots_free_in_s(remaining_s[-slots:], slots, off_s),
        now_ms,
        weight_per_s,
    )
    return forecast._replace(
        positions={job: QueuePosition(k, starts.jobs[job]) for k, job in enumerate(starts.jobs)},
        start_in_s=starts.next_s,
        intervals=None,
        reservation_start_in_s=starts.own_s,
    )


def _is_delayed(forecast: Forecast, state: QueueState, now_ms: int) -> bool:
    """Return whether a window delays a start that was forecast without windows."""
    return any(
        _delays(window, now_ms + 1000 * (forecast.start_in_s or 0.0), 0.0)
        or any(
            _delays(window, now_ms + 1000 * start_in_s, job.est_seconds)
            for job in state.waiting
            if not window.permits(job.project)
            and (start_in_s := forecast.positions[job.id].start_in_s) is not None
        )
        for window in forecast.windows
    )


def _delays(window: Reservation, at_ms: float, run_s: float) -> bool:
    """Return whether a window keeps a job of `run_s` seconds, which it does not permit, waiting."""
    return window.last_start(run_s) <= at_ms < window.until_at


def _slots_free_in_s(busy: list[float], slots: int, off_s: float) -> list[float]:
    """Return, as a heap, the seconds until each slot is free and the device is on."""
    slots_free_in_s = [max(each, off_s) for each in busy] + [off_s] * (slots - len(busy))
    heapq.heapify(slots_free_in_s)
    return slots_free_in_s


def _in_express_order(state: QueueState) -> Iterator[WaitingJob]:
    """Yield short jobs in the order in which the express slots claim them: accounts in turn."""
    waiting: dict[str, deque[WaitingJob]] = {}
    turns = []
    for job in state.waiting:
        if job.express_turn is None:
            continue
        if job.account not in waiting:
            waiting[job.account] = deque()
            turns.append((job.express_turn, job.account))
        waiting[job.account].append(job)
    accounts = deque(account for _, account in sorted(turns))
    while accounts:
        account = accounts.popleft()
        yield waiting[account].popleft()
        if waiting[account]:
            accounts.append(account)


def _in_turn(state: QueueState, weight_per_s: float) -> Iterator[WaitingJob]:
    """Yield waiting jobs in the order in which fair share claims them.

    Args:
        state: Waiting jobs, with their expected run times; those of a project in their order.
        weight_per_s: Present weight of one second of use.
    """
    waiting: dict[str, deque[WaitingJob]] = {}
    for job in state.waiting:
        waiting.setdefault(job.project, deque()).append(job)
    turns = [(share.vtime, share.project, share.shares) for share in state.shares]
    return _take_turns(waiting, turns, weight_per_s)


def _in_turn_of_members(state: QueueState, weight_per_s: float) -> QueueState:
    """Return the queue with the jobs of each project in the order in which they are claimed."""
    members: dict[str, list[MemberShare]] = {}
    for share in state.members:
        members.setdefault(share.project, []).append(share)
    if all(len(each) == 1 for each in members.values()):
        return state  # the jobs of one member are in order
    waiting: dict[str, list[WaitingJob]] = {}
    for job in state.waiting:
        waiting.setdefault(job.project, []).append(job)
    ordered = [
        job
        for project, jobs in waiting.items()
        for job in _of_project_in_turn(jobs, members.get(project, ()), weight_per_s)
    ]
    return state._replace(waiting=ordered)


def _of_project_in_turn(
    jobs: Sequence[WaitingJob], members: Sequence[MemberShare], weight_per_s: float
) -> Iterator[WaitingJob]:
    """Yield the jobs of a project: those with a positive priority first, then members in turn."""
    urgent = [job for job in jobs if job.priority > 0]
    urgent.sort(key=lambda job: (-job.priority, job.seq))
    yield from urgent
    used: defaultdict[str, float] = defaultdict(float)
    for job in urgent:
        used[job.account] += charge_s(job.est_seconds) * weight_per_s
    waiting: dict[str, deque[WaitingJob]] = {}
    for job in jobs:
        if job.priority <= 0:
            waiting.setdefault(job.account, deque()).append(job)
    turns = [
        (share.vtime + used[share.account] / share.shares, share.account, share.shares)
        for share in members
    ]
    yield from _take_turns(waiting, turns, weight_per_s)
    for left in waiting.values():  # of accounts without a share
        yield from left


def _take_turns(
    waiting: Mapping[str, deque[WaitingJob]],
    turns: Sequence[tuple[float, str, int]],
    weight_per_s: float,
) -> Iterator[WaitingJob]:
    """Remove and yield jobs of those who take turns: each time, of the one with the least use.

    Args:
        waiting: Jobs by who takes turns.
        turns: Use per share, who it is, and the number of shares.
        weight_per_s: Present weight of one second of use.
    """
    heap = [turn for turn in turns if waiting.get(turn[1])]
    heapq.heapify(heap)
    while heap:
        vtime, taker, shares = heap[0]
        job = waiting[taker].popleft()
        yield job
        if waiting[taker]:
            used = charge_s(job.est_seconds) * weight_per_s / shares
            heapq.heapreplace(heap, (vtime + used, taker, shares))
        else:
            heapq.heappop(heap)
