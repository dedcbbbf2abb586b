"""Run the client's operations in an event loop. Cancelling a task closes its connection."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.clients.http import (
    SYSTEM_CLOCK,
    InvalidResponse,
    NoResponse,
    Response,
    RetryPolicy,
    deadlines,
)
from qwicket.clients.http.async_client import AsyncHTTPClient
from qwicket.clients.http.deadline_connections import MIN_BYTES_PER_S
from qwicket.clients.http.failures import URL_SOURCE
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.native.errors import ClientError
from qwicket.clients.native.protocol import (
    HOLD_S,
    RETRY_POLICY,
    STREAM_POLICY,
    Api,
    Download,
    Operation,
    Pause,
    Send,
    StepResult,
    StreamPolicy,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from qwicket.clients.http import Clock
    from qwicket.clients.native.events import EventStream

T = TypeVar("T")

MAX_LONG_POLLS: Final = 64
"""Maximum number of long polls at once; further waits take turns."""
_OTHER_CONNECTIONS: Final = 32
_MIN_HOLD_S: Final = 1.0
"""Shortest long poll in seconds, however many waits take turns."""


class AsyncTransport:
    """Requests to one server with one token, for any number of tasks of one event loop.

    At most 96 connections are kept, 64 of them for long polls (`MAX_LONG_POLLS`), so that these
    never use up the connections of other requests. A request that is not idempotent gets one more.

    Args:
        url: Address of the server.
        token: The secret.
        timeout_s: Seconds for one response; each 16 KiB received extend them by a second.
        retry_policy: When requests are repeated.
        outage: When requests are repeated within a wait.
        stream_policy: When streams of events are reopened.
        url_source: Setting that holds the address; the error names it if no server listens.
        clock: Clock for deadlines and pauses.

    Raises:
        ClientError: The address or the token is invalid.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float,
        retry_policy: RetryPolicy = RETRY_POLICY,
        outage: RetryPolicy = OUTAGE,
        *,
        stream_policy: StreamPolicy = STREAM_POLICY,
        url_source: str = URL_SOURCE,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        connections = MAX_LONG_POLLS + _OTHER_CONNECTIONS
        self._http = AsyncHTTPClient(url, ClientError, connections, url_source=url_source)
        self.url = self._http.url
        self.api = Api(token, timeout_s, retry_policy, outage, self.url, stream_policy, clock)
        self._held = asyncio.Semaphore(MAX_LONG_POLLS)
        self._n_waits = 0

    def __repr__(self) -> str:
        return f"<AsyncTransport {self.url}>"

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation and return its value."""
        result: StepResult = None
        while True:
            try:
                step = operation.send(result)
            except StopIteration as end:
                value: T = end.value
                return value
            result = await self._do(step)

    @contextmanager
    def count_wait(self) -> Iterator[Callable[[], float]]:
        """Count a wait; yield a function that returns the longest long poll in seconds.

        With more waits each long poll is shorter, at least 1 s: up to 1,920 waits all get a turn
        within 30 s.
        """
        self._n_waits += 1
        try:
            yield lambda: max(_MIN_HOLD_S, HOLD_S * min(1.0, MAX_LONG_POLLS / self._n_waits))
        finally:
            self._n_waits -= 1

    async def follow(self, stream: EventStream[T]) -> AsyncGenerator[T, None]:
        """Yield the events of a stream to its end; reconnect after the last event received."""
        while not stream.is_over:
            failure: NoResponse | InvalidResponse | None = None
            try:
                async with aclosing(self._http.stream(stream.request())) as chunks:
                    async for chunk in chunks:
                        for event in stream.feed(chunk):
                            yield event
            except (NoResponse, InvalidResponse) as error:
                failure = error
            if not stream.is_over:
                await self.api.clock.sleep_async(stream.pause_s(failure))

    async def close(self) -> None:
        await self._http.close()

    async def _do(self, step: Send | Pause) -> StepResult:
        if isinstance(step, Pause):
            await self.api.clock.sleep_async(step.seconds)
            return None
        if not step.hold_s:
            return await self._send(step)
        try:
            async with asyncio.timeout(deadlines.within(step.left_s)):
                await self._held.acquire()
        except TimeoutError:
            # Not sent, so the wait's next attempt repeats it.
            return NoResponse("Too many other waits are running.", was_sent=False)
        try:
            return await self._send(step)
        finally:
            self._held.release()

    async def _send(self, step: Send) -> StepResult:
        try:
            if isinstance(step, Download):
                return await self._download(step)
            return await self._http.exchange(step)
        except (NoResponse, InvalidResponse) as error:
            return error

    async def _download(self, step: Download) -> Response:
        assert step.file is not None, "a download has a file"
        step.file.seek(0)
        step.file.truncate()
        stream = self._http.stream(step, min_bytes_per_s=MIN_BYTES_PER_S)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Response):
                    return chunk
                step.file.write(chunk)
        return Response(200, {}, b"")
