"""Status polls of one account on an idle server, and while others submit hostile programs.

The programs are those of `tests/support/hostile.py`. Both measurements alternate, so other work of
the machine affects both alike.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.bench_databases import BenchDatabase
from benchmarks.figures import Figure, p95
from benchmarks.live import Live, server
from benchmarks.wire import HTTPConnection, Refused
from support.hostile import HOSTILE

ROUNDS: Final = 3
ACCOUNTS: Final = 4
IDLE_S: Final = 2.0
MAX_TIMES: Final = 3.0


def measure() -> list[Figure]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        good, *evil = bench_db.add_accounts()[: ACCOUNTS + 1]
        with server(bench_db) as live:
            connection = HTTPConnection(live.url, good)
            job = connection.submit()
            connection.result(job)
            idle: list[float] = []
            fire: list[float] = []
            spans: list[float] = []
            for _ in range(ROUNDS):
                idle += _polls(connection, job, _lasting(IDLE_S))
                began = time.monotonic()
                fire += _polls_under_fire(live, evil, connection, job)
                spans.append(time.monotonic() - began)
    floor, found = p95(idle), p95(fire)
    return [
        Figure(
            f"poll while {len(HOSTILE)} hostile texts arrive, p95",
            bench_db.database,
            f"{1000 * found:.2f} ms, {found / floor:.1f} × idle",
            f"{1000 * floor:.2f} ms (idle)",
            f"{MAX_TIMES:g} × idle",
            found <= MAX_TIMES * floor,
        ),
        Figure(
            f"{len(HOSTILE)} hostile texts, of {ACCOUNTS} accounts, until the last answer",
            bench_db.database,
            f"{statistics.median(spans):.1f} s",
        ),
    ]


def _polls_under_fire(
    live: Live, tokens: list[str], connection: HTTPConnection, job: str
) -> list[float]:
    """Submit all texts at once; return the times of polls until the last text was answered."""
    with ThreadPoolExecutor(len(HOSTILE)) as senders:
        sent = [
            senders.submit(_send, live, tokens[k % len(tokens)], text)
            for k, text in enumerate(HOSTILE.values())
        ]
        times = _polls(connection, job, lambda: any(not each.done() for each in sent))
        for each in sent:
            each.result()
    return times


def _send(live: Live, token: str, text: str) -> None:
    with contextlib.suppress(Refused):  # tests check which of them are refused
        HTTPConnection(live.url, token).submit(text, shots=10)


def _lasting(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _polls(connection: HTTPConnection, job: str, goes_on: Callable[[], bool]) -> list[float]:
    """Read a job's state again and again; return the time of each read."""
    times = []
    while goes_on():
        began = time.perf_counter()
        connection.get(f"/v1/jobs/{job}")
        times.append(time.perf_counter() - began)
    return times
