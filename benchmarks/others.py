"""The same Bell jobs through two other open systems, each started as its own documents say.

localqpu emulates IBM's platform for tests: one unmodified client runs one circuit there and here.
procrastinate is a queue on PostgreSQL, without accounts, programs or results: its two workers read
the same programs and run them on our engine, and the task keeps the counts in a table.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks import load
from benchmarks.bench_databases import BenchDatabase, BenchDatabases
from benchmarks.figures import Figure, both, ms
from benchmarks.live import WORKERS, cpu, server
from contract.environments import ROOT, interpreter
from qwicket.snippets import text, variables
from support.waiting import until

JOBS: Final = 1_000
QUICK: Final = 200
_SUITE: Final = "queues/localqpu_0_3_procrastinate_3_10"
_CLIENT: Final = "qiskit-ibm-runtime"
_CONNECTIONS: Final = 64
_CLIENT_JOBS: Final = 20
_WARM_UP: Final = 5
_RUN_S: Final = 300
_LOCALQPU: Final = """
import localqpu
from qiskit import QuantumCircuit, transpile
from qiskit_ibm_runtime import SamplerV2
backend = localqpu.connect(port={port}).least_busy()
bell = QuantumCircuit(2)
bell.h(0)
bell.cx(0, 1)
bell.measure_all()
"""
_TIMED: Final = """
import json, time
sampler, compiled, ones = SamplerV2(backend), transpile(bell, backend), []
def counts(job):
    found = job.result()[0].data.meas.get_counts()
    assert sum(found.values()) == 1000 and set(found) <= {{"00", "11"}}, found
for _ in range({warm_up}):
    counts(sampler.run([compiled], shots=1000))
for _ in range({jobs}):
    began = time.perf_counter()
    counts(sampler.run([compiled], shots=1000))
    ones.append(time.perf_counter() - began)
began = time.perf_counter()
for job in [sampler.run([compiled], shots=1000) for _ in range({jobs})]:
    counts(job)
print(json.dumps([ones, time.perf_counter() - began]))
"""


def measure(bench_databases: BenchDatabases, jobs: int = JOBS) -> Iterator[Figure]:
    """Yield the figures of each system, ours last."""
    yield from _localqpu()
    yield from _ours_for_ibm()
    with bench_databases.fresh("PostgreSQL") as bench_db:
        yield from _procrastinate(bench_db, jobs)
    with bench_databases.fresh("PostgreSQL") as bench_db:
        yield from _ours(bench_db, jobs)


def _localqpu() -> Iterator[Figure]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = interpreter(_SUITE).parent / "localqpu"
    with _running([str(program), "start", "--port", str(port)]):
        until(lambda: _listens(port), "localqpu listens")
        yield from _by_client("localqpu 0.3", "", _LOCALQPU.format(port=port), {})


def _ours_for_ibm() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        (token,) = bench_db.add_accounts(1)
        with server(bench_db) as live:
            set_up = text(_CLIENT, live.url).rpartition("\njob = ")[0]
            yield from _by_client("Qwicket", "SQLite", set_up, variables(token))


def _by_client(
    system: str, database: str, set_up: str, credentials: dict[str, str]
) -> Iterator[Figure]:
    """Run one job after the other, then as many at once, by qiskit-ibm-runtime."""
    program = f"{set_up}\n{_TIMED.format(jobs=_CLIENT_JOBS, warm_up=_WARM_UP)}"
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, **credentials}
        command = [str(interpreter(_SUITE)), "-W", "ignore", "-c", program]
        ones, all_s = json.loads(_output(command, env))
    name = f"by qiskit-ibm-runtime 0.51, {system}"
    yield Figure(f"Bell {name}: one after the other, p50 / p95", database, both(ones))
    yield Figure(
        f"Bell {name}: {_CLIENT_JOBS} submitted, then read",
        database,
        f"{_CLIENT_JOBS / all_s:.1f} /s",
    )


def _procrastinate(bench_db: BenchDatabase, jobs: int) -> Iterator[Figure]:
    assert bench_db.url is not None
    python = interpreter(_SUITE)
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": paths, "QUEUE": bench_db.url}
    program = [str(python.parent / "procrastinate"), "--app=benchmarks.procrastinate_app.app"]
    _output([*program, "schema", "--apply"], env)
    with psycopg.connect(bench_db.url) as connection:
        connection.execute("create table counts (job bigint primary key, counts bytea not null)")
    with _running([*program, "worker"], env) as one, _running([*program, "worker"], env) as two:
        before = [cpu(worker.pid)[0] for worker in (one, two)]
        deferring = [str(python), "-m", "benchmarks.procrastinate_app", str(jobs)]
        ones, all_s = json.loads(_output(deferring, env))
        used = sum(cpu(worker.pid)[0] for worker in (one, two)) - sum(before)
    yield from _queue("procrastinate 3.10", ones, jobs / all_s, used / (1.1 * jobs))


def _ours(bench_db: BenchDatabase, jobs: int) -> Iterator[Figure]:
    (token,) = bench_db.add_accounts(1)
    with server(bench_db) as live:
        ones = load.run(live.url, token, 1, jobs // 10).wholes
        before = sum(cpu(live.pid))
        found = load.run(live.url, token, _CONNECTIONS, jobs)
        used = sum(cpu(live.pid)) - before
    yield from _queue("Qwicket", ones[len(ones) // 5 :], found.jobs_per_s, used / jobs)


def _queue(system: str, ones: Sequence[float], rate: float, cpu_s: float) -> Iterator[Figure]:
    name = f"{system}, {WORKERS} workers"
    yield Figure(f"Bell, {name}: one after the other, p50 / p95", "PostgreSQL", both(ones))
    yield Figure(f"Bell, {name}: {_CONNECTIONS} at a time", "PostgreSQL", f"{rate:,.0f} /s")
    yield Figure(f"CPU for a Bell pair, {name}", "PostgreSQL", ms(cpu_s))


@contextmanager
def _running(
    command: Sequence[str], env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _output(command: Sequence[str], env: dict[str, Any]) -> str:
    """Return the last line that a command prints.

    Raises:
        RuntimeError: It failed; with the end of its messages.
    """
    done = subprocess.run(
        command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=_RUN_S, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2_000:])
    return (done.stdout.splitlines() or [""])[-1]


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
