"""Server-sent events: the changes of one job, or of all jobs of an account.

A stream holds no backlog: it keeps only the number of the last event that it sent, and reads the
next ones when the connection takes more. WHATWG HTML, section 9.2, defines the format.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from qwicket.dialects.native import params, wire
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, QwicketError, TooManyRequests, Unavailable
from qwicket.model.jobs import as_queued
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

    Events = Callable[[], AsyncGenerator[bytes, None]]
    SignIn = Callable[[Request[Any]], Awaitable[Actor]]
    Check = Callable[[], Awaitable[None]]
    QueuePositionEvent = Callable[[Job], Awaitable[bytes]]

_CHECK_S: Final = 3.0
"""Time without a change after which the token is checked again."""
_HEARTBEAT_S: Final = 15.0
_POLL_S: Final = 15.0
"""Time after which an account's jobs are read again, in case a notification was lost."""
_GATHER_S: Final = 0.1
POSITION_GATHER_S: Final = 0.4
"""Time for which changes of a device are gathered before a waiting job's place in the queue is
read."""
_POSITION_POLL_S: Final = 0.8
"""Time without a change of a job on the device after which the place is read again: turning the
device off changes no job."""
_PAGE: Final = 50
_LAST: Final = "Last-Event-ID"
_BEGIN: Final = b"retry: 2000\n\n"
"""Clients reconnect 2 s after a stream breaks."""
_HEARTBEAT: Final = b": still here\n\n"
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_encoder: Final = msgspec.json.Encoder()


class Streams:
    """Makes the streams of this server, and counts those that are open.

    Args:
        gateway: The gateway whose jobs are streamed.
        heartbeat_s: Time without an event after which a stream sends a comment.
        gather_s: Least time between two reads of an account's jobs, so that one read gathers a
            burst of changes.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        heartbeat_s: float = _HEARTBEAT_S,
        gather_s: float = _GATHER_S,
    ) -> None:
        self.gateway = gateway
        self.heartbeat_s = heartbeat_s
        self._gather_s = gather_s
        self._reads: dict[
            tuple[str, frozenset[str], int, str], asyncio.Task[list[tuple[int, bytes]]]
        ] = {}

    async def of_job(
        self,
        actor: Actor,
        request: Request[None],
        sign_in: SignIn,
        position_event: QueuePositionEvent | None = None,
    ) -> ASGIApp:
        """Stream a job from the version that `Last-Event-ID` names, to its end.

        A client that has seen the end receives 204, so that browsers do not reconnect.

        Args:
            actor: The reader.
            request: The request.
            sign_in: Checks the credential again while the stream is open.
            position_event: Returns an event with the place of a waiting job in the queue, which is
                sent when it differs from the last one.
        """
        last = _last(request)
        job = await self.gateway.jobs.get(actor, request.path_params["id"])
        if job.state.is_final and job.version == last:
            return Response(status_code=204)
        check, url = partial(_check, request, sign_in), request.server_url
        return Stream(
            self, request, actor, lambda: self._job(check, actor, job, last, url, position_event)
        )

    def of_account(
        self, actor: Actor, request: Request[None], sign_in: SignIn, *, since: str = ""
    ) -> Stream:
        """Stream all of an account's jobs from the change that `Last-Event-ID` names, or from now.

        The stream has no end of its own.

        Args:
            actor: The reader.
            request: The request.
            sign_in: Checks the credential again while the stream is open.
            since: Name of a query parameter that may hold the number in place of the header; "" for
                none.
        """
        last, check = _last(request, since), partial(_check, request, sign_in)
        url = request.server_url
        return Stream(self, request, actor, lambda: self._account(check, actor, last, url))

    @contextlib.contextmanager
    def counted(self, actor: Actor) -> Iterator[None]:
        """Count a stream while it is open.

        Raises:
            Unavailable: Too many are open.
            TooManyRequests: The account has too many.
        """
        limits, n_open = self.gateway.limits, self.gateway.open_streams
        if n_open.total() >= limits.requests.streams:
            detail = f"{limits.requests.streams} streams are open (limit streams)."
            raise Unavailable(detail, retry_after_s=5.0)
        if n_open[actor.account] >= limits.requests.streams_each:
            detail = f"You have {limits.requests.streams_each} streams open (limit streams_each)."
            raise TooManyRequests(
                detail, retry_after_s=5.0, limit="streams_each", quota=limits.requests.streams_each
            )
        n_open[actor.account] += 1
        try:
            yield
        finally:
            n_open[actor.account] -= 1
            if not n_open[actor.account]:
                del n_open[actor.account]

    async def _job(
        self,
        check: Check,
        actor: Actor,
        job: Job,
        last: int | None,
        server_url: str,
        position_event: QueuePositionEvent | None,
    ) -> AsyncGenerator[bytes, None]:
        version, last_position = last, b""
        with self.gateway.jobs.watch_device(job.device if position_event else "") as watch:
            while not self.gateway.jobs.is_stopping:
                if job.version != version:
                    if version is None and _started_at_once(job):
                        yield _event(1, as_queued(job), server_url)
                    version = job.version
                    yield _event(version, job, server_url)
                if job.state.is_final:
                    return
                wait_s = _CHECK_S
                if position_event is None or job.state is not JobState.QUEUED:
                    last_position = b""
                else:
                    if (found := await position_event(job)) != last_position:
                        last_position = found
                        yield found
                    # A change of the job itself wakes both waits, so it is not gathered.
                    wait_s = POSITION_GATHER_S if await watch.changed(_POSITION_POLL_S) else 0.0
                job = await self.gateway.jobs.wait_for_change(actor, job, wait_s)
                await check()
                yield b""

    async def _account(
        self, check: Check, actor: Actor, last: int | None, server_url: str
    ) -> AsyncGenerator[bytes, None]:
        with self.gateway.jobs.watch(actor) as watch:
            newest = await self.gateway.jobs.last_change(actor)
            # `last` may be from another database, which has more changes.
            change = newest if last is None else min(last, newest)
            yield b"id: %d\n\n" % change
            read_at = 0.0
            while not self.gateway.jobs.is_stopping:
                found: list[tuple[int, bytes]] = []
                if time.monotonic() >= read_at:
                    read_at = time.monotonic() + _POLL_S
                    found = await self._changed(actor, change, server_url)
                for number, text in found:
                    await check()  # the token may have been revoked while the client was slow
                    change = number
                    yield text
                await check()
                yield b""
                if len(found) >= _PAGE:
                    read_at = 0.0
                    continue
                await asyncio.sleep(self._gather_s)
                if await watch.changed(_CHECK_S):
                    read_at = 0.0

    async def _changed(self, actor: Actor, change: int, server_url: str) -> list[tuple[int, bytes]]:
        """Return the events after a change; streams that ask at the same time share one read."""
        key = (actor.account, actor.devices, change, server_url)
        if key not in self._reads:
            self._reads[key] = asyncio.create_task(self._read(actor, change, server_url))
        return await asyncio.shield(self._reads[key])

    async def _read(self, actor: Actor, change: int, server_url: str) -> list[tuple[int, bytes]]:
        # All streams that one change woke share this read. A stream that asks later may have been
        # woken by a later change, which this read may not see, so it starts a new one.
        del self._reads[actor.account, actor.devices, change, server_url]
        found = await self.gateway.jobs.changed(actor, change, _PAGE)
        return [
            (each.change, _event(each.change, each, server_url))
            for job in found
            for each in _steps(job, after=change)
        ]


class Stream:
    """Response with the events that `events` yields, and heartbeats in between.

    `events` yields empty bytes where a heartbeat may be sent.
    """

    def __init__(
        self, streams: Streams, request: Request[None], actor: Actor, events: Events
    ) -> None:
        self._streams = streams
        self._is_head = request.method == "HEAD"
        self._actor = actor
        self._events = events

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        with self._streams.counted(self._actor):
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if not self._is_head:
                await self._run(receive, send)
            await send({"type": "http.response.body", "body": b""})

    async def _run(self, receive: Receive, send: Send) -> None:
        """Send events until they end, the client disconnects, or the token is revoked."""
        sending = asyncio.create_task(self._send_all(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error

    async def _send_all(self, send: Send) -> None:
        async def put(text: bytes) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": True})

        await put(_BEGIN)
        heartbeat_s = self._streams.heartbeat_s
        sent_at = time.monotonic()
        with contextlib.suppress(QwicketError):
            async with contextlib.aclosing(self._events()) as texts:
                async for text in texts:
                    if text or time.monotonic() - sent_at >= heartbeat_s:
                        await put(text or _HEARTBEAT)
                        sent_at = time.monotonic()


def _last(request: Request[None], since: str = "") -> int | None:
    """Return the number in `Last-Event-ID`, else that in the query parameter named by `since`.

    Raises:
        InvalidRequest: There is another parameter, or a number is malformed.
    """
    query = dict(request.query_params)
    first = {since: query.pop(since)} if since in query else {}
    for name in query:
        raise InvalidRequest(f"There is no parameter {name!r}.", field=name)
    if _LAST in request.headers:
        given = {_LAST: request.headers[_LAST]}
        return params.integer(given, _LAST, minimum=0, maximum=INT64_MAX)
    return params.integer(first, since, minimum=0, maximum=INT64_MAX)


async def _check(request: Request[None], sign_in: SignIn) -> None:
    """Check that the token is still valid and still has the scope to read jobs.

    Raises:
        QwicketError: It is not.
    """
    (await sign_in(request)).require(Scope.JOBS_READ)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _started_at_once(job: Job) -> bool:
    """Return whether a running job was claimed with its submission, or as quickly."""
    is_first = job.state is JobState.RUNNING and job.version == 2
    return is_first and job.started_at == job.created_at


def _steps(job: Job, *, after: int) -> list[Job]:
    """Return a job that has changed; before it, as it was queued if that was no change before."""
    if _started_at_once(job) and job.change - 1 > after:
        return [as_queued(job), job]
    return [job]


def _event(number: int, job: Job, server_url: str) -> bytes:
    text = _encoder.encode(wire.job(wire.without_choice(job), server_url))
    return b"id: %d\nevent: job\ndata: %b\n\n" % (number, text)
