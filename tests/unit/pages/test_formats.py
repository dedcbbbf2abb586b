"""Times and durations as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import jinja2
import pytest

from qwicket.pages.formats import FILTERS, duration

NOW = datetime(2026, 11, 29, 0, 30, tzinfo=UTC)  # 01:30 in Vienna


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


@pytest.mark.parametrize(
    ("zone", "at", "text"),
    [
        ("UTC", datetime(2026, 11, 29, 0, 5, tzinfo=UTC), "00:05"),
        ("UTC", datetime(2026, 11, 28, 23, 5, tzinfo=UTC), "Yesterday 23:05"),
        ("Europe/Vienna", datetime(2026, 11, 28, 23, 5, tzinfo=UTC), "00:05"),
        ("UTC", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2 Jan 03:04"),
        ("UTC", datetime(2025, 12, 31, 3, 4, tzinfo=UTC), "31 Dec 2025 03:04"),
    ],
)
def test_a_time_is_of_the_persons_day_with_the_exact_time_beside_it(
    zone: str, at: datetime, text: str
) -> None:
    environment = jinja2.Environment(autoescape=True)
    environment.filters |= FILTERS
    values = {"at": 1000 * at.timestamp(), "now": 1000 * NOW.timestamp(), "zone": ZoneInfo(zone)}
    made = environment.from_string("{{ at | when }}").render(values)
    exact = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    title = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    assert made == f'<time datetime="{exact}" title="{title}">{text}</time>'
