from __future__ import annotations

from qwicket.circuits.calibrations import Medians
from qwicket.pages.calibrations import DAYS, Entry, in_force, trends
from qwicket.store.calibrations import CalibrationTime

NOW = 1_760_000_000_000
DAY = 86_400_000


def at(days: float, name: str = "") -> CalibrationTime:
    return CalibrationTime(name or str(days), NOW - round(days * DAY))


def test_calibrations_that_others_replaced_before_they_were_valid_were_never_in_force() -> None:
    last_added_first = [at(1), at(0.5), at(1, "replaced"), at(7), at(40), at(35), at(90)]
    found = in_force(last_added_first, NOW - DAYS * DAY)
    assert [each.id for each in found] == ["1", "7", "40"]
    assert in_force([], NOW) == []


def entry(days: float, error: float) -> Entry:
    return Entry(str(days), NOW - round(days * DAY), "", Medians(error, 0.02, 0.001, 1.0, 0.5))


def test_a_trend_goes_from_the_first_day_until_now() -> None:
    found = {each.name: each for each in trends([entry(90, 0.2), entry(15, 0.1)], NOW)}
    errors = found["readout_error"]
    assert errors.points == ((0.0, 4.0), (150.0, 32.0), (300.0, 32.0))
    assert (errors.low, errors.high, errors.last) == (0.1, 0.2, 0.1)
    assert found["t1_s"].points == ((0.0, 18.0), (150.0, 18.0), (300.0, 18.0))
    assert [*found] == [*Medians._fields]
