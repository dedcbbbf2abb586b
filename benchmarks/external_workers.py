"""Figures of jobs that run outside the server's processes: in a Dask cluster, or on pilots."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Final, NamedTuple, TypeVar

from benchmarks.bench_databases import BenchDatabase
from benchmarks.figures import Figure, both, ms, p50
from benchmarks.wire import LONG, SHOTS, WITH_RESULT, HTTPConnection, request, submission
from support.processes import is_alive, user_ticks

T = TypeVar("T")

DATABASE: Final = "SQLite"
BACKLOG: Final = 20_000
CANCELS: Final = 10
MAX_CANCEL_S: Final = 0.2
_WARM_UP: Final = 20
_PAUSE_S: Final = 0.02
_BEGUN_TICKS: Final = 50
_LIMIT_S: Final = 120.0


class ExternalWorkers(NamedTuple):
    """Where jobs run, and the bars of its figures."""

    name: str
    max_s: float
    """p50 from submit to result."""
    min_jobs_per_s: float


def idle(of: ExternalWorkers, connection: HTTPConnection, rounds: int) -> Figure:
    """Return the time of one job at a time."""
    request, times = submission(connection.token, query=WITH_RESULT), []
    for number in range(_WARM_UP + rounds):
        time.sleep(_PAUSE_S)
        began = time.perf_counter()
        result = json.loads(connection.ask(request))["result"]
        took_s = time.perf_counter() - began
        assert sum(result["parts"][0]["counts"].values()) == SHOTS
        if number >= _WARM_UP:
            times.append(took_s)
    bar, is_within = f"p50 ≤ {ms(of.max_s)}", p50(times) <= of.max_s
    name = f"{of.name}: submit → result, Bell, idle, p50 / p95"
    return Figure(name, DATABASE, both(times), "", bar, is_within)


def drained(of: ExternalWorkers, connection: HTTPConnection, bench_db: BenchDatabase) -> Figure:
    """Return the rate at which a backlog of tiny jobs is completed."""
    bench_db.fill("queued", BACKLOG)
    began = time.perf_counter()
    connection.ask(submission(connection.token))  # wakes the runners
    with closing(sqlite3.connect(bench_db.folder / "qwicket.db")) as database:
        until(lambda: _unfinished(database) == 0)
    per_s = BACKLOG / (time.perf_counter() - began)
    bar, is_within = f"≥ {of.min_jobs_per_s:,} jobs/s", per_s >= of.min_jobs_per_s
    name = f"{of.name}: backlog of {BACKLOG:,} Bell jobs"
    return Figure(name, DATABASE, f"{per_s:,.0f} jobs/s", "", bar, is_within)


def _unfinished(database: sqlite3.Connection) -> int:
    time.sleep(_PAUSE_S)
    (count,) = database.execute("select count(*) from job where ended_at is null").fetchone()
    return int(count)


def cancelled(
    of: ExternalWorkers, connection: HTTPConnection, processes: Callable[[], Iterable[int]]
) -> Figure:
    """Return the time from the cancellation of a 25-qubit job to the end of its process.

    Args:
        of: Where it runs.
        connection: Connection to the server.
        processes: Returns the processes of which one runs it.
    """
    times = []
    for _ in range(CANCELS):
        job = json.loads(connection.ask(submission(connection.token, LONG)))["id"]
        before = {pid: user_ticks(pid) for pid in processes()}
        busy = _await_busy(before)
        began = time.perf_counter()
        connection.ask(request("POST", f"/v1/jobs/{job}/cancel", connection.token))
        _await_end(busy)
        times.append(time.perf_counter() - began)
    bar, is_within = f"≤ {ms(MAX_CANCEL_S)}", max(times) <= MAX_CANCEL_S
    name = f"{of.name}: cancel of 25 qubits → its process is gone, p50 / longest"
    return Figure(name, DATABASE, f"{ms(p50(times))} / {ms(max(times))}", "", bar, is_within)


def _await_end(pid: int) -> None:
    until(lambda: not is_alive(pid))


def _await_busy(before: dict[int, int]) -> int:
    busy = until(lambda: _busy(before))
    assert busy is not None
    return busy


def _busy(before: dict[int, int]) -> int | None:
    """Return the process that has computed since, if one has."""
    found = [pid for pid, ticks in before.items() if user_ticks(pid) > ticks + _BEGUN_TICKS]
    return found[0] if found else None


def until(condition: Callable[[], T]) -> T:
    """Return the first true value of a condition."""
    deadline = time.monotonic() + _LIMIT_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.001)
    return found
