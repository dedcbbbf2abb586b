"""Another user at another address who asks meanwhile, in a process of its own.

`python bystander.py HOST PORT TOKEN` asks `/livez`, or submits Bell jobs if
TOKEN is not empty, until its standard input ends; then it prints its latencies as JSON.
"""

from __future__ import annotations

import http.client
import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

ADDRESS = "127.0.0.3"
"""Loopback has 2^24 addresses: attackers use 127.0.0.1 and 127.0.0.2."""
_PAUSE_S = 0.02


class Latencies(NamedTuple):
    """How long each request took, in seconds, and how many were refused or failed."""

    seconds: list[float]
    n_failed: int

    @property
    def p95_s(self) -> float:
        if len(self.seconds) < 2:
            return max(self.seconds, default=0.0)
        return statistics.quantiles(self.seconds, n=20, method="inclusive")[-1]

    def __str__(self) -> str:
        worst = max(self.seconds, default=0.0)
        return f"p95 {1000 * self.p95_s:.1f} ms, max {1000 * worst:.0f} ms, n {len(self.seconds)}"


class Bystander:
    """A process that measures; its latencies are there when `watching` has ended."""

    def __init__(self, url: str, token: str = "") -> None:
        address = urlsplit(url)
        self._command = [sys.executable, __file__, f"{address.hostname}", f"{address.port}", token]
        self._latencies: Latencies | None = None

    @property
    def latencies(self) -> Latencies:
        assert self._latencies is not None, "still watching"
        return self._latencies

    @contextmanager
    def watching(self) -> Iterator[None]:
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            text, _ = process.communicate(timeout=60)
            self._latencies = Latencies(**json.loads(text))


def _ask(host: str, port: int, token: str) -> int:
    """Send a request over a new connection; return its status, or 0 if there was none."""
    connection = http.client.HTTPConnection(host, port, timeout=30, source_address=(ADDRESS, 0))
    program = {"gateset": "qis", "qubits": 1, "circuit": [{"gate": "h", "target": 0}]}
    body = json.dumps({"device": "simulator", "program": program, "shots": 10})
    try:
        if token:
            connection.request("POST", "/v1/jobs", body, {"Authorization": f"Bearer {token}"})
        else:
            connection.request("GET", "/livez")
        response = connection.getresponse()
        response.read()
    except OSError:
        return 0
    else:
        return response.status
    finally:
        connection.close()


def _main(host: str, port: str, token: str) -> None:
    seconds, n_failed = [], 0
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        began = time.perf_counter()
        status = _ask(host, int(port), token)
        seconds.append(time.perf_counter() - began)
        n_failed += status not in (200, 201)
        if select.select([sys.stdin], [], [], _PAUSE_S)[0]:
            break
    sys.stdout.write(json.dumps({"seconds": seconds, "n_failed": n_failed}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
