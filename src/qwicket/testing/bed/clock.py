"""Clock of the test bed, which can stand still, jump and run faster.

It replaces the wall clock of the whole process, so every dialect, expiry and retention follows it.
Leases of labs' agents end by it, too, and so do long polls unless real time is faster. Delays of
faults take real time.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

_real_ns: Final = time.time_ns
_monotonic_ns: Final = time.monotonic_ns
_NS_PER_S: Final = 1_000_000_000
_PAUSE_S: Final = 0.05
"""Shortest `pause` in real time."""


class Clock:
    """Wall clock that can be changed. Only the event loop changes it; any thread may read it."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Event] = set()
        self._since, self._at, self._rate, self._passed = _monotonic_ns(), _real_ns(), 1.0, 0
        self._set(_real_ns(), 1.0)

    def install(self) -> None:
        """Replace `time.time` and `time.time_ns` in this process."""
        time.time_ns = self.time_ns
        time.time = self.time

    def time_ns(self) -> int:
        """Return the Unix time in nanoseconds."""
        return self._at + int((_monotonic_ns() - self._since) * self._rate)

    def time(self) -> float:
        """Return the Unix time in seconds."""
        return self.time_ns() / _NS_PER_S

    def passed(self) -> float:
        """Return the seconds that have passed on this clock; a jump back counts as 0 s."""
        return self._passed_ns() / _NS_PER_S

    def _passed_ns(self) -> int:
        return self._passed + self.time_ns() - self._at

    def move(
        self, *, at: float | None = None, by: float | None = None, rate: float | None = None
    ) -> None:
        """Change the time, and how fast it runs; None changes nothing.

        Args:
            at: Unix time in seconds.
            by: Seconds to advance, from `at` if given.
            rate: Seconds of this clock per real second; 0 stops it.
        """
        now = self.time_ns() if at is None else int(at * _NS_PER_S)
        self._set(now + int((by or 0.0) * _NS_PER_S), self._rate if rate is None else rate)

    def restore(self) -> None:
        """Show the real time again."""
        self._set(_real_ns(), 1.0)

    async def sleep(self, seconds: float) -> None:
        """Return after a time in seconds on this clock."""
        deadline = self._passed_ns() + int(seconds * _NS_PER_S)
        changed = asyncio.Event()
        self._waiters.add(changed)
        try:
            while (left := deadline - self._passed_ns()) > 0:
                changed.clear()
                real_s = left / _NS_PER_S / self._rate if self._rate else None
                try:
                    await asyncio.wait_for(changed.wait(), real_s)
                except TimeoutError:
                    continue
        finally:
            self._waiters.discard(changed)

    async def pause(self, seconds: float) -> None:
        """Return after a time on this clock, but not sooner than after 0.05 s of real time."""
        await asyncio.gather(self.sleep(seconds), asyncio.sleep(_PAUSE_S))

    def _set(self, at: int, rate: float) -> None:
        now = self.time_ns()
        self._passed += now - self._at + max(0, at - now)
        self._since, self._at, self._rate = _monotonic_ns(), at, rate
        for each in self._waiters:
            each.set()
