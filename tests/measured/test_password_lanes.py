"""New passwords from many addresses do not delay another account's submissions."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import httpx

from measured.conftest import Record
from support.server import LiveServer, running_server
from support.waiting import until

N_CONNECTIONS = 32
N_SUBMISSIONS = 60
PASSWORD = "correct horse"
PROGRAM = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; measure q -> c;' + " " * 200_000
)


@contextmanager
def hashing(live: LiveServer) -> Iterator[None]:
    """Create accounts with passwords from many addresses until the block ends."""
    uses = str(N_CONNECTIONS * 100)
    code = live.admin("invitation", "add", "--uses", uses).strip().partition("code=")[2]
    created, done = Counter[int](), Event()

    def create(number: int) -> None:
        source = httpx.HTTPTransport(local_address=f"127.0.0.{2 + number}")
        with httpx.Client(transport=source, base_url=live.url, timeout=120) as http:
            while not done.is_set():
                name = f"pupil-{number}-{created[number]}"
                body = {"invitation": code, "name": name, "password": PASSWORD}
                http.post("/v1/accounts", json=body).raise_for_status()
                created[number] += 1

    with ThreadPoolExecutor(N_CONNECTIONS) as pool:
        creating = [pool.submit(create, number) for number in range(N_CONNECTIONS)]
        try:
            # By then no connection is being made any more, which takes the client's time.
            until(lambda: len(created) == N_CONNECTIONS, "each has created an account")
            yield
        finally:
            done.set()
        for each in creating:
            each.result()


def p95_s(http: httpx.Client) -> float:
    """Return the 95th percentile of the times of submissions of 200 kB."""
    found = []
    for _ in range(N_SUBMISSIONS):
        began = time.monotonic()
        body = {"device": "simulator", "program": PROGRAM, "shots": 1}
        http.post("/v1/jobs", json=body).raise_for_status()
        found.append(time.monotonic() - began)
    return statistics.quantiles(found, n=20)[-1]


def test_submissions_beside_new_passwords(tmp_path: Path, record: Record) -> None:
    with running_server(tmp_path) as live, live.client() as http:
        p95_s(http)  # parsers and workers are there
        idle_s = p95_s(http)
        with hashing(live):
            busy_s = p95_s(http)
    what = f"submitting 200 kB beside {N_CONNECTIONS} connections with new passwords"
    record(f"{what}: p95 / idle", busy_s / idle_s, at_most=3, unit="×")
