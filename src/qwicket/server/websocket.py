"""Websocket connections: uvicorn's protocol, with deadlines for the handshake and for the close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    import uvicorn
    from uvicorn.server import ServerState

    from qwicket.model.limits import ConnectionLimits

_LINE_BYTES: Final = MAX_LINE_LENGTH - len(b": \r\n")
"""Limit on name and value of a header together."""
_FRAMES: Final = 256
_FRAMES_S: Final = 20.0
"""Frames that a client may send in this time. Ours send one message and answer a ping each 20 s."""
_PARSED_BYTES: Final = 4 << 10
"""Bytes that are parsed before their frames are counted. One read of 256 kB holds 43,000 frames,
which took 0.3 s, and uvloop makes up to 32 reads before it serves other connections."""


def handshake_error(url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    """Return status and text for a handshake that `websockets` would ignore; None for others.

    The parser of `websockets` stops at such a handshake without an event, so uvicorn would neither
    respond nor close.
    """
    names = {name for name, _ in headers}
    lengths = {value for name, value in headers if name == b"content-length"}
    if b"transfer-encoding" in names or not lengths <= {b"0"}:
        return 400, "A websocket handshake must not have a body."
    if not url.isascii():
        return 400, "The path of a websocket handshake must be ASCII."
    if len(b"GET  HTTP/1.1\r\n") + len(url) > MAX_LINE_LENGTH:
        return 414, f"The request line of a websocket may have {MAX_LINE_LENGTH} bytes."
    if len(headers) > MAX_NUM_HEADERS:
        return 431, f"A websocket handshake has at most {MAX_NUM_HEADERS} headers."
    if any(len(name) + len(value) > _LINE_BYTES for name, value in headers):
        return 431, f"A header line of a websocket handshake has at most {MAX_LINE_LENGTH} bytes."
    return None


class WebSocket(WebSocketsSansIOProtocol):
    """Serves one websocket.

    A connection whose handshake is not complete within `head_timeout_s` is aborted. So is one whose
    client sends more than 256 frames in 20 s, or does not read the last bytes within
    `response_timeout_s` after a close.

    Args:
        config: Configuration of uvicorn.
        server_state: State that uvicorn's connections share.
        app_state: State of the application in uvicorn.
        limits: The two deadlines.
        on_lost: Called when the connection has ended.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        limits: ConnectionLimits,
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._limits = limits
        self._on_lost = on_lost
        self._deadline: asyncio.TimerHandle | None = None
        self._n_frames, self._counted_from = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wrapped = self.transport
        self.transport = cast("asyncio.Transport", _Transport(self.transport, self._await_close))
        self._deadline = self.loop.call_later(self._limits.head_timeout_s, self._check_handshake)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._on_lost()
        super().connection_lost(exc)
        # The wrapper and this object refer to each other, as do `conn` and its parser. Without
        # these cycles all are freed at once.
        self.transport = self._wrapped
        self.conn.parser.close()

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _PARSED_BYTES):
            super().data_received(data[start : start + _PARSED_BYTES])
            if self.transport.is_closing():
                break
        # `websockets` gives no event for a failed handshake, so uvicorn would not close.
        if self.conn.handshake_exc is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_events(self) -> None:
        now = self.loop.time()
        if now - self._counted_from > _FRAMES_S:
            self._n_frames, self._counted_from = 0, now
        self._n_frames += len(self.conn.events)
        if self._n_frames > _FRAMES:
            self.transport.abort()
        else:
            super().handle_events()

    def _check_handshake(self) -> None:
        if not self.handshake_complete:
            self.transport.abort()

    def _await_close(self) -> None:
        """Abort the connection if its client does not read the last bytes in time."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self._limits.response_timeout_s, self.transport.abort)


class _Transport:
    """A transport that calls `on_close` when it begins to close, with the methods that are used."""

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[], None]) -> None:
        self._transport = transport
        self._on_close = on_close
        self.write = transport.write
        self.abort = transport.abort
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def close(self) -> None:
        if not self._transport.is_closing():
            self._transport.close()
            self._on_close()
