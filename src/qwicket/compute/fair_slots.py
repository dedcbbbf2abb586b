"""Fair assignment of a few slots to many accounts, so that no account delays the others.

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
    """Gives slots to accounts in round-robin order, at most one slot per account at a time.

    However long one account uses its slot, the others share the rest.

    Args:
        slots: Number of slots.
    """

    def __init__(self, slots: int) -> None:
        self._n_free = slots
        self._served: set[str] = set()
        # In order of service, the least recently served account first.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def has_free_slot(self) -> bool:
        """Whether an account without a slot would get one at once."""
        return self._n_free > 0

    def count(self, account: str) -> int:
        """Return the number of an account's requests that wait or have a slot."""
        return len(self._lines.get(account, ())) + (account in self._served)

    def count_all(self) -> int:
        """Return the number of requests that wait or have a slot."""
        return sum(map(len, self._lines.values())) + len(self._served)

    def count_waiting(self) -> int:
        """Return the number of waiting requests."""
        return self.count_all() - len(self._served)

    @asynccontextmanager
    async def slot(self, account: str) -> AsyncIterator[None]:
        """Wait for a slot, and hold it until the block ends."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(account, deque()).append(place)
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
        if account in self._lines:
            self._lines[account] = self._lines.pop(
                account
            )  # to the end, behind accounts that were not served
        self._assign()

    def _assign(self) -> None:
        """Assign free slots to waiting requests."""
        while self._n_free:
            account = next((name for name in self._lines if name not in self._served), None)
            if account is None:
                return
            line = self._lines[account]
            place = line.popleft()
            if not line:
                del self._lines[account]
            if not place.cancelled():
                self._n_free -= 1
                self._served.add(account)
                place.set_result(None)

    def _forget(self, account: str, place: asyncio.Future[None]) -> None:
        line = self._lines.get(account, deque())
        if place in line:
            line.remove(place)
        if not line:
            self._lines.pop(account, None)
