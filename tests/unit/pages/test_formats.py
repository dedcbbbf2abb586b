"""Times and durations as pages show them."""

from __future__ import annotations

import pytest

from qwicket.pages.formats import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (4.2e-8, "42 ns"),
        (0.0009996, "1 ms"),
        (0.9999, "1 s"),
        (1.5, "1.5 s"),
        (119.7, "2 min"),
        (7_300.0, "2 h 2 min"),
        (180_000.0, "2 days 2 h"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_fits(
    seconds: float | None, text: str
) -> None:
    assert duration(seconds) == text
