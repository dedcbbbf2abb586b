"""Waiting for a condition with a deadline, instead of sleeping for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PROMPT_S = 10
"""Bound for what a server promises to do at once, such as to notice that a client has gone."""


def until(condition: Callable[[], T | None], what: str, *, timeout_s: float = 30) -> T:
    """Return the first true value of `condition`; fail if it is never true in time.

    The default is no bound of the product: it ends a test that would otherwise wait for ever, for
    example for a running job.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.005)
