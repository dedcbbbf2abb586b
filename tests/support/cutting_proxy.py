"""A proxy that loses answers: it hands a request on, and cuts the connection on the way back."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import closing, suppress
from types import TracebackType

_RESET = struct.pack("ii", 1, 0)
_LIMIT_S = 30.0


class CuttingProxy:
    """Lets `let_through` bytes of each answer pass, then resets the connection.

    With 0 it does not even wait for the answer: the client is gone while the server still works.
    `answers` keeps what the server had answered in full.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.let_through = 0
        self.answers: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> CuttingProxy:
        self._thread.start()
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
        self._thread.join(_LIMIT_S)

    def _serve(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                with closing(client), socket.create_connection(self._target) as server:
                    client.settimeout(_LIMIT_S)
                    server.settimeout(_LIMIT_S)
                    self._exchange(client, server)

    def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        server.sendall(_message(client))
        if self.let_through:
            answer = _message(server)
            self.answers.append(answer)
            client.sendall(answer[: self.let_through])
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


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
