"""The number of jobs that a change of all that match concerns, in words."""

from __future__ import annotations

import pytest

from qwicket.pages.jobs import render_count


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 jobs"),
        (1, "1 job"),
        (10_000, "10,000 jobs"),
        (10_001, "more than 10,000 jobs"),
        (20_002, "more than 10,000 jobs"),
    ],
)
def test_a_number_past_the_limit_is_not_shown_as_exact(number: int, text: str) -> None:
    assert render_count(number) == text
