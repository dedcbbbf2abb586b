"""A thousand open event streams of a hundred accounts, each of which submits a job per second.

Measures the memory of a stream, the delay of its events, events that never arrive, and status polls
meanwhile. The watchers are a process of their own, `python -m benchmarks.streams URL`, which reads
the tokens from standard input. Polls alone, and beside the jobs without streams, come first in the
same run.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import uvloop

from benchmarks.bench_databases import BenchDatabase, timed
from benchmarks.figures import Figure, both, ms, p95
from benchmarks.live import cpu, memory, server
from benchmarks.wire import AsyncHTTPConnection, HTTPConnection, address, request, submission

ACCOUNTS: Final = 100
STREAMS_EACH: Final = 10
SECONDS: Final = 30.0
POLLS: Final = 3_000
FACTOR: Final = 3.0
STARVED_S: Final = 5.0
_SETTLE_S: Final = 3.0
_ENDED_S: Final = 120.0
_AT_ONCE: Final = 50
_SHOTS: Final = 10
_STREAM: Final = "/v1/events"
_DATA: Final = b"\ndata: "


class Watched(NamedTuple):
    """What the watchers saw.

    Attributes:
        jobs: Number of submitted jobs.
        missed: Number of ends of jobs that a stream never received, over all streams.
        minimum: Events of the stream that received fewest.
        events: Events of all streams.
        lags: Seconds from the end of a job to its event; a sample of all.
        worst_lag: The longest of all.
    """

    jobs: int
    missed: int
    minimum: int
    events: int
    lags: list[float]
    worst_lag: float


class Stream(asyncio.Protocol):
    """One open stream: counts events, and records the delays of ends of jobs."""

    def __init__(self, token: str) -> None:
        self._head = request("GET", _STREAM, token)
        self.is_open = asyncio.Event()
        self._rest = b""
        self.events = 0
        self.ended: set[str] = set()
        self.lags: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._head)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        for block in whole:
            if b"\r\nid: " in block or block.startswith(b"id: "):
                self.is_open.set()
            _, found, body = block.partition(_DATA)
            if found:
                self.events += 1
                self._note(json.loads(body))

    def _note(self, job: dict[str, Any]) -> None:
        if job["ended_at"] is not None:
            self.ended.add(job["id"])
            self.lags.append(time.time() - datetime.fromisoformat(job["ended_at"]).timestamp())


def _same(stream: Stream) -> Stream:
    return stream


async def _watch(url: str, tokens: list[str], streams_each: int, seconds: float) -> Watched:
    host, port = address(url)
    loop = asyncio.get_running_loop()
    by_account = []
    for token in tokens:
        mine = []
        for _ in range(streams_each):
            stream = Stream(token)
            await loop.create_connection(partial(_same, stream), host, port)
            mine.append(stream)
        for stream in mine:
            await asyncio.wait_for(stream.is_open.wait(), 30)
        by_account.append(mine)
    connections = [
        (await loop.create_connection(AsyncHTTPConnection, host, port))[1] for _ in tokens
    ]
    _print_line("open")
    await asyncio.to_thread(sys.stdin.readline)
    made: list[list[str]] = [[] for _ in tokens]

    async def submit(number: int) -> None:
        body = submission(tokens[number], shots=_SHOTS)
        begin = loop.time() + number / len(tokens)  # not all in the same instant
        for turn in range(int(seconds)):
            await asyncio.sleep(max(0.0, begin + turn - loop.time()))
            made[number].append(json.loads(await connections[number].ask(body))["id"])

    await asyncio.gather(*(submit(number) for number in range(len(tokens))))
    ended_s = time.monotonic() + _ENDED_S
    for token, connection in zip(tokens, connections, strict=True):
        unfinished = request("GET", "/v1/jobs?state=queued,running&limit=1", token)
        while json.loads(await connection.ask(unfinished))["jobs"]:
            if time.monotonic() > ended_s:
                raise TimeoutError("The jobs do not end.")
            await asyncio.sleep(0.1)
    await asyncio.sleep(_SETTLE_S)
    streams = [
        (stream, set(jobs)) for mine, jobs in zip(by_account, made, strict=True) for stream in mine
    ]
    lags = sorted(lag for stream, _ in streams for lag in stream.lags)
    return Watched(
        jobs=sum(map(len, made)),
        missed=sum(len(jobs - stream.ended) for stream, jobs in streams),
        minimum=min((stream.events for stream, _ in streams), default=0),
        events=sum(stream.events for stream, _ in streams),
        lags=[round(lag, 5) for lag in lags[:: max(1, len(lags) // 1_000)]],
        worst_lag=lags[-1] if lags else 0.0,
    )


def _print_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Watchers:
    """The process that watches and submits."""

    def __init__(self, url: str, tokens: list[str], streams_each: int, seconds: float) -> None:
        command = [sys.executable, "-m", "benchmarks.streams", url, str(streams_each), str(seconds)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._send(json.dumps(tokens))
        self._receive()  # all streams are open

    def go(self) -> None:
        self._send("go")

    def result(self) -> Watched:
        """Wait for the end."""
        words = json.loads(self._receive())
        self._process.communicate(timeout=60)
        return Watched(*words)

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _receive(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The watchers ended.")
        return line


def measure(accounts: int = ACCOUNTS, seconds: float = SECONDS) -> list[Figure]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        tokens = bench_db.add_accounts(accounts)
        with server(bench_db) as live:
            connection = HTTPConnection(live.url, tokens[0])
            job = connection.submit()
            connection.result(job)

            def poll() -> bytes:
                time.sleep(seconds / POLLS / 2)
                began = time.perf_counter()
                connection.get(f"/v1/jobs/{job}")
                times.append(time.perf_counter() - began)
                return b""

            times: list[float] = []
            timed(poll, POLLS // 3)
            alone, times = times, []

            beside = Watchers(live.url, tokens, 0, seconds)
            beside.go()
            time.sleep(1)
            timed(poll, POLLS)
            beside.result()
            with_jobs, times = times, []

            before = memory(live.pid).server
            watchers = Watchers(live.url, tokens, STREAMS_EACH, seconds)
            time.sleep(_SETTLE_S)
            each = (memory(live.pid).server - before) / (accounts * STREAMS_EACH)
            used, began = cpu(live.pid)[0], time.perf_counter()
            time.sleep(_SETTLE_S)
            idle = (cpu(live.pid)[0] - used) / (time.perf_counter() - began)
            watchers.go()
            time.sleep(1)
            used, began = cpu(live.pid)[0], time.perf_counter()
            timed(poll, POLLS)
            busy = (cpu(live.pid)[0] - used) / (time.perf_counter() - began)
            seen = watchers.result()
            with_streams = times
    n = accounts * STREAMS_EACH
    return [
        Figure("status poll alone, p50 / p95", bench_db.database, both(alone)),
        Figure(
            f"status poll beside {accounts} jobs/s, p50 / p95", bench_db.database, both(with_jobs)
        ),
        Figure(
            f"status poll beside {accounts} jobs/s and {n} streams of {accounts} accounts",
            bench_db.database,
            both(with_streams),
            both(alone),
            f"p95 < {FACTOR:g} × alone",
            p95(with_streams) < FACTOR * p95(alone),
        ),
        Figure(
            f"end of a job to its {STREAMS_EACH} streams, p50 / p95 / worst",
            bench_db.database,
            f"{both(seen.lags)} / {ms(seen.worst_lag)}",
            "",
            f"worst < {STARVED_S:g} s",
            seen.worst_lag < STARVED_S,
        ),
        Figure(
            f"ends never told, of {seen.jobs} jobs to {STREAMS_EACH} streams each",
            bench_db.database,
            str(seen.missed),
            f"{seen.events:,} events",
            "0",
            seen.missed == 0,
        ),
        Figure("memory of one stream", bench_db.database, f"{each / 1024:.1f} KiB"),
        Figure(
            f"CPU of {n} streams: silent / with the jobs",
            bench_db.database,
            f"{100 * idle:.0f} % / {100 * busy:.0f} % of a core",
        ),
    ]


if __name__ == "__main__":
    given = json.loads(sys.stdin.readline())
    url, each, seconds = sys.argv[1:]
    _print_line(json.dumps(uvloop.run(_watch(url, given, int(each), float(seconds)))))
