from __future__ import annotations

import math
import random

import pytest
from benchmarks.forecast import KINDS, QUICK, SEED, Simulation, scores, within

from qwicket.scheduling.dispatcher import EXPRESS_DELAY_S
from qwicket.scheduling.forecast import Forecast, simulate_queue
from qwicket.scheduling.start_intervals import Interval
from qwicket.store import EndedJob, ProjectShare, QueueState, RunningJob, WaitingJob
from support.stores import NOW

ADA, BOB = ProjectShare("ada", 0.0, 1), ProjectShare("bob", 0.0, 1)


def ended(
    ratios: list[float], est_s: float = 1.0, project: str = "ada", arrived_s: float = 1e6
) -> list[EndedJob]:
    """Return jobs whose run times were these multiples of their estimates."""
    began, queued = NOW - 1_000_000, NOW - int(1000 * arrived_s)
    return [
        EndedJob(est_s, began, began + int(1000 * est_s * ratio), project, 0, queued)
        for ratio in ratios
    ]


EXACT = ended([1.0] * 100)


def queue(
    number: int = 3,
    running: int = 1,
    recent: list[EndedJob] = EXACT,
    others: list[WaitingJob] | None = None,
) -> QueueState:
    waiting = [WaitingJob(f"ada{n}", "ada", 10.0) for n in range(number)]
    runs = [RunningJob(f"r{n}", 10.0, NOW, "ada") for n in range(running)]
    shares = [ADA, BOB] if others else [ADA]
    return QueueState(waiting + (others or []), runs, shares, recent, NOW, [])


def interval(forecast: Forecast, job: str) -> Interval:
    place = forecast.position_with_interval(job)
    assert place is not None
    assert place.interval is not None
    return place.interval


def width(forecast: Forecast, job: str) -> float:
    earliest_s, latest_s = interval(forecast, job)
    return latest_s - earliest_s


@pytest.mark.parametrize("seed", range(20))
def test_intervals_are_ordered_and_contain_the_expected_start(seed: int) -> None:
    rng = random.Random(seed)
    recent = ended([rng.lognormvariate(0.3, 0.6) for _ in range(rng.choice((0, 1, 5, 100)))])
    waiting = [
        WaitingJob(f"j{n}", project, rng.lognormvariate(0, 2), project, rng.choice((None, n)))
        for n, project in enumerate(sorted(rng.choices(("ada", "bob"), k=40)))
    ]
    running = [
        RunningJob(f"r{n}", rng.lognormvariate(0, 2), NOW - rng.randrange(100_000), "ada")
        for n in range(rng.randrange(5))
    ]
    state = QueueState(waiting, running, [ADA, BOB], recent, NOW - 1_000, [])
    off_s = rng.choice((0.0, 0.0, 7.5))
    forecast = simulate_queue(state, rng.choice((1, 3)), NOW, rng.choice((0, 1)), off_s)
    assert len(forecast.positions) == 40
    for job in forecast.positions:
        place = forecast.position_with_interval(job)
        assert place is not None
        assert place.interval is not None
        assert place.start_in_s is not None
        earliest_s, latest_s = place.interval
        assert off_s <= earliest_s <= place.start_in_s <= latest_s < math.inf
    assert forecast.start_in_s is not None
    assert forecast.new_job_interval is not None
    assert (
        forecast.new_job_interval.earliest_s
        <= forecast.start_in_s
        <= forecast.new_job_interval.latest_s
    )


def test_a_job_that_starts_now_has_no_uncertainty() -> None:
    forecast = simulate_queue(queue(1, running=1), 2, NOW)
    assert interval(forecast, "ada0") == (0.0, 0.0)
    assert simulate_queue(queue(0, running=0), 1, NOW).new_job_interval == (0.0, 0.0)


def test_an_interval_widens_with_the_number_of_jobs_ahead() -> None:
    forecast = simulate_queue(queue(20), 1, NOW)
    widths = [width(forecast, f"ada{n}") for n in range(20)]
    assert widths == sorted(widths)
    assert widths[19] > 2 * widths[0] > 0


def test_an_interval_widens_with_the_spread_of_run_times() -> None:
    widths = [
        width(simulate_queue(queue(recent=ended([low, 2 - low] * 50)), 1, NOW), "ada2")
        for low in (1.0, 0.8, 0.5, 0.1)
    ]
    assert widths == sorted(set(widths))


def test_an_interval_narrows_with_what_is_known() -> None:
    widths = [
        width(simulate_queue(queue(recent=EXACT[:number]), 1, NOW), "ada2")
        for number in (0, 5, 100)
    ]
    assert widths == sorted(set(widths), reverse=True)
    assert widths[2] < 5.0  # of an expected start in 30 s


def test_the_rest_of_a_running_job_has_its_exact_quantiles() -> None:
    # Run times of one project, each twice the estimate or half of it: the ratio is 1.25, and the
    # logarithms have a known spread. A job that has just begun then has log-normal quantiles.
    ratios = [2.0, 0.5] * 50
    forecast = simulate_queue(queue(1, recent=ended(ratios)), 1, NOW)
    variance = (2 * math.log(2) ** 2 / 2 + 100 * math.log(2) ** 2) / (2 + 99)
    spread = math.sqrt(variance)
    median = 12.5 * math.exp(-(spread**2) / 2)
    earliest_s, latest_s = interval(forecast, "ada0")
    assert earliest_s == pytest.approx(median * math.exp(-1.28 * spread), rel=0.1)
    assert latest_s == pytest.approx(median * math.exp(1.28 * spread), rel=0.1)


def test_a_running_job_that_is_late_may_take_longer_still() -> None:
    late = QueueState(
        [WaitingJob("ada0", "ada", 1.0)],
        [RunningJob("r", 10.0, NOW - 30_000, "ada")],
        [ADA],
        ended([0.5, 1.5] * 50),
        NOW,
        [],
    )
    forecast = simulate_queue(late, 1, NOW)
    assert forecast.positions["ada0"].start_in_s == 0.0
    earliest_s, latest_s = interval(forecast, "ada0")
    assert earliest_s == 0.0
    assert 1.0 < latest_s < 100.0


def test_jobs_of_projects_with_less_use_arrive_and_start_earlier() -> None:
    """Bob's jobs have arrived all the time, and he has used less."""

    def latest_s(vtime: float) -> float:
        recent = EXACT[:50] + ended([1.0] * 50, 10.0, "bob", arrived_s=500.0)
        state = queue(recent=recent)._replace(idle_shares=[ProjectShare("bob", vtime, 1)])
        state = state._replace(shares=[ProjectShare("ada", 500.0, 1)])
        return interval(simulate_queue(state, 1, NOW), "ada2").latest_s

    assert latest_s(vtime=0.0) > 1.3 * latest_s(vtime=600.0)


def test_errors_of_a_project_that_is_never_ahead_do_not_count() -> None:
    behind = [WaitingJob(f"bob{n}", "bob", 100.0) for n in range(20)]
    used = [ADA, ProjectShare("bob", 1e6, 1)]
    alone = simulate_queue(queue(), 1, NOW)
    beside = simulate_queue(queue(others=behind)._replace(shares=used), 1, NOW)
    assert width(beside, "ada2") >= width(alone, "ada2") * 0.99
    assert beside.positions["ada2"] == alone.positions["ada2"]


def test_a_device_that_is_off_starts_nothing_before_it_is_on() -> None:
    forecast = simulate_queue(queue(), 1, NOW, off_s=3_600.0)
    assert interval(forecast, "ada0").earliest_s == 3_600.0
    assert interval(forecast, "ada2").earliest_s >= 3_600.0
    assert forecast.start_in_s is not None
    assert forecast.start_in_s > 3_600.0


def test_without_slots_there_is_no_interval() -> None:
    forecast = simulate_queue(queue(), 0, NOW)
    assert forecast.new_job_interval is None
    place = forecast.position_with_interval("ada0")
    assert place is not None
    assert (place.start_in_s, place.interval) == (None, None)
    assert forecast.position_with_interval("unknown") is None


def test_the_express_slot_waits_for_its_pause() -> None:
    short = [WaitingJob("bob0", "bob", 0.1, "bob", 0)]
    forecast = simulate_queue(queue(others=short), 1, NOW, express_slots=1)
    assert forecast.positions["bob0"].start_in_s == 0.0
    assert interval(forecast, "bob0").latest_s == pytest.approx(EXPRESS_DELAY_S, abs=0.01)


def test_four_of_five_simulated_jobs_start_within_their_intervals() -> None:
    for of in scores(QUICK // 5, SEED + 100):
        assert len(of) > 100
    found = [score for of in scores(QUICK // 5, SEED + 100) for score in of]
    assert 0.7 <= within(found) <= 0.9


def test_the_simulation_knows_what_the_server_knows() -> None:
    """The forecast sees no true run time: other true times give the same forecast."""
    one, other = (Simulation(KINDS[1], random.Random(SEED), 300) for _ in range(2))
    for each in (one, other):
        each.run()
    assert one.scores == other.scores, "a seed gives the same run"
    fields = {*WaitingJob._fields, *RunningJob._fields}
    assert not any("true" in name for name in fields)
