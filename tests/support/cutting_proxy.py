"""A proxy that cuts the network at a chosen byte of a request or of its answer."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal
from urllib.parse import urlsplit

_RESET = struct.pack("ii", 1, 0)
_LIMIT_S = 90.0
_TIMEOUT = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


Way = Literal["request", "answer"]


@dataclass(frozen=True)
class Cut:
    """Where to cut.

    Attributes:
        way: Whether the request is cut, or its answer.
        at: Number of bytes before the cut; a float is a share of all. After a whole request, the
            client is disconnected at once, while the server still works.
        path: Text that the request's first line must contain.
        number: How many of these requests pass before the first one that is cut.
        is_lasting: Whether every later such request is cut, too.
    """

    way: Way
    at: int | float
    path: str = ""
    number: int = 0
    is_lasting: bool = False

    def of(self, length: int) -> int:
        return round(self.at * length) if isinstance(self.at, float) else self.at


PHASES: Final[Mapping[str, tuple[Way, float]]] = {
    "request": ("request", 0.0),
    "half request": ("request", 0.5),
    "early": ("request", 1.0),
    "answer": ("answer", 0.0),
    "half answer": ("answer", 0.5),
}
"""Cut before the request; in the middle of it; after it, while the server still works; before the
answer, which has arrived at the proxy; in the middle of it."""


class CuttingProxy:
    """Forwards requests to a server; `plan` sets what it cuts, at first nothing.

    Attributes:
        has_cut: Set once a cut was made.
        answers: The whole answers of the server that were cut.
        lengths: Bytes of each uncut request and of its answer.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        self.server_url = url
        self._target = (address.hostname, address.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._plan: Cut | None = None
        self._to_pass = 0
        self._lock = threading.Lock()
        self.has_cut = threading.Event()
        self.answers: list[bytes] = []
        self.lengths: list[tuple[int, int]] = []
        self.is_down = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def plan(self, cut: Cut | None) -> None:
        """Set what to cut from now on; None cuts nothing."""
        with self._lock:
            self.has_cut.clear()
            self._plan, self._to_pass = cut, cut.number if cut else 0

    def _serve(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client):
            client.settimeout(_LIMIT_S)
            with socket.create_connection(self._target) as server:
                server.settimeout(_LIMIT_S)
                while not self.is_down and self._exchange(client, server):
                    pass
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _exchange(self, client: socket.socket, server: socket.socket) -> bool:
        """Forward one request, and its answer back; return whether nothing was cut."""
        request = message(client)
        cut = self._cut(request)
        if cut and cut.way == "request":
            server.sendall(request[: cut.of(len(request))])
            return False
        server.sendall(request)
        answer = message(server)
        if cut:
            self.answers.append(answer)
            client.sendall(answer[: cut.of(len(answer))])
            return False
        self.lengths.append((len(request), len(answer)))
        client.sendall(answer)
        return True

    def _cut(self, request: bytes) -> Cut | None:
        with self._lock:
            cut = self._plan
            if cut is None or cut.path.encode() not in request.partition(b"\r\n")[0]:
                return None
            if self._to_pass:
                self._to_pass -= 1
                return None
            if not cut.is_lasting:
                self._plan = None
        self.has_cut.set()
        return cut


class TimingOutProxy(CuttingProxy):
    """Answers 504 in place of a cut, as a proxy does that stops waiting for its server."""

    def _exchange(self, client: socket.socket, server: socket.socket) -> bool:
        goes_on = super()._exchange(client, server)
        if not goes_on:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            server.close()
            client.sendall(_TIMEOUT)
            client.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                client.recv(1)  # until the client has read it
        return goes_on


def moved(answer: bytes, old: str, new: str) -> bytes:
    """Return an answer with another address of the server in its body."""
    head, end, body = answer.partition(b"\r\n\r\n")
    body = body.replace(old.encode(), new.encode())
    length = b"Content-Length: %d" % len(body)
    return re.sub(rb"(?i)content-length: \d+", length, head, count=1) + end + body


def message(connection: socket.socket) -> bytes:
    """Read one HTTP message, whose body has a Content-Length or is empty."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += _some(connection)
    head, _, body = text.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    missing = int(fields.get(b"content-length", b"0")) - len(body)
    while missing > 0:
        piece = _some(connection)
        text += piece
        missing -= len(piece)
    return text


def _some(connection: socket.socket) -> bytes:
    piece = connection.recv(1 << 16)
    if not piece:
        raise ConnectionResetError
    return piece
