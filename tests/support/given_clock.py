"""A clock for clients that only pauses advance, so that waits of hours take no time."""

from __future__ import annotations

import asyncio
import threading


class GivenClock:
    """Clock that shows another time only after a pause or `advance`, for any number of threads.

    Attributes:
        pauses_s: The pauses so far, in seconds.
    """

    def __init__(self) -> None:
        self.pauses_s: list[float] = []
        self._now_s = self._began_s = 1000.0
        self._lock = threading.Lock()

    @property
    def passed_s(self) -> float:
        """Seconds since the clock was made."""
        return self._now_s - self._began_s

    def monotonic(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass, for example while a server holds a response back."""
        with self._lock:
            self._now_s += seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, "time.sleep() refuses a negative pause"
        self.pauses_s.append(seconds)
        self.advance(seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)
