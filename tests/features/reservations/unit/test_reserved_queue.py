"""Forecasts of a queue with reservations and maintenance windows."""

from __future__ import annotations

import time
from typing import Any

import pytest

from qwicket.model.reservations import Reservation
from qwicket.scheduling.forecast import Forecast, simulate_queue
from qwicket.store import ProjectShare, QueueState, RunningJob, WaitingJob
from support.reservations import window as any_window
from support.stores import NOW

ADA, BOB = ProjectShare("ada", 0.0, 1), ProjectShare("bob", 0.0, 1)


def window(from_s: float, until_s: float, *projects: str, **changes: Any) -> Reservation:
    return any_window(
        kind="reservation" if projects else "maintenance",
        from_at=int(NOW + 1000 * from_s),
        until_at=int(NOW + 1000 * until_s),
        projects=projects,
        **changes,
    )


def jobs(project: str, number: int, est_seconds: float = 1.0) -> list[WaitingJob]:
    return [WaitingJob(f"{project}{n}", project, est_seconds) for n in range(number)]


def forecast(
    waiting: list[WaitingJob],
    *windows: Reservation,
    slots: int = 1,
    running: tuple[RunningJob, ...] = (),
) -> Forecast:
    shares = [ADA, BOB, *(ProjectShare(f"p{n}-", 0.0, 1) for n in range(200))]
    state = QueueState(waiting, list(running), shares, [], NOW, windows=windows)
    return simulate_queue(state, slots, NOW)


def starts(found: Forecast) -> dict[str, float | None]:
    return {job: position.start_in_s for job, position in found.positions.items()}


def test_jobs_of_others_start_at_the_end_of_the_window() -> None:
    found = forecast(jobs("ada", 2) + jobs("bob", 2), window(0, 100, "ada"))
    assert starts(found) == {"ada0": 0.0, "ada1": 1.0, "bob0": 100.0, "bob1": 101.0}
    assert [position.ahead for position in found.positions.values()] == [0, 1, 2, 3]
    assert found.start_in_s == 102.0
    assert found.new_job_start_in_s("ada") == 2.0
    assert found.new_job_start_in_s("bob") == 102.0
    assert found.position_with_interval("bob0") == found.positions["bob0"], "without an interval"


def test_a_job_submitted_now_waits_for_the_end_unless_it_is_of_a_project() -> None:
    found = forecast([], window(0, 100, "ada"))
    assert (found.start_in_s, found.new_job_start_in_s("ada")) == (100.0, 0.0)


def test_a_maintenance_window_delays_all() -> None:
    found = forecast(jobs("ada", 1), window(0, 50), window(50, 80))
    assert starts(found) == {"ada0": 80.0}
    assert found.start_in_s == 81.0


def test_long_jobs_wait_before_the_window_and_short_ones_do_not() -> None:
    waiting = [WaitingJob("long", "bob", 60.0), WaitingJob("short", "bob", 5.0)]
    found = forecast(waiting, window(100, 200, "ada"))
    assert starts(found) == {"short": 0.0, "long": 200.0}


def test_others_use_the_slots_that_are_left() -> None:
    running = (RunningJob("r", 10.0, NOW, "bob"),)
    found = forecast(jobs("bob", 2, 5.0), window(0, 100, "ada", slots=2), slots=3, running=running)
    assert starts(found) == {"bob0": 10.0, "bob1": 15.0}
    assert found.new_job_start_in_s("ada") == 0.0


def test_a_clock_that_was_set_back_makes_no_running_job_longer() -> None:
    running = (RunningJob("r", 10.0, NOW + 3_600_000, "bob"),)
    found = forecast(jobs("bob", 1), window(0, 9_000, "ada", slots=1), slots=2, running=running)
    assert starts(found) == {"bob0": 10.0}


@pytest.mark.parametrize("windows", [(), (window(500, 600, "ada"),)])
def test_a_window_that_delays_nothing_changes_nothing(windows: tuple[Reservation, ...]) -> None:
    waiting = jobs("ada", 3) + jobs("bob", 3)
    found = forecast(waiting, *windows)
    assert found.positions == forecast(waiting).positions
    assert found.intervals is not None


def test_thousands_of_jobs_of_others_cost_a_forecast_little() -> None:
    waiting = [job for n in range(200) for job in jobs(f"p{n}-", 20)] + jobs("ada", 1_000)
    began = time.process_time()
    found = forecast(waiting, window(0, 10_000, "ada"), slots=4)
    assert len(found.positions) == 5_000
    assert time.process_time() - began < 2.0
    began = time.process_time()
    forecast(waiting, window(0, 10_000, "ada", slots=2), slots=4)
    assert time.process_time() - began < 5.0


def test_jobs_that_waited_for_the_end_keep_their_order() -> None:
    long, short = jobs("bob", 3, 60.0), [WaitingJob(f"s{n}", "bob", 1.0) for n in range(2)]
    found = forecast(long[:2] + short + long[2:], window(100, 200, "ada"))
    assert starts(found) == {"s0": 0.0, "s1": 1.0, "bob0": 200.0, "bob1": 260.0, "bob2": 320.0}
