"""A read cache of 0.1 s, so that a busy client's requests do not each read the same row."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

K = TypeVar("K")
V = TypeVar("V")

CACHE_TTL_S: Final = 0.1
"""Age limit of cached values in seconds, and so the delay until a revocation or a device's status
takes effect. Callers repeat no refusal from the cache: they invalidate the value after a refusal,
or read it again before."""
_MAX_ENTRIES: Final = 4_096


class _ReadCancelled(Exception):
    """The request that was reading for others was cancelled."""


class TTLCache(Generic[K, V]):
    """Cache of values by key, none older than `CACHE_TTL_S`.

    Args:
        read: Function that reads a value, or returns None if there is none. None is not cached.
        max_entries: Number of values at which all of them are dropped before the next is added.
    """

    def __init__(
        self, read: Callable[[K], Awaitable[V | None]], *, max_entries: int = _MAX_ENTRIES
    ) -> None:
        self._read = read
        self._max_entries = max_entries
        self._known: dict[K, tuple[float, V]] = {}
        self._reads: dict[K, asyncio.Future[V | None]] = {}

    async def get(self, key: K) -> V | None:
        """Return the value from the cache, from a concurrent read, or by reading it."""
        while True:
            now = time.monotonic()
            found = self._known.get(key)
            if found is not None:
                read_at, value = found
                if now - read_at < CACHE_TTL_S:
                    return value
            read = self._reads.get(key)
            if read is None:
                return await self._read_for_all(key, now)
            with suppress(_ReadCancelled):
                return await asyncio.shield(read)

    async def _read_for_all(self, key: K, began: float) -> V | None:
        """Read for all waiting requests, without a task, which would delay an immediate read."""
        read = self._reads[key] = asyncio.get_running_loop().create_future()
        try:
            value = await self._read(key)
        except BaseException as error:
            if self._reads.get(key) is read:
                del self._reads[key]
            read.set_exception(error if isinstance(error, Exception) else _ReadCancelled())
            read.exception()  # marks it as retrieved, since there may be no waiter
            raise
        if self._reads.get(key) is read:  # else it was invalidated meanwhile
            del self._reads[key]
            if value is None:
                self._known.pop(key, None)
            else:
                if len(self._known) >= self._max_entries:
                    self._known.clear()
                self._known[key] = (began, value)
        read.set_result(value)
        return value

    def invalidate(self, key: K) -> None:
        """Drop the value of a key; a read under way does not cache its value."""
        self._known.pop(key, None)
        self._reads.pop(key, None)

    def invalidate_where(self, is_stale: Callable[[V], bool]) -> None:
        """Drop all values for which `is_stale` returns True; reads under way cache no values."""
        self._reads.clear()
        for key in [key for key, (_, value) in self._known.items() if is_stale(value)]:
            del self._known[key]
