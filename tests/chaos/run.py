"""One run: clients work, a plan disturbs, and at the end everything is compared."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from chaos import audit, checker
from chaos.callers import CLIENTS, Caller
from chaos.disturbances import disturb
from chaos.plan import Disturbance, plan
from chaos.world import LEASE_S, STUCK_S, World, world

_LOOK_S: Final = 0.5
_BYTES_PER_JOB: Final = 8_000
_SPARE_BYTES: Final = 1 << 30
_SPARE_BYTES_POSTGRES: Final = 4 << 30
"""Its log alone takes up to a GB."""
_WHOLE_S: Final = 60.0
_CLIENT_END_S: Final = 120.0


class Outcome(NamedTuple):
    """What came of a run.

    Attributes:
        disturbances: How often each kind was done.
        seconds: From the first job until the last one was submitted.
        last_end_s: After this time of calm, no job was unfinished, or the wait for that ended.
        late_clients: Clients that did not end.
        longest_lease_s: Longest time that a lease was seen while all servers ran without a break.
        disk: What was filled.
    """

    report: checker.Report
    disturbances: Counter[str]
    seconds: float
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
    """Does the steps of a plan when their time has come."""

    def __init__(self, world: World, steps: Iterator[Disturbance]) -> None:
        super().__init__(daemon=True)
        self._world, self._steps = world, steps
        self.stopping = threading.Event()
        self.done: Counter[str] = Counter()
        self.error: Exception | None = None

    def run(self) -> None:
        began = time.monotonic()
        try:
            for step in self._steps:
                if self.stopping.wait(max(0.0, began + step.at_s - time.monotonic())):
                    return
                self.done[step.kind] += disturb(self._world, step)
        except Exception as error:
            self.error = error


def run(
    folder: Path,
    *,
    jobs: int,
    seed: int,
    database: str,
    longest_s: float,
    pace: float = 1.0,
    clients: tuple[str, ...] = tuple(CLIENTS),
    say: Callable[[str], object] = len,
) -> Outcome:
    """Run until so many jobs are stored or the time is over, then check.

    Args:
        folder: An empty folder, where everything stays for a look at it.
        jobs: Number of jobs.
        seed: Seed of the plan.
        database: `sqlite` or `postgres`.
        longest_s: Longest time to submit.
        pace: By how much the times between disturbances are divided.
        clients: Names of the clients.
        say: Is told how far the run is.
    """
    spare = _SPARE_BYTES if database == "sqlite" else _SPARE_BYTES_POSTGRES
    history = folder / "history"
    history.mkdir(parents=True)
    with ExitStack() as stack:
        made = stack.enter_context(world(folder, database, spare + _BYTES_PER_JOB * jobs))
        callers = [Caller(name, made, history) for name in clients]
        for each in callers:
            stack.callback(each.close)
        for each in callers:
            each.await_ready()
        for each in callers:
            each.begin()
        disturber = _Disturber(made, plan(seed, database, lease_s=LEASE_S, pace=pace))
        disturber.start()
        watch = checker.StuckWatch(STUCK_S)
        began = time.monotonic()
        _submit(made, watch, jobs, longest_s, say)
        seconds = time.monotonic() - began
        disturber.stopping.set()
        disturber.join()
        if disturber.error is not None:
            raise disturber.error
        made.calm()
        for each in callers:
            each.stop_submitting()
        last_end_s, left = _await_calm(made, watch)
        say(f"the last job ended {last_end_s:.1f} s after the last disturbance")
        late = [each.name for each in callers if not each.await_end(_CLIENT_END_S)]
        with audit.books(made.place) as books:
            report = checker.check(
                checker.read(history),
                books.stored(),
                books.changes(),
                distinct=[name for name in clients if CLIENTS[name].has_keys],
                stuck=watch.found | left,
            )
        return Outcome(
            report, disturber.done, seconds, last_end_s, late, watch.longest_s, made.disk.what
        )


def _submit(
    world: World,
    watch: checker.StuckWatch,
    jobs: int,
    longest_s: float,
    say: Callable[[str], object],
) -> None:
    """Look at the database until enough jobs are stored."""
    began = said = time.monotonic()
    while (now := time.monotonic()) < began + longest_s:
        with suppress(psycopg.Error, sqlite3.Error), audit.books(world.place) as books:
            watch.observe(now, books.held(), world.served_since_s)
            number = books.jobs()
            if now > said + 10:
                said = now
                say(f"{number} jobs after {now - began:.0f} s")
            if number >= jobs:
                return
        time.sleep(_LOOK_S)


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
