"""Intervals of start times: how much earlier or later than expected a waiting job may start.

The interval contains the start with a probability of 80 %. Its width has four sources, measured on
the device's jobs: the spread of run times around their estimates, the age of the running jobs, the
jobs that arrive later and start earlier, and the small number of jobs that these figures come from.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.fair_share import MAX_ADVANTAGE_S, charge_s
from qwicket.scheduling.dispatcher import EXPRESS_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qwicket.store import EndedJob, QueueState, RunningJob, WaitingJob

_Z: Final = 1.2816
"""The normal distribution has 10 % below -_Z and 10 % above it."""
_ASSUMED_SPREAD: Final = math.log(2.0)
"""Spread of logarithms of run times before any job has completed: a factor of two either way."""
_ASSUMED_JOBS: Final = 2.0
"""Weight of the assumed spread, in completed jobs, or in projects with such jobs."""
_MAX_VARIANCE: Final = 2.0
"""Limit on each variance of logarithms of run times."""
_TAIL: Final = 1e-12
"""If a job had less than this probability of running as long as it has, the rest of its run follows
from the asymptote of the distribution."""
_MIN_S: Final = 0.001
"""Lower bound of times in seconds that are divided by, or whose logarithm is taken."""
_SAME_SUBMISSION_MS: Final = 1_000
"""Jobs of one project that arrive within this time of each other count as one submission."""
_STEPS: Final = 8
"""Steps of the iteration that finds how long a job waits for jobs that arrive meanwhile."""
_MAX_LOAD: Final = 0.95
"""At a load of 1, the variance of the wait would be infinite."""
_BISECTIONS: Final = 16
"""Steps of a bisection on logarithms of times, which leave an error below 0.1 %."""


class Interval(NamedTuple):
    """Seconds until the start: earlier in 10 % of cases, later in 10 %."""

    earliest_s: float
    latest_s: float


class Work(NamedTuple):
    """Expected run times of some jobs of one project.

    Attributes:
        seconds: Their sum.
        squares: Sum of their squares, in s².
    """

    seconds: float
    squares: float


class _Start(NamedTuple):
    """What is before the simulated start of a job in a worker slot.

    Attributes:
        vtime: Use per share of its project when it starts; projects with less use are before it.
        own: Work of the jobs of its project that start before it.
        project: Its project; empty for a job that is not submitted yet.
        priority: Its priority.
    """

    vtime: float
    own: Work = Work(0.0, 0.0)
    project: str = ""
    priority: int = 0


class _Arrivals(NamedTuple):
    """Jobs of a project that were queued in the observed time.

    Attributes:
        rate: Seconds of work that arrive per second.
        square_rate: Sum of the squared work of submissions per second, in s.
        seconds: The observed time.
        jobs: Priority of each job and its part of the work.
    """

    rate: float
    square_rate: float
    seconds: float
    jobs: list[tuple[int, float]]


class _Overtaking(NamedTuple):
    """Arrivals of a project whose jobs start before the waiting job.

    Attributes:
        rate: Seconds of work that arrive per second.
        max_work_s: Work after which the project's use has reached that of the waiting job's
            project, so that no more jobs overtake; infinite for jobs of the same project.
        square_rate: Sum of the squared work of submissions per second, in s.
        seconds: The observed time.
    """

    rate: float
    max_work_s: float
    square_rate: float
    seconds: float


class StartIntervals:
    """Intervals for the starts in one simulated queue.

    Args:
        state: The queue, with expected run times in place of estimates.
        slots: Number of worker slots, at least 1.
        now_ms: Unix time in milliseconds.
        weight_per_s: Present weight of one second of use (`model/fair_share.py`).
        express: Jobs that start in express slots, in their order: id, number of jobs ahead, and for
            an account that is barred from express slots now, as its jobs exceeded their estimates,
            seconds until a worker slot would start the job if the bar did not end; else 0.
        off_s: Seconds until the device is on again.
    """

    def __init__(
        self,
        state: QueueState,
        slots: int,
        now_ms: int,
        weight_per_s: float,
        express: Sequence[tuple[str, int, float]] = (),
        off_s: float = 0.0,
    ) -> None:
        self._state = state
        self._slots = slots
        self._now_ms = now_ms
        self._weight_per_s = weight_per_s
        self._off_s = off_s
        self._express = {job: turn for turn, (job, _, _) in enumerate(express)}
        self._express_ahead = [ahead for _, ahead, _ in express]
        self._fallback_in_s = {job: seconds for job, _, seconds in express if seconds}
        self._shares = {share.project: share for share in (*state.idle_shares, *state.shares)}
        self._min_vtime = min((share.vtime for share in state.shares), default=0.0)
        self._queues: dict[str, list[WaitingJob]] = {}
        for job in state.waiting:
            queue = self._queues.get(job.project)
            if queue is None:
                queue = self._queues[job.project] = []
            queue.append(job)
        self._projects = {job.id: job.project for job in state.waiting}
        self._starts: dict[str, dict[str, _Start]] = {}
        self._works, self._final_vtimes = {}, {}
        for project, jobs in self._queues.items():
            self._works[project] = self._work(jobs)
            self._final_vtimes[project] = self._final_vtime(project, jobs)
        n_in_slots = max(1, len(state.waiting) - len(express))
        self._mean_square = sum(work.squares for work in self._works.values()) / n_in_slots
        """Mean of the squared run times of waiting jobs, in s²."""
        self._job_variance, self._project_variance = _variances(state.recent)
        self._job_relative_variance = math.expm1(self._job_variance)
        """Relative variance of a run time among those of its project."""
        self._project_relative_variance = math.expm1(self._project_variance)
        """Relative variance of projects' run times around the expected ones."""
        squares, self._parts = _parts(state.recent)
        self._part_squares = sum(part**2 for part in self._parts.values())
        self._fit_error = self._job_relative_variance * squares
        """Squared relative error of expected run times that all jobs have in common."""

    def of(self, job: str, ahead: int, start_in_s: float) -> Interval:
        """Return the interval of a waiting job.

        Args:
            job: Its id.
            ahead: Number of jobs that start before it.
            start_in_s: Expected seconds until its start.
        """
        turn = self._express.get(job)
        if turn is not None:
            earliest_s, latest_s = self._of_express(turn, start_in_s)
            # The job's account has exceeded its estimates: it may do so again, and be barred again.
            return Interval(earliest_s, max(latest_s, self._fallback_in_s.get(job, 0.0)))
        project = self._projects[job]
        starts = self._starts.get(project)
        if starts is None:
            starts = self._starts[project] = self._all_starts(project)
        turn = ahead - bisect_left(self._express_ahead, ahead)
        return self._of_worker_slot(starts[job], turn, start_in_s)

    def of_next(self, ahead: int, start_in_s: float) -> Interval:
        """Return the interval of a job that is submitted now and starts after all that wait."""
        start = _Start(max(self._final_vtimes.values(), default=0.0))
        return self._of_worker_slot(start, ahead - len(self._express), start_in_s)

    def _of_worker_slot(self, start: _Start, turn: int, expected_s: float) -> Interval:
        """Return the interval of a job that starts in a worker slot.

        The time until the first slot is free has the distribution of the least of the remaining run
        times. The time from then on is a sum of run times, divided by the number of slots. As jobs
        of the queue fill the slots, the second replaces the first. Both together have about the
        log-normal distribution of the same mean and variance (Fenton, IRE Trans. Commun. Syst.
        CS-8, 1960).
        """
        turn -= self._slots - len(self._runs)
        if turn < 0:
            return Interval(expected_s, expected_s)
        mean, variance = self._without_arrivals(start, turn, expected_s)
        mean, variance = self._with_arrivals(start, mean, variance)
        return self._around(expected_s, _between(mean, variance))

    def _of_express(self, turn: int, expected_s: float) -> Interval:
        """Return the interval of a job that starts in an express slot: short jobs run before it.

        A job goes to an express slot only after `EXPRESS_DELAY_S` without a free worker slot.
        """
        square = self._work_of_express.squares / len(self._express)
        variance = self._job_relative_variance * turn * square + self._fit_error * expected_s**2
        mean = max(expected_s, _MIN_S)
        for run in self._express_runs:
            mean += run.mean - run.expected
            variance += run.variance
        earliest_s, latest_s = _between(mean, variance)
        return self._around(expected_s, Interval(earliest_s, latest_s + EXPRESS_DELAY_S))

    def _around(self, expected_s: float, interval: Interval) -> Interval:
        """Return the interval, extended so that it contains the expected start."""
        earliest_s = max(self._off_s, min(interval.earliest_s, expected_s))
        return Interval(earliest_s, max(interval.latest_s, expected_s, earliest_s))

    def _all_starts(self, project: str) -> dict[str, _Start]:
        """Return the starts of a project's jobs in worker slots, by id."""
        share = self._shares[project]
        per_share = self._weight_per_s / share.shares
        vtime, seconds, squares = share.vtime, 0.0, 0.0
        starts = {}
        for job in self._queues[project]:
            if job.id not in self._express:
                work = Work(seconds, squares)
                starts[job.id] = _Start(vtime, work, project, job.priority)
                seconds += job.est_seconds
                squares += job.est_seconds**2
            vtime += charge_s(job.est_seconds) * per_share
        return starts

    def _work(self, jobs: list[WaitingJob]) -> Work:
        """Return the work of these jobs in worker slots."""
        express = self._express
        seconds = [job.est_seconds for job in jobs if job.id not in express]
        return Work(sum(seconds), sum([each * each for each in seconds]))

    def _final_vtime(self, project: str, jobs: list[WaitingJob]) -> float:
        """Return the use of a project once all its waiting jobs have started."""
        share = self._shares[project]
        seconds = sum([charge_s(job.est_seconds) for job in jobs])
        return share.vtime + seconds * self._weight_per_s / share.shares

    @cached_property
    def _work_of_express(self) -> Work:
        jobs = [job.est_seconds for job in self._state.waiting if job.id in self._express]
        return Work(sum(jobs), sum(each * each for each in jobs))

    @cached_property
    def _remaining(self) -> list[_RemainingRun]:
        """The rest of the running jobs, the shortest first."""
        runs = [
            _RemainingRun.of(
                max(job.est_seconds, _MIN_S),
                max(0, self._now_ms - job.started_at) / 1000,
                math.sqrt(
                    self._job_variance + self._project_variance * self._part_left(job.project)
                ),
            )
            for job in self._state.running
        ]
        return sorted(runs, key=lambda run: run.expected)

    @property
    def _runs(self) -> list[_RemainingRun]:
        return self._remaining[-self._slots :]

    @property
    def _express_runs(self) -> list[_RemainingRun]:
        """The shortest runs, beyond the number of worker slots: the simulation assumes the same."""
        return self._remaining[: -self._slots]

    @cached_property
    def _running(self) -> dict[str, float]:
        """Sum of the squared run times of running jobs, by project."""
        squares: dict[str, float] = {}
        for job in self._state.running:
            squares[job.project] = squares.get(job.project, 0.0) + job.est_seconds**2
        return squares

    def _variance_of_work(self, start: _Start) -> float:
        """Return the variance of the work before a job, in s².

        Projects all of whose jobs start before it run them, whatever they take. Other projects run
        until their measured use has reached that of the job's project, so that errors of their
        estimates cancel. Errors of the own project's estimates count for these others, too: what
        the project uses more, they may use, too.
        """
        others, variance = 0.0, 0.0
        share = self._shares.get(start.project)
        for project, end in self._final_vtimes.items():
            if project == start.project:
                continue
            if end > start.vtime:
                others += self._shares[project].shares / (share.shares if share else 1)
            else:
                variance += self._variance_of_sum(project, self._works[project])
        own = self._variance_of_sum(start.project, start.own)
        running = self._job_relative_variance * self._running.get(start.project, 0.0)
        return variance + own * (1 + others) ** 2 + running * others**2

    def _variance_of_sum(self, project: str, work: Work) -> float:
        """Return the variance of a sum of run times, in s².

        The estimates of a project's jobs err alike, so that their errors do not average out.
        """
        of_project = self._project_relative_variance * self._part_left(project)
        return self._job_relative_variance * work.squares + of_project * work.seconds**2

    def _part_left(self, project: str) -> float:
        """Return the part of the variance of projects that the fit leaves for this one.

        The fit corrects a project's estimates by its part of the recent jobs, and adds the errors
        of the others.
        """
        part = self._parts.get(project, 0.0)
        return (1 - part) ** 2 + self._part_squares - part**2

    def _without_arrivals(self, start: _Start, turn: int, expected_s: float) -> tuple[float, float]:
        """Return mean and variance of the wait if no job arrives."""
        slots, runs = self._slots, self._runs
        # How far jobs of the queue fill the slots before this job starts.
        filled = min(1.0, turn / slots)
        mean, variance = expected_s, 0.0
        if runs and not self._off_s:
            mean += filled * sum(run.mean - run.expected for run in runs) / slots
            variance += filled * sum(run.variance for run in runs) / slots**2
            if len(runs) == slots:
                first_mean, first_variance = self._first_end
                mean += (1 - filled) * (first_mean - min(run.expected for run in runs))
                variance += (1 - filled) * first_variance
        variance += self._variance_of_work(start) / slots**2
        # When a slot is free for the job, each other slot is at a random point of its own job.
        variance += filled * (slots - 1) / slots**2 * self._mean_square / 12
        waited_s = max(0.0, expected_s - self._off_s)
        return max(mean, _MIN_S), variance + self._fit_error * waited_s**2

    def _with_arrivals(self, start: _Start, mean: float, variance: float) -> tuple[float, float]:
        """Return mean and variance of the wait with the jobs that arrive during it.

        The wait is a busy period that begins with a delay: each second of it brings work of
        projects with less use, which makes it longer (Kleinrock, Queueing Systems I, 5.10). Another
        project overtakes only until its use has reached that of the waiting job's project.
        """
        sources = list(self._overtaking(start))
        if not sources:
            return mean, variance
        slots, wait_s = self._slots, mean
        for _ in range(_STEPS):
            wait_s = (
                mean + sum(min(each.rate * wait_s, each.max_work_s) for each in sources) / slots
            )
        load = sum(each.rate for each in sources if each.rate * wait_s < each.max_work_s) / slots
        variance /= (1 - min(load, _MAX_LOAD)) ** 2
        for arrivals in sources:
            if arrivals.rate * wait_s < arrivals.max_work_s:
                # In the observed seconds, the variance of the rate is square_rate / seconds.
                added = arrivals.square_rate * (wait_s + wait_s**2 / arrivals.seconds) / slots**2
                variance += added / (1 - min(load, _MAX_LOAD)) ** 2
        return wait_s, variance

    def _overtaking(self, start: _Start) -> Iterator[_Overtaking]:
        """Yield the arrivals that overtake a job."""
        credit = MAX_ADVANTAGE_S * self._weight_per_s
        for project, arrivals in self._arrivals.items():
            if project == start.project:
                higher = sum(part for priority, part in arrivals.jobs if priority > start.priority)
                if higher:
                    yield _Overtaking(
                        rate=arrivals.rate * higher,
                        max_work_s=math.inf,
                        square_rate=arrivals.square_rate * higher,
                        seconds=arrivals.seconds,
                    )
                continue
            share = self._shares.get(project)
            vtime = self._final_vtimes.get(project)
            if vtime is None:
                vtime = max(share.vtime if share else 0.0, self._min_vtime - credit)
            if vtime < start.vtime:
                per_share = (start.vtime - vtime) / self._weight_per_s
                yield _Overtaking(
                    rate=arrivals.rate,
                    max_work_s=per_share * (share.shares if share else 1),
                    square_rate=arrivals.square_rate,
                    seconds=arrivals.seconds,
                )

    @cached_property
    def _arrivals(self) -> dict[str, _Arrivals]:
        """What arrived, by project, since the oldest of the recent jobs ended.

        Every job that was queued since then still waits, runs or is among the recent ones, so that
        the count is complete but for jobs that failed, were cancelled or are held, and for waiting
        jobs beyond the first 5,000.
        """
        state = self._state
        if not state.recent:
            return {}
        since = min(job.ended_at for job in state.recent)
        seconds = max((self._now_ms - since) / 1000, _MIN_S)
        arrived: dict[str, list[WaitingJob | RunningJob | EndedJob]] = {}
        for jobs in (state.waiting, state.running, state.recent):
            for job in jobs:
                if job.queued_at > since and job.project:
                    arrived.setdefault(job.project, []).append(job)
        return {project: self._arrivals_of(jobs, seconds) for project, jobs in arrived.items()}

    def _arrivals_of(
        self, jobs: list[WaitingJob | RunningJob | EndedJob], seconds: float
    ) -> _Arrivals:
        jobs.sort(key=lambda job: job.queued_at)
        total = sum(job.est_seconds for job in jobs) or _MIN_S
        squares, work, last = 0.0, 0.0, -math.inf
        for job in jobs:
            if job.queued_at - last > _SAME_SUBMISSION_MS:
                squares += work**2
                work = 0.0
            work += job.est_seconds
            squares += self._job_relative_variance * job.est_seconds**2
            last = job.queued_at
        squares += work**2
        squares += self._project_relative_variance * squares
        return _Arrivals(
            rate=total / seconds,
            square_rate=squares / seconds,
            seconds=seconds,
            jobs=[(job.priority, job.est_seconds / total) for job in jobs],
        )

    @cached_property
    def _first_end(self) -> tuple[float, float]:
        """Mean and variance of the time until the first worker slot is free, if all are busy."""
        runs = self._runs
        low, high = _first_end_quantile(runs, 0.9), _first_end_quantile(runs, 0.1)
        spread = math.log(max(high, _MIN_S) / max(low, _MIN_S)) / (2 * _Z)
        median = math.sqrt(max(low, _MIN_S) * max(high, _MIN_S))
        mean = median * math.exp(spread**2 / 2)
        return mean, mean**2 * math.expm1(spread**2)


class _RemainingRun(NamedTuple):
    """The rest of a running job, whose run time is log-normal.

    Attributes:
        expected: Expected remaining seconds, by the expected run time alone.
        mean: Mean of the remaining seconds, given how long it has run.
        variance: Their variance, in s².
        age_s: How long it has run.
        median_log: Logarithm of the median run time.
        spread: Spread of logarithms.
    """

    expected: float
    mean: float
    variance: float
    age_s: float
    median_log: float
    spread: float

    @classmethod
    def of(cls, run_s: float, age_s: float, spread: float) -> _RemainingRun:
        """Return the rest of a job with a mean run time `run_s` that has run for `age_s`."""
        median_log = math.log(run_s) - spread**2 / 2
        expected = max(0.0, run_s - age_s)
        if age_s <= 0:
            return cls(run_s, run_s, run_s**2 * math.expm1(spread**2), 0.0, median_log, spread)
        z = (median_log - math.log(age_s)) / spread
        survives = _phi(z)
        if survives > _TAIL:
            first = run_s * _phi(z + spread) / survives
            second = run_s**2 * math.exp(spread**2) * _phi(z + 2 * spread) / survives
            mean, variance = first - age_s, max(0.0, second - first**2)
        else:  # the hazard of the tail is about -z / (spread * age)
            mean = age_s * spread / -z
            variance = mean**2
        return cls(expected, mean, variance, age_s, median_log, spread)

    def survival(self, seconds: float) -> float:
        """Return the probability that the job runs for more than `seconds` from now."""
        if self.age_s <= 0:
            return _phi((self.median_log - math.log(seconds)) / self.spread)
        now = _phi((self.median_log - math.log(self.age_s)) / self.spread)
        if now < _TAIL:
            return math.exp(-seconds / self.mean)
        return _phi((self.median_log - math.log(self.age_s + seconds)) / self.spread) / now


def _first_end_quantile(runs: list[_RemainingRun], probability: float) -> float:
    """Return the seconds within which, with this probability, none of the jobs ends."""
    low, high = math.log(_MIN_S), math.log(max(100 * max(run.mean for run in runs), 1.0))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        seconds = math.exp(middle)
        if math.prod(run.survival(seconds) for run in runs) > probability:
            low = middle
        else:
            high = middle
    return math.exp(low)


def _phi(z: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _between(mean: float, variance: float) -> Interval:
    """Return the 10 % and 90 % quantiles of the log-normal distribution of a mean and variance."""
    if mean <= 0 or variance <= 0:
        return Interval(mean, mean)
    squared = math.log1p(variance / mean**2)
    median, width = mean * math.exp(-squared / 2), _Z * math.sqrt(squared)
    return Interval(median * math.exp(-width), median * math.exp(width))


def _variances(recent: list[EndedJob]) -> tuple[float, float]:
    """Return the variances of jobs within their project, and of projects.

    Both are those of the logarithm of measured over expected run time (one-way analysis of
    variance). Before any job has completed, each is half of an assumed variance.
    """
    logs: dict[str, list[float]] = {}
    for job in recent:
        ran_s = charge_s((job.ended_at - job.started_at) / 1000)
        logs.setdefault(job.project, []).append(math.log(ran_s / charge_s(job.est_seconds)))
    groups = [(len(of_project), sum(of_project) / len(of_project)) for of_project in logs.values()]
    n_jobs, mean = len(recent), sum(map(sum, logs.values())) / max(1, len(recent))
    within = sum(
        (each - project_mean) ** 2
        for of_project, (_, project_mean) in zip(logs.values(), groups, strict=True)
        for each in of_project
    )
    between = sum(size * (project_mean - mean) ** 2 for size, project_mean in groups)
    assumed = _ASSUMED_SPREAD**2 / 2
    of_jobs = (_ASSUMED_JOBS * assumed + within) / (_ASSUMED_JOBS + max(0, n_jobs - len(groups)))
    of_projects = assumed
    if (degrees := len(groups) - 1) > 0:  # of freedom
        typical_size = (n_jobs - sum(size**2 for size, _ in groups) / n_jobs) / degrees
        measured = max(0.0, (between / degrees - of_jobs) / typical_size)
        of_projects = (_ASSUMED_JOBS * assumed + degrees * measured) / (_ASSUMED_JOBS + degrees)
    return min(_MAX_VARIANCE, of_jobs), min(_MAX_VARIANCE, of_projects)


def _parts(recent: list[EndedJob]) -> tuple[float, dict[str, float]]:
    """Return the sum of squares of jobs' parts of the recent work, and the part of each project."""
    total = sum(charge_s(job.est_seconds) for job in recent)
    if not total:
        return 1.0, {}
    parts: dict[str, float] = {}
    squares = 0.0
    for job in recent:
        part = charge_s(job.est_seconds) / total
        squares += part**2
        parts[job.project] = parts.get(job.project, 0.0) + part
    return squares, parts
