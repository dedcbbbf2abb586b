"""Slots of a driver, whose number may change while they are in use."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Slots:
    """Slots that are given out in the order of the requests.

    A semaphore cannot shrink. When a cluster loses workers, slots in use stay in use until they are
    released, and no further slot is given out before.

    Args:
        count: Returns how many slots there are now; call `resize` after a change.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._n_taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for a slot and take it."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self.resize()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was given a slot at the same time
                self.release()
            raise

    def release(self) -> None:
        self._n_taken -= 1
        self.resize()

    def resize(self) -> None:
        """Give out the slots that are free now. Call this after the number has changed."""
        while self._waiting and self._n_taken < self._count():
            place = self._waiting.popleft()
            if not place.done():  # else the request was cancelled while it waited
                self._n_taken += 1
                place.set_result(None)
