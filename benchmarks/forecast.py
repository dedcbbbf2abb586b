"""How often a job starts within its forecast interval, in a simulated queue.

The queue is a discrete-event simulation. Its rules are those of the server: fair share as in
`store/sql/fair_share.sql`, priorities, tasks of tiny jobs, the express slot and devices that go
off. The forecast is the server's own function, and sees only what the server sees at that time.

Run times differ from their estimates by a bias of the device, which the forecast must learn from
completed jobs, by a factor of each project, and by a log-normal factor of each job. Projects submit
jobs in bursts; the load follows the day and is above the capacity at its peak. Server devices that
share workers are not simulated: the forecast ignores the load of other devices on them.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from benchmarks.figures import Figure, p50
from qwicket.model.fair_share import MAX_ADVANTAGE_S, charge_s, weight
from qwicket.model.jobs import TINY_S
from qwicket.model.limits import JobLimits
from qwicket.scheduling.dispatcher import EXPRESS_DELAY_S
from qwicket.scheduling.forecast import Forecast, simulate_queue
from qwicket.scheduling.start_intervals import Interval
from qwicket.store import EndedJob, ProjectShare, QueueState, RunningJob, WaitingJob
from qwicket.store.backlog import TASK_S
from qwicket.store.queue_state import RECENT

JOBS: Final = 100_000
QUICK: Final = 10_000
AIM: Final = (0.75, 0.85)
SEED: Final = 20261122
_READS: Final = 20_000
"""Most forecasts that `measure` reads, chosen at random among all."""
_LIMITS: Final = JobLimits()
_EPOCH_MS: Final = 1_700_000_000_000
_DAY_S: Final = 86_400.0
_BATCH: Final = 16
_PROJECTS: Final = 12
_BURST: Final = 3.0
_POLL_S: Final = 20.0
"""Mean time from a submission to the status read that is scored."""


class Kind(NamedTuple):
    """A device, and how its run times differ from their estimates.

    Attributes:
        name: Name in the table.
        slots: Worker slots, or agents.
        express_slots: Express slots; 0 for a lab's device.
        sizes: Weight, median in seconds and spread of each kind of job.
        bias: Median of true over estimated run time.
        spread: Spread of the logarithm of that ratio.
        load: Mean load of the slots.
        off_every_s: Mean time between two times of being off.
    """

    name: str
    slots: int
    express_slots: int
    sizes: tuple[tuple[float, float, float], ...]
    bias: float
    spread: float
    load: float
    off_every_s: float


KINDS: Final = (
    Kind("simulator", 4, 1, ((5, 0.003, 0.7), (3, 1.0, 0.8), (3, 20.0, 0.9)), 1.7, 0.5, 0.85, 4e4),
    Kind("lab, 1 agent", 1, 0, ((3, 4.0, 0.7), (1, 60.0, 0.7)), 0.6, 0.7, 0.75, 3e4),
    Kind("lab, 2 agents", 2, 0, ((1, 30.0, 0.5),), 1.2, 0.3, 0.85, 3e4),
)


class Score(NamedTuple):
    """One forecast and the true time until the start, in seconds."""

    device: str
    expected_s: float
    earliest_s: float
    latest_s: float
    true_s: float

    @property
    def is_within(self) -> bool:
        return self.earliest_s - 0.001 <= self.true_s <= self.latest_s + 0.001


@dataclass(eq=False)
class _Job:
    id: str
    seq: int
    project: str
    priority: int
    est_seconds: float
    true_s: float
    queued_at: int
    is_short: bool
    started_at: int | None = None
    predicted: tuple[int, float, Interval] | None = None
    is_waiting: bool = True

    def __lt__(self, other: _Job) -> bool:
        return (-self.priority, self.seq) < (-other.priority, other.seq)


@dataclass
class _Share:
    vtime: float = 0.0
    has_work: bool = False


@dataclass(eq=False)
class Simulation:
    """A simulated device with its queue; its events are (time in ms, number, action, argument).

    Attributes:
        asking: Part of the jobs whose forecast is read. Each read simulates the whole queue.
    """

    kind: Kind
    rng: random.Random
    jobs: int
    asking: float = 1.0
    scores: list[Score] = field(default_factory=list)
    now: int = _EPOCH_MS

    def __post_init__(self) -> None:
        rng = self.rng
        self.events: list[tuple[int, int, str, object]] = []
        self.numbers = itertools.count()
        self.shares_of = {f"p{n}": rng.choice((1, 1, 1, 2, 4)) for n in range(_PROJECTS)}
        self.weights = [1 / (1 + n) for n in range(_PROJECTS)]
        self.habits = {name: rng.lognormvariate(0, 0.25) for name in self.shares_of}
        self.shares: dict[str, _Share] = {}
        self.waiting: dict[str, list[_Job]] = {name: [] for name in self.shares_of}
        self.running: dict[str, tuple[_Job, bool]] = {}
        self.recent: deque[EndedJob] = deque(maxlen=RECENT)
        self.busy = self.busy_express = 0
        self.slot_ended_at = self.now
        self.turns = dict.fromkeys(self.shares_of, 0)
        self.barred = dict.fromkeys(self.shares_of, 0)
        self.off_until: int | None = None
        self.is_off = False
        self.submitted = 0
        mean = sum(w * m * math.exp(s * s / 2) for w, m, s in self.kind.sizes)
        mean /= sum(w for w, _, _ in self.kind.sizes)
        mean *= self.kind.bias * math.exp(self.kind.spread**2 / 2)
        self.gap_s = _BURST * mean / (self.kind.slots * self.kind.load)

    def run(self) -> list[Score]:
        self.at(0, "submit")
        self.at(self.rng.expovariate(1 / self.kind.off_every_s), "off")
        while self.events and (self.submitted < self.jobs or self.n_waiting):
            self.now, _, action, argument = heapq.heappop(self.events)
            getattr(self, f"_{action}")(argument)
        return self.scores

    @property
    def n_waiting(self) -> int:
        return sum(map(len, self.waiting.values()))

    def at(self, seconds: float, action: str, argument: object = None) -> None:
        due = self.now + round(1000 * seconds)
        heapq.heappush(self.events, (due, next(self.numbers), action, argument))

    # --- what users and labs do

    def _submit(self, _: object) -> None:
        rng, kind = self.rng, self.kind
        if self.submitted >= self.jobs:
            return
        (project,) = rng.choices(list(self.shares_of), self.weights)
        ((_, median, spread),) = rng.choices(kind.sizes, [w for w, _, _ in kind.sizes])
        size = median * rng.lognormvariate(0, spread)
        for _n in range(1 + int(rng.expovariate(1 / (_BURST - 0.5)))):
            self._add(project, max(0.0001, size * rng.uniform(0.9, 1.1)))
        self._claim_all()
        phase = 2 * math.pi * (self.now - _EPOCH_MS) / (1000 * _DAY_S)
        self.at(rng.expovariate((1 + 0.4 * math.sin(phase)) / self.gap_s), "submit")

    def _add(self, project: str, est_seconds: float) -> None:
        rng, kind = self.rng, self.kind
        self.submitted += 1
        error = rng.lognormvariate(0, kind.spread) * self.habits[project]
        job = _Job(
            id=f"{kind.name}-{self.submitted}",
            seq=self.submitted,
            project=project,
            priority=rng.choices((0, 1, -1), (18, 1, 1))[0],
            est_seconds=est_seconds,
            true_s=0.001 + est_seconds * kind.bias * error,
            queued_at=self.now,
            is_short=kind.express_slots > 0 and est_seconds < _LIMITS.express_s,
        )
        insort(self.waiting[project], job)
        share = self.shares.setdefault(project, _Share())
        if not share.has_work:  # share_open
            active = [each.vtime for each in self.shares.values() if each.has_work]
            credit = MAX_ADVANTAGE_S * weight(self.now, _EPOCH_MS)
            share.vtime = max(share.vtime, 0.0, min(active) - credit if active else 0.0)
            share.has_work = True
        if self.asking < 1 and rng.random() >= self.asking:
            return
        self.at(rng.choice((0.002, rng.expovariate(1 / _POLL_S))), "ask", job)

    def _off(self, _: object) -> None:
        self.is_off = True
        seconds = self.rng.uniform(300, 1800)
        is_announced = self.rng.random() < 0.5
        self.off_until = self.now + round(1000 * seconds) if is_announced else None
        self.at(seconds, "on")

    def _on(self, _: object) -> None:
        self.is_off, self.off_until = False, None
        self.at(self.rng.expovariate(1 / self.kind.off_every_s), "off")
        self._claim_all()

    # --- what the server does

    def _claim_all(self, _: object = None) -> None:
        while self.busy < self.kind.slots and not self.is_off and self._claim():
            pass
        while self.busy_express < self.kind.express_slots and self._claim_express():
            pass

    def _claim(self) -> bool:
        taken: list[_Job] = []
        seconds = 0.0
        is_server = self.kind.express_slots > 0
        while len(taken) < (_BATCH if is_server else 1) and seconds < TASK_S:
            job = self._first()
            if job is None or (taken and job.est_seconds > TINY_S):
                break
            self._begin(job)
            taken.append(job)
            seconds += job.est_seconds
            if job.est_seconds > TINY_S:
                break
        if not taken:
            return False
        self.busy += 1
        total = sum(job.true_s for job in taken)
        for job in taken:  # the jobs of a batch end together
            self.at(total, "end", job)
        self.at(total, "free")
        return True

    def _first(self) -> _Job | None:
        active = [(s.vtime, name) for name, s in self.shares.items() if s.has_work]
        return self.waiting[min(active)[1]][0] if active else None

    def _claim_express(self) -> bool:
        """Claim a short job while the worker slots stay busy; accounts take turns."""
        if self.is_off or self.busy < self.kind.slots:
            return False
        left_s = EXPRESS_DELAY_S - (self.now - self.slot_ended_at) / 1000
        heads = [
            (self.turns[name], job.seq, job)
            for name, jobs in self.waiting.items()
            if self.barred[name] <= self.now
            and (job := next((each for each in jobs if each.is_short), None))
        ]
        if not heads:
            return False
        if left_s > 0:
            self.at(left_s + 0.001, "claim_all")
            return False
        _, _, job = min(heads)
        self._begin(job, is_express=True)
        self.turns[job.project] = max(self.turns.values()) + 1
        self.busy_express += 1
        limit_s = _LIMITS.express_s
        self.at(min(job.true_s, limit_s), "overrun" if job.true_s > limit_s else "end_express", job)
        return True

    def _begin(self, job: _Job, *, is_express: bool = False) -> None:
        self.waiting[job.project].remove(job)
        self._charge(job, charge_s(job.est_seconds))
        self.running[job.id] = (job, is_express)
        job.is_waiting = False
        job.started_at = self.now
        if job.predicted:
            predicted_at, expected_s, interval = job.predicted
            true_s = (self.now - predicted_at) / 1000
            self.scores.append(Score(self.kind.name, expected_s, *interval, true_s))
            job.predicted = None

    def _charge(self, job: _Job, seconds: float) -> None:
        share = self.shares[job.project]
        share.vtime += seconds * weight(self.now, _EPOCH_MS) / self.shares_of[job.project]
        share.has_work = bool(self.waiting[job.project])

    def _end(self, job: _Job) -> None:
        del self.running[job.id]
        assert job.started_at is not None
        self._charge(job, charge_s(job.true_s) - charge_s(job.est_seconds))
        times = (job.started_at, self.now)
        self.recent.append(
            EndedJob(job.est_seconds, *times, job.project, job.priority, job.queued_at)
        )

    def _free(self, _: object) -> None:
        self.busy -= 1
        self.slot_ended_at = self.now
        self._claim_all()

    def _end_express(self, job: _Job) -> None:
        self._end(job)
        self.busy_express -= 1
        self._claim_all()

    def _overrun(self, job: _Job) -> None:
        del self.running[job.id]
        job.is_short = False
        job.is_waiting = True
        insort(self.waiting[job.project], job)
        self.shares[job.project].has_work = True
        self._charge(job, -charge_s(job.est_seconds))
        self.barred[job.project] = self.now + int(1000 * _LIMITS.express_bar_s)
        self.busy_express -= 1
        self._claim_all()

    # --- what a user sees

    def _ask(self, job: _Job) -> None:
        if not job.is_waiting or job.started_at is not None:
            return
        position = self.forecast().position_with_interval(job.id)
        if position is None or position.start_in_s is None or position.interval is None:
            return
        job.predicted = (self.now, position.start_in_s, position.interval)

    def forecast(self) -> Forecast:
        """Return the server's forecast."""
        kind, off_s, slots = self.kind, 0.0, self.kind.slots
        if self.is_off:
            slots = slots if self.off_until else 0
            off_s = (self.off_until - self.now) / 1000 if self.off_until else 0.0
        return simulate_queue(self.state(), slots, self.now, kind.express_slots, off_s)

    def state(self) -> QueueState:
        """Return what `store.queues.state` would."""
        waiting = [
            WaitingJob(
                job.id,
                name,
                job.est_seconds,
                name,
                self.turns[name] if job.is_short and self.barred[name] <= self.now else None,
                job.priority,
                job.queued_at,
                self.barred[name] if job.is_short and self.barred[name] > self.now else None,
            )
            for name, jobs in sorted(self.waiting.items())
            for job in jobs
        ]
        running = [
            RunningJob(
                job.id,
                job.est_seconds,
                job.started_at or 0,
                job.project,
                job.priority,
                job.queued_at,
            )
            for job, _ in self.running.values()
        ]
        known = {
            name: ProjectShare(name, s.vtime, self.shares_of[name])
            for name, s in self.shares.items()
        }
        recent = list(reversed(self.recent))
        finished = {job.project for job in recent}
        return QueueState(
            waiting,
            running,
            [known[name] for name, share in self.shares.items() if share.has_work],
            recent,
            _EPOCH_MS,
            [known[n] for n, s in self.shares.items() if not s.has_work and n in finished],
        )


def scores(jobs: int, seed: int = SEED) -> list[list[Score]]:
    """Return the scores of each device, with equal numbers of jobs."""
    runs = enumerate(KINDS)
    return [Simulation(kind, random.Random(seed + n), jobs // len(KINDS)).run() for n, kind in runs]


def within(of: list[Score]) -> float:
    """Return the share of starts within their intervals."""
    return sum(score.is_within for score in of) / len(of)


def measure(jobs: int = JOBS) -> Iterator[Figure]:
    """Yield how often jobs started within their intervals, by device, and the cost of a read."""
    every: list[Score] = []
    for number, kind in enumerate(KINDS):
        rng = random.Random(SEED + number)
        found = Simulation(kind, rng, jobs // len(KINDS), min(1.0, _READS / jobs)).run()
        every += found
        yield Figure(f"starts in the 80 % interval, {kind.name}", "", _counts(found))
    low, high = AIM
    yield Figure(
        f"starts in the 80 % interval, {jobs:,} jobs",
        "",
        _counts(every),
        "",
        f"{100 * low:.0f} to {100 * high:.0f} %",
        low <= within(every) <= high,
    )


def _counts(of: list[Score]) -> str:
    """Return the parts of starts within and outside their intervals, and a typical width."""
    early = sum(score.true_s < score.earliest_s - 0.001 for score in of) / len(of)
    late = 1 - within(of) - early
    widths = [(s.latest_s - s.earliest_s) / s.expected_s for s in of if s.expected_s >= 1]
    return (
        f"{100 * within(of):.1f} % of {len(of):,} forecasts, {100 * early:.1f} % earlier,"
        f" {100 * late:.1f} % later; width p50 {p50(widths):.1f} × expected"
    )
