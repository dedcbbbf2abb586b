"""A proxy that cuts the network at a chosen phase of a chosen request, once, and then is good."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import closing, suppress
from types import TracebackType

_RESET = struct.pack("ii", 1, 0)
_LIMIT_S = 90.0

PHASES = ("request", "half request", "answer", "half answer", "early")
"""Cut before anything goes on; in the middle of the request; when the whole answer has come; in the
middle of it; or at once, while the server still works."""


class PhaseProxy:
    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._plan: tuple[bytes, str] | None = None
        self._lock = threading.Lock()
        self.has_cut = threading.Event()
        self.is_down = False
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> PhaseProxy:
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

    def cut(self, path: str, phase: str) -> None:
        """Cut the next request whose first line contains `path`, at this phase."""
        self.has_cut.clear()
        self._plan = (path.encode(), phase)

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
        request = _message(client)
        phase = self._phase(request)
        if phase == "request":
            return False
        server.sendall(request[: len(request) // 2] if phase == "half request" else request)
        if phase in ("half request", "early"):
            return False
        answer = _message(server)
        if phase == "answer":
            return False
        client.sendall(answer[: len(answer) // 2] if phase == "half answer" else answer)
        return phase is None

    def _phase(self, request: bytes) -> str | None:
        with self._lock:
            if self._plan is None or self._plan[0] not in request.partition(b"\r\n")[0]:
                return None
            phase = self._plan[1]
            self._plan = None
        self.has_cut.set()
        return phase


def _message(connection: socket.socket) -> bytes:
    """Read one HTTP message that says how long its body is."""
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
