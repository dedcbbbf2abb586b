"""One run: clients work, a plan disturbs, and at the end everything is compared."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from chaos import audit, checker
from chaos.callers import CLIENTS, Caller, mass, unmodified
from chaos.disturbances import disturb
from chaos.mass import USERS
from chaos.plan import Disturbance, plan, until_kills
from chaos.world import LEASE_S, STUCK_S, World, world

_LOOK_S: Final = 0.5
_TICK_S: Final = 0.05
_HIT_S: Final = 10.0
"""A kill that finds nothing to kill is tried again for so long."""
_BYTES_PER_JOB: Final = 8_000
_SPARE_BYTES: Final = 1 << 30
_SPARE_BYTES_POSTGRES: Final = 4 << 30
"""Its log alone takes up to a GB."""
_LAST_KILL: Final = 0.97
"""Share of the jobs after which the last kill comes."""
_WHOLE_S: Final = 60.0
_CLIENT_END_S: Final = 120.0


class Outcome(NamedTuple):
    """What came of a run.

    Attributes:
        disturbances: How often each kind was done.
        seconds: From the first job until the last one was submitted.
        jobs_per_s: While all servers and the database ran without a break.
        last_end_s: After this time of calm, no job was unfinished, or the wait for that ended.
        late_clients: Clients that did not end.
        longest_lease_s: Longest time that a lease was seen while all servers ran without a break.
        disk: What was filled.
    """

    report: checker.Report
    disturbances: Counter[str]
    seconds: float
    jobs_per_s: float
    last_end_s: float
    late_clients: list[str]
    longest_lease_s: float
    disk: str

    @property
    def kills(self) -> int:
        return sum(n for kind, n in self.disturbances.items() if kind.startswith("kill_"))

    @property
    def is_good(self) -> bool:
        return not self.report.findings and not self.late_clients


class _Disturber(threading.Thread):
    """Does the steps of a plan when their time has come.

    Args:
        now: The seconds of the plan that have passed.
    """

    def __init__(
        self, world: World, steps: Iterable[Disturbance], now: Callable[[], float]
    ) -> None:
        super().__init__(daemon=True)
        self._world, self._steps, self._now = world, steps, now
        self.stopping = threading.Event()
        self.done: Counter[str] = Counter()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for step in self._steps:
                while step.at_s > self._now():
                    if self.stopping.wait(_TICK_S):
                        return
                self.done[step.kind] += self._do(step)
        except Exception as error:
            self.error = error

    def _do(self, step: Disturbance) -> bool:
        """Return whether there was something to disturb; what is to be killed may be down."""
        deadline = time.monotonic() + (_HIT_S if step.is_kill else 0)
        while not disturb(self._world, step):
            if time.monotonic() > deadline or self.stopping.wait(_TICK_S):
                return False
        return True


class _Submission:
    """Watches the database until enough jobs are stored.

    Args:
        world: Where they are submitted.
        watch: Is told of all leases.
        callers: The unmodified clients.
        share: Their share of the jobs.
    """

    def __init__(
        self, world: World, watch: checker.StuckWatch, callers: list[Caller], share: float
    ) -> None:
        self._world, self._watch, self._share = world, watch, share
        self._idle = itertools.cycle(callers)
        self._n_callers = len(callers)
        self._given = 0
        self.jobs = 0
        self.seconds = 0.0
        self._undisturbed = [0, 0.0]

    @property
    def jobs_per_s(self) -> float:
        jobs, seconds = self._undisturbed
        return jobs / seconds if seconds else 0.0

    def run(self, jobs: int, longest_s: float, say: Callable[[str], object]) -> None:
        began = said = seen = time.monotonic()
        self._give(self._n_callers)
        while self.jobs < jobs and time.monotonic() < began + longest_s:
            time.sleep(_LOOK_S)
            before = self.jobs
            try:
                with audit.books(self._world.place) as books:
                    now = time.monotonic()
                    self._watch.observe(now, books.held(), self._world.served_since_s)
                    self.jobs = books.jobs()
            except (psycopg.Error, sqlite3.Error):
                continue
            if self._world.served_since_s <= seen:
                self._undisturbed[0] += self.jobs - before
                self._undisturbed[1] += now - seen
            seen = now
            self._give(round(self.jobs * self._share) - self._given)
            if now > said + 10:
                said = now
                say(f"{self.jobs} jobs after {now - began:.0f} s")
        self.seconds = time.monotonic() - began

    def _give(self, due: int) -> None:
        """Let unmodified clients submit so many jobs; those that are busy are passed over."""
        for _ in range(self._n_callers):
            if due > 0 and next(self._idle).submit():
                self._given += 1
                due -= 1


def run(
    folder: Path,
    *,
    jobs: int,
    seed: int,
    database: str,
    longest_s: float,
    kills: int | None = None,
    pace: float = 1.0,
    users: int = 4,
    share: float = 0.01,
    say: Callable[[str], object] = len,
) -> Outcome:
    """Run until so many jobs are stored or the time is over, then check.

    Args:
        folder: An empty folder, where everything stays for a look at it.
        jobs: Number of jobs.
        seed: Seed of the plan.
        database: `sqlite` or `postgres`.
        longest_s: Longest time to submit.
        kills: Number of kills, which are spread evenly over the jobs. None follows the plan's own
            times until the end.
        pace: By how much the times between disturbances are divided, without a number of kills.
        users: Users that submit the mass of the jobs: so many of most dialects, see `chaos.mass`.
        share: Share of the jobs that unmodified clients submit.
        say: Is told how far the run is.
    """
    spare = _SPARE_BYTES if database == "sqlite" else _SPARE_BYTES_POSTGRES
    history = folder / "history"
    history.mkdir(parents=True)
    with ExitStack() as stack:
        made = stack.enter_context(world(folder, database, spare + _BYTES_PER_JOB * jobs))
        callers = [unmodified(name, made, history) for name in CLIENTS]
        many = mass(made, history, users)
        for each in (*callers, many):
            stack.callback(each.close)
        for each in (*callers, many):
            each.await_ready()
        watch = checker.StuckWatch(STUCK_S)
        submission = _Submission(made, watch, callers, share)
        steps = plan(seed, database, lease_s=LEASE_S, pace=pace)
        began = time.monotonic()
        if kills is None:
            disturber = _Disturber(made, steps, lambda: time.monotonic() - began)
        else:
            spread = until_kills(steps, kills)
            step_s = spread[-1].at_s / (_LAST_KILL * jobs)
            disturber = _Disturber(made, spread, lambda: step_s * submission.jobs)
        many.submit()
        disturber.start()
        submission.run(jobs, longest_s, say)
        disturber.stopping.set()
        disturber.join()
        if disturber.error is not None:
            raise disturber.error
        made.calm()
        for each in (*callers, many):
            each.stop_submitting()
        last_end_s, left = _await_calm(made, watch)
        say(f"the last job ended {last_end_s:.1f} s after the last disturbance")
        late = [each.name for each in (*callers, many) if not each.await_end(_CLIENT_END_S)]
        with audit.books(made.place) as books:
            report = checker.check(
                checker.read(history),
                books.stored(),
                books.changes(),
                distinct=[*USERS, *(name for name, kind in CLIENTS.items() if kind.has_keys)],
                stuck=watch.found | left,
            )
        return Outcome(
            report,
            disturber.done,
            submission.seconds,
            submission.jobs_per_s,
            last_end_s,
            late,
            watch.longest_s,
            made.disk.what,
        )


def _await_calm(world: World, watch: checker.StuckWatch) -> tuple[float, dict[str, str]]:
    """Wait until every job has ended; return after how many seconds, and those that are stuck.

    The calm begins when all parts run. Jobs that wait for others are not stuck: as long as some
    end, the wait goes on.
    """
    deadline = time.monotonic() + _WHOLE_S
    while not world.is_whole():
        assert time.monotonic() < deadline, f"not all parts run after {_WHOLE_S} s of calm"
        time.sleep(_LOOK_S)
    began = ended_at_s = time.monotonic()
    left: dict[str, str] = {}
    while (now := time.monotonic()) < ended_at_s + STUCK_S:
        with audit.books(world.place) as books:
            watch.observe(now, books.held(), world.served_since_s)
            before, left = left, books.unfinished()
        if not left:
            break
        if before.keys() - left.keys():
            ended_at_s = now
        time.sleep(_LOOK_S)
    stuck = {job: f"{text}, {STUCK_S} s after another job ended" for job, text in left.items()}
    return now - began, stuck
