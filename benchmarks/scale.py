"""Many workers for one queue: rates by their number, the server's maximum rate, and Slurm.

Workers of this machine share its cores, which limit their rate. The server's maximum is measured
with pilots that compute nothing: each reports a result that it has already.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks import external_workers
from benchmarks.bench_databases import BenchDatabase, BenchDatabases
from benchmarks.external_workers import DATABASE, ExternalWorkers, until
from benchmarks.figures import Figure, both, ms, p50
from benchmarks.live import Live, server
from benchmarks.pilots import bell_result, cpu_s, pilot, result_of, token_of
from benchmarks.wire import LONG, WITH_RESULT, HTTPConnection, submission
from qwicket.pilots import Node, PilotAPI
from support.slurm import Slurm

PILOTS: Final = (1, 2, 4)
SIMULATED: Final = (1, 4, 16, 64)
ROUNDS: Final = 10
QUICK: Final = 3
_SIMULATED_S: Final = 8.0
_SIMULATED_BACKLOG: Final = 60_000
_TASKS: Final = 4
_MAX_FIRST_S: Final = 2.0
_MAX_SCALE_S: Final = 10.0
_IDLE_S: Final = 1


def measure(bench_databases: BenchDatabases, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Yield every figure, as it is known."""
    for number in PILOTS:
        with _served(bench_databases) as (bench_db, live, secret, token), ExitStack() as stack:
            for _ in range(number):
                stack.enter_context(pilot(live.url, token, slots=1))
            connection = HTTPConnection(live.url, secret)
            json.loads(connection.ask(submission(secret, query=WITH_RESULT)))  # one is connected
            of = ExternalWorkers(f"{number} pilots of one slot", max_s=0, min_jobs_per_s=0)
            yield external_workers.drained(of, connection, bench_db)._replace(
                bar="", is_within=None
            )
    for number in SIMULATED:
        with _served(bench_databases) as (bench_db, live, _, token):
            bench_db.fill("queued", _SIMULATED_BACKLOG)
            yield asyncio.run(_simulated_rate(number, live, token))
    yield from _slurm(bench_databases, rounds)


@contextmanager
def _served(
    bench_databases: BenchDatabases, *options: str
) -> Iterator[tuple[BenchDatabase, Live, str, str]]:
    """Yield a server without workers, a user's token and one for pilots."""
    with bench_databases.fresh(DATABASE) as bench_db:
        secret, *_ = bench_db.add_accounts()
        token = asyncio.run(token_of(bench_db))
        with server(bench_db, options=("--workers", "0", *options)) as live:
            yield bench_db, live, secret, token


async def _simulated_rate(number: int, live: Live, token: str) -> Figure:
    """Return the rate of jobs with pilots that compute nothing."""
    ended = [0]
    pilots = [asyncio.create_task(_simulated(live.url, token, k, ended)) for k in range(number)]
    await asyncio.sleep(1.0)
    began, before, n_before = time.perf_counter(), cpu_s(live.pid), ended[0]
    await asyncio.sleep(_SIMULATED_S)
    took_s, core_s = time.perf_counter() - began, cpu_s(live.pid) - before
    per_s = (ended[0] - n_before) / took_s
    for each in pilots:
        each.cancel()
    await asyncio.gather(*pilots, return_exceptions=True)
    return Figure(
        f"{number} simulated pilots that compute nothing, tasks of 16 jobs",
        DATABASE,
        f"{per_s:,.0f} jobs/s, {core_s / took_s:.0%} of a core",
        "",
        "",
    )


async def _simulated(url: str, token: str, number: int, ended: list[int]) -> None:
    """Report a result for each job as soon as it comes."""
    api = PilotAPI(url, token, f"node{number}", Node(_TASKS, 1 << 30))
    part = bell_result()
    try:
        tasks = (await api.pull((), _TASKS, 5.0)).tasks
        while True:
            while not tasks:
                tasks = (await api.pull((), _TASKS, 5.0)).tasks
            results = [result_of(job, part, 0.0) for task in tasks for job in task]
            tasks = (await api.report(results, [], _TASKS, _TASKS)).tasks
            ended[0] += len(results)
    finally:
        await api.close()


def _slurm(bench_databases: BenchDatabases, rounds: int) -> Iterator[Figure]:
    slurm = Slurm()
    try:
        with _served(bench_databases) as (bench_db, live, secret, token):
            file = bench_db.folder / "worker.token"
            file.touch(0o600)
            file.write_text(token)
            connection = HTTPConnection(live.url, secret)
            yield _first_result(slurm, live, connection, file, rounds)
            yield _from_none_to_none(slurm, live, connection, file, rounds)
    finally:
        slurm.stop()


def _first_result(
    slurm: Slurm, live: Live, connection: HTTPConnection, token: Path, rounds: int
) -> Figure:
    """Measure the time from `sbatch` of a worker to the result of a job that waits for it."""
    times = []
    worker = [sys.executable, "-m", "qwicket", "worker", "--connect", live.url, "--slots", "1"]
    script = f"#!/bin/sh\nexec {' '.join(worker)} --token-file {token} --idle-s 1\n"
    for _ in range(rounds):
        job = connection.submit()
        began = time.perf_counter()
        subprocess.run(
            ["sbatch", "--parsable", "--output=/dev/null"],
            input=script,
            env={**os.environ, **slurm.env},
            text=True,
            check=True,
            capture_output=True,
        )
        connection.result(job)
        times.append(time.perf_counter() - began)
        until(lambda: not slurm.run("squeue", "-h"))
    bar, is_within = f"p50 ≤ {ms(_MAX_FIRST_S)}", p50(times) <= _MAX_FIRST_S
    return Figure("sbatch → first result, p50 / p95", DATABASE, both(times), "", bar, is_within)


def _from_none_to_none(
    slurm: Slurm, live: Live, connection: HTTPConnection, token: Path, rounds: int
) -> Figure:
    """Measure the time until 4 workers run, plus that from the end of the work until none does."""
    command = [sys.executable, "-m", "qwicket", "worker", "scale", "--connect", live.url]
    command += ["--token-file", str(token), "--slurm", "output=/dev/null", "--max", "4"]
    process = subprocess.Popen(
        [*command, "--idle-s", str(_IDLE_S)],
        env={**os.environ, **slurm.env},
        stderr=subprocess.DEVNULL,
    )
    times = []
    try:
        for _ in range(rounds):
            began = time.perf_counter()
            jobs = [connection.submit(LONG) for _ in range(8)]
            until(lambda: len(slurm.jobs()) == 4)
            took_s = time.perf_counter() - began
            for job in jobs:
                connection.cancel(job)
            began = time.perf_counter()
            until(lambda: not slurm.run("squeue", "-h"))
            times.append(took_s + time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(20)
    bar, is_within = f"longest ≤ {ms(_MAX_SCALE_S)}", max(times) <= _MAX_SCALE_S
    name = f"worker scale, 0 → 4 workers, and → 0 after the work (idle {_IDLE_S} s), p50 / longest"
    measured = f"{ms(p50(times))} / {ms(max(times))}"
    return Figure(name, DATABASE, measured, "", bar, is_within)
