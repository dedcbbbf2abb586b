"""How long a Bell pair of one account takes while every worker runs a long job of others."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.bench_databases import BenchDatabase
from benchmarks.figures import Figure, both, p95
from benchmarks.live import WORKERS, server
from benchmarks.wire import HTTPConnection, connected

ROUNDS: Final = 100
_SETTLE_S: Final = 1.5
MAX_TIMES: Final = 3.0
_LONG_QUBITS: Final = 25
_LONG: Final = connected(_LONG_QUBITS, 4_000)


def measure(rounds: int = ROUNDS) -> list[Figure]:
    """Return the figures of one run: a Bell pair on an idle server, then on a busy one."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        quick, *others = bench_db.add_accounts()[: WORKERS + 2]
        with server(bench_db) as live:
            bob = HTTPConnection(live.url, quick)
            _bells(bob, 10)
            idle = _bells(bob, rounds)
            holders = [HTTPConnection(live.url, token) for token in others]
            jobs = [holder.submit(_LONG, 10) for holder in holders]
            time.sleep(_SETTLE_S)  # both workers have begun
            busy = _bells(bob, rounds)
            for holder, job in zip(holders, jobs, strict=True):
                holder.cancel(job)
    floor, found = p95(idle), p95(busy)
    return [
        Figure(
            f"Bell pair beside {len(others)} accounts' jobs of {_LONG_QUBITS} qubits, p50 / p95",
            bench_db.database,
            f"{both(busy)}, {found / floor:.1f} × idle",
            f"{both(idle)} (idle)",
            f"p95 {MAX_TIMES:g} × idle",
            found <= MAX_TIMES * floor,
        )
    ]


def _bells(connection: HTTPConnection, rounds: int) -> list[float]:
    """Submit a Bell pair and wait for its result, again and again; return the seconds of each."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        connection.result(connection.submit(shots=10))
        times.append(time.perf_counter() - began)
    return times
