"""Polling with a deadline that bounds every request and pause."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.clients.http.clock import SYSTEM_CLOCK
from qwicket.clients.http.deadlines import ends_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.clients.http.clock import Clock

T = TypeVar("T")

FIRST_S: Final = 0.5
"""Shortest time in seconds for the first response: with a timeout of 0 the client polls once."""
LAST_S: Final = 0.25
"""Time in seconds before the deadline at which the last poll begins."""


def wait_deadline(timeout: float | None, clock: Clock = SYSTEM_CLOCK) -> float:
    """Return the deadline, as time on the clock, of a wait with a timeout in seconds."""
    return math.inf if timeout is None else clock.monotonic() + max(timeout, FIRST_S)


@contextmanager
def rest_of_wait(
    ends_at: float,
    transient: type[Exception] | tuple[type[Exception], ...],
    late: Exception,
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[None]:
    """Apply the deadline of a wait to the requests after it, which have at least half a second.

    Args:
        ends_at: The deadline, of `wait_deadline`.
        transient: Classes of temporary errors of the requests in the block.
        late: Error to raise in place of a temporary error at the deadline.
        clock: The clock of the deadline.
    """
    ends_at = max(ends_at, clock.monotonic() + FIRST_S)
    try:
        with ends_by(ends_at, clock):
            yield
    except transient:
        if clock.monotonic() < ends_at:
            raise
        raise late from None


class Polling:
    """Schedule of polls.

    Args:
        timeout: Seconds until the deadline; None for no deadline.
        pause_s: First pause in seconds.
        max_pause_s: Longest pause in seconds.
        growth: Factor between successive pauses.
        clock: Clock on which the pauses are.

    Attributes:
        deadline: Time on the clock in seconds; infinity for no deadline.
    """

    def __init__(
        self,
        timeout: float | None,
        pause_s: float,
        max_pause_s: float = 5.0,
        growth: float = 1.5,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.deadline = math.inf if timeout is None else clock.monotonic() + timeout
        self._clock = clock
        self._ends_at = wait_deadline(timeout, clock)
        self._pause_s = pause_s
        self._longest_pause_s = max_pause_s
        self._growth = growth

    def ask(self, request: Callable[[], T], transient: type[Exception]) -> T | None:
        """Send a request; return its result, or None if it failed at the deadline.

        Args:
            request: Function that sends the request.
            transient: Class of its temporary errors.

        Raises:
            transient: The request failed before the deadline.
        """
        try:
            with ends_by(self._ends_at, self._clock):
                return request()
        except transient:
            if self._clock.monotonic() < self._ends_at:
                raise
        return None

    def pause(self) -> bool:
        """Pause until the next poll; return False if the deadline has passed instead."""
        now = self._clock.monotonic()
        if now >= self.deadline:
            return False
        last_poll = self.deadline - LAST_S
        if now >= last_poll:
            self._clock.sleep(self.deadline - now)
            return False
        self._clock.sleep(min(self._pause_s, last_poll - now))
        self._pause_s = min(self._pause_s * self._growth, self._longest_pause_s)
        return True
