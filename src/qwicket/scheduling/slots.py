"""Slots of a driver, whose number may change while they are in use."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Slots:
    """Slots that are given out in the order of the requests.

    `asyncio.Semaphore` cannot shrink. Here, when the number of slots falls below that of the taken
    ones, these stay taken until they are released.

    Args:
        count: Returns how many slots there are now; call `resize` after a change.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._n_taken = 0
        self._n_lent = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lenders: set[asyncio.Future[None]] = set()

    async def acquire(self) -> None:
        """Wait for a slot and take it."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self.resize()
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # the waiter was given a slot at the same time
                self.release()
            raise

    @property
    def has_free(self) -> bool:
        """Whether a slot is free that no caller waits for."""
        return not self._waiting and self._n_taken < self._count()

    def take_if_free(self) -> bool:
        """Take a slot if one is free that no caller waits for; return whether it was taken."""
        is_free = self.has_free
        self._n_taken += is_free
        return is_free

    def take(self) -> None:
        """Take a slot, even if none is free."""
        self._n_taken += 1

    def release(self) -> None:
        self._n_taken -= 1
        self.resize()

    async def lend(self, seconds: float, stop: asyncio.Event) -> None:
        """Lend a taken slot to others for `seconds`, then wait until one is free again.

        At most as many slots as there are can be lent; a further caller keeps its slot. The slot is
        taken back at once, even if none is free, if `stop` is set, the caller is cancelled, or the
        time is over and there are no slots.
        """
        if self._n_lent >= self._count():
            await _wait(stop, seconds)
            return
        self._n_lent += 1
        try:
            await self._release_and_wait(seconds, stop, self._lenders)
        finally:
            self._n_lent -= 1

    async def wait_turn(self, stop: asyncio.Event) -> None:
        """Give back a slot if more are taken than there are, and wait until one is free.

        Once `stop` is set, or if the caller is cancelled, the slot is taken back at once.
        """
        if self._n_taken > self._count():
            await self._release_and_wait(0.0, stop, set())

    async def _release_and_wait(
        self, seconds: float, stop: asyncio.Event, group: set[asyncio.Future[Any]]
    ) -> None:
        """Release a slot, pause for `seconds`, wait for a slot; `group` holds the waiter then."""
        self.release()
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            await _wait(stop, seconds)
            stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
            try:
                self._waiting.append(waiter)
                group.add(waiter)
                self.resize()
                await asyncio.wait([waiter, stopping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopping.cancel()
        finally:
            group.discard(waiter)
            if not waiter.done():
                waiter.cancel()
                self.take()

    def resize(self) -> None:
        """Give free slots to waiters. Must be called after the number of slots has changed."""
        while self._waiting and self._n_taken < self._count():
            self._give(self._waiting.popleft())
        if not self._count():
            for waiter in self._lenders:
                self._give(waiter)  # so that its caller can return the job to the queue

    def _give(self, waiter: asyncio.Future[None]) -> None:
        if not waiter.done():  # else it was cancelled while it waited, or has its slot
            self._n_taken += 1
            waiter.set_result(None)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
