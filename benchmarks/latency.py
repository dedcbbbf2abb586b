"""How long one job takes from submit to result on an idle server, beside the disk's own flush.

Each round measures one flush of 4 KiB, then one job, so that both see the same disk.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from benchmarks.live import server

ROUNDS: Final = 300
WARM_UP: Final = 20
BELL: Final = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


class Figure(NamedTuple):
    """One row of the table; `is_within` is None for a figure without a bar."""

    name: str
    measured: str
    floor: str
    bar: str
    is_within: bool | None


class Keeper:
    """One connection that stays open, as every client keeps it."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the answer's body.

        Raises:
            RuntimeError: The server refused.
        """
        status, text = self._exchange(method, path, body)
        if status >= 400:
            raise RuntimeError(text.decode())
        return text

    def status(self, method: str, path: str, body: bytes | None = None) -> int:
        """Return the answer's status, whatever it is."""
        return self._exchange(method, path, body)[0]

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def measure() -> list[Figure]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        probe = os.open(Path(folder) / "probe", os.O_CREAT | os.O_WRONLY, 0o600)
        with server(Path(folder) / "data") as live:
            keeper = Keeper(live.url, live.token)
            flushes, submits, jobs = [], [], []
            for number in range(WARM_UP + ROUNDS):
                flush_s = _flush(probe)
                submit_s, job_s = _job(keeper)
                if number >= WARM_UP:
                    flushes.append(flush_s)
                    submits.append(submit_s)
                    jobs.append(job_s)
        os.close(probe)
    floor = statistics.median(flushes)
    bar = 2 * floor + 0.005
    p50 = statistics.median(jobs)
    return [
        Figure("flush of 4 KiB, p50", _ms(floor), "", "", None),
        Figure("submit, p50", _ms(statistics.median(submits)), _ms(floor), "", None),
        Figure("submit, p95", _ms(_p95(submits)), _ms(_p95(flushes)), "", None),
        Figure(
            "submit → result, Bell, 1,000 shots, p50",
            _ms(p50),
            _ms(2 * floor),
            f"2 flushes + 5 ms = {_ms(bar)}",
            p50 <= bar,
        ),
        Figure("submit → result, p95", _ms(_p95(jobs)), _ms(2 * _p95(flushes)), "", None),
    ]


def _flush(probe: int) -> float:
    began = time.perf_counter()
    os.pwrite(probe, os.urandom(4096), 0)
    os.fdatasync(probe)
    return time.perf_counter() - began


def _job(keeper: Keeper) -> tuple[float, float]:
    """Submit, wait by long poll, read the result; return the times of submit and whole."""
    body = json.dumps({"program": BELL, "device": "simulator", "shots": 1000}).encode()
    began = time.perf_counter()
    job = json.loads(keeper.ask("POST", "/v1/jobs", body))["id"]
    submitted = time.perf_counter()
    result = json.loads(keeper.ask("GET", f"/v1/jobs/{job}/result?wait=30"))
    ended = time.perf_counter()
    assert sum(result["parts"][0]["counts"].values()) == 1000
    return submitted - began, ended - began


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"
