"""No request makes a callback of the event loop take more than 20 ms of CPU time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from abuse.conftest import run_bell
from abuse.dialects import DIALECTS, Dialect
from support import raw
from support.event_loop import MEASURED, assert_loop_stays_free
from support.server import LiveServer

MB = 1 << 20
BODIES = {
    "text": b'"' + b"x" * (15 * MB) + b'"',
    "lists": b"[" + b"[]," * (5 * MB) + b"[]]",
    "brackets": b"[" * (8 * MB),
    "keys": b"{" + b'"a":1,' * (2 * MB) + b'"b":1}',
    "program": b'{"device":"simulator","program":"' + b"h q;" * (3 * MB) + b'"}',
    "spaces": b" " * (15 * MB),
    "field of 64 kB": b'{"device":"' + b"d" * 60_000 + b'"}',
    "small lists": b'{"tags":[' + b'"",' * 20_000 + b'""]}',
}
PATHS = {
    "access tokens": "/" + "eyJ" * 21_000,
    "tokens": "/" + "qw_" * 21_000,
    "addresses": "/" + "://x" * 15_000,
    "slashes": "/" * 60_000,
    "escapes": "/" + "%00" * 20_000,
    "query": "/v1/jobs?tag=" + "a%20" * 15_000,
    "parameters": "/v1/jobs?" + "a=b&" * 15_000,
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that has done everything once: imports of the first request are no finding."""
    live = LiveServer(tmp_path_factory.mktemp("loop"), "--access-log", **MEASURED)
    with live.client() as client:
        for dialect in DIALECTS:
            run_bell(client, dialect, live.token())
            client.post(dialect.jobs, content=b" " * MB, headers=dialect.auth(live.token()))
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
def test_no_body_keeps_the_loop(live: LiveServer, dialect: Dialect, body: str) -> None:
    def send() -> None:
        with httpx.Client(timeout=60) as client:
            for token in (live.token(), "wrong"):
                answer = client.post(
                    live.url + dialect.jobs, content=BODIES[body], headers=dialect.auth(token)
                )
                assert 400 <= answer.status_code < 500

    assert_loop_stays_free(live, send)


@pytest.mark.parametrize("path", PATHS)
def test_no_path_keeps_the_loop(live: LiveServer, path: str) -> None:
    def send() -> None:
        with raw.connect(live.url) as connection:
            connection.sendall(raw.head(f"GET {PATHS[path]}"))
            assert raw.answer(connection).status_code < 500

    assert_loop_stays_free(live, send)


@pytest.mark.parametrize("n", [900, 8_000])
def test_pipelined_requests_are_answered_up_to_their_limit(live: LiveServer, n: int) -> None:
    def send() -> None:
        with raw.connect(live.url) as connection:
            connection.sendall(raw.head("GET /livez") * n)
            if n == 900:
                for _ in range(n):
                    assert raw.answer(connection).status_code == 200
            else:
                with suppress(ConnectionError):  # limit pipelined
                    while connection.recv(100_000):
                        pass

    assert_loop_stays_free(live, send)
