from __future__ import annotations

import pytest

from qwicket.model.devices import DeviceChange, DeviceChanges
from qwicket.pages.availability import DAYS, WIDTH, availability

NOW = 1_800_000_000_000
DAY = 86_400_000


def days(number: float) -> int:
    """Return a time so many days ago."""
    return NOW - round(number * DAY)


def test_without_records_there_is_nothing_to_draw() -> None:
    assert availability(DeviceChanges(NOW, [], [])) == ([], [], None)


def test_spans_follow_the_changes_the_end_of_a_status_and_the_agents() -> None:
    changes = [
        DeviceChange(days(1), "online"),
        DeviceChange(days(2), "away"),
        DeviceChange(days(5), "on"),
        DeviceChange(days(6), "draining", "soon off"),
        DeviceChange(days(10), "off", "cold", days(9)),
    ]
    closed = [DeviceChange(days(4), "off", "", days(3))]
    found = availability(DeviceChanges(NOW, changes, closed))
    assert [(each.begin, each.status, each.reason) for each in found.rows] == [
        (days(1), "on", ""),
        (days(2), "away", ""),
        (days(3), "on", ""),
        (days(4), "off", "maintenance"),
        (days(5), "on", ""),
        (days(6), "draining", "soon off"),
        (days(9), "on", ""),
        (days(10), "off", "cold"),
    ]
    assert found.share == pytest.approx(0.6)
    assert [each.status for each in found.bars] == [each.status for each in found.rows[::-1]]
    assert found.bars[0].x == WIDTH * (DAYS - 10) / DAYS
    assert found.bars[-1].x + found.bars[-1].width == WIDTH


def test_a_change_of_before_goes_on() -> None:
    found = availability(DeviceChanges(NOW, [DeviceChange(days(90), "off", "cold")], []))
    (row,) = found.rows
    assert (row.begin, row.end, row.status, found.share) == (days(DAYS), NOW, "off", 0.0)
