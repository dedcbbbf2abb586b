"""Turns on the event loop: many requests of one account do not delay those of the others."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SHARED_S: Final = 1.0
"""Time after a change of owners for which they take turns."""


class Turns:
    """Lets one request of each owner begin in an iteration of the event loop.

    Otherwise all requests of an account with many connections could be handled in one iteration,
    and a request of another account, which takes some iterations, would wait for all in each.
    An owner that is alone for a second takes no turns: they would halve the rate of its requests.

    Args:
        clock: Monotonic clock; returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_owner: str | None = None
        self._shared_until = 0.0
        # Waiting requests of each owner of whom a request has begun in this iteration.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def wait(self, owner: str) -> None:
        """Wait until a request of this owner may begin; the first one in an iteration at once."""
        now = self._clock()
        if owner != self._last_owner:
            if self._last_owner is not None:
                self._shared_until = now + _SHARED_S
            self._last_owner = owner
        if owner in self._waiting:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[owner].append(turn)
            await turn
        elif now < self._shared_until:
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self._begin_next)
            self._waiting[owner] = deque()

    def _begin_next(self) -> None:
        """Let the next request of each owner begin."""
        for owner, waiting in list(self._waiting.items()):
            while waiting and waiting[0].done():  # its client has disconnected
                waiting.popleft()
            if waiting:
                waiting.popleft().set_result(None)
            else:
                del self._waiting[owner]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._begin_next)
