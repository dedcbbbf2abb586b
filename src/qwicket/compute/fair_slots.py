"""Fair assignment of a few slots to many accounts: many requests of one do not delay the others.

Used on one event loop, independent of the work done in a slot.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class FairSlots:
    """Slots that accounts get in round-robin order, at most one per account at a time.

    Thus no account can occupy more than one slot, however long its work takes.

    Args:
        slots: Number of slots.
    """

    def __init__(self, slots: int) -> None:
        self._n_free = slots
        self._served: set[str] = set()
        # Waiting requests by account; the account whose turn is next comes first.
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def has_free_slot(self) -> bool:
        """Whether an account without a slot would get one at once."""
        return self._n_free > 0

    def count(self, account: str) -> int:
        """Return the number of an account's requests that wait or have a slot."""
        return len(self._queues.get(account, ())) + (account in self._served)

    def count_all(self) -> int:
        """Return the number of requests that wait or have a slot."""
        return sum(map(len, self._queues.values())) + len(self._served)

    def count_waiting(self) -> int:
        """Return the number of waiting requests."""
        return self.count_all() - len(self._served)

    @asynccontextmanager
    async def slot(self, account: str) -> AsyncIterator[None]:
        """Wait for a slot, and hold it until the block ends."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(account, deque()).append(place)
        self._assign()
        try:
            await place
            yield
        finally:
            if place.cancelled():
                self._forget(account, place)
            else:
                self._leave(account)

    def _leave(self, account: str) -> None:
        self._served.remove(account)
        self._n_free += 1
        if account in self._queues:
            # To the end, behind the accounts that have waited longer.
            self._queues[account] = self._queues.pop(account)
        self._assign()

    def _assign(self) -> None:
        """Assign free slots to waiting requests."""
        while self._n_free:
            account = next((name for name in self._queues if name not in self._served), None)
            if account is None:
                return
            queue = self._queues[account]
            place = queue.popleft()
            if not queue:
                del self._queues[account]
            if not place.cancelled():
                self._n_free -= 1
                self._served.add(account)
                place.set_result(None)

    def _forget(self, account: str, place: asyncio.Future[None]) -> None:
        queue = self._queues.get(account, deque())
        if place in queue:
            queue.remove(place)
        if not queue:
            self._queues.pop(account, None)
