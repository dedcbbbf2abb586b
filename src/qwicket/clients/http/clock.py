"""Clock of the clients: their deadlines are times on it, and they pause on it."""

from __future__ import annotations

import time
from typing import Final, Protocol


class Clock(Protocol):
    """Monotonic time in seconds, and pauses of a thread or of a task."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...

    async def sleep_async(self, seconds: float, /) -> None: ...


class _SystemClock:
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    async def sleep_async(self, seconds: float, /) -> None:
        import asyncio  # late: threads need no event loop, and importing it takes time

        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Final[Clock] = _SystemClock()
"""The machine's clock, by which clients measure time unless they receive another."""
