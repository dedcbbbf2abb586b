"""The CPU time of the largest requests in one callback of the event loop: at most 20 ms.

A virtual machine's CPU time includes time that its host took: a callback of 13 ms measured up to
98. Such noise only adds, so the least of five attempts counts. `tests/abuse/test_loop*.py` count
what callbacks do, which is the same on every machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest

from measured.conftest import Record
from support import raw
from support.event_loop import TIMED, logged, longest_ms
from support.server import LiveServer

MAX_MS = 20.0
MB = 1 << 20
ATTEMPTS = 5
BODIES = {
    "a text": b'"' + b"x" * (15 * MB) + b'"',
    "lists": b"[" + b"[]," * (5 * MB) + b"[]]",
    "small lists": b'{"tags":[' + b'"",' * 20_000 + b'""]}',
}
HEADS = {
    "parameters": ("GET /ibm/api/jobs?" + "&".join(["id=" + "%41" * 4] * 2_047),),
    "escapes": ("GET /ui/jobs?a=" + "%41" * 8_192,),
    "short headers": ("GET /v1/jobs", *("a: b",) * 18_000),
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("callbacks"), "--access-log", **TIMED)
    post(live, b"{}")  # imports of the first request are no finding
    for head in HEADS.values():
        get(live, *head)
    yield live
    assert live.stop() == 0


def post(live: LiveServer, content: bytes) -> None:
    with live.client(live.token()) as client:
        assert 400 <= client.post("/v1/jobs", content=content).status_code < 500


def get(live: LiveServer, request: str, *headers: str) -> None:
    with raw.connect(live.url) as connection:
        connection.sendall(raw.head(request, *headers))
        assert raw.answer(connection).status_code < 500


@pytest.mark.parametrize("name", [*BODIES, *HEADS])
def test_the_longest_callback_of_a_request(live: LiveServer, name: str, record: Record) -> None:
    send = partial(post, live, BODIES[name]) if name in BODIES else partial(get, live, *HEADS[name])
    found: list[float] = []
    while len(found) < ATTEMPTS and min(found, default=MAX_MS + 1) > MAX_MS:
        time.sleep(2 if found else 0)
        found.append(longest_ms(logged(live, send)))
    record(f"longest callback of a request with {name}, CPU", min(found), at_most=MAX_MS, unit="ms")
