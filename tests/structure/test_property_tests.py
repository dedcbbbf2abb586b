"""What holds for each property test."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st


def test_no_example_is_timed() -> None:
    """A machine that stands still for a moment makes no property test fail."""
    slow = iter([0.3])

    @given(st.integers())
    def once_slow(number: int) -> None:
        time.sleep(next(slow, 0))

    once_slow()
