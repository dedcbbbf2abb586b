"""Stream of a job's statuses over a websocket.

All failures are one error, because the client then polls instead.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from qwicket.clients.http.deadline_connections import proxy_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

DONE: Final = 4002
"""Close code of IBM's server after the final status."""
_MAX_BYTES: Final = 1 << 20
_OPEN_S: Final = 10.0
_CLOSE_S: Final = 0.2
"""Longest wait in seconds for the server's part of the closing handshake."""
_SILENCE_S: Final = 60.0
"""Longest wait in seconds for one message; the library sends pings meanwhile."""


class StreamBroken(Exception):
    """The stream ended before the job did."""


def statuses(url: str, token: str, deadline: float) -> Iterator[dict[str, Any]]:
    """Yield each status of a job until the final one.

    Args:
        url: Address of the job's stream.
        token: Access token, which is sent in the first message.
        deadline: Deadline as monotonic time in seconds; infinity for none.

    Raises:
        StreamBroken: The stream could not be opened, or ended early.
    """
    address = url.replace("http", "ws", 1)
    last_read = deadline - 2 * _CLOSE_S  # closing may take `_CLOSE_S`; the rest is a margin
    try:
        with connect(
            address,
            proxy=proxy_of(url),  # that of the other requests
            open_timeout=max(_CLOSE_S, min(_OPEN_S, last_read - time.monotonic())),
            close_timeout=_CLOSE_S,
            max_size=_MAX_BYTES,
            compression=None,
        ) as connection:
            connection.send(json.dumps({"type": "authentication", "data": token}))
            while (message := _next(connection, last_read)) is not None:
                if message.get("type") == "job-status" and isinstance(message.get("data"), dict):
                    yield message["data"]
            if connection.close_code == DONE:
                return
    except (WebSocketException, OSError, ValueError, RecursionError):
        pass
    raise StreamBroken("The stream ended before the job did.")


def _next(connection: ClientConnection, last_read: float) -> dict[str, Any] | None:
    """Return the next message; None if the server closed the stream."""
    left_s = last_read - time.monotonic()
    if left_s <= 0:
        raise OSError("the deadline has passed")
    try:
        message = json.loads(connection.recv(timeout=min(left_s, _SILENCE_S)))
    except WebSocketException:
        return None
    return message if isinstance(message, dict) else {}
