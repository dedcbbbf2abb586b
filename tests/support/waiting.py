"""Waiting for a condition with a deadline, instead of sleeping for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

QUIET = 0.1
"""Share of the machine's processors that are busy at most before something is timed."""

PROMPT_S = 30
"""Bound for what a server promises to do at once, such as to notice that a client has gone."""


def until(condition: Callable[[], T | None], what: str, *, timeout_s: float = 30) -> T:
    """Return the first true value of `condition`; fail if it is never true in time.

    The default is no bound of the product: it ends a test that would otherwise wait for ever, for
    example for a running job.
    """
    began = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited_s = time.monotonic() - began
        assert waited_s < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(min(max(waited_s / 20, 0.005), 0.2))  # asking takes a processor's time, too


def until_machine_is_quiet(timeout_s: float) -> bool:
    """Wait until others leave the processors free; return whether they did."""
    deadline = time.monotonic() + timeout_s
    while _busy_share(0.3) > QUIET:
        if time.monotonic() >= deadline:
            return False
    return True


def _busy_share(span_s: float) -> float:
    before = _ticks()
    time.sleep(span_s)
    spent = [after - first for after, first in zip(_ticks(), before, strict=True)]
    idle, awaits_disk = spent[3:5]
    return 1 - (idle + awaits_disk) / max(sum(spent), 1)


def _ticks() -> list[int]:
    """Return how long all processors did what, in the order of proc(5)."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    return [int(each) for each in line.split()[1:9]]
