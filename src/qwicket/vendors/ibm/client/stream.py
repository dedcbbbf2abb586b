"""Stream of a job's statuses over a websocket.

All failures are one error, because the client then polls instead.

The package `wsproto` parses the protocol; this module moves the bytes, in one thread. OpenSSL lets
only one thread at a time use a connection: clients that read in a second thread lost requests.
"""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Message,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from qwicket.clients.http.clock import SYSTEM_CLOCK
from qwicket.clients.http.deadline_connections import connected

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from wsproto.events import Event

    from qwicket.clients.http.clock import Clock

DONE: Final = 4002
"""Close code of IBM's server after the final status."""
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


def statuses(
    url: str, token: str, deadline: float, clock: Clock = SYSTEM_CLOCK
) -> Iterator[dict[str, Any]]:
    """Yield each status of a job until the final one.

    Args:
        url: Address of the job's stream.
        token: Access token, which is sent in the first message.
        deadline: Deadline as time on the clock in seconds; infinity for none.
        clock: The clock.

    Raises:
        StreamBroken: The stream could not be opened, or ended before the job, as at the deadline.
    """
    last_read = deadline - _LEFT_S
    try:
        opened_by = min(last_read, clock.monotonic() + _OPEN_S)
        with closing(connected(url, _left_s(opened_by, clock))) as connection:
            websocket = _Websocket(connection.sock, url, opened_by, clock)
            websocket.open()
            websocket.deadline = last_read
            websocket.send({"type": "authentication", "data": token})
            for message in websocket.messages():
                if message.get("type") == "job-status" and isinstance(message.get("data"), dict):
                    yield message["data"]
            if websocket.close_code == DONE:
                return
    except (HTTPError, ProtocolError, OSError, ValueError, RecursionError):
        pass
    raise StreamBroken("The stream ended before the job did.")


class _Websocket:
    """Websocket that one thread opens, reads and writes, until its deadline on the clock."""

    def __init__(self, sock: socket.socket, url: str, deadline: float, clock: Clock) -> None:
        self.deadline = deadline
        self._clock = clock
        self._socket = sock
        self._url = urlsplit(url)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self.close_code: int | None = None
        """The server's code; None while it has not closed the stream."""

    def open(self) -> None:
        """Request the websocket, and wait until the server accepts.

        Raises:
            OSError: The server refuses, did not respond in time, or the connection broke.
            ProtocolError: Its response is not HTTP, or accepts another request.
        """
        host = self._url.netloc.rpartition("@")[2]
        self._send(Request(host=host, target=self._url.path))
        for event in self._events():
            if isinstance(event, AcceptConnection):
                return
            if isinstance(event, RejectConnection):
                raise OSError("the server has no such websocket")

    def send(self, message: dict[str, Any]) -> None:
        self._send(TextMessage(data=json.dumps(message)))

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield each message that is an object, until the server closes the stream.

        Raises:
            OSError: The deadline has passed, the server sent nothing for too long, or the
                connection broke.
            ValueError, RecursionError: A message is not JSON, or too large.
        """
        text = bytearray()  # grows without a copy for each part
        for event in self._events():
            if isinstance(event, CloseConnection):
                self.close_code = event.code
                return
            if isinstance(event, Message):  # or a part of one
                part = event.data
                text += part.encode() if isinstance(part, str) else part
                if len(text) > _MAX_BYTES:
                    raise ValueError("the message is too large")
                if event.message_finished:
                    message, text = json.loads(text), bytearray()
                    if isinstance(message, dict):
                        yield message

    def _events(self) -> Iterator[Event]:
        """Yield the events of all that the server sends; respond to its pings."""
        is_open = True
        while True:
            for event in self._protocol.events():
                _left_s(
                    self.deadline, self._clock
                )  # one read may bring tens of thousands of events
                if isinstance(event, Ping):
                    self._send(event.response())
                yield event
            if not is_open:
                raise OSError("the server has closed the connection")
            self._limit()
            received = self._socket.recv(_READ_BYTES)
            is_open = bool(received)
            self._protocol.receive_data(received or None)

    def _send(self, event: Event) -> None:
        self._limit()
        self._socket.sendall(self._protocol.send(event))

    def _limit(self) -> None:
        """Limit the next read or write of the socket."""
        self._socket.settimeout(min(_left_s(self.deadline, self._clock), _SILENCE_S))


def _left_s(deadline: float, clock: Clock) -> float:
    """Return the seconds before a deadline; raise OSError if it has passed."""
    left_s = deadline - clock.monotonic()
    if left_s <= 0:
        raise OSError("the deadline has passed")
    return left_s
