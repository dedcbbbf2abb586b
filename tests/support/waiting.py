"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MAX_ATTEMPTS = 3


def until(condition: Callable[[], T | None], what: str, *, timeout_s: float = 30) -> T:
    """Return the first true value of `condition`; fail when there is none in time.

    The default is for what comes at once unless it never comes, also on a busy machine.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.005)


def assert_takes_at_most(max_s: float, measure: Callable[[], float]) -> None:
    """Check that something takes at most so many seconds.

    Other work on the machine only adds time. So what took longer is measured again, and fails if
    it takes longer each time.
    """
    taken_s: list[float] = []
    while not taken_s or taken_s[-1] > max_s:
        assert len(taken_s) < MAX_ATTEMPTS, f"{taken_s} s, over {max_s} s each time"
        taken_s.append(measure())
