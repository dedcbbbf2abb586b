from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.clients.http import RetryPolicy, ends_by, retry, retry_after_s
from support.given_clock import GivenClock

# 1994-11-06 08:49:37 UTC, the date of RFC 9110's examples (5.6.7), as `date -u -d … +%s` gives it.
EXAMPLE = "Sun, 06 Nov 1994 08:49:37 GMT"
EXAMPLE_S = 784111777.0


def test_pauses_double_from_try_to_try() -> None:
    retry_policy = RetryPolicy(first_pause_s=0.4, max_pause_s=30.0)
    pauses = [retry_policy.pause_s(tried, 0.0, 1.0) for tried in (1, 2, 3, 4)]
    assert pauses == pytest.approx([0.4, 0.8, 1.6, 3.2])


def test_chance_shortens_a_pause_to_half_at_most() -> None:
    retry_policy = RetryPolicy(first_pause_s=1.0)
    assert retry_policy.pause_s(1, 0.0, 0.0) == 0.5
    assert retry_policy.pause_s(1, 0.0, 1.0) == 1.0


def test_what_the_server_asks_for_is_the_least_pause() -> None:
    assert RetryPolicy().pause_s(1, 7.0, 0.0) == 7.0


def test_a_huge_retry_after_is_capped() -> None:
    assert RetryPolicy(max_pause_s=30.0).pause_s(1, 1e9, 0.5) == 30.0


def test_the_pause_after_very_many_tries_is_capped() -> None:
    assert RetryPolicy(max_pause_s=10.0).pause_s(1000, 0.0, 1.0) == 10.0


@pytest.mark.parametrize("text", ["120", " 120 ", "000000120"])
def test_retry_after_in_seconds(text: str) -> None:
    assert retry_after_s({"Retry-After": text}, now_s=0.0) == 120.0


def test_retry_after_as_a_date_counts_from_the_servers_own_date() -> None:
    headers = {"Retry-After": EXAMPLE, "Date": "Sun, 06 Nov 1994 08:48:37 GMT"}
    assert retry_after_s(headers, now_s=0.0) == 60.0


@pytest.mark.parametrize(
    "text", [EXAMPLE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 09:49:37 +0100"]
)
def test_retry_after_as_a_date_counts_from_now_when_the_server_says_no_date(text: str) -> None:
    assert retry_after_s({"Retry-After": text}, now_s=EXAMPLE_S - 5) == pytest.approx(5.0)


def test_a_retry_after_in_the_past_asks_for_nothing() -> None:
    assert retry_after_s({"Retry-After": EXAMPLE}, now_s=EXAMPLE_S + 5) == 0.0


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1.5", "nan", "١٢", "Sun, 99 Nov 1994 08:49:37 GMT", ",", "1 2 3 4"]
)
def test_a_retry_after_that_says_nothing_asks_for_nothing(text: str) -> None:
    assert retry_after_s({"Retry-After": text}, now_s=0.0) == 0.0


def test_no_retry_after_asks_for_nothing() -> None:
    assert retry_after_s({}, now_s=0.0) == 0.0


@given(st.text(), st.text(), st.integers(min_value=1))
def test_whatever_the_headers_say_the_pause_is_within_bounds(
    retry_after: str, date: str, tried: int
) -> None:
    requested_s = retry_after_s({"Retry-After": retry_after, "Date": date}, now_s=EXAMPLE_S)
    retry_policy = RetryPolicy(max_pause_s=30.0)
    assert 0.0 <= retry_policy.pause_s(tried, requested_s, 0.5) <= 30.0


POLICY = RetryPolicy(max_attempts=3, total_s=50.0, first_pause_s=4.0)


class Busy(Exception):
    pass


class Attempts:
    """Fails with these errors, one after the other, and then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.lefts_s: list[float] = []

    def __call__(self, left_s: float) -> str:
        self.lefts_s.append(left_s)
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def requested_s(error: Exception) -> float | None:
    return 0.0 if isinstance(error, Busy) else None


def test_an_attempt_is_repeated_while_that_may_help() -> None:
    attempts = Attempts(Busy(), Busy())
    assert retry(POLICY, attempts, requested_s, GivenClock()) == "done"
    assert len(attempts.lefts_s) == 3


def test_each_attempt_receives_the_remaining_time() -> None:
    attempts, clock = Attempts(Busy(), Busy()), GivenClock()
    retry(POLICY, attempts, requested_s, clock)
    first_s, second_s = clock.pauses_s
    assert 2.0 <= first_s <= 4.0 <= second_s <= 8.0
    lefts_s = [50.0, 50.0 - first_s, 50.0 - first_s - second_s]
    assert attempts.lefts_s == pytest.approx(lefts_s)


def test_a_pause_is_as_long_as_the_server_asks() -> None:
    clock = GivenClock()
    retry(POLICY, Attempts(Busy(), Busy()), lambda _: 20.0, clock)
    assert clock.pauses_s == [20.0, 20.0]


@pytest.mark.parametrize("has_deadline", [False, True])
def test_the_last_attempt_begins_when_the_time_is_over(has_deadline: bool) -> None:
    """Either the policy bounds the time, or a deadline that is earlier."""
    clock = GivenClock()
    attempts = Attempts(*[Busy()] * 100)
    policy = RetryPolicy(max_attempts=100, total_s=1000.0 if has_deadline else 50.0)
    ends_at = clock.monotonic() + (50.0 if has_deadline else 1000.0)
    with ends_by(ends_at, clock), pytest.raises(Busy):
        retry(policy, attempts, lambda _: 20.0, clock)
    assert clock.pauses_s == [20.0, 20.0, 10.0]
    assert attempts.lefts_s == [50.0, 30.0, 10.0, 0.0]


def test_the_last_error_is_raised_after_the_last_attempt() -> None:
    last = Busy("last")
    with pytest.raises(Busy) as caught:
        retry(POLICY, Attempts(Busy(), Busy(), last, Busy()), requested_s, GivenClock())
    assert caught.value is last
    assert last.__context__ is None


def test_a_permanent_error_is_raised_at_once() -> None:
    attempts, clock = Attempts(Busy(), KeyError(), Busy()), GivenClock()
    with pytest.raises(KeyError):
        retry(POLICY, attempts, requested_s, clock)
    assert (len(attempts.lefts_s), len(clock.pauses_s)) == (2, 1)


def test_no_attempt_begins_when_the_time_is_over() -> None:
    attempts = Attempts(Busy())
    with pytest.raises(Busy):
        retry(RetryPolicy(total_s=0.0), attempts, requested_s, GivenClock())
    assert len(attempts.lefts_s) == 1
