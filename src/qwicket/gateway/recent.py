"""What was read a moment ago, so that a busy client's requests do not each read it again."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

K = TypeVar("K")
V = TypeVar("V")

RECENT_S: Final = 0.1
"""How old an answer may be: a revoked token, or a device that was turned off, counts after it.
Who would refuse by an answer forgets it first, and reads again."""
_MOST: Final = 4_096


class Recent(Generic[K, V]):
    """Values by key, none older than `RECENT_S`.

    Args:
        read: Reads a value; None when there is none, which is not remembered.
    """

    def __init__(self, read: Callable[[K], Awaitable[V | None]]) -> None:
        self._read = read
        self._known: dict[K, tuple[float, V]] = {}
        self._reads: dict[K, asyncio.Future[V | None]] = {}

    async def get(self, key: K) -> V | None:
        """Return the value, read now or a moment ago, or by another who asks for it just now."""
        now = time.monotonic()
        found = self._known.get(key)
        if found is not None and now - found[0] < RECENT_S:
            return found[1]
        read = self._reads.get(key)
        if read is None:
            read = self._reads[key] = asyncio.ensure_future(self._read(key))
            read.add_done_callback(partial(self._keep, key, now))
        return await asyncio.shield(read)  # who gives up takes it from nobody else

    def _keep(self, key: K, began: float, read: asyncio.Future[V | None]) -> None:
        error = None if read.cancelled() else read.exception()  # asked for: nobody may wait for it
        if self._reads.get(key) is not read:
            return  # forgotten: it may have been read before a change
        del self._reads[key]
        value = None if read.cancelled() or error else read.result()
        if value is None:
            self._known.pop(key, None)
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (began, value)

    def forget(self, key: K) -> None:
        """Read it again the next time."""
        self._known.pop(key, None)
        self._reads.pop(key, None)

    def forget_where(self, is_stale: Callable[[V], bool]) -> None:
        """Read again the next time every value of which `is_stale` says so."""
        self._reads.clear()
        for key in [key for key, (_, value) in self._known.items() if is_stale(value)]:
            del self._known[key]
