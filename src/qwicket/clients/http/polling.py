"""Polling with a deadline that bounds every request and pause."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.clients.http.deadlines import ends_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

FIRST_S: Final = 0.5
"""Shortest time in seconds for the first response: with a timeout of 0 the client polls once."""
LAST_S: Final = 0.25
"""Time in seconds before the deadline at which the last poll begins."""


def wait_deadline(timeout: float | None) -> float:
    """Return the deadline, as monotonic time, of a wait with a timeout in seconds."""
    return math.inf if timeout is None else time.monotonic() + max(timeout, FIRST_S)


@contextmanager
def rest_of_wait(
    ends_at: float, transient: type[Exception] | tuple[type[Exception], ...], late: Exception
) -> Iterator[None]:
    """Apply the deadline of a wait to the requests after it, which have at least half a second.

    Args:
        ends_at: The deadline, of `wait_deadline`.
        transient: Classes of temporary errors of the requests in the block.
        late: Error to raise in place of a temporary error at the deadline.
    """
    ends_at = max(ends_at, time.monotonic() + FIRST_S)
    try:
        with ends_by(ends_at):
            yield
    except transient:
        if time.monotonic() < ends_at:
            raise
        raise late from None


class Polling:
    """Schedule of polls.

    Args:
        timeout: Seconds until the deadline; None for no deadline.
        pause_s: First pause in seconds.
        max_pause_s: Longest pause in seconds.
        growth: Factor between successive pauses.

    Attributes:
        deadline: Monotonic time in seconds; infinity for no deadline.
    """

    def __init__(
        self,
        timeout: float | None,
        pause_s: float,
        max_pause_s: float = 5.0,
        growth: float = 1.5,
    ) -> None:
        self.deadline = math.inf if timeout is None else time.monotonic() + timeout
        self._ends_at = wait_deadline(timeout)
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
            with ends_by(self._ends_at):
                return request()
        except transient:
            if time.monotonic() < self._ends_at:
                raise
        return None

    def pause(self) -> bool:
        """Pause until the next poll; return False if the deadline has passed instead."""
        now = time.monotonic()
        if now >= self.deadline:
            return False
        last_poll = self.deadline - LAST_S
        if now >= last_poll:
            time.sleep(self.deadline - now)
            return False
        time.sleep(min(self._pause_s, last_poll - now))
        self._pause_s = min(self._pause_s * self._growth, self._longest_pause_s)
        return True
