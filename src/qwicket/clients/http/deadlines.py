"""Deadline of a block of code: it bounds connections, responses and pauses between attempts.

A context variable holds it, because urllib3 and requests have no argument for a deadline.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from qwicket.clients.http.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.clients.http.clock import Clock

_MIN_S: Final = 0.001
"""Smallest timeout: sockets take 0 as "do not block", and urllib3 refuses it."""

_deadline: ContextVar[tuple[float, Clock] | None] = ContextVar("deadline", default=None)


@contextmanager
def ends_by(deadline: float, clock: Clock = SYSTEM_CLOCK) -> Iterator[None]:
    """Apply a deadline to the requests and retries in the block; an earlier outer one prevails.

    Args:
        deadline: Time on the clock in seconds; infinity for no deadline.
        clock: The clock, which is also that of an outer deadline.
    """
    outer = current()
    if math.isinf(deadline) and outer is None:
        yield
        return
    token = _deadline.set((deadline if outer is None else min(outer, deadline), clock))
    try:
        yield
    finally:
        _deadline.reset(token)


def current() -> float | None:
    """Return the deadline as time on its clock in seconds; None outside `ends_by`."""
    found = _deadline.get()
    return None if found is None else found[0]


def current_clock() -> Clock:
    """Return the clock of the deadline; that of the machine outside `ends_by`."""
    found = _deadline.get()
    return SYSTEM_CLOCK if found is None else found[1]


def within(limit_s: float) -> float:
    """Return the smaller of a limit and the seconds until the deadline, at least 1 ms."""
    return max(_MIN_S, min(limit_s, _left_s()))


def has_passed() -> bool:
    """Return whether the deadline has passed."""
    return _left_s() <= 0


def _left_s() -> float:
    deadline = current()
    return math.inf if deadline is None else deadline - current_clock().monotonic()
