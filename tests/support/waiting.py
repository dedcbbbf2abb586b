"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PROMPT_S = 10
"""Bound for what a server promises to do at once, such as to notice that a client has gone."""


def until(condition: Callable[[], T | None], what: str, *, timeout_s: float = 30) -> T:
    """Return the first true value of `condition`; fail if it is never true in time.

    The default promises nothing: it is for what the test itself waits for, such as a running job,
    and ends a test that would wait for ever.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.005)
