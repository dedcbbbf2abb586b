"""A request to upgrade to another protocol is served in this one, and its body remains its body.

RFC 9110, 7.8: a server may ignore Upgrade. Java's and .NET's clients send `h2c` with every first
request. A parser that stops at the head takes the body for the next request of the connection.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from abuse.dialects import DIALECTS, IONQ, NATIVE, Dialect
from support import raw
from support.for_each import for_each
from support.server import LiveServer

H2C = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAARAAAAAAAIA",
)
PROTOCOLS = ("h2c", "websocket", "HTTP/2.0, h2c", "TLS/1.0", "x" * 1_000)
SMUGGLED = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def connection(server: LiveServer) -> Iterator[socket.socket]:
    with raw.connect(server.url) as connection:
        yield connection


def auth(dialect: Dialect, token: str) -> str:
    ((name, value),) = dialect.auth(token).items()
    return f"{name}: {value}"


def framed(framing: str, body: bytes) -> tuple[str, bytes]:
    """Return the header that announces a body, and the body as it travels."""
    if framing == "declared":
        return f"Content-Length: {len(body)}", body
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i : i + 1]) for i in range(len(body)))
    return "Transfer-Encoding: chunked", chunks + b"0\r\n\r\n"


@for_each("framing", ["declared", "chunked"])
@for_each("dialect", DIALECTS)
def test_a_submission_that_asks_for_h2c_is_taken(
    server: LiveServer, dialect: Dialect, framing: str
) -> None:
    with raw.connect(server.url) as connection:
        length, body = framed(framing, dialect.text())
        sent = raw.head(f"POST {dialect.jobs}", auth(dialect, server.token()), *H2C, length) + body
        for _ in range(3):
            connection.sendall(sent)
            answer = raw.answer(connection)
            assert answer.status_code == 201, answer.text


@for_each("protocol", PROTOCOLS)
@for_each("size", [0, 1, 10_000])
def test_whatever_protocol_is_asked_for_this_one_answers(
    server: LiveServer, protocol: str, size: int
) -> None:
    with raw.connect(server.url) as connection:
        upgrade = ("Connection: keep-alive, Upgrade", f"Upgrade: {protocol}")
        sent = raw.head("GET /livez", *upgrade, f"Content-Length: {size}") + b"x" * size
        for _ in range(3):
            connection.sendall(sent)
            assert raw.answer(connection).json() == {"status": "alive"}


@for_each("framing", ["declared", "chunked"])
@for_each("apart", [False, True])
@for_each("dialect", [NATIVE, IONQ])
def test_a_request_in_the_body_of_an_upgrade_is_never_executed(
    server: LiveServer, dialect: Dialect, apart: bool, framing: str
) -> None:
    with raw.connect(server.url) as connection:
        length, body = framed(framing, SMUGGLED)
        sent = raw.head(f"POST {dialect.prefix}/nothing", *H2C, length)
        last = raw.head("GET /readyz", "Connection: close")
        for piece in (sent, body, last) if apart else (sent + body + last,):
            connection.sendall(piece)
        assert raw.answer(connection).status_code == 404
        rest = b""
        with suppress(ConnectionResetError):
            while received := connection.recv(1 << 16):
                rest += received
        # Without its length, what is left of a body that nobody reads ends the connection.
        ends_at_once = framing == "chunked" and not rest
        assert ends_at_once or rest.endswith(b'{"status":"ready"}')
        assert rest.count(b"HTTP/1.1") == (not ends_at_once)


def test_upgrades_in_a_row_are_answered_in_order(connection: socket.socket) -> None:
    paths = [f"/v1/nothing/{n}" for n in range(200)]
    connection.sendall(b"".join(raw.head(f"GET {path}", *H2C) for path in paths))
    for _ in paths:
        assert raw.answer(connection).status_code == 404
    connection.sendall(raw.head("GET /livez"))
    assert raw.answer(connection).status_code == 200


@for_each(
    "framing",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: x",),
        ("Content-Length: +5",),
        ("Content-Length : 5",),
        ("Content-Length: 5\r\n x",),
    ],
)
@for_each("upgrade", [(), H2C])
def test_a_body_of_uncertain_length_is_refused(
    server: LiveServer, upgrade: tuple[str, ...], framing: tuple[str, ...]
) -> None:
    with raw.connect(server.url) as connection:
        connection.sendall(raw.head("POST /v1/jobs", *upgrade, *framing) + SMUGGLED)
        assert raw.answer(connection).status_code == 400
        assert raw.is_ended(connection)


@for_each("target", ["example.org:443", "/v1/jobs", "x"])
@for_each("upgrade", [(), H2C])
def test_this_is_no_tunnel(server: LiveServer, upgrade: tuple[str, ...], target: str) -> None:
    with raw.connect(server.url) as connection:
        connection.sendall(raw.head(f"CONNECT {target}", *upgrade) + raw.head("GET /livez"))
        assert raw.answer(connection).status_code == 400
        assert raw.is_ended(connection)


def test_http_2_without_asking_is_refused(connection: socket.socket) -> None:
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert raw.answer(connection).status_code == 400


def test_upgrades_leave_nothing_in_the_log(server: LiveServer, connection: socket.socket) -> None:
    mark = server.log.stat().st_size
    connection.sendall(raw.head("GET /livez", *H2C) + b"\0\0\0")
    assert raw.answer(connection).status_code == 200
    assert raw.is_ended(connection), "what follows is no request"
    assert server.log.read_bytes()[mark:] == b""
