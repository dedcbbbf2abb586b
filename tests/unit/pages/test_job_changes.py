"""The number of jobs that a change of all that match concerns, in words."""

from __future__ import annotations

import pytest

from qwicket.pages.job_changes import render_count


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 jobs"),
        (1, "1 job"),
        (10_000, "10,000 jobs"),
        (10_001, "10,001 jobs"),
    ],
)
def test_a_number_past_the_limit_is_not_shown_as_exact(number: int, text: str) -> None:
    assert render_count(number, is_open=False) == text


def test_a_number_above_the_limit_is_said_to_be_one() -> None:
    assert render_count(10_001, is_open=True) == "more than 10,000 jobs"
