from __future__ import annotations

import itertools
import random

import pytest

from qwicket.scheduling.run_times import RunTimes, fit
from qwicket.store import EndedJob, QueueState, RunningJob, WaitingJob
from support.stores import NOW

EST_S = (0.0, 0.002, 1.0, 1e5)
RAN_S = (-3_600.0, 0.0, 1.0, 1e6)


def ended(est_s: float, ran_s: float) -> EndedJob:
    return EndedJob(est_s, NOW, NOW + round(1000 * ran_s))


def test_without_recent_jobs_the_estimates_count() -> None:
    assert fit([]) == RunTimes(0.0, 1.0)


@pytest.mark.parametrize("seed", range(10))
def test_what_tiny_jobs_take_beside_their_estimates_delays_no_long_job(seed: int) -> None:
    """Tiny jobs of 1 to 5 ms take 5 to 300 ms, most of which they wait for their batch."""
    rng = random.Random(seed)
    found = fit([ended(rng.uniform(0.001, 0.005), rng.uniform(0.005, 0.3)) for _ in range(100)])
    assert found.expected_s(0.002) == pytest.approx(0.15, abs=0.03)
    assert found.expected_s(100.0) == pytest.approx(100.0, rel=0.5)


def test_equal_jobs_of_a_second_tell_the_ratio() -> None:
    found = fit([ended(1.0, 2.5)] * 100)
    assert found.expected_s(1.0) == pytest.approx(2.5, rel=0.01)
    assert found.expected_s(60.0) == pytest.approx(150.0, rel=0.01)


@pytest.mark.parametrize("est_s", [0.002, 0.02, 0.2, 2.0])
def test_the_excess_of_equal_jobs_is_shared_as_both_priors_have_it(est_s: float) -> None:
    # The least (overhead / 0.25)² + ((ratio - 1) / 3)² where both together are the excess.
    found = fit([ended(est_s, est_s + 0.5)] * 100)
    by_ratio = (found.ratio - 1) * est_s
    assert found.overhead_s / by_ratio == pytest.approx(0.25**2 / (3 * est_s) ** 2)


def test_jobs_of_all_lengths_tell_overhead_and_ratio() -> None:
    lengths = (0.002, 0.05, 1.0, 30.0)
    found = fit([ended(est_s, 0.5 + 1.7 * est_s) for est_s in lengths * 25])
    assert found.overhead_s == pytest.approx(0.5, rel=0.03)
    assert found.ratio == pytest.approx(1.7, rel=0.03)


def test_without_an_overhead_the_ratio_is_that_of_the_sums() -> None:
    """Then the work that waits is right as a whole, whichever jobs err."""
    recent = [ended(20.0, 10.0), ended(40.0, 100.0), ended(60.0, 180.0)] * 33
    found = fit(recent)
    assert found.overhead_s == 0.0
    assert found.ratio == pytest.approx(290 / 120, rel=0.01)


def test_one_clock_that_was_set_decides_little() -> None:
    usual = [ended(0.002, 0.1)] * 50 + [ended(1.0, 1.0)] * 49
    for est_s, ran_s in itertools.product((0.002, 1.0), (-86_400.0, 86_400.0)):
        found = fit([*usual, ended(est_s, ran_s)])
        assert 0.0 <= found.expected_s(0.002) <= 0.6, (est_s, ran_s)
        assert 0.9 <= found.expected_s(1.0) <= 3.1, (est_s, ran_s)


@pytest.mark.parametrize(("ran_s", "believed_s"), [(-60.0, 0.01), (0.0, 0.01), (1e6, 100.0)])
def test_run_times_are_believed_within_a_factor_of_a_hundred(
    ran_s: float, believed_s: float
) -> None:
    assert fit([ended(1.0, ran_s)] * 100).expected_s(1.0) == pytest.approx(believed_s, rel=0.15)


def test_absurd_run_times_give_no_absurd_forecasts() -> None:
    pairs = [ended(*each) for each in itertools.product(EST_S, RAN_S)]
    for one, other in itertools.product(pairs, pairs):
        found = fit([one] * 50 + [other] * 50)
        assert 0.01 <= found.ratio <= 100
        assert 0.0 <= found.overhead_s <= 100


def test_a_corrected_queue_has_expected_run_times() -> None:
    waiting, running = WaitingJob("w", "ada", 1.0), RunningJob("r", 2.0, NOW)
    state = QueueState([waiting], [running], [], [ended(3.0, 9.0)], NOW)
    found = RunTimes(0.5, 2.0).correct(state)
    assert found.waiting == [waiting._replace(est_seconds=2.5)]
    assert found.running == [running._replace(est_seconds=4.5)]
    assert found.recent == [ended(3.0, 9.0)._replace(est_seconds=6.5)]
