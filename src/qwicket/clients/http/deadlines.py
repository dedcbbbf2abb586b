"""Deadline of a block of code: it bounds connections, responses and pauses between attempts.

A context variable holds it, because urllib3 and requests have no argument for a deadline.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIN_S: Final = 0.001
"""Smallest timeout: sockets take 0 as "do not block", and urllib3 refuses it."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def ends_by(deadline: float) -> Iterator[None]:
    """Apply a deadline to the requests and retries in the block; an earlier outer one prevails.

    Args:
        deadline: Monotonic time in seconds; infinity for no deadline.
    """
    outer = _deadline.get()
    if math.isinf(deadline) and outer is None:
        yield
        return
    token = _deadline.set(deadline if outer is None else min(outer, deadline))
    try:
        yield
    finally:
        _deadline.reset(token)


def current() -> float | None:
    """Return the deadline as monotonic time in seconds; None outside `ends_by`."""
    return _deadline.get()


def within(limit_s: float) -> float:
    """Return the smaller of a limit and the seconds until the deadline, at least 1 ms."""
    deadline = _deadline.get()
    left_s = math.inf if deadline is None else deadline - time.monotonic()
    return max(_MIN_S, min(limit_s, left_s))


def has_passed() -> bool:
    """Return whether the deadline has passed."""
    deadline = _deadline.get()
    return deadline is not None and time.monotonic() >= deadline
