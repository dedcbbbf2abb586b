"""Plans driven by an event loop. A plan whose task is cancelled is over, and so is its request."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.clients.http import InvalidResponse, NoResponse, RetryPolicy, deadlines
from qwicket.clients.http.async_client import AsyncHTTPClient
from qwicket.clients.http.failures import URL_SOURCE
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.native.errors import ClientError
from qwicket.clients.native.plans import (
    HOLD_S,
    RETRY_POLICY,
    STREAM_POLICY,
    Api,
    Outcome,
    Pause,
    Plan,
    Send,
    StreamPolicy,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from qwicket.clients.native.events import Following

T = TypeVar("T")

WAITING: Final = 64
"""Requests that the server may hold back at once; further waits take turns with them."""
_OTHERS: Final = 32
_LEAST_HOLD_S: Final = 1.0


class AsyncTransport:
    """Requests to one server with one token, for any number of tasks of one event loop.

    At most `WAITING` + 32 connections are open. Requests that the server holds back never keep
    others from theirs.

    Args:
        url: Address of the server.
        token: The secret.
        timeout_s: Time for one answer; a large one may take longer, a slow one may not.
        retry_policy: How long requests are tried again.
        outage: How long a wait outlasts a server that is away.
        stream_policy: When streams of events are reopened.
        url_source: Where the address comes from, for the error where no server runs.

    Raises:
        ClientError: The address or the token cannot be one.
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
    ) -> None:
        self._http = AsyncHTTPClient(url, ClientError, WAITING + _OTHERS, url_source=url_source)
        self.url = self._http.url
        self.api = Api(token, timeout_s, retry_policy, outage, self.url, stream_policy)
        self._held = asyncio.Semaphore(WAITING)
        self._waiting = 0

    def __repr__(self) -> str:
        return f"<AsyncTransport {self.url}>"

    async def run(self, plan: Plan[T]) -> T:
        """Do what a plan says; return what it returns."""
        told: Outcome = None
        while True:
            try:
                step = plan.send(told)
            except StopIteration as end:
                value: T = end.value
                return value
            told = await self._do(step)

    @contextmanager
    def wait(self) -> Iterator[Callable[[], float]]:
        """Count a wait while it goes on; give how long the server may hold its answers back.

        The more waits share the connections, the shorter each turn is: all of them come round in
        half a minute, as long as there are fewer than 2,000.
        """
        self._waiting += 1
        try:
            yield lambda: max(_LEAST_HOLD_S, HOLD_S * min(1.0, WAITING / self._waiting))
        finally:
            self._waiting -= 1

    async def follow(self, following: Following[T]) -> AsyncGenerator[T, None]:
        """Yield the events of a stream, which is taken up again where it broke, to its end."""
        while not following.is_over:
            failure: NoResponse | InvalidResponse | None = None
            try:
                async with aclosing(self._http.stream(following.request())) as pieces:
                    async for piece in pieces:
                        for event in following.feed(piece):
                            yield event
            except (NoResponse, InvalidResponse) as error:
                failure = error
            if not following.is_over:
                await asyncio.sleep(following.pause_s(failure))

    async def close(self) -> None:
        await self._http.close()

    async def _do(self, step: Send | Pause) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if not step.hold_s:
            return await self._send(step)
        try:
            async with asyncio.timeout(deadlines.within(step.left_s)):
                await self._held.acquire()
        except TimeoutError:
            return NoResponse("Too many other waits go on.", was_sent=False)
        try:
            return await self._send(step)
        finally:
            self._held.release()

    async def _send(self, step: Send) -> Outcome:
        try:
            return await self._http.exchange(step)
        except (NoResponse, InvalidResponse) as error:
            return error
