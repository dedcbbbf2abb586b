"""Faults: choose the requests that fail, and make them fail."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from qwicket.dialects.requests import REFUSAL
from qwicket.model.errors import (
    Conflict,
    Forbidden,
    InternalError,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    NotOffered,
    QwicketError,
    RequestTimeout,
    StorageFull,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from qwicket.server.delivery import WriteBuffer
    from qwicket.testing.bed.journal import JournalKeeper, Record
    from qwicket.testing.values import Fault

_ERRORS: Final[dict[int, type[QwicketError]]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    408: RequestTimeout,
    409: Conflict,
    413: LimitExceeded,
    429: TooManyRequests,
    500: InternalError,
    501: NotOffered,
    503: Unavailable,
    507: StorageFull,
}
_CHUNK_PAUSE_S: Final = 0.05
"""Pause in seconds between the chunks of a throttled response."""
_DISCONNECT_S: Final = 30.0
"""Longest wait in seconds for the client to disconnect after `cut` or `half_close`."""
_POLL_S: Final = 0.001
"""Pause in seconds between checks whether uvicorn has noticed a disconnection."""
_HTML: Final = (
    "<!DOCTYPE html>\n<html><head><title>{0}</title></head>\n"
    "<body><center><h1>{0}</h1></center><hr><center>proxy</center></body></html>\n"
)


class Response(NamedTuple):
    """Complete response of the application."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _ActiveFault:
    """A fault, and the numbers of requests that it matched and that it made fail."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.rng = random.Random(fault.seed)  # noqa: S311 - repeatable, not secret
        # `Clock.install` has replaced `time.time` by the clock of the test bed.
        self.until = math.inf if fault.lasts_s is None else time.time() + fault.lasts_s
        self.n_matched = 0
        self.n_failed = 0

    def decide(self) -> bool:
        """Count a matching request; return whether it fails."""
        fault = self.fault
        if fault.times is not None and self.n_failed >= fault.times:
            return False
        if time.time() >= self.until:
            return False
        self.n_matched += 1
        if self.n_matched <= fault.skip or self.rng.random() >= fault.probability:
            return False
        self.n_failed += 1
        return True


class Faults:
    """Faults in the order in which they were added; only the first that is due is applied.

    Args:
        tokens: Function that returns the tokens of an account, by its name.
    """

    def __init__(self, tokens: Callable[[str], list[str]]) -> None:
        self._tokens = tokens
        self._entries: list[_ActiveFault] = []

    def add(self, fault: Fault) -> None:
        self._entries.append(_ActiveFault(fault))

    def clear(self) -> None:
        self._entries.clear()

    @property
    def need_bodies(self) -> bool:
        """Whether a fault chooses requests by their bodies."""
        return any(entry.fault.text for entry in self._entries)

    def take(self, dialect: str, scope: Scope, body: bytes) -> _ActiveFault | None:
        """Count a request; return the fault that makes it fail, None if it succeeds."""
        for entry in self._entries:
            if self._matches(entry.fault, dialect, scope, body) and entry.decide():
                return entry
        return None

    def _matches(self, fault: Fault, dialect: str, scope: Scope, body: bytes) -> bool:
        if fault.dialect not in ("", dialect) or fault.method not in ("", scope["method"]):
            return False
        if fault.text.encode() not in body:
            return False
        if fault.path and not fnmatchcase(scope["path"], fault.path):
            return False
        if not fault.account:
            return True
        given = b" ".join(value for _, value in scope["headers"]) + scope["query_string"]
        return any(token.encode() in given for token in self._tokens(fault.account))


class Injection:
    """ASGI application that applies one fault to one request.

    Args:
        entry: The fault.
        app: Application that handles the request.
        record: Entry of the request in the journal.
        journal: Journal with earlier responses.
        send: ASGI's `send`, as uvicorn passed it.
    """

    def __init__(
        self, entry: _ActiveFault, app: ASGIApp, record: Record, journal: JournalKeeper, send: Send
    ) -> None:
        self._fault = entry.fault
        self._rng = entry.rng
        self._app = app
        self._record = record
        self._journal = journal
        # Some faults act on the connection, which ASGI does not expose. But uvicorn's `send` is a
        # method of the request's cycle, which has the connection's write buffer.
        self._cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]  # see above
        self._buffer = cast("WriteBuffer", self._cycle.transport)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._fault
        if fault.seconds:
            await asyncio.sleep(fault.seconds)
        if fault.handled:
            await self._collect(scope, receive)
        match fault.kind:
            case "status":
                await self._refuse(scope, receive, send)
            case "html":
                await self._send_page(send)
            case "delay":
                await self._app(scope, receive, send)
            case "drop":
                await self._drop()
            case "lost_answer":
                await self._collect(scope, receive)
                await self._drop()
            case _:
                await self._corrupt(await self._response(scope, receive), receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the dialect render an error as its vendor does; then set the fault's status."""
        fault = self._fault
        nearest = InternalError if fault.status >= 500 else InvalidRequest
        kind = _ERRORS.get(fault.status, nearest)
        error = kind(fault.message or kind.title)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [each for each in message["headers"] if each[0].lower() != b"retry-after"]
                if fault.retry_after is not None:
                    headers.append((b"retry-after", str(fault.retry_after).encode("latin-1")))
                message = {**message, "status": fault.status, "headers": headers}
            await send(message)

        await self._app({**scope, REFUSAL: error}, receive, send_on)

    async def _send_page(self, send: Send) -> None:
        fault = self._fault
        page = _HTML.format(f"{fault.status} {fault.message or 'Error'}").encode()
        await _send(send, Response(fault.status, [(b"content-type", b"text/html")], page))

    async def _response(self, scope: Scope, receive: Receive) -> Response:
        earlier = self._journal.earlier(self._record) if self._fault.kind == "stale" else None
        if earlier is not None:
            return Response(earlier.status, earlier.response_headers, earlier.response_body)
        return await self._collect(scope, receive)

    async def _collect(self, scope: Scope, receive: Receive) -> Response:
        status, headers, body = 0, list[tuple[bytes, bytes]](), bytearray()

        async def keep(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], [*message["headers"]]
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await self._app(scope, receive, keep)
        return Response(status, headers, bytes(body))

    async def _corrupt(self, response: Response, receive: Receive, send: Send) -> None:
        fault, (status, headers, body) = self._fault, response
        half = body[: len(body) // 2]
        match fault.kind:
            case "truncate":
                await _send(send, Response(status, headers, half))
            case "garbage":
                await _send(
                    send, Response(status, headers, self._rng.randbytes(max(16, len(body))))
                )
            case "duplicate_header":
                name = fault.header.lower().encode("latin-1")
                headers = _sized(response)
                added = [each for each in headers if each[0].lower() == name]
                if not added:
                    added = [(name, b"1"), (name, b"2")]
                await _send_raw(send, status, [*headers, *added], body)
            case "throttle":
                await self._trickle(response, send)
            case "cut" | "half_close":
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": half, "more_body": True})
                await self._end_sending(receive)
            case _:  # stale
                await _send(send, response)

    async def _trickle(self, response: Response, send: Send) -> None:
        size = max(1, int(self._fault.bytes_per_s * _CHUNK_PAUSE_S))
        headers = _sized(response)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        for start in range(0, len(response.body), size):
            await asyncio.sleep(_CHUNK_PAUSE_S)
            chunk = response.body[start : start + size]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _drop(self) -> None:
        self._buffer.transport.abort()
        # uvicorn logs an error if the application returns before uvicorn has noticed the
        # disconnection, for which it has no event.
        while not self._cycle.disconnected:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(_POLL_S)

    async def _end_sending(self, receive: Receive) -> None:
        """Send the buffered data, then close the connection; `half_close` closes one side only."""
        self._buffer.flush()
        transport = self._buffer.transport
        if self._fault.kind == "cut" or not transport.can_write_eof():
            transport.close()
        else:
            transport.write_eof()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_disconnected(receive), _DISCONNECT_S)
        await self._drop()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _sized(response: Response) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response with the length of its body."""
    kept = [
        each
        for each in response.headers
        if each[0].lower() not in (b"content-length", b"transfer-encoding")
    ]
    return [*kept, (b"content-length", str(len(response.body)).encode())]


async def _send(send: Send, response: Response) -> None:
    await _send_raw(send, response.status, _sized(response), response.body)


async def _send_raw(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
