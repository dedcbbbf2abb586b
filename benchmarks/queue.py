"""Measurements of the queue: one job at a time, many at once, beside long jobs, from a backlog.

Everything goes through a live server over HTTP, with two exceptions: the claim and a search are
measured in the store alone, and the list page in both.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import qwicket
from benchmarks import load
from benchmarks.bench_databases import (
    ACCOUNTS,
    DATABASES,
    BenchDatabase,
    BenchDatabases,
    bell,
    now_ms,
    timed,
)
from benchmarks.figures import Figure, both, ms, p50, p95
from benchmarks.live import WORKERS, Live, cpu, memory, server
from benchmarks.wire import BELL, LANGUAGES, SHOTS, HTTPConnection, connected
from qwicket import engines
from qwicket.model.ids import new_id
from qwicket.model.jobs import JobQuery, NewJob
from qwicket.model.states import JobState
from qwicket.store import Store

_WARM_UP: Final = 20
_TEXTS: Final = 14
"""Connections that send texts: of one account 16 are read at a time."""
_STARTS: Final = 5
_SETTLE_S: Final = 3.0
_WIDE_QUBITS: Final = 25
_MIB: Final = 1 << 20


class Size(NamedTuple):
    """Number of rounds, jobs and rows for the figures."""

    rounds: int
    jobs: int
    claims: int
    list_jobs: int
    waiting: tuple[int, ...]
    grow_jobs: int


FULL: Final = Size(300, 5_000, 200, 1_000_000, (0, 10_000, 100_000), 100_000)
QUICK: Final = Size(40, 300, 40, 20_000, (0, 10_000), 1_000)


def measure(bench_databases: BenchDatabases, size: Size) -> Iterator[Figure]:
    """Yield every figure, as it is known."""
    for database in DATABASES:
        with bench_databases.fresh(database) as bench_db:
            yield from _live(bench_db, size)
        with bench_databases.fresh(database) as bench_db:
            yield from _backlog(bench_db, size)
        with bench_databases.fresh(database) as bench_db:
            yield from _history(bench_db, size)
        with bench_databases.fresh(database) as bench_db:
            yield from _crash(bench_db)


def _live(bench_db: BenchDatabase, size: Size) -> Iterator[Figure]:
    database = bench_db.database
    secret, *_ = bench_db.add_accounts()
    starts = []
    for _ in range(_STARTS):
        with server(bench_db) as live:
            starts.append(live.ready_s)
    yield _ready("empty store", database, p50(starts), 0.4)
    with server(bench_db) as live:
        time.sleep(_SETTLE_S)
        yield from _idle_memory(database, live)
        connection = HTTPConnection(live.url, secret)
        yield from _one_by_one(connection, bench_db, size)
        yield from _polls(connection, bench_db, size)
        yield from _many(live, secret, database, size)
        yield from _beside_long_jobs(HTTPConnection(live.url, secret), database, size)
        yield _growth(live, secret, database, size)


def _one_by_one(
    connection: HTTPConnection, bench_db: BenchDatabase, size: Size
) -> Iterator[Figure]:
    """Alternate a flush of 4 KiB and a job, so that other work of the disk affects both."""
    flushes, submits, wholes, runs = [], [], [], []
    device = qwicket.connect(connection.url, connection.token).device("simulator")
    probe = os.open(bench_db.folder / "probe", os.O_CREAT | os.O_WRONLY, 0o600)
    for number in range(_WARM_UP + size.rounds):
        flush_s = _flush(probe)
        began = time.perf_counter()
        job = connection.submit()
        submitted = time.perf_counter()
        counts = connection.result(job)["parts"][0]["counts"]
        ended = time.perf_counter()
        assert sum(counts.values()) == SHOTS
        counts = device.run(BELL, SHOTS, wait=30).result().counts
        ran = time.perf_counter()
        assert sum(counts.values()) == SHOTS
        if number >= _WARM_UP:
            flushes.append(flush_s)
            submits.append(submitted - began)
            wholes.append(ended - began)
            runs.append(ran - ended)
    os.close(probe)
    floor = 2 * p50(flushes)
    margin = {"SQLite": 0.0015, "PostgreSQL": 0.0025}[bench_db.database]
    yield Figure("flush of 4 KiB, p50 / p95", bench_db.database, both(flushes))
    yield Figure("submit, idle, p50 / p95", bench_db.database, both(submits), both(flushes))
    yield Figure(
        "submit, then result, Bell, 1,000 shots, p50 / p95",
        bench_db.database,
        both(wholes),
        f"{ms(floor)} (2 flushes)",
    )
    yield Figure(
        "run and result, one request, own client, p50 / p95",
        bench_db.database,
        both(runs),
        f"{ms(floor)} (2 flushes)",
        f"p50 ≤ 2 flushes + {ms(margin)} = {ms(floor + margin)}",
        p50(runs) <= floor + margin,
    )


def _flush(probe: int) -> float:
    began = time.perf_counter()
    os.pwrite(probe, os.urandom(4096), 0)
    os.fdatasync(probe)
    return time.perf_counter() - began


def _polls(connection: HTTPConnection, bench_db: BenchDatabase, size: Size) -> Iterator[Figure]:
    job = connection.submit()
    connection.result(job)
    path = f"/v1/jobs/{job}"
    body = connection.get(path)
    count = 5 * size.rounds
    polls = timed(lambda: connection.get(path), count)
    selects = f"{ms(p50(bench_db.bare_selects(count)))} (select 1)"
    yield Figure(
        "status poll, p50 / p95",
        bench_db.database,
        both(polls),
        selects,
        "p50 ≤ 2 ms",
        p50(polls) <= 0.002,
    )
    yield Figure(
        "status poll, body", bench_db.database, f"{len(body)} bytes", "", "< 1 kB", len(body) < 1000
    )
    alive = timed(lambda: connection.get("/livez"), count)
    yield Figure("/livez, p50 / p95", bench_db.database, both(alive))


def _many(live: Live, secret: str, database: str, size: Size) -> Iterator[Figure]:
    work = bell()
    floor = p50(timed(lambda: engines.run_jobs([("qubit", work.circuits, work.options)]), 200))
    minimum = {"SQLite": 2_000, "PostgreSQL": 1_000}[database]
    for connections in (1, 16, 64):
        jobs = size.jobs if connections > 1 else size.rounds
        before = cpu(live.pid)
        found = load.run(live.url, secret, connections, jobs)
        took = [(b - a) / jobs for a, b in zip(before, cpu(live.pid), strict=True)]
        yield Figure(
            f"Bell jobs/s, {connections} connections; each p50 / p95",
            database,
            f"{found.jobs_per_s:,.0f}/s; {both(found.wholes)}",
            f"{ms(floor)} (engine alone)",
            f"≥ {minimum:,}/s" if connections == 64 else "",
            found.jobs_per_s >= minimum if connections == 64 else None,
        )
        yield Figure(
            f"CPU of one job, {connections} connections, server + workers",
            database,
            f"{ms(took[0])} + {ms(took[1])}",
            "",
            "server ≤ 0.45 ms" if connections == 64 else "",
            took[0] <= 0.00045 if connections == 64 else None,
        )
    for language in LANGUAGES[1:]:
        before = cpu(live.pid)
        found = load.run(live.url, secret, _TEXTS, size.jobs, language)
        took = [(b - a) / size.jobs for a, b in zip(before, cpu(live.pid), strict=True)]
        yield Figure(
            f"Bell jobs/s in {language}, {_TEXTS} connections; each p50 / p95",
            database,
            f"{found.jobs_per_s:,.0f}/s; {both(found.wholes)}",
        )
        yield Figure(
            f"CPU of one job in {language}, server + processes",
            database,
            f"{ms(took[0])} + {ms(took[1])}",
        )


def _beside_long_jobs(connection: HTTPConnection, database: str, size: Size) -> Iterator[Figure]:
    """Measure the answers to submissions, without their runs, while the workers are busy."""
    wide = connected(_WIDE_QUBITS, 20 * _WIDE_QUBITS)
    idle = _submits(connection, size.rounds)
    long_jobs = [connection.submit(wide, 1) for _ in range(4 * WORKERS)]
    _await(lambda: _state(connection, long_jobs[WORKERS - 1]) == "running")
    busy = _submits(connection, size.rounds)
    assert _state(connection, long_jobs[-1]) in {"queued", "running"}, "they were not long enough"
    for job in long_jobs:
        connection.cancel(job)
    yield Figure(
        f"submit while {WORKERS} workers run {_WIDE_QUBITS}-qubit jobs, p50 / p95",
        database,
        both(busy),
        f"{both(idle)} (idle)",
        "p95 < 3 × idle",
        p95(busy) < 3 * p95(idle),
    )


def _submits(connection: HTTPConnection, count: int) -> list[float]:
    return timed(connection.submit, count)


def _state(connection: HTTPConnection, job: str) -> str:
    state: str = json.loads(connection.get(f"/v1/jobs/{job}"))["state"]
    return state


def _await(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


def _idle_memory(database: str, live: Live) -> Iterator[Figure]:
    found = memory(live.pid)
    yield Figure(
        "idle memory, server",
        database,
        f"{found.server // _MIB} MiB",
        "",
        "≤ 80 MB",
        found.server <= 80_000_000,
    )
    yield Figure(
        f"idle memory, server, parsers, {WORKERS} workers and an express process",
        database,
        f"{found.all // _MIB} MiB",
        f"parsers {found.parsers // _MIB}, workers {found.workers // _MIB}",
        "≤ 200 MB",
        found.all <= 200_000_000,
    )


def _growth(live: Live, secret: str, database: str, size: Size) -> Figure:
    load.run(live.url, secret, 16, size.jobs)  # caches and arenas fill
    before = memory(live.pid).all
    load.run(live.url, secret, 16, size.grow_jobs)
    grown = (memory(live.pid).all - before) / before
    return Figure(
        f"growth of memory over {size.grow_jobs:,} jobs",
        database,
        f"{100 * grown:+.1f} %",
        f"{before // _MIB} MiB",
        "< 5 % over 100,000" if size is FULL else "",
        grown < 0.05 if size is FULL else None,
    )


def _backlog(bench_db: BenchDatabase, size: Size) -> Iterator[Figure]:
    bench_db.add_accounts()
    p50s: dict[int, float] = {}
    for number, waiting in enumerate(size.waiting):
        if waiting:
            bench_db.run("delete from program", "delete from job")
            bench_db.fill("queued", waiting)
        times = asyncio.run(_claims(bench_db, f"runner-{number}", size.claims))
        p50s[waiting] = p50(times)
        is_most = waiting == size.waiting[-1]
        yield Figure(
            f"claim with {waiting:,} waiting, p50 / p95",
            bench_db.database,
            both(times),
            f"{ms(p50(bench_db.bare_selects(200)))} (select 1)",
            "p50 ≤ 2 × with none" if is_most else "",
            p50s[waiting] <= 2 * p50s[0] if is_most else None,
        )


async def _claims(bench_db: BenchDatabase, runner: str, count: int) -> list[float]:
    """Add and claim one job in turn, so that always equally many wait; time the claims."""
    store = bench_db.open()
    await store.leases.add_runner(runner, "server", now_ms(), slots=1)
    times = []
    for _ in range(count):
        await _add(store)
        began = time.perf_counter()
        taken = (await store.leases.claim("simulator", runner, now_ms())).taken
        times.append(time.perf_counter() - began)
        assert len(taken) == 1
    await store.close()
    return times


async def _add(store: Store) -> None:
    account = await store.accounts.by_name("bench-0")
    project = await store.accounts.project("bench-0")
    work, now = bell(), now_ms()
    new = NewJob(
        id=new_id(now),
        account=account.id,
        project=project.id,
        device="simulator",
        dialect="native",
        name="",
        tags=(),
        shots=SHOTS,
        n_circuits=1,
        n_qubits=2,
        n_ops_1q=1,
        n_ops_2q=1,
        est_bytes=_MIB,
        est_seconds=0.001,
        priority=0,
        format="ionq.circuit.v1",
        source=work.source,
        circuits=work.circuits,
        options=work.options,
        reader_version=1,
        vendor_fields=b"{}",
        now=now,
    )
    await store.jobs.add(new, waiting_limit=_MIB)


def _history(bench_db: BenchDatabase, size: Size) -> Iterator[Figure]:
    secret, *_ = bench_db.add_accounts()
    bench_db.fill("completed", size.list_jobs)
    rng = random.Random(1)
    starts = [rng.randrange(size.list_jobs // 2, size.list_jobs) for _ in range(size.rounds)]
    selects = f"{ms(p50(bench_db.bare_selects(size.rounds)))} (select 1)"
    with server(bench_db) as live:
        name = f"{size.list_jobs:,} jobs"
        yield _ready(f"{size.list_jobs:,} ended jobs", bench_db.database, live.ready_s)
        connection = HTTPConnection(live.url, secret)
        paths = iter([f"/v1/jobs?limit=50&before={seq}" for seq in starts])
        pages = timed(lambda: connection.get(next(paths)), len(starts))
        yield Figure(
            f"page of 50 in {name}, HTTP, p50 / p95",
            bench_db.database,
            both(pages),
            selects,
            "p95 ≤ 5 ms",
            p95(pages) <= 0.005,
        )
    in_store = asyncio.run(_pages(bench_db, starts))
    yield Figure(
        f"page of 50 in {name}, store, p50 / p95", bench_db.database, both(in_store), selects
    )
    bench_db.run("update job set state = 'failed' where seq = (select min(seq) from job)")
    found = asyncio.run(_only_failed(bench_db, size.rounds))
    yield Figure(
        f"one job by account and state in {name}, store, p50 / p95",
        bench_db.database,
        both(found),
        selects,
        "p95 ≤ 50 ms",
        p95(found) <= 0.05,
    )


async def _pages(bench_db: BenchDatabase, starts: list[int]) -> list[float]:
    store = bench_db.open()
    account = await store.accounts.by_name("bench-0")
    times = []
    for seq in starts:
        began = time.perf_counter()
        found = await store.jobs.page(JobQuery(account=account.id, before=seq, limit=50))
        times.append(time.perf_counter() - began)
        assert len(found) == 50
    await store.close()
    return times


async def _only_failed(bench_db: BenchDatabase, rounds: int) -> list[float]:
    """Time the search for the oldest job, the only one that failed."""
    store = bench_db.open()
    accounts = [await store.accounts.by_name(f"bench-{number}") for number in range(ACCOUNTS)]
    times = []
    found = 0
    for account in rounds * accounts:
        query = JobQuery(account=account.id, states=(JobState.FAILED,), limit=50)
        began = time.perf_counter()
        found += len(await store.jobs.page_of_all(query))
        times.append(time.perf_counter() - began)
    assert found == rounds
    await store.close()
    return times


def _crash(bench_db: BenchDatabase) -> Iterator[Figure]:
    """Kill a server that holds 16 jobs while 10,000 wait, and start the next one."""
    bench_db.add_accounts()
    with server(bench_db) as live:
        bench_db.fill("running", 16)
        bench_db.fill("queued", 10_000)
        live.kill()
    with server(bench_db) as live:
        data = "10,000 waiting and 16 running after kill -9"
        yield _ready(data, bench_db.database, live.ready_s, 3.0)


def _ready(data: str, database: str, ready_s: float, max_s: float | None = None) -> Figure:
    bare = p50(timed(_bare_start, 5))
    return Figure(
        f"start to /readyz, {data}",
        database,
        f"{ready_s:.2f} s",
        f"{bare:.2f} s (import starlette, uvicorn, msgspec)",
        f"≤ {max_s:.1f} s" if max_s else "",
        ready_s <= max_s if max_s else None,
    )


def _bare_start() -> None:
    subprocess.run([sys.executable, "-c", "import starlette.routing, uvicorn, msgspec"], check=True)
