"""Jobs with pilots on this machine, through a server without workers.

One job at a time, a backlog of tiny jobs and a cancellation, with one pilot of two slots. Then 64
simulated pilots in one process, each of which runs one job per second without computing anything:
their rate as a share of a linear one, and the server's CPU time.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks import external_workers
from benchmarks.bench_databases import BenchDatabase, BenchDatabases, bell, now_ms
from benchmarks.external_workers import DATABASE, ExternalWorkers
from benchmarks.figures import Figure
from benchmarks.live import server
from benchmarks.wire import HTTPConnection
from qwicket import engines, schema
from qwicket.circuits.outcomes import Encoded
from qwicket.gateway.admin import Admin
from qwicket.pilots import Node, PilotAPI
from support.processes import below

ROUNDS: Final = 200
QUICK: Final = 40
SITE: Final = 64
SITE_S: Final = 20.0
_PILOT: Final = ExternalWorkers("pilot", max_s=0.010, min_jobs_per_s=2_000)
_MIN_LINEAR: Final = 0.9
_MAX_CORE: Final = 0.5
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_JOB_S: Final = 1.0
_SETTLE_S: Final = 3.0


def measure(bench_databases: BenchDatabases, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Yield every figure, as it is known."""
    with bench_databases.fresh(DATABASE) as bench_db:
        secret, *_ = bench_db.add_accounts()
        token = asyncio.run(token_of(bench_db))
        with server(bench_db, options=("--workers", "0")) as live:
            connection = HTTPConnection(live.url, secret)
            with pilot(live.url, token) as pid:
                yield external_workers.idle(_PILOT, connection, rounds)
                yield external_workers.cancelled(_PILOT, connection, lambda: sorted(below(pid)))
                yield external_workers.drained(_PILOT, connection, bench_db)
    with bench_databases.fresh(DATABASE) as bench_db:
        bench_db.add_accounts()
        token = asyncio.run(token_of(bench_db))
        bench_db.fill("queued", int(2 * SITE * SITE_S))
        # No job is tiny, so that each is a task of its own.
        bench_db.run("update job set est_seconds = 1.0")
        with server(bench_db, options=("--workers", "0")) as live:
            yield from asyncio.run(_site(live.url, token, live.pid))


async def token_of(bench_db: BenchDatabase) -> str:
    """Make an admin's account; return a token of it for pilots."""
    admin = Admin(store := bench_db.open(), now_ms)
    await admin.add_account("root", "admin", email=None, password=None)
    made = await admin.create_token("root", scopes=["compute:serve"])
    await store.close()
    return made.secret


@contextmanager
def pilot(url: str, token: str, slots: int = 2) -> Iterator[int]:
    """Run `qwicket worker` until the block ends; yield its process id."""
    command = [sys.executable, "-m", "qwicket", "worker", "--connect", url]
    process = subprocess.Popen(
        [*command, "--slots", str(slots)],
        env={**os.environ, "QWICKET_TOKEN": token},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


async def _site(url: str, token: str, server_pid: int) -> list[Figure]:
    ended: list[float] = []
    pilots = [asyncio.create_task(_simulated(url, token, k, ended)) for k in range(SITE)]
    await asyncio.sleep(_SETTLE_S)
    began, before = time.perf_counter(), cpu_s(server_pid)
    await asyncio.sleep(SITE_S)
    took_s, core_s = time.perf_counter() - began, cpu_s(server_pid) - before
    n_ended = sum(began <= at < began + took_s for at in ended)
    for each in pilots:
        each.cancel()
    await asyncio.gather(*pilots, return_exceptions=True)
    linear, core = n_ended * _JOB_S / (SITE * took_s), core_s / took_s
    name = f"{SITE} simulated pilots of one job a second"
    rate = Figure(f"{name}: share of a linear rate", DATABASE, f"{linear:.0%}", "", "≥ 90 %")
    load = Figure(f"{name}: the server's share of a core", DATABASE, f"{core:.0%}", "", "≤ 50 %")
    return [
        rate._replace(is_within=linear >= _MIN_LINEAR),
        load._replace(is_within=core <= _MAX_CORE),
    ]


async def _simulated(url: str, token: str, number: int, ended: list[float]) -> None:
    """Pull one job at a time, wait for a second, and report a valid result."""
    api = PilotAPI(url, token, f"node{number}", Node(1, 1 << 30))
    part = bell_result()
    try:
        tasks = (await api.pull((), 1, 5.0)).tasks
        while True:
            while not tasks:
                tasks = (await api.pull((), 1, 5.0)).tasks
            ((job,),) = tasks
            await asyncio.sleep(_JOB_S)
            tasks = (await api.report([result_of(job, part, _JOB_S)], [], 1, 0)).tasks
            ended.append(time.perf_counter())
    finally:
        await api.close()


def bell_result() -> schema.pilots.PartReportBody:
    """Return the result of a Bell circuit, as pilots send it."""
    work = bell()
    (outcome,) = engines.run("qubit", work.circuits, work.options)
    assert isinstance(outcome, Encoded)
    return schema.pilots.PartReportBody(outcome=outcome.body, sha256=outcome.sha256.hex())


def result_of(
    job: schema.pilots.TaskJobBody, part: schema.pilots.PartReportBody, seconds: float
) -> schema.pilots.PilotResultBody:
    """Return a result for a job of one circuit."""
    return schema.pilots.PilotResultBody(
        id=job.lease.id,
        fence=job.lease.fence,
        nonce=job.lease.nonce,
        seconds=seconds,
        parts=(part,),
    )


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
