"""One HTTP/1.1 connection: uvicorn's protocol with limits on heads, idle time and slow readers.

A head is a request's first line and its headers. Errors here occur before routing, so their bodies
are plain text. `router.py` limits request bodies.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qwicket.dialects.requests import CONTENT, DELIVERED
from qwicket.server.delivery import WriteBuffer, acknowledged_bytes, is_delivered, queued_bytes
from qwicket.server.heads import head_error, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import uvicorn
    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGIReceiveEvent,
        ASGISendCallable,
        Scope,
    )
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from qwicket.model.limits import ConnectionLimits
    from qwicket.server.connections import Connections

_LINGER_S: Final = 2.0
"""Time for a client to read a response before its connection is aborted with unread input."""
_SKIPPED_BYTES: Final = 4 << 20
"""Bytes of a body that are discarded after its response: many clients read none before they have
sent everything, and closing a socket with unread bytes discards the response."""
_DISCARDED_HEAD_BYTES: Final = 32 << 20
"""As `_SKIPPED_BYTES`, after a head was refused."""
_FRAMING_PER_BYTE: Final = 8
"""Bytes of framing allowed for each byte of a body, beside those of the limit `head_bytes`. A
client that sends single bytes as chunks needs 5."""
_GIVEN_BYTES: Final = 64 << 10
"""Largest body that is given with its request."""
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""Linger of 0 s: the kernel drops unsent data and resets the connection (socket(7))."""


class Connection(HttpToolsProtocol):
    """HTTP/1.1 connection of one socket.

    Args:
        config: Uvicorn's configuration.
        state: State that uvicorn's connections share.
        limits: Limits on heads, pauses and slow readers.
        connections: All connections of the server.
        supports_websocket: Returns whether the dialect of a path has websockets. Other paths ignore
            an upgrade (RFC 9110, 7.8).
        half_closed: Connections whose client closed its side before it received all responses, the
            oldest first. Shared by all connections of a server.

    Attributes:
        handshake: Over TLS its handshake, since which it counts; else None.
        is_open: Whether it can receive requests: over TLS, once the handshake is complete.
    """

    handshake: asyncio.Task[None] | None = None
    is_open = False

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        limits: ConnectionLimits,
        connections: Connections,
        supports_websocket: Callable[[str], bool],
        half_closed: dict[Connection, None],
    ) -> None:
        super().__init__(config, state, {})
        self._limits = limits
        self._connections = connections
        self._supports_websocket = supports_websocket
        self._half_closed = half_closed
        self._is_head_open = self._is_continued = False
        self._ignores_input = False
        self._running: RequestResponseCycle | None = None
        self._is_waiting = self._is_last = False
        self._received_bytes = self._discards_until = 0
        self._read_bytes = self._read_body_bytes = 0
        self._is_read_counted = False
        self._overhead_bytes = self._pipelined_bytes = 0
        self._head_error: tuple[int, str] | None = None
        self._pending_at_check = self._acknowledged_at_check = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    @property
    def _is_idle(self) -> bool:
        """Whether no request is in progress."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first, despite its type
        return cycle is None or cycle.response_complete

    @property
    def _awaits_rest(self) -> bool:
        """Whether the last response is complete, and the rest of its request's body is not."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and cycle.response_complete and cycle.more_body

    # --- beginning and end ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.is_open = True
        self.flow = self._flow = _FlowControl(transport)
        self._write_buffer = WriteBuffer(transport, self.loop)
        self._write_buffer.end = self._close_after_request
        host = self.client[0] if self.client else ""
        # Over TLS it was counted before its handshake.
        if self.handshake is None and (over := self._connections.add(self, host)):
            self._refuse(*over)
            transport.close()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        # Its method in the write buffer would leave the whole connection to the garbage collector,
        # and a pending timer would keep it in memory until it fires.
        self._write_buffer.end = self.transport.close
        self._unset_keepalive_if_required()
        self._cancel_deadline()
        if self._stall is not None:
            self._stall.cancel()
        self._notify_disconnect()
        self._connections.remove(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # uvicorn always closes
        """Keep a half-closed connection open while its client, such as `nc`, awaits responses.

        A client that crashed looks the same until something is sent to it. So handlers receive a
        disconnect: endless streams end, and an agent is given no job. Other requests end by their
        own limits, and few half-closed connections stay open. An incomplete request is dropped.
        Over TLS, asyncio closes the connection whatever this returns.
        """
        if self.scheme == "https" or not self._has_whole_request():
            return None
        self._half_closed[self] = None
        if len(self._half_closed) > self._limits.half_closed:
            next(iter(self._half_closed))._abort()
        if self._running is not None:
            self._running.message_event.set()
        return True

    def _has_whole_request(self) -> bool:
        """Drop an incomplete request; return whether a complete one is in progress."""
        if self.pipeline and self.cycle.more_body and self._running is not None:
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running
        return not self._is_idle and not self.cycle.more_body

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        self._is_waiting = False
        self._connections.begin_request(self)
        cycle.transport = self._write_buffer  # type: ignore[assignment]  # has all that a cycle calls
        # Not a method: the scope outlives its request, and would keep the connection in memory.
        cycle.scope[DELIVERED] = partial(is_delivered, self.transport)  # type: ignore[typeddict-unknown-key]  # an extension of ours
        super()._start_asgi_task(cycle, self._bound(app, cycle))

    def _bound(self, app: ASGI3Application, cycle: RequestResponseCycle) -> ASGI3Application:
        """Return an app that ends with its connection, and the connection with it.

        The app receives a disconnect after the body when the client half-closes. A server that
        stops cancels requests that outlast its grace time. Their connections are aborted: uvicorn
        would log a traceback and respond 500, although the request may have taken effect.
        """

        async def serve(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            is_read = False
            if not cycle.more_body and len(cycle.body) <= _GIVEN_BYTES:
                # All of it came with the head, so the application need not ask for it.
                scope[CONTENT] = bytes(cycle.body)  # type: ignore[typeddict-unknown-key]  # as above

            async def receive_or_disconnect() -> ASGIReceiveEvent:
                nonlocal is_read
                while not (is_read and self in self._half_closed):
                    message = await receive()
                    if not is_read or message["type"] == "http.disconnect":
                        is_read = not message.get("more_body", False)
                        return message
                return {"type": "http.disconnect"}

            try:
                await app(scope, receive_or_disconnect, send)
            except asyncio.CancelledError:
                self._abort()

        return serve

    def _notify_disconnect(self) -> None:
        """Mark every request as disconnected; uvicorn marks only the newest one, and later."""
        self._half_closed.pop(self, None)
        for cycle in (self._running, self.cycle):
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()

    def _close(self) -> None:
        """Close once the client has received everything written so far."""
        self.transport.close()
        self._watch_progress()

    def _abort(self) -> None:
        self._notify_disconnect()
        self.transport.abort()

    def _close_after_request(self) -> None:
        """Close, unless the rest of the request's body is awaited; then once it has arrived."""
        if self._awaits_rest:
            self._is_last = True
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Close after the request in progress, because the server stops."""
        if self._awaits_rest:
            self._is_last = True
        else:
            super().shutdown()

    def abort_if_stalled(self) -> None:
        """Abort the connection if its client does not read, or does not send a body's rest."""
        if self.flow.write_paused or self._awaits_rest:
            self._abort()

    @property
    def progress_bytes(self) -> int:
        if self.flow.write_paused and not self.transport.is_closing():
            return self._received_bytes + self._acknowledged_bytes()
        return self._received_bytes

    def close_for_another(self) -> None:
        if self.is_open or self.handshake is None:
            self._abort()
        else:
            self.handshake.cancel()

    def _note_waiting(self) -> None:
        """Update `connections` if the running request begins or ceases to wait for its client."""
        if self._is_idle:
            return
        awaits_body = self.cycle is self._running and self.cycle.more_body
        is_waiting = awaits_body or self.flow.write_paused
        if is_waiting == self._is_waiting:
            return
        self._is_waiting = is_waiting
        if is_waiting:
            self._connections.await_client(self)
        else:
            self._connections.begin_request(self)

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def _refuse(self, status: int, reason: str) -> None:
        """Respond to an invalid request, then keep the socket open for a while.

        A socket that is closed with unread input is reset, and the client may lose the response.
        """
        if self.transport.is_closing():
            return
        self._ignores_input = True
        discarded = _DISCARDED_HEAD_BYTES if self._is_head_open else _SKIPPED_BYTES
        self._discards_until = self._received_bytes + discarded
        self._cancel_deadline()
        if not self._is_idle or self._awaits_rest:
            if self.pipeline or self.cycle.response_started:
                self._abort()
                return
            if not self.cycle.more_body:
                self.cycle.keep_alive = False  # that request gets its response, this one none
                return
            self._notify_disconnect()
        self._connections.end_request(self)
        self.transport.write(refusal(status, reason))
        # The client may have reset the connection, which the event loop has not noticed yet.
        with suppress(OSError):
            if self.transport.can_write_eof():
                self.transport.write_eof()
        self._deadline = self.loop.call_later(_LINGER_S, self._abort)

    # --- heads ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if self._ignores_input:
            if self._received_bytes > self._discards_until:
                self._abort()
            return
        self._unset_keepalive_if_required()
        self._is_continued = self._is_head_open
        self._read_bytes, self._read_body_bytes = len(data), 0
        self._is_read_counted = True
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(*self._error() or (400, "This is not an HTTP/1.1 request."))
            return
        self._count_overhead()
        is_too_large = self._overhead_bytes > self._limits.head_bytes
        if (self._head_error or is_too_large) and (error := self._error()):
            self._refuse(*error)
            return
        if self._awaits_rest and self._received_bytes > self._discards_until:
            self._linger()
            return
        self._await_head()
        self._note_waiting()
        if self.pipeline:
            self._bound_pipeline()

    def _count_overhead(self) -> None:
        """Count the bytes of a head, of chunk lines, of trailers, and of lines between requests.

        Not counted: a read in which a head begins or ends, because the parser gives no positions.
        """
        if self._is_read_counted:
            self._overhead_bytes += self._read_bytes
        if self._read_body_bytes:
            allowed = (1 + _FRAMING_PER_BYTE) * self._read_body_bytes
            self._overhead_bytes = max(0, self._overhead_bytes - allowed)

    def _error(self) -> tuple[int, str] | None:
        maximum = self._limits.head_bytes
        if self._overhead_bytes <= maximum:
            return self._head_error
        if self._is_head_open:
            return 431, f"The request head is over {maximum} bytes (limit head_bytes)."
        return 431, f"Chunk lines and trailers are over {maximum} bytes (limit head_bytes)."

    def _bound_pipeline(self) -> None:
        """Stop reading while requests of more than `head_bytes` wait for earlier responses."""
        self._pipelined_bytes += self._read_bytes
        if self._pipelined_bytes > self._limits.head_bytes:
            self._flow.is_full = True
            self._flow.pause_reading()

    def _feed(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if self._should_upgrade():
                    self._open_websocket()
                    return
                rest = memoryview(rest)[upgrade.args[0] :]
            self._parse_without_upgrade()

    def _open_websocket(self) -> None:
        """Hand the connection over to the websocket protocol, which has its own deadlines."""
        from qwicket.server.websocket import handshake_error  # late: see app.py

        if error := handshake_error(self.url, self.headers):
            self._refuse(*error)
            return
        self._ignores_input = True
        self._cancel_deadline()
        self._connections.begin_request(self)
        protocol: Any = self.ws_protocol_class
        self.ws_protocol_class = partial(  # type: ignore[assignment]  # uvicorn only calls it
            protocol, limits=self._limits, on_lost=partial(self._connections.remove, self)
        )
        self.handle_websocket_upgrade()
        # All refer to this object, which is freed with the websocket if nothing else does.
        self.ws_protocol_class = self.parser = self._write_buffer = None  # type: ignore[assignment]  # never read again

    def _should_upgrade(self) -> bool:
        """Return whether to accept the upgrade to a websocket that the current head asks for.

        While an earlier request is in progress the upgrade is ignored: its response would follow
        the handshake.
        """
        if not super()._should_upgrade() or self.parser.get_method() != b"GET" or not self._is_idle:
            return False
        path = self.url.partition(b"?")[0].decode("latin-1")
        return self._supports_websocket(unquote(path))

    def _parse_without_upgrade(self) -> None:
        """Parse the head again without its upgrade, which is ignored (RFC 9110, 7.8).

        After an upgrade the parser stops, and would read the request's body as the next request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("CONNECT is not supported")
        head = [b"%s %s HTTP/%s" % (method, self.url, self.parser.get_http_version().encode())]
        head += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as in uvicorn
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined:
            # One read is parsed in one callback of the event loop: 8,000 requests took 60 ms.
            raise ValueError("too many pipelined requests")
        if self.transport.is_closing():
            raise ValueError("the connection closes after the request before")
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._is_head_open = True
        self._is_read_counted = False
        self._overhead_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_head_open:  # trailers are ignored
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._cancel_deadline()
        if self._is_continued or self._read_bytes > self._limits.head_bytes:
            # Counted exactly, because a read may contain parts of other requests.
            self._overhead_bytes = len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers)
            if self._overhead_bytes > self._limits.head_bytes:
                raise ValueError("the head is too large")  # makes the parser stop
        self._is_head_open = self._is_read_counted = False
        self._overhead_bytes = 0
        self._head_error = head_error(self.url, self.parser.get_http_version(), self.headers)
        if self._head_error:
            raise ValueError(self._head_error[1])
        if self.parser.should_upgrade() and not self._should_upgrade():
            return  # the head is parsed again without its upgrade
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._read_body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade() and not self._should_upgrade():
            return
        super().on_message_complete()
        if self._awaits_rest:
            self._end_rest()

    def _await_head(self) -> None:
        """Start the deadline for the next head, unless it runs or a request is in progress.

        The pause between two requests has a longer one.
        """
        is_pause = self.timeout_keep_alive_task is not None
        if self._is_idle and not (is_pause or self._ignores_input) and self._deadline is None:
            self._deadline = self.loop.call_later(
                self._limits.head_timeout_s, self._on_head_timeout
            )

    def _on_head_timeout(self) -> None:
        if self._is_head_open:
            within = f"{self._limits.head_timeout_s:g} s (limit head_timeout_s)"
            self._refuse(408, f"The request head did not arrive within {within}.")
        else:
            self._close()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- responses --------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._note_waiting()
        self._watch_progress()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._note_waiting()

    def on_response_complete(self) -> None:
        self._write_buffer.flush()
        if len(self.pipeline) <= 1:  # uvicorn starts the last one now, and reads on
            self._pipelined_bytes, self._flow.is_full = 0, False
        super().on_response_complete()
        self._note_waiting()
        if self._is_idle:
            self._connections.end_request(self)
        if self._awaits_rest:
            self._skip_rest()
        if self in self._half_closed and self._is_idle:
            self.transport.close()
        # TLS has a write buffer of its own, which never pauses writing.
        if self.scheme == "https" or self.transport.is_closing():
            self._watch_progress()

    def _skip_rest(self) -> None:
        """Discard the rest of a body whose response is complete, up to 4 MB.

        The rest has the time of a head.
        """
        self.cycle.body.clear()
        self._discards_until = self._received_bytes + _SKIPPED_BYTES
        self._unset_keepalive_if_required()
        self._await_head()

    def _end_rest(self) -> None:
        self.cycle.more_body = False
        if self._is_last:
            self.transport.close()
            return
        self._cancel_deadline()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _linger(self) -> None:
        """Read no more, and abort once the client has had time to read the response."""
        self._ignores_input = True
        self.flow.pause_reading()
        self._cancel_deadline()
        self._deadline = self.loop.call_later(_LINGER_S, self._abort)

    def _watch_progress(self) -> None:
        if self._stall is None:
            self._pending_at_check = self._waiting_bytes()
            self._acknowledged_at_check = self._acknowledged_bytes()
            self._stall = self.loop.call_later(
                self._limits.response_timeout_s, self._check_progress
            )

    def _check_progress(self) -> None:
        """Abort if, since the last check, the client read neither what was pending then nor enough.

        Enough is what the limit `response_bytes_per_s` requires in that time.
        """
        self._stall = None
        required = self._limits.response_bytes_per_s * self._limits.response_timeout_s
        if self._acknowledged_bytes() - self._acknowledged_at_check < min(
            self._pending_at_check, required
        ):
            with self._socket() as borrowed:
                borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._abort()
        elif self._waiting_bytes():
            self._watch_progress()

    def _waiting_bytes(self) -> int:
        """Return the unacknowledged bytes, here and in the kernel, whose buffer holds megabytes."""
        with self._socket() as borrowed:
            return self.transport.get_write_buffer_size() + queued_bytes(borrowed)

    def _acknowledged_bytes(self) -> int:
        with self._socket() as borrowed:
            return acknowledged_bytes(borrowed)

    @contextmanager
    def _socket(self) -> Iterator[socket.socket]:
        """Yield the transport's socket; uvloop's own wrapper opens a file for each call."""
        borrowed = socket.socket(fileno=self.transport.get_extra_info("socket").fileno())
        try:
            yield borrowed
        finally:
            borrowed.detach()


class _FlowControl(FlowControl):
    """Flow control that does not resume reading while enough requests wait.

    Attributes:
        is_full: Whether enough requests wait.
    """

    is_full = False

    def resume_reading(self) -> None:
        if not self.is_full:
            super().resume_reading()
