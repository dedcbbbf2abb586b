from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from qwicket.model.reservations import Reservation, Window
from qwicket.pages.windows import MAX_ROWS, WIDTH, Row, rows, week

NOW = 1_760_000_000_000  # 2025-10-09 08:53:20 UTC
HOUR = 3_600_000
DAY = 24 * HOUR


def window(*names: str, begin: int = NOW, **changed: Any) -> Window:
    of: dict[str, Any] = {"kind": "reservation", "slots": None, "waiting_limit": None} | changed
    return Window(
        Reservation(
            id="w",
            device="d",
            agent_device=None,
            from_at=begin,
            until_at=begin + HOUR,
            drain_ms=0,
            is_exclusive=False,
            reason="",
            series=None,
            created_at=NOW,
            **of,
        ),
        names,
    )


@pytest.mark.parametrize(
    ("found", "name", "effect"),
    [
        (window(kind="maintenance"), "Maintenance", "The device is off: jobs wait."),
        (window(), "Reserved for others", "Your jobs wait."),
        (window("qec"), "Reserved for qec", "Your jobs of qec run; others wait."),
        (
            window(*"abcde"),
            "Reserved for a, b, c, 2 more",
            "Your jobs of a, b, c, 2 more run; others wait.",
        ),
        (window(slots=2), "Reserved for others", "2 slots are reserved; your jobs use the rest."),
        (
            window("qec", slots=1),
            "Reserved for qec",
            "1 slot is for jobs of qec; others use the rest.",
        ),
        (window(waiting_limit=3), "Exam for others", "You cannot submit jobs."),
        (
            window("qec", waiting_limit=3, withholds_results=True),
            "Exam for qec",
            "Only jobs of qec can be submitted, at most 3 of yours waiting at a time."
            " Results are shown after its end.",
        ),
    ],
)
def test_a_window_says_what_it_means_for_a_person(found: Window, name: str, effect: str) -> None:
    (row,) = rows([found])
    assert (row.name, row.effect) == (name, effect)


def test_the_first_windows_are_shown_in_their_order() -> None:
    found = rows([window(begin=NOW + k * HOUR) for k in range(MAX_ROWS + 5, 0, -1)])
    assert [each.begin for each in found] == [NOW + k * HOUR for k in range(1, MAX_ROWS + 1)]


def row(begin: int, until: int, reason: str = "laser") -> Row:
    return Row("maintenance", "Maintenance", reason, begin, until, "")


def test_a_week_begins_at_midnight_in_the_persons_zone() -> None:
    # 10:53:20 in Vienna.
    found = week([], NOW, ZoneInfo("Europe/Vienna"))
    assert [label for _, label in found.days][:3] == ["Thu 9", "Fri 10", "Sat 11"]
    assert [x for x, _ in found.days] == [100.0 * k for k in range(7)]
    assert found.now == pytest.approx(100 * (10 + 53 / 60 + 20 / 3600) / 24, abs=0.05)


def test_windows_are_bars_with_a_label_where_it_has_room() -> None:
    zone = ZoneInfo("UTC")
    midnight = NOW // DAY * DAY
    shown = [
        row(midnight - DAY, midnight + DAY),  # since yesterday
        row(midnight + 3 * DAY, midnight + 3 * DAY + HOUR),
        row(midnight + 3 * DAY + 2 * HOUR, midnight + 4 * DAY, "l" * 30),
        row(midnight + 6 * DAY, midnight + 9 * DAY),
        row(midnight + 8 * DAY, midnight + 9 * DAY),  # next week
    ]
    assert [(each.x, each.width, each.label) for each in week(shown, NOW, zone).bars] == [
        (0.0, 100.0, "laser"),
        (300.0, 4.2, ""),
        (308.3, 91.7, ""),
        (600.0, WIDTH - 600, ""),
    ]
