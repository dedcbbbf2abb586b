"""A cloud that answers without bounds, and counts the bytes that its client took.

    with HostileCloud(endless_body) as cloud:
        connect(Remote(url=cloud.url, ...), KEY)
    assert cloud.sent_bytes < ...

Sign-ins succeed, so that each driver reaches the hostile answer.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from support.bad_server import BadServer, Connection, Request, response

MEGABYTE = 1 << 20
IN_FLIGHT = 48 * MEGABYTE
"""Bytes that may be in the buffers of the kernel, which no client has read."""

Attack = Callable[[Connection, Callable[[bytes], None]], None]


class HostileCloud(BadServer):
    """A server on loopback that makes one attack in all its answers, except those of sign-ins.

    Attributes:
        sent_bytes: Bytes that the client's kernel took.
        n_attacks: Answers that were attacks.
    """

    def __init__(self, attack: Attack) -> None:
        super().__init__(self._step)
        self._attack = attack
        self._lock = threading.Lock()
        self.sent_bytes = 0
        self.n_attacks = 0

    def _step(self, connection: Connection) -> None:
        request = connection.read()
        if request is None:
            return
        if (body := self._sign_in(request)) is not None:
            connection.send(response(200, body, {"Connection": "close"}))
            return
        with self._lock:
            self.n_attacks += 1
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        self._attack(connection, lambda data: self._send(connection, data))
        # A reset, because a close would wait for a client that reads no more.
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))

    def _send(self, connection: Connection, data: bytes) -> None:
        connection.send(data)
        with self._lock:
            self.sent_bytes += len(data)

    def _sign_in(self, request: Request) -> Any:
        path = urlsplit(request.path).path
        if path.endswith("/loginWithToken"):
            return {"id": "an-access-token"}
        if path.endswith("/users/me"):
            return {"urls": {"services": {"runtime": f"{self.url}/runtime"}}}
        if path.endswith(("/openid-connect/token", "/identity/token")):
            return {"access_token": "an-access-token"}
        return None


class ResultCloud(HostileCloud):
    """A cloud of IonQ's kind that attacks in results alone; each job ends at once."""

    def __init__(self, attack: Attack) -> None:
        super().__init__(attack)
        self.jobs: dict[str, Any] = {}

    def _sign_in(self, request: Request) -> Any:
        path = request.path.partition("?")[0]
        if "/results" in path:
            return None
        if path.endswith("/backends"):
            return [{"backend": "simulator", "status": "available", "qubits": 29}]
        if path.endswith("/jobs") and request.method == "POST":
            job = {**msgspec.json.decode(request.body), "id": f"job-{len(self.jobs)}"}
            self.jobs[job["id"]] = {**job, "status": "completed"}
            return {"id": job["id"], "status": "submitted"}
        return self.jobs.get(path.rpartition("/")[2], {"jobs": []})


def _head(*lines: str, status: int = 200) -> bytes:
    named = [f"HTTP/1.1 {status} X", "Content-Type: application/json", *lines]
    return "\r\n".join([*named, "", ""]).encode()


def _forever(connection: Connection, send: Callable[[bytes], None], piece: bytes) -> None:
    while not connection.is_over.is_set():
        send(piece)


def endless_chunks(connection: Connection, send: Callable[[bytes], None]) -> None:
    send(_head("Transfer-Encoding: chunked"))
    _forever(connection, send, b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def endless_error(connection: Connection, send: Callable[[bytes], None]) -> None:
    send(_head("Transfer-Encoding: chunked", status=500))
    _forever(connection, send, b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def endless_until_close(connection: Connection, send: Callable[[bytes], None]) -> None:
    send(_head("Connection: close"))
    _forever(connection, send, b" " * 0x10000)


def endless_chunk_line(connection: Connection, send: Callable[[bytes], None]) -> None:
    send(_head("Transfer-Encoding: chunked") + b"1;")
    _forever(connection, send, b"x" * 0x10000)


def tiny_chunks(connection: Connection, send: Callable[[bytes], None]) -> None:
    send(_head("Transfer-Encoding: chunked"))
    _forever(connection, send, (b"1;" + b"x" * 1000 + b"\r\n \r\n") * 64)


def endless_trailers(connection: Connection, send: Callable[[bytes], None]) -> None:
    send(_head("Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n")
    _forever(connection, send, (b"X-Trailer: " + b"x" * 1000 + b"\r\n") * 64)


def endless_headers(connection: Connection, send: Callable[[bytes], None]) -> None:
    send(_head()[:-2])
    _forever(connection, send, (b"X-Header: " + b"x" * 1000 + b"\r\n") * 64)


def endless_continues(connection: Connection, send: Callable[[bytes], None]) -> None:
    _forever(connection, send, b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)


def long_length(_connection: Connection, send: Callable[[bytes], None]) -> None:
    send(_head(f"Content-Length: {10**12}") + b" " * 0x10000)


@cache
def gzip_bomb() -> bytes:
    """Return 1 GB of spaces, compressed, in 64 members."""
    return gzip.compress(b" " * (16 * MEGABYTE), 6) * 64


def compressed(_connection: Connection, send: Callable[[bytes], None]) -> None:
    bomb = gzip_bomb()
    send(_head("Content-Encoding: gzip", f"Content-Length: {len(bomb)}") + bomb)


def _of_json(text: bytes, status: int = 200) -> Attack:
    def attack(_connection: Connection, send: Callable[[bytes], None]) -> None:
        lines = (f"Content-Length: {len(text)}", "Connection: close")
        send(_head(*lines, status=status) + text)

    return attack


def deep(status: int = 200) -> Attack:
    """Return an attack of 100,000 lists in each other, in an object."""
    return _of_json(b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", status)


def json_of(value: Any, encoding: str = "utf-8") -> Attack:
    """Return an attack of one JSON text; Infinity and NaN are written as Python does."""
    return _of_json(json.dumps(value, ensure_ascii=False).encode(encoding))


def spaces(n_bytes: int) -> Attack:
    """Return an attack of an empty JSON object with this number of spaces."""
    return _of_json(b"{" + b" " * n_bytes + b"}")


def padded(value: Any, n_bytes: int) -> Attack:
    """Return an attack of one JSON object, after this number of spaces."""
    return _of_json(b" " * n_bytes + json.dumps(value).encode())


def numbers(n_bytes: int) -> Attack:
    """Return an attack of a JSON object with many numbers: `{"data": [0.5, 0.5, ...]}`."""
    return _of_json(b'{"data": [' + b"0.5," * (n_bytes // 4) + b"0.5]}")


def large_and_then_drip(connection: Connection, send: Callable[[bytes], None]) -> None:
    """Send 8 MiB, and then a byte whenever a tenth of a second has passed, for ever."""
    send(_head("Connection: close") + b"{")
    for _ in range(128):
        send(b" " * 0x10000)
    while not connection.is_over.wait(0.1):
        send(b" ")


def drip(connection: Connection, send: Callable[[bytes], None]) -> None:
    """Send a head, and then a byte whenever a tenth of a second has passed, for ever."""
    send(_head("Connection: close"))
    while not connection.is_over.wait(0.1):
        send(b" ")
