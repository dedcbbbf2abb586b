from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.devices import DeviceFile, built_in
from qwicket.model.budgets import (
    MAX_STORED,
    NO_USE,
    PERIODS,
    Budget,
    BudgetPeriod,
    Use,
    period_end,
    period_start,
    use,
)
from qwicket.model.devices import DeviceCost
from qwicket.model.errors import BudgetSpent

NOW = 1_760_000_000_000
"""Thursday, 2025-10-09T08:53:20Z."""
moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(
    lambda at: at.replace(tzinfo=UTC)
)


def ms(at: datetime) -> int:
    return round(1000 * at.timestamp())


@given(moments)
def test_periods_are_those_of_the_calendar(at: datetime) -> None:
    """`isocalendar` of the standard library knows the weeks."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = date.fromisocalendar(*at.isocalendar()[:2], 1)
    starts: dict[BudgetPeriod, datetime] = {
        "day": midnight,
        "week": datetime(monday.year, monday.month, monday.day, tzinfo=UTC),
        "month": midnight.replace(day=1),
    }
    for period, start in starts.items():
        assert period_start(period, ms(at)) == ms(start)
        end = period_end(period, ms(start))
        assert end is not None
        assert period_start(period, end) == end, "the end is a beginning"
        assert period_start(period, end - 1) == ms(start), "and no beginning is between"
    assert period_start("total", ms(at)) == 0
    assert period_end("total", 0) is None


def budget(period: BudgetPeriod, maximum: int = 10, used: int = 0) -> Budget:
    begun_at = period_start(period, NOW)
    return Budget("id", "p", "", "jobs", period, maximum, used, begun_at, NOW)


JOB = Use(jobs=1, shots=100, seconds=5, cost=7)


@pytest.mark.parametrize("period", PERIODS)
def test_a_budget_is_taken_to_its_last_unit_and_no_further(period: BudgetPeriod) -> None:
    last = budget(period, used=9).take(JOB, "ada", NOW)
    assert last.used == 10
    with pytest.raises(BudgetSpent, match="10 jobs"):
        last.take(JOB, "ada", NOW)


def test_a_clock_that_is_behind_begins_no_period_again() -> None:
    tomorrow = NOW + 86_400_000
    taken = budget("day", used=10).take(JOB, "ada", tomorrow)
    assert (taken.used, taken.begun_at) == (1, period_start("day", tomorrow))
    again = taken.take(JOB, "ada", NOW)
    assert (again.used, again.begun_at) == (2, taken.begun_at)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=50))
def test_what_is_reserved_and_given_back_leaves_exactly_nothing(seconds: list[float]) -> None:
    cost = DeviceCost(per_job=0.1, per_shot=0.01, per_second=0.3)
    uses = [use(1, 100, each, cost) for each in seconds]
    total = sum(uses, NO_USE)
    for each in uses:
        total = Use(*(a - b for a, b in zip(total, each, strict=True)))
    assert total == NO_USE


def test_a_cost_is_the_sum_of_its_three_parts() -> None:
    # 2 × 1.5 + 100 × 0.01 + 0.5 × 4 = 6
    assert DeviceCost(per_job=1.5, per_shot=0.01, per_second=4).of(2, 100, 0.5) == 6.0
    assert use(1, 1, 0.0, None).cost == 0
    assert use(1, 10**18, 1e300, DeviceCost(per_second=1e6)) == (1, *3 * (MAX_STORED,))


def test_a_device_file_has_a_cost_in_its_specification() -> None:
    (simulator,) = [each for each in built_in() if each.name == "simulator"]
    assert simulator.spec.cost is None
    text = msgspec.json.encode(simulator)
    fields = msgspec.json.decode(text) | {"dialects": None}
    fields["spec"]["cost"] = {"per_shot": 0.01}
    found = msgspec.convert(fields, DeviceFile)
    assert found.spec.cost == DeviceCost(per_shot=0.01)
    for wrong in ({"per_shot": -1}, {"per_shot": 2e6}, {"per_minute": 1}, {"per_shot": "1"}):
        fields["spec"]["cost"] = wrong
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(fields, DeviceFile)


def test_one_of_a_unit_is_in_the_singular() -> None:
    assert budget("day", maximum=1).title("ada") == "1 job a day for the project ada"
    assert budget("day", maximum=2).title("ada") == "2 jobs a day for the project ada"
