"""The statuses of one job over a websocket.

The client first sends its access token. The server then sends each change of status or position, as
binary messages because older clients read no others, and ends with a close code, IBM's or
WebSocket's. The number of sockets and the time to sign in are limited. A socket closes within
seconds of the end of its token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.websockets import WebSocketDisconnect

from qwicket.dialects.requests import REQUEST_ID
from qwicket.model.accounts import Scope
from qwicket.model.errors import NotFound, QwicketError, TooManyRequests, Unavailable
from qwicket.vendors.ibm.dialect.names import DIALECT
from qwicket.vendors.ibm.limits import IBMLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from starlette.websockets import WebSocket

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

    RenderStatus = Callable[[Actor, Job], Awaitable[bytes]]

FAILED: Final = 4001
DONE: Final = 4002
UNKNOWN: Final = 4003
"""IBM's close codes: the client connects again, fetches the result, or fails."""

_POLICY: Final = 1008
_RESTART: Final = 1012
"""Close codes of WebSocket: the request is refused, or the server restarts (RFC 6455, IANA)."""
_REASON_BYTES: Final = 123  # a close frame has 125 bytes, two of which are the code
_RECHECK_S: Final = 3.0
"""Longest time between two reads of the token and the queue position."""

_AUTHENTICATED: Final = b'{"type":"authenticated"}'
_log = logging.getLogger("qwicket.dialect")


class _TokenMessage(msgspec.Struct, frozen=True):
    """First message of the client, with its access token."""

    data: str


class _CloseSocket(Exception):
    """Raised to close the socket with a code."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(reason)


_UNEXPECTED: Final = "Nothing more is expected."
_token_decoder: Final = msgspec.json.Decoder(_TokenMessage)


class Sockets:
    """Open websockets of this server, with their counts.

    Args:
        gateway: Reads jobs and waits for their changes.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._silent: dict[asyncio.Timeout, None] = {}
        self._n_open = 0
        self._n_of_account: Counter[str] = Counter()

    async def serve(
        self, socket: WebSocket, id_text: str, address: str, render: RenderStatus
    ) -> None:
        """Serve a socket until it is closed.

        Args:
            socket: The socket.
            id_text: The job's id.
            address: Network address of the client.
            render: Renders the status as JSON.

        Raises:
            Unavailable: Too many are open; nothing was accepted yet.
        """
        self._check_limit()
        try:
            await socket.accept()
            await self._watched(_Stream(self._gateway, socket, address, render), id_text)
        except WebSocketDisconnect:
            return

    def _check_limit(self) -> None:
        maximum = self._gateway.limits.of(IBMLimits).sockets
        if self._n_open >= maximum:
            raise Unavailable(f"{maximum} websockets are open (limit sockets).", retry_after_s=5.0)

    async def _watched(self, stream: _Stream, id_text: str) -> None:
        """Sign a stream in and run it, then close its socket with a code."""
        try:
            async with self._unsigned():
                text = await stream.message()
            actor = await stream.sign_in(text)
            with self._counted(actor):
                await stream.run(actor, id_text)
        except WebSocketDisconnect:
            raise
        except _CloseSocket as end:
            code, reason = end.code, str(end)
        except NotFound as error:
            code, reason = UNKNOWN, error.detail
        except QwicketError as error:
            is_transient = isinstance(error, TooManyRequests | Unavailable)
            code, reason = FAILED if is_transient else _POLICY, error.detail
        except Exception as error:
            request_id = stream.socket.scope.get(REQUEST_ID, "")
            _log.error("request %s failed", request_id, exc_info=error)
            code, reason = FAILED, f"Something unexpected went wrong; the log has {request_id}."
        with contextlib.suppress(RuntimeError):  # it may be closed already
            await stream.socket.close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))

    @contextlib.asynccontextmanager
    async def _unsigned(self) -> AsyncIterator[None]:
        """Limit the time until a client sends its token.

        If too many sockets have sent none, the time of the oldest of them ends at once: sockets
        without a token must not exclude those with one, and clients send theirs at once.

        Raises:
            _CloseSocket: The time is over.
        """
        limits, silent = self._gateway.limits, self._silent
        own, within_s = limits.of(IBMLimits), limits.connections.head_timeout_s
        detail = f"No token came within {within_s:g} s (limit head_timeout_s)"
        try:
            async with asyncio.timeout(within_s) as timeout:
                silent[timeout] = None
                if len(silent) > own.unsigned_sockets:
                    oldest = next(iter(silent))
                    del silent[oldest]
                    _expire(oldest)
                try:
                    yield
                finally:
                    silent.pop(timeout, None)
        except TimeoutError:
            more = f", or before {own.unsigned_sockets} others came (limit unsigned_sockets)."
            raise _CloseSocket(_POLICY, detail + more) from None

    @contextlib.contextmanager
    def _counted(self, actor: Actor) -> Iterator[None]:
        self._check_limit()
        maximum, counts = self._gateway.limits.of(IBMLimits).sockets_each, self._n_of_account
        if counts[actor.account] >= maximum:
            raise Unavailable(f"You have {maximum} websockets open (limit sockets_each).")
        counts[actor.account] += 1
        self._n_open += 1
        try:
            yield
        finally:
            self._n_open -= 1
            counts[actor.account] -= 1
            if not counts[actor.account]:
                del counts[actor.account]


class _Stream:
    """Statuses of one job over one socket."""

    def __init__(
        self, gateway: Gateway, socket: WebSocket, address: str, render: RenderStatus
    ) -> None:
        self._gateway = gateway
        self.socket = socket
        self._address = address
        self._render = render
        self._token = ""

    async def sign_in(self, text: str | bytes) -> Actor:
        """Return the actor of the token in the first message."""
        try:
            self._token = _token_decoder.decode(text).data
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise _CloseSocket(
                _POLICY, "The first message must contain the access token."
            ) from None
        return await self._actor()

    async def run(self, actor: Actor, id_text: str) -> None:
        """Send each change of a job until it ends."""
        await self.socket.send_bytes(_AUTHENTICATED)
        job = await self._gateway.jobs.get(actor, id_text, dialect=DIALECT)
        client_message = asyncio.create_task(self.message())
        try:
            await self._send_changes(actor, job, client_message)
        finally:
            _cancel_quietly(client_message)

    async def _send_changes(
        self, actor: Actor, job: Job, client_message: asyncio.Task[str | bytes]
    ) -> None:
        last_sent = b""
        while True:
            text = await self._render(actor, job)
            if text != last_sent:
                await self.socket.send_bytes(b'{"type":"job-status","data":' + text + b"}")
                last_sent = text
            if job.state.is_final:
                raise _CloseSocket(DONE, "The job has ended.")
            if self._gateway.jobs.is_stopping:
                raise _CloseSocket(_RESTART, "The server is stopping.")
            change = asyncio.create_task(self._gateway.jobs.wait_for_change(actor, job, _RECHECK_S))
            try:
                await asyncio.wait({change, client_message}, return_when=asyncio.FIRST_COMPLETED)
                if client_message.done():
                    is_gone = isinstance(client_message.exception(), WebSocketDisconnect)
                    # A new error: the task's own one would form a reference cycle with the task.
                    raise WebSocketDisconnect if is_gone else _CloseSocket(_POLICY, _UNEXPECTED)
                job = change.result()
            finally:
                _cancel_quietly(change)
            actor = await self._actor()

    async def _actor(self) -> Actor:
        """Return the actor of the token, which may have been revoked."""
        actor = await self._gateway.access_tokens.actor(self._token, DIALECT, self._address)
        actor.require(Scope.JOBS_READ)
        return actor

    async def message(self) -> str | bytes:
        """Return the next message of the client.

        Raises:
            WebSocketDisconnect: The client has disconnected.
        """
        message = await self.socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect
        return message.get("text") or message.get("bytes") or b""


def _expire(timeout: asyncio.Timeout) -> None:
    """Expire a timeout now."""
    if not timeout.expired():
        timeout.reschedule(asyncio.get_running_loop().time())


def _cancel_quietly(task: asyncio.Task[Any]) -> None:
    """Cancel a task and ignore its result and its error."""
    task.cancel()
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
