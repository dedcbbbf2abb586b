"""Thousands of connections from one address do not delay clients of another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from measured.conftest import Record
from support import raw
from support.many_connections import SENT
from support.programs import BELL
from support.server import LiveServer

CROWD = 4_096
OTHER = "127.0.0.3"
FACTOR = 3.0
ROUNDS = 150
FLOOR_S = 0.02
"""What a request may take on a machine with other work, however short it is on an idle one."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("crowds"))
    live.token()
    yield live
    assert live.stop() == 0
    live.assert_calm()


@contextmanager
def crowd(live: LiveServer, kind: str) -> Iterator[None]:
    address = urlsplit(live.url)
    tests = Path(__file__).parent.parent
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "support.many_connections"),
            *(str(address.hostname), str(address.port), kind, str(CROWD)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tests)},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
        assert process.poll() is None, "the crowd is still there"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


def p95_s(live: LiveServer, *requests: bytes) -> list[float]:
    """Return the 95th percentile of each request, every time on a connection of its own."""
    times: list[list[float]] = [[] for _ in requests]
    for _ in range(ROUNDS):
        for request, took in zip(requests, times, strict=True):
            began = time.perf_counter()
            with raw.connect(live.url, source=OTHER) as connection:
                connection.sendall(request)
                assert raw.answer(connection).status_code in (200, 201)
            took.append(time.perf_counter() - began)
    return [sorted(took)[int(0.95 * ROUNDS)] for took in times]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", SENT)
def test_a_crowd_from_one_address_beside_clients_of_another(
    live: LiveServer, record: Record, kind: str
) -> None:
    body = json.dumps({"program": BELL, "device": "simulator", "shots": 10}).encode()
    auth = f"Authorization: Bearer {live.token()}"
    submit = raw.head("POST /v1/jobs", auth, f"Content-Length: {len(body)}") + body
    asked = (raw.head("GET /livez"), submit)
    p95_s(live, *asked)  # so that nothing is done for the first time
    idle = p95_s(live, *asked)
    with crowd(live, kind):
        crowded = p95_s(live, *asked)
    for name, alone_s, beside_s in zip(("/livez", "submit"), idle, crowded, strict=True):
        what = f"{name} beside {CROWD} connections of another address ({kind}): p95 / idle"
        record(what, beside_s / max(alone_s, FLOOR_S / FACTOR), at_most=FACTOR, unit="×")
