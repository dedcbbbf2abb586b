"""Whose turn it is: a few places, many accounts, and nobody holds up the others.

Lives on one event loop and knows nothing of what is done in a place.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """Gives places to accounts, one after the other; an account has one place at a time.

    So whatever one account does in its place, for as long as it likes, the others share the rest.

    Args:
        places: How many may be taken at once.
    """

    def __init__(self, places: int) -> None:
        self._n_free = places
        self._placed: set[str] = set()
        # The account that was served longest ago stands first.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def has_free_place(self) -> bool:
        """Say whether somebody who has no place would get one at once."""
        return self._n_free > 0

    def count(self, account: str) -> int:
        """Return how many of an account wait or have a place."""
        return len(self._lines.get(account, ())) + (account in self._placed)

    def count_all(self) -> int:
        """Return how many wait or have a place."""
        return sum(map(len, self._lines.values())) + len(self._placed)

    def count_waiting(self) -> int:
        """Return how many wait."""
        return self.count_all() - len(self._placed)

    @asynccontextmanager
    async def turn(self, account: str) -> AsyncIterator[None]:
        """Wait for a place, and have it until the block ends."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(account, deque()).append(place)
        self._call()
        try:
            await place
            yield
        finally:
            if place.cancelled():
                self._forget(account, place)
            else:
                self._leave(account)

    def _leave(self, account: str) -> None:
        self._placed.remove(account)
        self._n_free += 1
        if account in self._lines:
            self._lines[account] = self._lines.pop(account)  # behind who was not served just now
        self._call()

    def _call(self) -> None:
        """Give what is free to who waits."""
        while self._n_free:
            account = next((name for name in self._lines if name not in self._placed), None)
            if account is None:
                return
            line = self._lines[account]
            place = line.popleft()
            if not line:
                del self._lines[account]
            if not place.cancelled():
                self._n_free -= 1
                self._placed.add(account)
                place.set_result(None)

    def _forget(self, account: str, place: asyncio.Future[None]) -> None:
        line = self._lines.get(account, deque())
        if place in line:
            line.remove(place)
        if not line:
            self._lines.pop(account, None)
