"""Thousands of connections from one address do not delay clients of another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

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


class Idle:
    """What requests take while nothing else happens, measured once and again on demand."""

    def __init__(self, live: LiveServer) -> None:
        body = json.dumps({"program": BELL, "device": "simulator", "shots": 10}).encode()
        auth = f"Authorization: Bearer {live.token()}"
        submit = raw.head("POST /v1/jobs", auth, f"Content-Length: {len(body)}") + body
        self.asked = (raw.head("GET /livez"), submit)
        self._live = live
        p95_s(live, *self.asked)  # so that nothing is done for the first time
        self.p95_s = p95_s(live, *self.asked)

    def measure_again(self) -> None:
        """Measure once more and keep the longer times: the machine has other work now."""
        again = p95_s(self._live, *self.asked)
        self.p95_s = [max(pair) for pair in zip(self.p95_s, again, strict=True)]


@pytest.fixture(scope="module")
def idle(live: LiveServer) -> Idle:
    return Idle(live)


def is_noticed(idle: Idle, crowded: list[float]) -> bool:
    return any(
        beside_s > max(FACTOR * alone_s, FLOOR_S)
        for alone_s, beside_s in zip(idle.p95_s, crowded, strict=True)
    )


@pytest.mark.alone
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", SENT)
def test_a_crowd_from_one_address_is_not_noticed_from_another(
    live: LiveServer, idle: Idle, kind: str, record_property: Callable[[str, object], None]
) -> None:
    with crowd(live, kind):
        crowded = p95_s(live, *idle.asked)
    if is_noticed(idle, crowded):
        idle.measure_again()
    for name, alone_s, beside_s in zip(("/livez", "submit"), idle.p95_s, crowded, strict=True):
        figures = f"{name}: p95 {1000 * alone_s:.1f} ms alone, {1000 * beside_s:.1f} ms beside"
        record_property(name, figures)
    assert not is_noticed(idle, crowded), (idle.p95_s, crowded)
