"""A server that misbehaves on purpose: a socket, and a script with one step per connection.

    with BadServer(drop(), answer(200, {"devices": []})) as server:
        connect(server.url, TOKEN).devices()
    assert len(server.requests) == 2

Each connection gets the next step; further connections get the last step. Most steps read one
request, answer and close. `requests` has the received requests, in order.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_LIMIT_S = 20.0


@dataclass(frozen=True)
class Request:
    """One received request, and its time in monotonic seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One accepted connection, which a step uses."""

    def __init__(self, sock: socket.socket, server: BadServer) -> None:
        self.sock = sock
        self.is_over = server.is_over
        self._requests = server.requests

    def read(self) -> Request | None:
        """Read one request; None when the client has gone."""
        with self.sock.makefile("rb") as file:
            method, _, rest = file.readline().decode("latin-1").partition(" ")
            if not rest:
                return None
            headers: dict[str, str] = {}
            while line := file.readline().decode("latin-1").strip():
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            body = file.read(int(headers.get("content-length", 0)))
        request = Request(method, rest.split(" ")[0], headers, body, time.monotonic())
        self._requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


Step = Callable[[Connection], None]


class BadServer:
    """Listens at `url` on loopback inside a `with` block; with `tls`, over TLS."""

    def __init__(self, *script: Step, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.is_over = threading.Event()
        self._script = list(script)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.is_over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_LIMIT_S)
            assert not thread.is_alive(), "a step of the bad server does not end"
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.is_over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(_LIMIT_S)
            step = self._script[min(self.connections, len(self._script) - 1)]
            self.connections += 1
            self._start(self._serve, sock, step)

    def _serve(self, sock: socket.socket, step: Step) -> None:
        with sock, contextlib.suppress(OSError):  # the client may disconnect at any time
            if self._tls:
                with self._tls.wrap_socket(sock, server_side=True) as secured:
                    step(Connection(secured, self))
            else:
                step(Connection(sock, self))


def drop() -> Step:
    """Close at once, before reading anything."""
    return lambda _: None


def reset() -> Step:
    """Read the request, then reset the connection."""

    def step(connection: Connection) -> None:
        connection.read()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return step


def silent() -> Step:
    """Read the request and send nothing."""

    def step(connection: Connection) -> None:
        connection.read()
        connection.is_over.wait()

    return step


def raw(data: bytes) -> Step:
    """Answer with these bytes, which need not be HTTP."""

    def step(connection: Connection) -> None:
        if connection.read():
            connection.send(data)

    return step


def answer(
    status: int,
    body: Any = b"",
    headers: Mapping[str, str] | Callable[[Request], Mapping[str, str]] = MappingProxyType({}),
) -> Step:
    """Answer with bytes, or with a value as JSON. Body and headers may depend on the request."""

    def step(connection: Connection) -> None:
        request = connection.read()
        if request:
            content = body(request) if callable(body) else body
            named = headers(request) if callable(headers) else headers
            connection.send(response(status, content, named))

    return step


def long_poll(body: Any, hold: Callable[[float], object] | None = None) -> Step:
    """Answer when the seconds of `?wait=` have passed, as a long poll without a change does.

    `hold` lets them pass in another way than by waiting.
    """

    def step(connection: Connection) -> None:
        request = connection.read()
        if request:
            (seconds,) = parse_qs(urlsplit(request.path).query).get("wait", ["0"])
            (hold or connection.is_over.wait)(float(seconds))
            connection.send(response(200, body, {"Connection": "close"}))

    return step


def keep_alive(*steps: Step) -> Step:
    """Take the steps one after the other on the same connection, which stays open meanwhile."""

    def step(connection: Connection) -> None:
        for each in steps:
            each(connection)

    return step


def cut(after_bytes: int, body: Any) -> Step:
    """Answer with the first bytes of a good response, and close."""
    return raw(response(200, body)[:after_bytes])


def drip(every_s: float, body: Any, *, at_once: int = 0, n_bytes: int = 1) -> Step:
    """Answer with a good response, `n_bytes` at a time after the first `at_once` bytes."""

    def step(connection: Connection) -> None:
        if connection.read():
            data = response(200, body)
            connection.send(data[:at_once])
            for start in range(at_once, len(data), n_bytes):
                connection.send(data[start : start + n_bytes])
                if connection.is_over.wait(every_s):
                    return

    return step


def stall(after_bytes: int, body: Any) -> Step:
    """Answer with the first bytes of a good response, and then keep the connection open."""

    def step(connection: Connection) -> None:
        if connection.read():
            connection.send(response(200, body)[:after_bytes])
            connection.is_over.wait()

    return step


def endless(head: bytes, piece: bytes, every_s: float = 0.02) -> Step:
    """Answer with a head, and then with the same bytes again and again, for ever."""

    def step(connection: Connection) -> None:
        if connection.read():
            connection.send(head)
            while not connection.is_over.wait(every_s):
                connection.send(piece)

    return step


def response(status: int, body: Any, headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """Return a whole response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **headers,
    }
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{key}: {value}" for key, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content
