"""Bytes of a connection besides heads and bodies are bounded: framing, trailers, what follows."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from abuse.dialects import DIALECTS, NATIVE, Dialect
from abuse.fixtures import run_bell
from abuse.test_floods import Peak
from abuse.test_slow_clients import drip
from support import raw
from support.certificates import certificate
from support.event_loop import MEASURED, assert_loop_stays_free
from support.for_each import for_each
from support.held import held_job
from support.own_addresses import live_with_own, own_url
from support.server import LiveServer

pytestmark = pytest.mark.extended

MB = 1 << 20
MOST_SENT = 48 * MB
MAX_TAKEN = 16 * MB
"""What the server and the kernels on both sides hold of a connection that it no longer reads."""
MAX_RISE = 8 * MB
HEAD_BYTES = 128 << 10
CHUNKED = "Transfer-Encoding: chunked"
OWN = "qlued"
"""A dialect with an address of its own."""


class Endless(NamedTuple):
    """Bytes of a chunked body: how they begin, and what is then repeated for ever."""

    first: bytes
    piece: bytes


ENDLESS = {
    "trailers": Endless(b"0\r\n", b"a:b\r\n" * 13_000),
    "one trailer": Endless(b"0\r\na:", b"b" * 65_000),
    "name of a trailer": Endless(b"0\r\n", b"a" * 65_000),
    "trailers after a body": Endless(b"2\r\n{}\r\n0\r\n", b"a:b\r\n" * 13_000),
    "chunk extension": Endless(b"1;", b"a" * 65_000),
    "value of an extension": Endless(b'1;a="', b"a" * 65_000),
    "extensions of small chunks": Endless(b"", (b"1;" + b"a" * 90 + b"\r\n \r\n") * 600),
    "zeros before a size": Endless(b"", b"0" * 65_000),
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose memory no other test uses."""
    live = live_with_own(tmp_path_factory.mktemp("framing"), [OWN])
    with live.client() as client:
        for dialect in DIALECTS:
            run_bell(client, dialect, live.token())
        yield live
        run_bell(client, NATIVE, live.token())
    assert live.stop() == 0
    live.assert_calm()


@pytest.fixture
def connection(live: LiveServer) -> Iterator[socket.socket]:
    with raw.connect(live.url) as connection:
        yield connection


def flood(connection: socket.socket, piece: bytes, most: int = MOST_SENT) -> int:
    """Send a piece again and again; return how many bytes were taken before the end."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < most:
            sent += connection.send(piece[sent % len(piece) :])
    return sent


def rest_of(connection: socket.socket) -> bytes:
    """Return what can be read before the end; fail if it does not end."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while some := connection.recv(100_000):
            said += some
    return said


def auth(dialect: Dialect, token: str) -> str:
    ((name, value),) = dialect.auth(token).items()
    return f"{name}: {value}"


def chunked(body: bytes) -> bytes:
    """Return a body in chunks of one byte."""
    return b"".join(b"1\r\n%c\r\n" % byte for byte in body)


# --- chunk lines and trailers ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("token", ["right", "wrong"])
def test_a_body_without_an_end_takes_little_memory(
    live: LiveServer, connection: socket.socket, kind: str, token: str
) -> None:
    peak = Peak(live)
    secret = live.token() if token == "right" else "wrong"
    connection.sendall(raw.head("POST /v1/jobs", auth(NATIVE, secret), CHUNKED))
    connection.sendall(ENDLESS[kind].first)
    assert flood(connection, ENDLESS[kind].piece) < MAX_TAKEN
    assert peak.rise_bytes() < MAX_RISE
    rest_of(connection)


@for_each("kind", ["trailers", "chunk extension"])
@for_each(
    "path",
    ["/livez", "/docs", *sorted({each.jobs for each in DIALECTS}), f"{OWN}: /api/v2/backends"],
)
def test_no_path_takes_a_body_without_an_end(live: LiveServer, path: str, kind: str) -> None:
    own, _, path = path.rpartition(": ")
    with raw.connect(own_url(live, own) if own else live.url) as connection:
        connection.sendall(raw.head(f"POST {path}", CHUNKED) + ENDLESS[kind].first)
        assert flood(connection, ENDLESS[kind].piece) < MAX_TAKEN
        rest_of(connection)


def test_nor_does_a_server_with_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    files = certificate(tmp_path_factory.mktemp("certificates"))
    options = ("--tls-cert", str(files.chain), "--tls-key", str(files.key))
    live = LiveServer(tmp_path_factory.mktemp("tls"), *options)
    trusting = ssl.create_default_context(cafile=str(files.authority))
    for kind in ENDLESS.values():
        peak = Peak(live)
        wrapped = trusting.wrap_socket(raw.connect(live.url), server_hostname="127.0.0.1")
        with wrapped as connection:
            connection.sendall(raw.head("POST /v1/jobs", CHUNKED) + kind.first)
            assert flood(connection, kind.piece) < MAX_TAKEN
        assert peak.rise_bytes() < MAX_RISE
    assert live.stop() == 0
    live.assert_calm()


@for_each("kind", ENDLESS)
def test_the_refusal_says_why(live: LiveServer, kind: str) -> None:
    """Each piece is sent alone, and the first ones are within the limit."""
    with raw.connect(live.url) as connection:
        connection.sendall(raw.head("POST /v1/jobs", auth(NATIVE, live.token()), CHUNKED))
        connection.sendall(ENDLESS[kind].first)
        flood(connection, ENDLESS[kind].piece, 8 * HEAD_BYTES)
        answer = raw.answer(connection)
        assert (answer.status_code, answer.headers["connection"]) == (431, "close")
        assert "head_bytes" in answer.text
        assert raw.is_ended(connection)


def test_trailers_are_counted_byte_by_byte_too(live: LiveServer, connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(raw.head("POST /v1/jobs", auth(NATIVE, live.token()), CHUNKED) + b"0\r\n")
    sent, until = 0, time.monotonic() + 30
    with contextlib.suppress(OSError):
        while not select.select([connection], [], [], 0)[0]:
            sent += connection.send(b"a:b\r\n"[sent % 5 :][:1])
            assert time.monotonic() < until, "the server reads trailers without an end"
    assert b" 431 " in rest_of(connection)


@pytest.mark.parametrize("kind", ["trailers", "chunk extension"])
def test_trailers_that_drip_are_given_up(
    tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    live = LiveServer(tmp_path_factory.mktemp("hasty"), "--limit", "body_timeout_s=1")
    with raw.connect(live.url) as connection:
        connection.sendall(raw.head("POST /v1/jobs", auth(NATIVE, live.token()), CHUNKED))
        connection.sendall(ENDLESS[kind].first)
        drip(connection, ENDLESS[kind].piece[:5])
        assert "body_timeout_s" in NATIVE.refused(raw.answer(connection), 408)
    assert live.stop() == 0


@for_each("dialect", DIALECTS)
def test_chunks_of_a_byte_extensions_and_trailers_are_taken(
    live: LiveServer, dialect: Dialect
) -> None:
    with raw.connect(live.url) as connection:
        head = raw.head(f"POST {dialect.jobs}", auth(dialect, live.token()), CHUNKED)
        body = chunked(dialect.text() + b" " * 50_000)
        end = b'1;name="value"\r\n \r\n0;last\r\nETag: x\r\n' + b"a:b\r\n" * 1_000 + b"\r\n"
        for _ in range(2):
            connection.sendall(head + body + end)
            answer = raw.answer(connection)
            assert answer.status_code == 201, answer.text


@for_each(
    "trailer", ["Authorization: Bearer {}", "Host: y", "Expect: 100-continue", "Upgrade: websocket"]
)
def test_a_trailer_is_no_header(live: LiveServer, trailer: str) -> None:
    with raw.connect(live.url) as connection:
        sent = f"2\r\n{{}}\r\n0\r\n{trailer.format(live.token())}\r\n\r\n".encode()
        connection.sendall(raw.head("POST /v1/jobs", CHUNKED) + sent)
        assert raw.answer(connection).status_code == 401


# --- what follows a request -----------------------------------------------------------------------


@pytest.fixture
def pending(live: LiveServer, connection: socket.socket) -> Iterator[socket.socket]:
    """A connection on which a response is awaited."""
    with live.client() as client:
        sent = {"program": held_job().program, "device": "simulator", "shots": 1}
        job = client.post("/v1/jobs", json=sent).json()["id"]
        connection.sendall(raw.head(f"GET /v1/jobs/{job}?wait=60", auth(NATIVE, live.token())))
        yield connection
        client.post(f"/v1/jobs/{job}/cancel")


FOLLOWING = {
    "small requests": raw.head("GET /livez") * 1_000,
    "requests of 1 kB": raw.head("GET /livez", *["a:b"] * 200) * 60,
    "requests of 100 kB": raw.head("GET /livez", *["a:b"] * 20_000),
    "requests with bodies": raw.head("POST /v1/jobs", "Content-Length: 60000") + b" " * 60_000,
    "empty lines": b"\r\n" * 32_000,
}


@pytest.mark.parametrize("kind", FOLLOWING)
def test_what_follows_a_request_takes_little_memory(
    live: LiveServer, pending: socket.socket, kind: str
) -> None:
    peak = Peak(live)
    pending.settimeout(1)
    assert flood(pending, FOLLOWING[kind]) < MAX_TAKEN
    assert peak.rise_bytes() < 2 * MAX_RISE


@pytest.mark.parametrize("piece", [b"\0" * 65_000, b"a" * 65_000], ids=["zeros", "a method"])
def test_what_follows_malformed_is_discarded_up_to_a_bound(
    pending: socket.socket, piece: bytes
) -> None:
    pending.settimeout(1)
    assert flood(pending, piece) < MOST_SENT


@pytest.mark.parametrize("size", [1, 200, 20_000])
def test_large_requests_in_a_row_are_all_answered(connection: socket.socket, size: int) -> None:
    n = max(30, min(900, 40_000 // size))
    connection.sendall(raw.head("GET /livez", *["a:b"] * size) * n)
    for _ in range(n):
        assert raw.answer(connection).status_code == 200


def test_empty_lines_before_a_request_are_bounded(connection: socket.socket) -> None:
    connection.sendall(b"\r\n" * 100 + raw.head("GET /livez"))
    assert raw.answer(connection).status_code == 200
    assert flood(connection, b"\r\n" * 32_000) < MAX_TAKEN
    assert b" 431 " in rest_of(connection)


# --- the event loop -------------------------------------------------------------------------------


def test_no_framing_keeps_the_loop(tmp_path_factory: pytest.TempPathFactory) -> None:
    live = LiveServer(tmp_path_factory.mktemp("loop"), **MEASURED)
    kinds = {**ENDLESS, "chunks of a byte": Endless(b"", chunked(b" " * 44_000))}
    with live.client() as client:
        run_bell(client, NATIVE, live.token())
    for kind in kinds.values():

        def send(kind: Endless = kind) -> None:
            with raw.connect(live.url) as connection:
                connection.sendall(raw.head("POST /v1/jobs", auth(NATIVE, live.token()), CHUNKED))
                connection.sendall(kind.first)
                flood(connection, kind.piece, 2 * MB)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                    rest_of(connection)

        assert_loop_stays_free(live, send)
    assert live.stop() == 0
    live.assert_calm()
