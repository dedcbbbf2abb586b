from __future__ import annotations

import math

import pytest

from qwicket.clients.http import Polling, deadlines
from qwicket.clients.http.polling import rest_of_wait, wait_deadline
from support.given_clock import GivenClock


class Busy(Exception):
    pass


def test_pauses_grow_to_a_bound_and_the_last_poll_begins_a_quarter_second_before_the_end() -> None:
    clock = GivenClock()
    polling = Polling(11.0, 1.0, max_pause_s=4.0, growth=2.0, clock=clock)
    while polling.pause():
        pass
    assert clock.pauses_s == pytest.approx([1.0, 2.0, 4.0, 11.0 - 7.0 - 0.25, 0.25])


def test_without_a_timeout_there_is_always_a_next_poll() -> None:
    clock = GivenClock()
    polling = Polling(None, 1.0, max_pause_s=1.0, clock=clock)
    assert all(polling.pause() for _ in range(1000))
    assert polling.deadline == math.inf


def test_a_poll_ends_by_the_deadline() -> None:
    clock = GivenClock()
    polling = Polling(5.0, 1.0, clock=clock)
    clock.advance(3.0)
    assert polling.ask(lambda: deadlines.within(30.0), Busy) == 2.0


@pytest.mark.parametrize(("timeout", "limit_s"), [(0.0, 0.5), (0.4, 0.5), (0.6, 0.6)])
def test_the_first_poll_has_at_least_half_a_second(timeout: float, limit_s: float) -> None:
    clock = GivenClock()
    polling = Polling(timeout, 1.0, clock=clock)
    assert polling.ask(lambda: deadlines.within(30.0), Busy) == pytest.approx(limit_s)


def test_an_error_before_the_deadline_is_raised_and_one_at_the_deadline_is_no_answer() -> None:
    clock = GivenClock()
    polling = Polling(5.0, 1.0, clock=clock)

    def fails_after(seconds: float) -> None:
        clock.advance(seconds)
        raise Busy

    with pytest.raises(Busy):
        polling.ask(lambda: fails_after(4.9), Busy)
    assert polling.ask(lambda: fails_after(0.1), Busy) is None


@pytest.mark.parametrize(("used_s", "limit_s"), [(3.0, 2.0), (4.8, 0.5), (9.0, 0.5)])
def test_what_follows_a_wait_has_the_rest_of_it_but_at_least_half_a_second(
    used_s: float, limit_s: float
) -> None:
    clock = GivenClock()
    ends_at = wait_deadline(5.0, clock)
    clock.advance(used_s)
    with rest_of_wait(ends_at, Busy, TimeoutError("late"), clock):
        assert deadlines.within(30.0) == pytest.approx(limit_s)


@pytest.mark.parametrize(("after_s", "raised"), [(1.9, Busy), (2.0, TimeoutError)])
def test_what_follows_a_wait_is_late_only_at_the_deadline(
    after_s: float, raised: type[Exception]
) -> None:
    clock = GivenClock()
    ends_at = wait_deadline(5.0, clock)

    def fail_later() -> None:
        clock.advance(after_s)
        raise Busy

    clock.advance(3.0)
    with pytest.raises(raised), rest_of_wait(ends_at, Busy, TimeoutError("late"), clock):
        fail_later()
