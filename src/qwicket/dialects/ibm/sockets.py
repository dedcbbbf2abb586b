"""The stream of one job's statuses over a websocket.

The client sends its access token; each change of status or position comes as a message in bytes
(older clients read no other), and a close code of IBM's says why it ends. Sockets are bounded in
number and silence, and none outlives the token that opened it by more than some seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.websockets import WebSocketDisconnect

from qwicket.dialects.ibm.limits import IBMLimits
from qwicket.dialects.ibm.names import DOOR
from qwicket.dialects.requests import REQUEST_ID
from qwicket.model.accounts import Scope
from qwicket.model.errors import NotFound, QwicketError, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from starlette.websockets import WebSocket

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

    Worded = Callable[[Actor, Job], Awaitable[bytes]]

FAILED: Final = 4001
DONE: Final = 4002
UNKNOWN: Final = 4003
"""IBM's close codes: the client tries again, has what it wanted, or gives up."""

_POLICY: Final = 1008
_RESTART: Final = 1012
_REASON_CHARS: Final = 120  # of a close frame, which has 125 bytes
_LOOK_S: Final = 3.0
"""How often the token and the job's place in the queue are looked at."""

_AUTHENTICATED: Final = b'{"type":"authenticated"}'
_log = logging.getLogger("qwicket.dialect")


class _Sign(msgspec.Struct, frozen=True):
    """The first message."""

    data: str


class _Closed(Exception):
    """The socket is to be closed with a code."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(reason)


_SPOKE: Final = "Nothing more is expected."
_sign_decoder: Final = msgspec.json.Decoder(_Sign)


class Sockets:
    """All open sockets of this server, counted.

    Args:
        gateway: Knows jobs and their changes.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._silent: dict[asyncio.Timeout, None] = {}
        self._n_open = 0
        self._n_of_account: Counter[str] = Counter()

    async def serve(self, socket: WebSocket, id_text: str, address: str, worded: Worded) -> None:
        """Serve one socket to its end.

        Args:
            socket: The socket.
            id_text: The job's id.
            address: Where the client is.
            worded: Makes the JSON of the job's status.

        Raises:
            Unavailable: Too many are open; nothing was accepted yet.
        """
        self._check_room()
        try:
            await socket.accept()
            await self._watched(_Stream(self._gateway, socket, address, worded), id_text)
        except WebSocketDisconnect:
            return

    def _check_room(self) -> None:
        most = self._gateway.limits.of(IBMLimits).sockets
        if self._n_open >= most:
            raise Unavailable(f"{most} websockets are open (limit sockets).", retry_after_s=5.0)

    async def _watched(self, stream: _Stream, id_text: str) -> None:
        """Let a stream run, and close it with the code that says why it ended."""
        try:
            async with self._unsigned():
                text = await stream.message()
            actor = await stream.sign_in(text)
            with self._counted(actor):
                await stream.run(actor, id_text)
        except WebSocketDisconnect:
            raise
        except _Closed as end:
            code, reason = end.code, str(end)
        except NotFound as error:
            code, reason = UNKNOWN, error.detail
        except QwicketError as error:
            is_passing = isinstance(error, TooManyRequests | Unavailable)
            code, reason = FAILED if is_passing else _POLICY, error.detail
        except Exception as error:
            request_id = stream.socket.scope.get(REQUEST_ID, "")
            _log.error("request %s failed", request_id, exc_info=error)
            code, reason = FAILED, f"Something unexpected went wrong; the log has {request_id}."
        with contextlib.suppress(RuntimeError):  # it may be closed already
            await stream.socket.close(code, reason[:_REASON_CHARS])

    @contextlib.asynccontextmanager
    async def _unsigned(self) -> AsyncIterator[None]:
        """Give a socket its time to say whose it is, which ends early when too many others come.

        Clients say so at once. Strangers, who cannot, take no room from those who can.

        Raises:
            _Closed: The time is over.
        """
        limits, silent = self._gateway.limits, self._silent
        own, within_s = limits.of(IBMLimits), limits.connections.head_timeout_s
        detail = f"No token came within {within_s:g} s (limit head_timeout_s)"
        try:
            async with asyncio.timeout(within_s) as patience:
                silent[patience] = None
                if len(silent) > own.unsigned_sockets:
                    oldest = next(iter(silent))
                    del silent[oldest]
                    _end(oldest)
                try:
                    yield
                finally:
                    silent.pop(patience, None)
        except TimeoutError:
            more = f", or before {own.unsigned_sockets} others came (limit unsigned_sockets)."
            raise _Closed(_POLICY, detail + more) from None

    @contextlib.contextmanager
    def _counted(self, actor: Actor) -> Iterator[None]:
        self._check_room()
        most, counts = self._gateway.limits.of(IBMLimits).sockets_each, self._n_of_account
        if counts[actor.account] >= most:
            raise Unavailable(f"You have {most} websockets open (limit sockets_each).")
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
    """One socket."""

    def __init__(self, gateway: Gateway, socket: WebSocket, address: str, worded: Worded) -> None:
        self._gateway = gateway
        self.socket = socket
        self._address = address
        self._worded = worded
        self._token = ""

    async def sign_in(self, text: str | bytes) -> Actor:
        """Return whose the token is that came first."""
        try:
            self._token = _sign_decoder.decode(text).data
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise _Closed(_POLICY, "The first message must bear the access token.") from None
        return await self._actor()

    async def run(self, actor: Actor, id_text: str) -> None:
        """Tell each change of a job, until it ends."""
        await self.socket.send_bytes(_AUTHENTICATED)
        job = await self._gateway.jobs.get(actor, id_text, door=DOOR)
        speaks = asyncio.create_task(self.message())
        try:
            await self._tell(actor, job, speaks)
        finally:
            _forget(speaks)

    async def _tell(self, actor: Actor, job: Job, speaks: asyncio.Task[str | bytes]) -> None:
        told = b""
        while True:
            text = await self._worded(actor, job)
            if text != told:
                await self.socket.send_bytes(b'{"type":"job-status","data":' + text + b"}")
                told = text
            if job.state.is_final:
                raise _Closed(DONE, "The job has ended.")
            if self._gateway.jobs.is_stopping:
                raise _Closed(_RESTART, "The server is stopping.")
            news = asyncio.create_task(self._gateway.jobs.wait_for_change(actor, job, _LOOK_S))
            try:
                await asyncio.wait({news, speaks}, return_when=asyncio.FIRST_COMPLETED)
                if speaks.done():
                    is_gone = isinstance(speaks.exception(), WebSocketDisconnect)
                    # Not the task's own error: its frames would hold the task, which holds it.
                    raise WebSocketDisconnect if is_gone else _Closed(_POLICY, _SPOKE)
                job = news.result()
            finally:
                _forget(news)
            actor = await self._actor()

    async def _actor(self) -> Actor:
        """Return whose the token is now."""
        actor = await self._gateway.access_tokens.actor(self._token, DOOR, self._address)
        actor.require(Scope.JOBS_READ)
        return actor

    async def message(self) -> str | bytes:
        """Return what the client sends next.

        Raises:
            WebSocketDisconnect: It is gone.
        """
        message = await self.socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect
        return message.get("text") or message.get("bytes") or b""


def _end(patience: asyncio.Timeout) -> None:
    """Let a time be over now."""
    if not patience.expired():
        patience.reschedule(asyncio.get_running_loop().time())


def _forget(task: asyncio.Task[Any]) -> None:
    """End a task whose outcome nobody wants any more, an error neither."""
    task.cancel()
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
