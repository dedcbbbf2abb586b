"""Jobs in a Dask cluster of two workers on this machine, over TLS, through a whole server.

One job at a time; a backlog of tiny jobs, which travel in batches of 16; and the cancellation of a
job of 25 qubits, until its process is gone.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final, TypeVar

from benchmarks.figures import Figure, both, ms, p50
from benchmarks.live import server
from benchmarks.places import Place, Places
from benchmarks.wire import SHOTS, WITH_RESULT, Keeper, request, submission
from support.dask import DaskProcesses
from support.processes import below, is_alive, user_ticks
from support.programs import slow

T = TypeVar("T")

ROUNDS: Final = 200
QUICK: Final = 40
BACKLOG: Final = 20_000
CANCELS: Final = 10
MAX_S: Final = 0.015
MIN_JOBS_PER_S: Final = 1_000
MAX_CANCEL_S: Final = 0.2
_WARM_UP: Final = 20
_PAUSE_S: Final = 0.02
_BEGUN_TICKS: Final = 50
_LIMIT_S: Final = 120.0
_DATABASE: Final = "SQLite"


def measure(places: Places, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Yield every figure, as it is known."""
    with places.fresh(_DATABASE) as place:
        secret, *_ = place.people()
        cluster = DaskProcesses(place.folder / "dask")
        try:
            options = (*cluster.options, "--workers", "0")
            with server(place, options=options) as live:
                keeper = Keeper(live.url, secret)
                yield _idle(keeper, rounds)
                yield _cancelled(keeper, cluster)
                yield _drained(keeper, place)
        finally:
            cluster.stop()


def _idle(keeper: Keeper, rounds: int) -> Figure:
    asked, times = submission(keeper.token, query=WITH_RESULT), []
    for number in range(_WARM_UP + rounds):
        time.sleep(_PAUSE_S)
        began = time.perf_counter()
        result = json.loads(keeper.ask(asked))["result"]
        took_s = time.perf_counter() - began
        assert sum(result["parts"][0]["counts"].values()) == SHOTS
        if number >= _WARM_UP:
            times.append(took_s)
    bar, is_within = f"p50 ≤ {ms(MAX_S)}", p50(times) <= MAX_S
    name = "Dask: submit → result, Bell, idle, p50 / p95"
    return Figure(name, _DATABASE, both(times), "", bar, is_within)


def _drained(keeper: Keeper, place: Place) -> Figure:
    place.fill("queued", BACKLOG)
    began = time.perf_counter()
    keeper.ask(submission(keeper.token))  # wakes the dispatcher
    with closing(sqlite3.connect(place.folder / "qwicket.db")) as database:
        _until(lambda: _unfinished(database) == 0)
    per_s = BACKLOG / (time.perf_counter() - began)
    bar, is_within = f"≥ {MIN_JOBS_PER_S:,} jobs/s", per_s >= MIN_JOBS_PER_S
    name = f"Dask: backlog of {BACKLOG:,} Bell jobs"
    return Figure(name, _DATABASE, f"{per_s:,.0f} jobs/s", "", bar, is_within)


def _unfinished(database: sqlite3.Connection) -> int:
    time.sleep(_PAUSE_S)
    (count,) = database.execute("select count(*) from job where ended_at is null").fetchone()
    return int(count)


def _cancelled(keeper: Keeper, cluster: DaskProcesses) -> Figure:
    times = []
    for _ in range(CANCELS):
        job = json.loads(keeper.ask(submission(keeper.token, slow(25, 3_000))))["id"]
        before = {pid: user_ticks(pid) for each in cluster.workers for pid in below(each.pid)}
        busy = _await_busy(before)
        began = time.perf_counter()
        keeper.ask(request("POST", f"/v1/jobs/{job}/cancel", keeper.token))
        _await_end(busy)
        times.append(time.perf_counter() - began)
    bar, is_within = f"≤ {ms(MAX_CANCEL_S)}", max(times) <= MAX_CANCEL_S
    name = "Dask: cancel of 25 qubits → its process is gone, p50 / longest"
    return Figure(name, _DATABASE, f"{ms(p50(times))} / {ms(max(times))}", "", bar, is_within)


def _await_end(pid: int) -> None:
    _until(lambda: not is_alive(pid))


def _await_busy(before: dict[int, int]) -> int:
    busy = _until(lambda: _busy(before))
    assert busy is not None
    return busy


def _busy(before: dict[int, int]) -> int | None:
    """Return the process that has computed since, if one has."""
    found = [pid for pid, ticks in before.items() if user_ticks(pid) > ticks + _BEGUN_TICKS]
    return found[0] if found else None


def _until(condition: Callable[[], T]) -> T:
    deadline = time.monotonic() + _LIMIT_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.001)
    return found
