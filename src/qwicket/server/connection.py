"""One connection: uvicorn's HTTP/1.1, with bounds on heads, silence and answers that nobody takes.

What is refused here has no door yet and is answered in plain text. Bodies are bounded in `http.py`.
"""

from __future__ import annotations

import fcntl
import socket
import string
import struct
import termios
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qwicket.server.outlet import Outlet
from qwicket.server.websocket import handshake_error

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence

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
_HOST_BYTES: Final = frozenset(
    (string.ascii_letters + string.digits + "-._~%!$&'()*+,;=:[]").encode()
)
"""Those of a host and a port in RFC 3986, and the brackets of IPv6."""
_INT: Final = struct.Struct("i")
_ACKNOWLEDGED: Final = struct.Struct("Q")
_ACKNOWLEDGED_AT: Final = 120
"""Where Linux's tcp_info has tcpi_bytes_acked (linux/tcp.h, since 4.1)."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""Linger for no time: the kernel drops what it holds of an answer, and resets (socket(7))."""


class Connection(HttpToolsProtocol):
    """Serves the requests of one socket.

    Args:
        config: Of uvicorn.
        state: What uvicorn's connections share.
        limits: Bounds on heads, pauses and answers.
        connections: All of the server.
        speaks_websocket: Says of a path whether its door speaks that protocol; others ignore that
            they are asked to (RFC 9110, 7.8).
        half_closed: Those whose clients closed their side and have not got all answers, the oldest
            first. Shared by all connections of a server.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        limits: ConnectionLimits,
        connections: Connections,
        speaks_websocket: Callable[[str], bool],
        half_closed: dict[Connection, None],
    ) -> None:
        super().__init__(config, state, {})
        self._limits = limits
        self._counted = connections
        self._speaks_websocket = speaks_websocket
        self._half_closed = half_closed
        self._is_head_open = self._is_continued = False
        self._is_over = False
        self._running: RequestResponseCycle | None = None
        self._head_bytes = self._chunk_bytes = 0
        self._head_error: tuple[int, str] | None = None
        self._untaken_bytes = self._taken_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    @property
    def _is_idle(self) -> bool:
        """Whether no request waits for its answer."""
        cycle: RequestResponseCycle | None = self.cycle  # None until the first, whatever its type
        return cycle is None or cycle.response_complete

    # --- beginning and end ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._outlet = Outlet(transport, self.loop)
        if refusal := self._counted.add(self, self.client[0] if self.client else ""):
            self._refuse(*refusal)
            transport.close()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        # A timer that is left would keep all this in memory until it fires.
        self._unset_keepalive_if_required()
        self._cancel_deadline()
        if self._stall is not None:
            self._stall.cancel()
        self._tell_requests()
        self._counted.remove(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # uvicorn always closes
        """Keep the connection while a client that closed its side, as `nc` does, waits for answers.

        One that is gone looks the same until something is sent to it. So requests hear that it
        left: what has no end by itself ends, and an agent is given no job. All others end by their
        own limits, and few such connections are kept at a time. A request of which a part is
        missing is forgotten. Over TLS asyncio closes whatever is said here.
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
        """Say whether a request waits that is all there, having forgotten one that is not."""
        if self.pipeline and self.cycle.more_body and self._running is not None:
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running
        return not self._is_idle and not self.cycle.more_body

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        self._counted.begin_request(self)
        cycle.transport = self._outlet  # type: ignore[assignment]  # a cycle asks it for no more
        super()._start_asgi_task(cycle, self._telling_of_eof(app))

    def _telling_of_eof(self, app: ASGI3Application) -> ASGI3Application:
        """Have a request hear after its body that the client left, though it is answered."""

        async def serve(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            is_read = False

            async def hear() -> ASGIReceiveEvent:
                nonlocal is_read
                while not (is_read and self in self._half_closed):
                    message = await receive()
                    if not is_read or message["type"] == "http.disconnect":
                        is_read = not message.get("more_body", False)
                        return message
                return {"type": "http.disconnect"}

            await app(scope, hear, send)

        return serve

    def _tell_requests(self) -> None:
        """Tell that nobody listens any more; uvicorn tells only the newest, and late."""
        self._half_closed.pop(self, None)
        for cycle in (self._running, self.cycle):
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()

    def _end(self) -> None:
        """Close when the client has taken what it asked for."""
        self.transport.close()
        self._watch_answer()

    def _abort(self) -> None:
        self._tell_requests()
        self.transport.abort()

    def give_up_untaken(self) -> None:
        """End the connection if its client does not take what it asked for."""
        if self.flow.write_paused:
            self._abort()

    def end_idle(self) -> None:
        self._abort()

    def timeout_keep_alive_handler(self) -> None:
        self._end()

    def _refuse(self, status: int, why: str) -> None:
        """Answer what is no request; linger, so that unread input does not eat the answer."""
        self._is_over = True
        self._cancel_deadline()
        if not self._is_idle:
            if self.pipeline or self.cycle.response_started:
                self._abort()
                return
            if not self.cycle.more_body:
                self.cycle.keep_alive = False  # the answer in the making comes first
                return
            self._tell_requests()
        self.transport.write(_plain_text(status, why))
        # The client may have reset the connection a moment ago, which the loop has not read yet.
        with suppress(OSError):
            if self.transport.can_write_eof():
                self.transport.write_eof()
        self._deadline = self.loop.call_later(_LINGER_S, self._abort)

    # --- heads ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._unset_keepalive_if_required()
        self._is_continued = self._is_head_open
        self._chunk_bytes = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            pass
        else:
            if self._is_continued and self._is_head_open:
                self._head_bytes += self._chunk_bytes
            if self._head_bytes <= self._limits.head_bytes:
                self._await_head()
                return
        if self._head_bytes > self._limits.head_bytes:
            most = self._limits.head_bytes
            self._refuse(431, f"The head is over {most} bytes (limit head_bytes).")
        else:
            self._refuse(*self._head_error or (400, "This is no HTTP/1.1 request."))

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
            self._begin_again()

    def _open_websocket(self) -> None:
        """Hand the connection over; the websocket has a deadline of its own from then on."""
        if error := handshake_error(self.url, self.headers):
            self._refuse(*error)
            return
        self._is_over = True
        self._cancel_deadline()
        self._counted.begin_request(self)
        made: Any = self.ws_protocol_class
        self.ws_protocol_class = partial(  # type: ignore[assignment]  # uvicorn calls it, no more
            made, limits=self._limits, on_lost=partial(self._counted.remove, self)
        )
        self.handle_websocket_upgrade()

    def _should_upgrade(self) -> bool:
        """Say whether the head at hand asks for a websocket where one is spoken.

        Not while an earlier request waits for its answer, which would then come as a frame.
        """
        if not super()._should_upgrade() or self.parser.get_method() != b"GET" or not self._is_idle:
            return False
        path = self.url.partition(b"?")[0].decode("latin-1")
        return self._speaks_websocket(unquote(path))

    def _begin_again(self) -> None:
        """Parse a head once more, without the upgrade that it asks for (RFC 9110, 7.8: ignored).

        The parser would take the request's body for the next request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("this is no proxy")
        head = [b"%s %s HTTP/%s" % (method, self.url, self.parser.get_http_version().encode())]
        head += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined:
            # All of one read is parsed in one callback of the loop: 8,000 requests took 60 ms.
            raise ValueError("too many requests wait for answers")
        super().on_message_begin()
        self._is_head_open = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._is_head_open = False
        self._cancel_deadline()
        if self._is_continued or self._chunk_bytes > self._limits.head_bytes:
            # Exactly: the chunks may have other requests in them.
            self._head_bytes = len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers)
            if self._head_bytes > self._limits.head_bytes:
                raise ValueError("the head is too large")  # the parser ends over it
        self._head_error = head_error(self.parser.get_http_version(), self.headers)
        if self._head_error:
            raise ValueError(self._head_error[1])
        if not self._is_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._is_upgrade():
            super().on_message_complete()

    def _is_upgrade(self) -> bool:
        return self.parser.should_upgrade() and not self._should_upgrade()

    def _await_head(self) -> None:
        """Give the client its time for a head, counted once, when nothing else goes on."""
        if self._is_idle and not self._is_over and self._deadline is None:
            self._deadline = self.loop.call_later(self._limits.head_timeout_s, self._give_up)

    def _give_up(self) -> None:
        if self._is_head_open:
            within = f"{self._limits.head_timeout_s:g} s (limit head_timeout_s)"
            self._refuse(408, f"The head did not arrive within {within}.")
        else:
            self._end()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- answers ----------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_answer()

    def on_response_complete(self) -> None:
        self._outlet.flush()
        super().on_response_complete()
        if self._is_idle:
            self._counted.end_request(self)
        if self in self._half_closed and self._is_idle:
            self.transport.close()
        # Below TLS, answers wait in a buffer that pauses nobody.
        if self.scheme == "https" or self.transport.is_closing():
            self._watch_answer()

    def _watch_answer(self) -> None:
        if self._stall is None:
            self._untaken_bytes = self._waiting_bytes()
            self._taken_bytes = self._acknowledged_bytes()
            self._stall = self.loop.call_later(self._limits.answer_timeout_s, self._check_answer)

    def _check_answer(self) -> None:
        """End the connection if the client took neither all that waited nor enough of it."""
        self._stall = None
        enough = self._limits.answer_bytes_per_s * self._limits.answer_timeout_s
        if self._acknowledged_bytes() - self._taken_bytes < min(self._untaken_bytes, enough):
            with self._socket() as lent:
                lent.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._abort()
        elif self._waiting_bytes():
            self._watch_answer()

    def _waiting_bytes(self) -> int:
        """Return what waits here and in the kernel, which takes megabytes at once."""
        with self._socket() as lent:
            queued = fcntl.ioctl(lent, termios.TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + int(_INT.unpack(queued)[0])

    def _acknowledged_bytes(self) -> int:
        with self._socket() as lent:
            information = lent.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        return int(_ACKNOWLEDGED.unpack_from(information, _ACKNOWLEDGED_AT)[0])

    @contextmanager
    def _socket(self) -> Iterator[socket.socket]:
        """Lend the transport's socket: what uvloop gives opens a file for each question."""
        lent = socket.socket(fileno=self.transport.get_extra_info("socket").fileno())
        try:
            yield lent
        finally:
            lent.detach()


def head_error(version: str, headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    """Return status and text for a head that the parser takes and HTTP forbids.

    RFC 9112: 2.3 (version), 3.2 (Host), 6.1 (Transfer-Encoding).
    """
    hosts = [value for name, value in headers if name == b"host"]
    codings = [
        each.strip().lower()
        for name, value in headers
        if name == b"transfer-encoding"
        for each in value.split(b",")
    ]
    if version not in ("1.1", "1.0"):
        return 400, "This is no HTTP/1.1 request."
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return 400, "A request has one Host header."
    if hosts and not _HOST_BYTES.issuperset(hosts[0]):
        return 400, "The Host header is no host."
    if codings and version == "1.0":
        return 400, "An HTTP/1.0 request has no Transfer-Encoding."
    if codings and codings[-1] != b"chunked":
        return 400, "The last transfer coding is not chunked."
    if len(codings) > 1:
        return 501, "The only transfer coding here is chunked."
    return None


def _plain_text(status: int, why: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: text/plain; charset=utf-8",
        f"content-length: {len(why)}",
        "connection: close",
        *(["retry-after: 1"] if status in (429, 503) else []),
    ]
    return "\r\n".join([*lines, "", why]).encode("ascii")
