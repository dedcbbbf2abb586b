from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwicket.model.devices import Device, DeviceSpec, DeviceStatus
from qwicket.model.fair_share import HALF_LIFE_S
from qwicket.model.jobs import Runner
from qwicket.scheduling import Crowd, Forecaster, QueuePosition, forecast
from qwicket.scheduling.forecast import Forecast, simulate_queue
from qwicket.scheduling.run_times import RunTimes
from qwicket.scheduling.start_intervals import Interval
from qwicket.store import (
    EndedJob,
    MemberShare,
    ProjectShare,
    QueueState,
    RunningJob,
    WaitingJob,
)
from support.stores import NOW, add_job, make_token, open_new_sqlite

ADA, BOB = ProjectShare("ada", 0.0, 1), ProjectShare("bob", 0.0, 1)


def line(
    waiting: list[WaitingJob] | None = None,
    running: list[RunningJob] | None = None,
    shares: list[ProjectShare] | None = None,
    recent: list[EndedJob] | None = None,
) -> QueueState:
    return QueueState(waiting or [], running or [], shares or [ADA, BOB], recent or [], NOW)


def jobs(project: str, number: int, est_seconds: float = 1.0) -> list[WaitingJob]:
    return [WaitingJob(f"{project}{n}", project, est_seconds) for n in range(number)]


def order(positions: dict[str, QueuePosition]) -> list[str]:
    return sorted(positions, key=lambda job: positions[job].ahead)


def test_an_empty_queue_starts_a_job_now() -> None:
    assert simulate_queue(line(), 2, NOW)[:3] == ({}, 0.0, RunTimes(0.0, 1.0))


def test_jobs_of_one_project_start_one_after_the_other() -> None:
    positions = simulate_queue(line(jobs("ada", 4, 3.0)), 1, NOW).positions
    assert [positions[f"ada{n}"] for n in range(4)] == [QueuePosition(n, 3.0 * n) for n in range(4)]


def test_slots_run_side_by_side() -> None:
    forecast = simulate_queue(line(jobs("ada", 4, 3.0)), 2, NOW)
    assert [position.start_in_s for position in forecast.positions.values()] == [0.0, 0.0, 3.0, 3.0]
    assert forecast.start_in_s == 6.0


def test_a_new_job_waits_for_those_without_a_position_too() -> None:
    state = line(jobs("ada", 4, 3.0))._replace(n_more=10)
    forecast = simulate_queue(state, 2, NOW)
    assert forecast.start_in_s == 6.0 + 10 * 3.0 / 2
    assert [position.start_in_s for position in forecast.positions.values()] == [0.0, 0.0, 3.0, 3.0]


def test_projects_take_turns_in_any_order_of_arrival() -> None:
    positions = simulate_queue(line(jobs("ada", 3) + jobs("bob", 3)), 1, NOW).positions
    assert order(positions) == ["ada0", "bob0", "ada1", "bob1", "ada2", "bob2"]


def test_who_used_more_waits_longer_and_shares_weigh() -> None:
    used = [ProjectShare("ada", 2.5, 1), BOB]
    positions = simulate_queue(line(jobs("ada", 1) + jobs("bob", 4), shares=used), 1, NOW).positions
    assert order(positions) == ["bob0", "bob1", "bob2", "ada0", "bob3"]
    rich = [ProjectShare("ada", 0.5, 1), ProjectShare("bob", 0.0, 4)]
    positions = simulate_queue(line(jobs("ada", 1) + jobs("bob", 4), shares=rich), 1, NOW).positions
    assert order(positions) == ["bob0", "bob1", "ada0", "bob2", "bob3"]


def test_what_runs_is_waited_for() -> None:
    running = [RunningJob("r", 10.0, NOW - 4_000), RunningJob("late", 1.0, NOW - 9_000)]
    positions = simulate_queue(line(jobs("ada", 3), running), 2, NOW).positions
    assert [position.start_in_s for position in positions.values()] == [0.0, 1.0, 2.0]
    positions = simulate_queue(line(jobs("ada", 2), running[:1]), 1, NOW).positions
    assert [position.start_in_s for position in positions.values()] == [6.0, 7.0]


def test_a_clock_set_back_makes_no_running_job_longer() -> None:
    forecast = simulate_queue(line([], running=[RunningJob("r", 3.0, NOW + 3_600_000)]), 1, NOW)
    assert forecast.start_in_s == pytest.approx(3.0)


def test_measured_run_times_correct_the_estimates() -> None:
    recent = [EndedJob(1.0, NOW, NOW + 2_500)] * 100
    running = [RunningJob("r", 10.0, NOW - 5_000)]
    forecast = simulate_queue(line(jobs("ada", 3), running, recent=recent), 1, NOW)
    starts = [forecast.positions[f"ada{n}"].start_in_s for n in range(3)]
    assert starts == pytest.approx([20.0, 22.5, 25.0], rel=0.01)
    assert forecast.start_in_s == pytest.approx(27.5, rel=0.01)


def test_tiny_jobs_that_waited_for_their_batch_delay_no_long_job() -> None:
    recent = [EndedJob(0.002, NOW, NOW + 200)] * 100
    waiting = [*jobs("ada", 1, 90.0), *jobs("bob", 1, 90.0)]
    positions = simulate_queue(line(waiting, recent=recent), 1, NOW).positions
    assert positions["bob0"].start_in_s == pytest.approx(90.2, rel=0.1)


@pytest.mark.anyio
async def test_a_device_is_looked_at_once_a_second_however_many_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_new_sqlite(tmp_path)
    await add_job(store, await make_token(store))
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(forecast, "time", SimpleNamespace(monotonic=lambda: clock.now))
    made = Forecaster(store, lambda: NOW)
    looks: list[Forecast] = []
    for clock.now in (1_000.0, 1_000.99, 1_001.01, 1_002.0):
        first, *others = await asyncio.gather(*(made.forecast("simulator") for _ in range(20)))
        assert all(each is first for each in others)
        looks.append(first)
    assert [looks[0] is looks[1], looks[1] is looks[2], looks[2] is looks[3]] == [True, False, True]
    await store.close()


@pytest.mark.anyio
async def test_the_forecast_is_the_order_in_which_jobs_are_claimed(tmp_path: Path) -> None:
    store = open_new_sqlite(tmp_path)
    await store.leases.add_runner("r", "server", NOW, slots=1)
    first = await add_job(store, await make_token(store, "first"))
    await store.jobs.cancel(first.id, actor="first", now=NOW)  # use is counted from here on
    later = NOW + int(7_000 * HALF_LIFE_S)  # milliseconds: it counts 2^7 times as much by then
    shared = ""
    for name, est_seconds, priority in (("ada", 1.0, 0), ("bob", 0.3, 0), ("eve", 2.0, 5)):
        token = await make_token(store, name)
        await store.accounts.set_shares(name, len(name) + int(10 * est_seconds))
        for number in range(7):
            await add_job(
                store, token, later, est_seconds=est_seconds * (1 + number % 3), priority=priority
            )
            await add_job(store, token, later, priority=-1)
        shared = shared or token.project
        for number in range(4):  # all three are members of one project
            changes: Any = {
                "priority": 2 * (number == 2),
                "est_seconds": 1.37 * est_seconds + number,
            }
            await add_job(store, token, later, project=shared, **changes)
        await store.leases.claim("simulator", "r", later)
    positions = (await Forecaster(store, lambda: later).forecast("simulator")).positions
    claimed = [
        assignment.lease.job
        for _ in range(len(positions))
        for assignment in (await store.leases.claim("simulator", "r", later)).taken
    ]
    assert claimed == order(positions)
    assert len(claimed) == 51
    await store.close()


@pytest.mark.anyio
async def test_a_job_that_does_not_wait_has_no_place(tmp_path: Path) -> None:
    store = open_new_sqlite(tmp_path)
    job = await add_job(store, await make_token(store))
    await store.leases.add_runner("r", "server", NOW, slots=1)
    made = Forecaster(store, lambda: NOW)
    found = (await made.forecast("simulator")).position_with_interval(job.id)
    assert found == QueuePosition(0, 0.0, Interval(0.0, 0.0))
    assert (await made.forecast("clifford")).position_with_interval(job.id) is None
    await store.close()


@pytest.mark.anyio
async def test_while_no_worker_is_connected_no_start_is_expected(tmp_path: Path) -> None:
    store = open_new_sqlite(tmp_path)
    await store.leases.add_runner("without-workers", "server", NOW, slots=0)
    job = await add_job(store, await make_token(store))
    forecast = await Forecaster(store, lambda: NOW).forecast("simulator")
    assert forecast.positions == {job.id: QueuePosition(0, None)}
    assert forecast.start_in_s is None
    await store.close()


def test_without_agents_a_job_has_a_position_but_no_start_time() -> None:
    forecast = simulate_queue(line(jobs("ada", 2)), 0, NOW)
    assert forecast.positions == {"ada0": QueuePosition(0, None), "ada1": QueuePosition(1, None)}
    assert forecast.start_in_s is None


@pytest.mark.anyio
async def test_a_labs_device_is_as_fast_as_it_has_agents(tmp_path: Path) -> None:
    store = open_new_sqlite(tmp_path)
    ada = await make_token(store)
    spec = DeviceSpec(description="A bench", qubits=5, formats=("openqasm3",))
    lab = Device(
        name="lab5",
        family="qubit",
        provider="ada",
        driver="agent",
        dialects=("native",),
        position=1,
        spec=spec,
    )
    await store.agents.announce(lab)
    await store.leases.add_runner("server", "server", NOW, slots=8)
    for _ in range(4):
        await add_job(store, ada, device="lab5", est_seconds=3.0)

    async def starts() -> list[float | None]:
        positions = (await Forecaster(store, lambda: NOW).forecast("lab5")).positions
        return sorted(
            (position.start_in_s for position in positions.values()), key=lambda s: s or 0.0
        )

    assert await starts() == [None] * 4, "the server's own slots are not the lab's"
    for number in (1, 2):
        agent = Runner(f"ada/{number}", "agent", 0, 1, "lab5")
        await store.leases.renew(agent, (), 0, NOW)
    assert await starts() == [0.0, 0.0, 3.0, 3.0]
    await store.close()


def short(account: str, number: int, turn: int = 0, est_seconds: float = 1.0) -> list[WaitingJob]:
    return [
        WaitingJob(f"{account}-short{n}", account, est_seconds, account, turn)
        for n in range(number)
    ]


LONG = [RunningJob("long1", 100.0, NOW), RunningJob("long2", 200.0, NOW)]


def test_a_short_job_starts_now_while_all_slots_have_long_ones() -> None:
    queue = line(jobs("ada", 3, 50.0) + short("bob", 2), LONG)
    positions = simulate_queue(queue, 2, NOW, express_slots=1).positions
    assert [positions[f"bob-short{n}"] for n in range(2)] == [
        QueuePosition(0, 0.0),
        QueuePosition(1, 1.0),
    ]
    assert positions["ada0"] == QueuePosition(2, 100.0)


def test_without_an_express_slot_it_waits_for_a_slot() -> None:
    positions = simulate_queue(line(short("bob", 1), LONG), 2, NOW).positions
    assert positions["bob-short0"] == QueuePosition(0, 100.0)


def test_accounts_take_turns_in_the_express_slot_by_when_they_had_one() -> None:
    queue = line(short("ada", 3, turn=7) + short("bob", 2, turn=3), LONG)
    positions = simulate_queue(queue, 2, NOW, express_slots=1).positions
    names = ["bob-short0", "ada-short0", "bob-short1", "ada-short1", "ada-short2"]
    assert order(positions) == names
    assert [positions[name].start_in_s for name in names] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_short_job_waits_for_the_one_in_the_express_slot() -> None:
    queue = line(short("bob", 1), [*LONG, RunningJob("other", 1.5, NOW)])
    assert simulate_queue(queue, 2, NOW, express_slots=1).positions["bob-short0"] == QueuePosition(
        0, 1.5
    )


def test_a_slot_that_is_free_takes_short_jobs_and_each_job_starts_once() -> None:
    queue = line(short("bob", 4, est_seconds=1.0), LONG[:1])
    positions = simulate_queue(queue, 2, NOW, express_slots=1).positions
    # The free slot takes one; then both have something to do, and the express slot helps.
    assert [position.start_in_s for position in positions.values()] == [0.0, 0.0, 1.0, 1.0]
    assert sorted(position.ahead for position in positions.values()) == [0, 1, 2, 3]


@pytest.mark.anyio
async def test_a_device_that_is_off_starts_nothing_before_it_is_on(tmp_path: Path) -> None:
    store = open_new_sqlite(tmp_path)
    simulator = Device(
        name="simulator",
        family="qubit",
        provider="",
        driver="simulated",
        dialects=("native",),
        position=1,
        spec=DeviceSpec(description="A simulator", qubits=5, formats=("openqasm3",)),
    )
    await store.devices.seed([simulator], "builtin")
    await store.leases.add_runner("r", "server", NOW, slots=1)
    job = await add_job(store, await make_token(store))

    async def start(until_at: int | None) -> QueuePosition | None:
        off = DeviceStatus(is_on=False, until_at=until_at)
        await store.devices.set_status("simulator", off, NOW)
        return (await Forecaster(store, lambda: NOW).forecast("simulator")).position_with_interval(
            job.id
        )

    assert await start(None) == QueuePosition(0, None)
    assert await start(NOW + 90_000) == QueuePosition(0, 90.0, Interval(90.0, 90.0))
    assert await start(NOW - 1) == QueuePosition(0, 0.0, Interval(0.0, 0.0))
    await store.close()


def test_a_barred_account_has_the_express_slot_again_after_its_pause() -> None:
    barred = [
        WaitingJob(f"bob{n}", "bob", 1.0, "bob", None, barred_until=NOW + 30_000) for n in (0, 1)
    ]
    positions = simulate_queue(line(barred, LONG), 2, NOW, express_slots=1).positions
    assert [place.start_in_s for place in positions.values()] == [30.0, 31.0]
    place = simulate_queue(line(barred, LONG), 2, NOW, express_slots=1).position_with_interval(
        "bob0"
    )
    assert place is not None
    assert place.interval is not None
    assert place.interval.latest_s >= 100.0, "it may be barred again"
    positions = simulate_queue(line(barred, LONG), 2, NOW).positions
    assert [place.start_in_s for place in positions.values()] == [100.0, 101.0]


def test_the_position_of_one_of_very_many_is_about_what_the_simulation_gives() -> None:
    """With equal run times: two projects of other shares, and two members of other shares."""
    of_members = {("ada", "ada"): (40, 1), ("ada", "amy"): (10, 2), ("bob", "bob"): (90, 1)}
    waiting = [
        WaitingJob(f"{account}{n}", project, 1.0, account)
        for (project, account), (number, _) in of_members.items()
        for n in range(number)
    ]
    shares = [ProjectShare("ada", 0.0, 3), ProjectShare("bob", 0.0, 1)]
    members = [MemberShare(*member, 0.0, each) for member, (_, each) in of_members.items()]
    state = QueueState(waiting, [], shares, [], NOW, members=members)
    positions = simulate_queue(state, 1, NOW).positions
    crowd = Crowd(
        {member: number for member, (number, _) in of_members.items()},
        {each.project: each.shares for each in shares},
        {member: each for member, (_, each) in of_members.items()},
    )
    for job in waiting:
        rank = int(job.id.removeprefix(job.account))
        estimated = crowd.jobs_before(job.project, job.account, rank)
        assert abs(estimated - positions[job.id].ahead) <= 6
