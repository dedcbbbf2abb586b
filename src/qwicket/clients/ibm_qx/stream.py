"""Stream of a job's statuses over a websocket.

All failures are one error, because the client then polls instead.

The package `websockets` parses the protocol; this module moves the bytes. The package's own client
reads in a second thread, but OpenSSL lets only one thread at a time use a connection: requests were
lost, and a read without a deadline then blocked the caller for ever.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from urllib3.exceptions import HTTPError
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from qwicket.clients.http.deadline_connections import connected

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

DONE: Final = 4002
"""Close code of IBM's server after the final status."""
_DATA: Final = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_MAX_BYTES: Final = 1 << 20
_READ_BYTES: Final = 1 << 16
_OPEN_S: Final = 10.0
"""Longest wait in seconds for an open websocket."""
_SILENCE_S: Final = 60.0
"""Longest wait in seconds for any byte; Qwicket sends a ping every 20 s."""
_LEFT_S: Final = 0.4
"""Time in seconds before the deadline at which the stream ends, for a last request."""


class StreamBroken(Exception):
    """The stream ended before the job did."""


def statuses(url: str, token: str, deadline: float) -> Iterator[dict[str, Any]]:
    """Yield each status of a job until the final one.

    Args:
        url: Address of the job's stream.
        token: Access token, which is sent in the first message.
        deadline: Deadline as monotonic time in seconds; infinity for none.

    Raises:
        StreamBroken: The stream could not be opened, or ended before the job, as at the deadline.
    """
    last_read = deadline - _LEFT_S
    try:
        opened_by = min(last_read, time.monotonic() + _OPEN_S)
        with closing(connected(url, _left_s(opened_by))) as connection:
            websocket = _Websocket(connection.sock, url)
            websocket.open(opened_by)
            websocket.send({"type": "authentication", "data": token})
            for message in websocket.messages(last_read):
                if message.get("type") == "job-status" and isinstance(message.get("data"), dict):
                    yield message["data"]
            if websocket.close_code == DONE:
                return
    except (HTTPError, WebSocketException, OSError, ValueError, RecursionError):
        pass
    raise StreamBroken("The stream ended before the job did.")


class _Websocket:
    """Websocket that one thread opens, reads and writes."""

    def __init__(self, sock: socket.socket, url: str) -> None:
        self._socket = sock
        address = parse_uri(url.replace("http", "ws", 1))
        self._protocol = ClientProtocol(address, max_size=_MAX_BYTES)

    @property
    def close_code(self) -> int | None:
        """The server's code; None while it has not closed the stream."""
        closed = self._protocol.close_rcvd
        return None if closed is None else closed.code

    def open(self, deadline: float) -> None:
        """Request the websocket, and wait until the server accepts.

        Raises:
            OSError: The server did not respond in time, or the connection broke.
            WebSocketException: The server refuses.
        """
        self._protocol.send_request(self._protocol.connect())
        self._send()
        while self._protocol.state is State.CONNECTING:
            self._receive(deadline)
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc

    def send(self, message: dict[str, Any]) -> None:
        self._protocol.send_text(json.dumps(message).encode())
        self._send()

    def messages(self, deadline: float) -> Iterator[dict[str, Any]]:
        """Yield each message that is an object, until the server closes the stream.

        Raises:
            OSError: The server sent nothing for too long, or the connection broke.
            ValueError, RecursionError: A message is not JSON.
        """
        text = b""
        while True:
            for frame in self._protocol.events_received():
                if isinstance(frame, Frame) and frame.opcode in _DATA:
                    text += frame.data
                    if frame.fin:
                        message, text = json.loads(text), b""
                        if isinstance(message, dict):
                            yield message
            if self._protocol.close_expected():
                return
            self._receive(min(deadline, time.monotonic() + _SILENCE_S))

    def _receive(self, deadline: float) -> None:
        self._socket.settimeout(_left_s(deadline))
        received = self._socket.recv(_READ_BYTES)
        if not received:
            raise OSError("the server has closed the connection")
        self._protocol.receive_data(received)
        self._send()  # such as the answer to a ping

    def _send(self) -> None:
        for part in self._protocol.data_to_send():
            self._socket.sendall(part)


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise OSError("the deadline has passed")
    return left_s
