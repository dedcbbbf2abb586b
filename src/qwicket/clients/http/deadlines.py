"""The deadline of everything that a block of code does: connections, answers and pauses.

It is ambient, because the libraries in between (urllib3, requests) have no argument for it.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST_S: Final = 0.001
"""A timeout of zero means "do not block" to a socket, and is refused by urllib3."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def ends_by(deadline: float) -> Iterator[None]:
    """End every request and pause within the block by a deadline, or by the one around it.

    Args:
        deadline: Monotonic seconds; infinity is no deadline.
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
    """Return the deadline in monotonic seconds; None outside of `ends_by`."""
    return _deadline.get()


def within(limit_s: float) -> float:
    """Return a limit, or the seconds left until the deadline if these are fewer; above zero."""
    deadline = _deadline.get()
    left_s = math.inf if deadline is None else deadline - time.monotonic()
    return max(_LEAST_S, min(limit_s, left_s))


def is_over() -> bool:
    """Return whether the deadline has passed."""
    deadline = _deadline.get()
    return deadline is not None and time.monotonic() >= deadline
