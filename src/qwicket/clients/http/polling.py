"""Asking a server again and again for something, until a deadline that holds whatever it does."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.clients.http.deadlines import ends_by

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FIRST_S: Final = 0.5
"""Least time for the first answer: with a timeout of 0 the server is asked once."""
LAST_S: Final = 0.25
"""The last question is asked so long before the deadline."""


def wait_ends(timeout: float | None) -> float:
    """Return the moment (monotonic seconds) by which a wait of so many seconds has ended."""
    return math.inf if timeout is None else time.monotonic() + max(timeout, FIRST_S)


class Polling:
    """When to ask, and for how long an answer may take.

    Args:
        timeout: Seconds after which to give up, None is never.
        pause_s: The first pause.
        longest_pause_s: The longest pause.
        growth: How much longer each pause is than the one before.
    """

    def __init__(
        self,
        timeout: float | None,
        pause_s: float,
        longest_pause_s: float = 5.0,
        growth: float = 1.5,
    ) -> None:
        self.deadline = math.inf if timeout is None else time.monotonic() + timeout
        self._ends_at = wait_ends(timeout)
        self._pause_s = pause_s
        self._longest_pause_s = longest_pause_s
        self._growth = growth

    def ask(self, request: Callable[[], T], transient: type[Exception]) -> T | None:
        """Return the answer; None when the deadline came first.

        Args:
            request: Asks the server.
            transient: What it raises when there was no answer.

        Raises:
            transient: There was no answer, long before the deadline.
        """
        try:
            with ends_by(self._ends_at):
                return request()
        except transient:
            if time.monotonic() < self._ends_at:
                raise
        return None

    def pause(self) -> bool:
        """Wait until the next question is due; return False when the deadline has come instead."""
        now = time.monotonic()
        if now >= self.deadline:
            return False
        last_question = self.deadline - LAST_S
        if now >= last_question:
            time.sleep(self.deadline - now)
            return False
        time.sleep(min(self._pause_s, last_question - now))
        self._pause_s = min(self._pause_s * self._growth, self._longest_pause_s)
        return True
