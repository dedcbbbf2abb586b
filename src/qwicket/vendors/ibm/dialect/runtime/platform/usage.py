"""Cache of the usage of instances, which clients read before each submission."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

_SHARE: Final = 0.01
"""Largest part of the time in which one sum is being read, if a read takes up to 0.6 s."""
_MAX_AGE_S: Final = 60.0
_MAX_ENTRIES: Final = 4_096


class _Known(NamedTuple):
    seconds: float
    until: float


class UsageCache:
    """Sums of seconds. Reading each of them takes at most about 1 % of the time.

    Adding up 100,000 jobs takes 0.25 s. So a sum may be 100 times as old as its reading took: some
    tenths of a second for a few jobs, at most a minute for many.

    Args:
        clock: Returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Hashable, _Known] = {}

    async def get(self, key: Hashable, read: Callable[[], Awaitable[float]]) -> float:
        """Return the sum of a key, from the cache or by reading it."""
        began = self._clock()
        known = self._known.get(key)
        if known is not None and began < known.until:
            return known.seconds
        if known is not None:  # other requests get the old sum meanwhile
            self._known[key] = known._replace(until=began + _MAX_AGE_S)
        seconds = await read()
        ended = self._clock()
        if len(self._known) >= _MAX_ENTRIES:
            self._known.clear()
        until = ended + min(_MAX_AGE_S, (ended - began) / _SHARE)
        self._known[key] = _Known(seconds, until)
        return seconds
