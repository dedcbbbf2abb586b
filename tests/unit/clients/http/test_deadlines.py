from __future__ import annotations

import pytest

from qwicket.clients.http import SYSTEM_CLOCK, deadlines, ends_by
from support.given_clock import GivenClock


def test_the_time_limit_of_a_request_is_what_is_left_until_the_deadline() -> None:
    clock = GivenClock()
    with ends_by(clock.monotonic() + 5.0, clock):
        assert deadlines.within(30.0) == 5.0
        assert deadlines.within(2.0) == 2.0
        clock.advance(4.0)
        assert deadlines.within(30.0) == 1.0
        assert not deadlines.has_passed()
        clock.advance(1.0)
        assert deadlines.within(30.0) == 0.001
        assert deadlines.has_passed()


@pytest.mark.parametrize(("outer_s", "inner_s"), [(2.0, 5.0), (5.0, 2.0), (2.0, float("inf"))])
def test_the_earlier_of_two_deadlines_prevails(outer_s: float, inner_s: float) -> None:
    clock = GivenClock()
    now_s = clock.monotonic()
    with ends_by(now_s + outer_s, clock):
        with ends_by(now_s + inner_s, clock):
            assert deadlines.current() == now_s + 2.0
        assert deadlines.current() == now_s + outer_s


def test_without_a_deadline_a_limit_stays_and_time_is_the_machines() -> None:
    with ends_by(float("inf"), GivenClock()):
        assert deadlines.within(30.0) == 30.0
        assert not deadlines.has_passed()
        assert deadlines.current_clock() is SYSTEM_CLOCK
