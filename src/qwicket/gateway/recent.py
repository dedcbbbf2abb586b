"""What was read a moment ago, so that a busy client's requests do not each read it again."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

K = TypeVar("K")
V = TypeVar("V")

RECENT_S: Final = 0.1
"""How old an answer may be: a revoked token, or a device that was turned off, counts after it.
Who would refuse by an answer forgets it first, and reads again."""
_MOST: Final = 4_096


class _GivenUp(Exception):
    """Whoever read was cancelled."""


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
        while True:
            now = time.monotonic()
            found = self._known.get(key)
            if found is not None and now - found[0] < RECENT_S:
                return found[1]
            read = self._reads.get(key)
            if read is None:
                return await self._read_for_all(key, now)
            with suppress(_GivenUp):
                return await asyncio.shield(read)

    async def _read_for_all(self, key: K, began: float) -> V | None:
        """Read as part of this request: where a read waits for nothing, it does not either."""
        read = self._reads[key] = asyncio.get_running_loop().create_future()
        try:
            value = await self._read(key)
        except BaseException as error:
            self._is_newest(key, read)
            read.set_exception(error if isinstance(error, Exception) else _GivenUp())
            read.exception()  # asked for: nobody may wait for it
            raise
        if self._is_newest(key, read):
            self._keep(key, value, began)
        read.set_result(value)
        return value

    def _is_newest(self, key: K, read: asyncio.Future[V | None]) -> bool:
        """End a read; say whether nothing was forgotten meanwhile."""
        if self._reads.get(key) is not read:
            return False
        del self._reads[key]
        return True

    def _keep(self, key: K, value: V | None, began: float) -> None:
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
