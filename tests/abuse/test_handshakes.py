"""Malformed websocket handshakes, alone or many at once, receive a response or end in time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from support import raw
from support.server import LiveServer, running_server
from support.waiting import until

HEAD_TIMEOUT_S = 2
JOB = "/ibm/api/jobs/00000000-0000-0000-0000-000000000000/status"
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that gives a handshake two seconds."""
    live = LiveServer(
        tmp_path_factory.mktemp("handshakes"), "--limit", f"head_timeout_s={HEAD_TIMEOUT_S}"
    )
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that waits for a handshake longer than a test may last."""
    with running_server(
        tmp_path_factory.mktemp("patient"), "--limit", "head_timeout_s=600"
    ) as live:
        yield live


def handshake(*headers: str, path: str = JOB) -> bytes:
    return raw.head(f"GET {path}", *UPGRADE, *headers)


MALFORMED = {
    "body": (handshake("Content-Length: 5") + b"12345", 400),
    "declared body": (handshake("Content-Length: 5"), 400),
    "two lengths of 0": (handshake("Content-Length: 0", "Content-Length: 0"), 400),
    "chunked": (handshake("Transfer-Encoding: chunked"), 400),
    "chunked body": (handshake("Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n\r\n", 400),
    "identity": (handshake("Transfer-Encoding: identity"), 400),
    "headers": (handshake(*["X: x"] * 124), 431),
    "header line": (handshake("X: " + "x" * 8_190), 431),
    "header name": (handshake("X" * 8_190 + ": x"), 431),
    "request line": (handshake(path=JOB + "?" + "x" * 8_190), 414),
    "path in UTF-8": (handshake(path=JOB + "?\N{SNOWMAN}"), 400),
    "version": (handshake().replace(b"Version: 13", b"Version: 12"), 400),
    "no version": (handshake().replace(b"Sec-WebSocket-Version: 13\r\n", b""), 400),
    "no key": (handshake().replace(b"Sec-WebSocket-Key", b"X"), 400),
    "short key": (handshake().replace(b"dGhlIH", b""), 400),
    "two keys": (handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400),
    "two origins": (handshake("Origin: a", "Origin: b"), 400),
}
"""By what is wrong: what is sent, and the status of the answer.

Most of them end the parser of `websockets` (server.py, http11.py) without an event.
"""


@pytest.mark.parametrize(("sent", "status"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_handshake_is_refused_at_once(
    patient: LiveServer, sent: bytes, status: int
) -> None:
    with raw.connect(patient.url) as connection:
        connection.sendall(sent)
        assert raw.answer(connection).status_code == status
        assert raw.is_ended(connection)


@pytest.mark.parametrize("length", [(), ("Content-Length: 0",)])
def test_a_handshake_as_large_as_allowed_is_taken(
    hasty: LiveServer, length: tuple[str, ...]
) -> None:
    more = ["X: " + "x" * 8_000, *["X: x"] * (128 - len(UPGRADE) - 2 - len(length))]
    with raw.connect(hasty.url) as connection:
        connection.sendall(handshake(*more, *length))
        assert connection.recv(12) == b"HTTP/1.1 101"


def test_a_malformed_handshake_with_more_to_come_ends_too(hasty: LiveServer) -> None:
    """A client that writes on and never closes does not keep the connection."""
    with raw.connect(hasty.url) as connection:
        connection.sendall(MALFORMED["headers"][0])
        with suppress(OSError):
            for _ in range(3 * HEAD_TIMEOUT_S * 20):
                connection.send(b"\0" * 100)
                time.sleep(0.05)
            raise AssertionError("the connection is still open")


@pytest.mark.extended
def test_thousands_of_malformed_handshakes_leave_room_for_others(hasty: LiveServer) -> None:
    heads = [sent for sent, _ in MALFORMED.values()]
    with ExitStack() as stack:
        opened = [stack.enter_context(open_from("127.0.0.2", hasty)) for _ in range(4_096)]
        for number, each in enumerate(opened):
            each.sendall(heads[number % len(heads)])
        until(
            lambda: httpx.get(f"{hasty.url}/livez").status_code == 200,
            "another address is served",
        )
        for each in opened:
            while not raw.is_ended(each):
                pass


def open_from(source: str, live: LiveServer) -> socket.socket:
    opened = raw.connect(live.url, source=source)
    opened.settimeout(60)
    return opened
