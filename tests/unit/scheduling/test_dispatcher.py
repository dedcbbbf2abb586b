"""The dispatcher on a real store, with a driver whose every move the test decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from qwicket import devices
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.drivers import ExpressOverrun, JobNotStarted, ProcessDied, RetrySeparately
from qwicket.model.accounts import Token
from qwicket.model.errors import StorageFull, Unavailable
from qwicket.model.failures import Failure
from qwicket.model.jobs import Job, Lease, Runner
from qwicket.model.states import JobState
from qwicket.scheduling import Dispatcher, Express, Heartbeat
from qwicket.store import Store
from qwicket.store.leases import Claim
from support.hand_driver import DONE, HandDriver, begun, reach
from support.reservations import reserve
from support.stores import NOW, add_job, make_token, open_new_sqlite

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def ada(store: Store) -> Token:
    return await make_token(store)


@pytest.fixture
def driver() -> HandDriver:
    return HandDriver(2)


@pytest.fixture
async def dispatcher(store: Store, driver: HandDriver) -> AsyncIterator[Dispatcher]:
    await store.leases.add_runner("server", "server", NOW)
    devices = ["simulator", "clifford"]
    made = Dispatcher(store, driver, devices, "server", lambda: NOW, slow_poll_s=60)
    made.start()
    yield made
    await made.stop(0)


async def test_a_submit_wakes_the_dispatcher_at_once(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    async with asyncio.timeout(30):  # the slow poll beneath comes after a minute
        assert await driver.begun.get() == job.id
    driver.ends[job.id].set_result(DONE)
    await reach(store, job, JobState.COMPLETED)


async def test_jobs_that_waited_before_the_start_are_run(
    store: Store, ada: Token, driver: HandDriver
) -> None:
    job = await add_job(store, ada)
    await store.leases.add_runner("server", "server", NOW)
    late = Dispatcher(store, driver, ["simulator"], "server", lambda: NOW)
    late.start()
    assert await begun(driver) == job.id
    await late.stop(0)


async def test_no_more_is_claimed_than_there_are_slots(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    jobs = [await add_job(store, ada) for _ in range(3)]
    first = await begun(driver)
    await begun(driver)
    third = await store.jobs.get(jobs[2].id)
    assert third is not None
    assert third.state is JobState.QUEUED
    driver.ends[first].set_result(DONE)
    assert await begun(driver) == jobs[2].id


async def test_a_cluster_that_grows_runs_what_waits_at_once(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    driver.slots = 0
    job = await add_job(store, ada)
    await asyncio.sleep(0.05)
    assert driver.begun.empty()
    driver.slots = 1
    dispatcher.resize()
    assert await begun(driver) == job.id


async def test_devices_share_the_drivers_slots(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    one = await add_job(store, ada)
    two = await add_job(store, ada, device="clifford")
    assert {await begun(driver), await begun(driver)} == {one.id, two.id}


async def test_a_failure_fails_the_job_with_its_text(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    driver.ends[await begun(driver)].set_result(RunResult(Failure("out_of_memory", "too big"), 0.1))
    ended = await reach(store, job, JobState.FAILED)
    assert (ended.error_code, ended.error_text) == ("out_of_memory", "too big")


async def test_a_death_is_tried_again_and_the_third_fails_the_job(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    for _ in range(3):
        driver.ends[await begun(driver)].set_exception(ProcessDied("the worker was killed"))
    ended = await reach(store, job, JobState.FAILED)
    assert (ended.attempts, ended.error_code) == (3, "worker_died")


async def test_work_that_never_began_is_offered_again_uncounted(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    driver.ends[await begun(driver)].set_exception(JobNotStarted("no process could be started"))
    driver.ends[await begun(driver)].set_result(DONE)
    assert (await reach(store, job, JobState.COMPLETED)).attempts == 0


async def test_an_unexpected_error_fails_the_job_without_its_text(
    store: Store,
    ada: Token,
    driver: HandDriver,
    dispatcher: Dispatcher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = await add_job(store, ada)
    driver.ends[await begun(driver)].set_exception(RuntimeError("/secret/path"))
    ended = await reach(store, job, JobState.FAILED)
    assert "/secret/path" not in (ended.error_text or "")
    assert "/secret/path" in caplog.text


async def test_a_cancel_stops_the_work_and_frees_the_slot(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    await begun(driver)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    await reach(store, job, JobState.CANCELLED)
    assert driver.stopped == [job.id]
    for _ in range(2):
        await add_job(store, ada)
    assert await begun(driver)
    assert await begun(driver)


async def test_a_cancel_in_the_same_breath_as_the_claim_is_heeded(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    for _ in range(50):
        job = await add_job(store, ada)
        await store.jobs.cancel(job.id, actor="ada", now=NOW)
        await reach(store, job, JobState.CANCELLED)


async def test_a_result_beats_a_cancel_that_comes_too_late(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    driver.ends[await begun(driver)].set_result(DONE)
    ended = await reach(store, job, JobState.COMPLETED)
    assert await store.jobs.cancel(job.id, actor="ada", now=NOW) == ended


async def test_stopping_lets_running_jobs_finish(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    await begun(driver)
    stopping = asyncio.create_task(dispatcher.stop(10))
    waiting = await add_job(store, ada)
    asyncio.get_running_loop().call_later(0.05, driver.ends[job.id].set_result, DONE)
    await stopping
    present = [await store.jobs.get(each.id) for each in (job, waiting)]
    assert [each.state for each in present if each] == ["completed", "queued"]


async def test_stopping_gives_back_what_does_not_finish(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    jobs = [await add_job(store, ada) for _ in range(2)]
    await begun(driver)
    await begun(driver)
    await dispatcher.stop(0.05)
    for job in jobs:
        present = await store.jobs.get(job.id)
        assert present is not None
        assert (present.state, present.attempts) == (JobState.QUEUED, 0)


async def test_a_result_is_retried_while_the_store_refuses_and_each_refusal_is_one_log_line(
    store: Store,
    ada: Token,
    driver: HandDriver,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = [StorageFull(), Unavailable(), StorageFull()]
    finish: Callable[..., Awaitable[Job]] = store.leases.finish

    async def reluctant(*arguments: object) -> Job:
        if refusals:
            raise refusals.pop()
        return await finish(*arguments)

    # A disk that is full for a moment cannot be had at will between two processes.
    monkeypatch.setattr(store.leases, "finish", reluctant)
    job = await add_job(store, ada)
    driver.ends[await begun(driver)].set_result(DONE)
    await reach(store, job, JobState.COMPLETED)
    assert not refusals
    assert caplog.text.count("is retried: ") == 3
    assert "Traceback" not in caplog.text


async def test_a_write_that_was_done_although_the_store_said_no_counts_once(
    store: Store,
    ada: Token,
    driver: HandDriver,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish: Callable[..., Awaitable[Job]] = store.leases.finish

    async def liar(*arguments: object) -> Job:
        await finish(*arguments)
        raise Unavailable

    monkeypatch.setattr(store.leases, "finish", liar)
    job = await add_job(store, ada)
    driver.ends[await begun(driver)].set_result(DONE)
    await reach(store, job, JobState.COMPLETED)
    async with asyncio.timeout(30):
        while not dispatcher.stale_results:
            await asyncio.sleep(0.01)
    assert len(await store.jobs.results(job.id)) == 1


async def test_a_claim_that_goes_wrong_leaves_the_claimer_and_its_slots(
    store: Store,
    ada: Token,
    driver: HandDriver,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim = store.leases.claim
    wrongs = [RuntimeError("a damaged row"), Unavailable()]

    async def unlucky(device: str, runner: str, now: int, **how: Any) -> Claim:
        if wrongs:
            raise wrongs.pop()
        return await claim(device, runner, now, **how)

    monkeypatch.setattr(store.leases, "claim", unlucky)
    for _ in range(4):
        await add_job(store, ada)
    assert await begun(driver)
    assert await begun(driver)
    assert not wrongs


async def test_a_result_that_can_never_be_stored_fails_its_job(
    store: Store,
    ada: Token,
    driver: HandDriver,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish = store.leases.finish

    async def broken(lease: Lease, ran: RunResult, now: int) -> Job:
        if isinstance(ran.result, Failure):
            return await finish(lease, ran, now)
        raise ValueError("does not fit")

    monkeypatch.setattr(store.leases, "finish", broken)
    job = await add_job(store, ada)
    driver.ends[await begun(driver)].set_result(DONE)
    ended = await reach(store, job, JobState.FAILED)
    assert ended.error_code == "result_not_stored"


async def test_a_claim_that_was_under_way_when_all_stopped_is_given_back(
    store: Store,
    ada: Token,
    driver: HandDriver,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim, committed, told = store.leases.claim, asyncio.Event(), asyncio.Event()

    async def slow(device: str, runner: str, now: int, **how: Any) -> Claim:
        claimed = await claim(device, runner, now, **how)
        if claimed.taken:
            committed.set()
            await told.wait()
        return claimed

    monkeypatch.setattr(store.leases, "claim", slow)
    job = await add_job(store, ada)
    await committed.wait()
    stopping = asyncio.create_task(dispatcher.stop(0))
    dispatcher.stop_claiming()
    await asyncio.sleep(0)
    dispatcher.stop_claiming()
    told.set()
    await stopping
    present = await store.jobs.get(job.id)
    assert present is not None
    assert present.state is JobState.QUEUED


async def test_hurrying_gives_back_at_once_what_still_runs(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    await begun(driver)
    stopping = asyncio.create_task(dispatcher.stop(60))
    await asyncio.sleep(0)
    dispatcher.release_running()
    async with asyncio.timeout(30):
        await stopping
    present = await store.jobs.get(job.id)
    assert present is not None
    assert present.state is JobState.QUEUED


async def test_an_unannounced_cancel_is_found_by_the_next_comparison(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    await begun(driver)
    dispatcher._stop_listening[0]()
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    store.changes.resync()  # as after a lost connection
    await reach(store, job, JobState.CANCELLED)


async def test_a_claim_that_the_store_denied_is_found_and_offered_again(
    store: Store,
    ada: Token,
    driver: HandDriver,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim, lies = store.leases.claim, [Unavailable()]

    async def liar(device: str, runner: str, now: int, **how: Any) -> Claim:
        claimed = await claim(device, runner, now, **how)
        if claimed.taken and lies:
            raise lies.pop()
        return claimed

    monkeypatch.setattr(store.leases, "claim", liar)
    job = await add_job(store, ada)
    assert await begun(driver) == job.id
    driver.ends[job.id].set_result(DONE)
    ended = await reach(store, job, JobState.COMPLETED)
    assert ended.attempts == 0


async def test_work_whose_lease_was_lost_is_stopped(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    await begun(driver)
    await store.leases.void_runner("server", NOW)
    store.changes.resync()
    async with asyncio.timeout(30):
        while driver.stopped != [job.id]:
            await asyncio.sleep(0.01)


async def test_a_stale_result_is_refused_and_counted(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    job = await add_job(store, ada)
    end = driver.ends[await begun(driver)]
    await store.leases.void_runner("server", NOW)
    end.set_result(RunResult((Encoded(b"stale", b""),), 0.1))
    again = await begun(driver)
    driver.ends[again].set_result(DONE)
    await reach(store, job, JobState.COMPLETED)
    async with asyncio.timeout(30):
        while not dispatcher.stale_results:
            await asyncio.sleep(0.01)
    assert tuple(await store.jobs.results(again)) == DONE.result


@pytest.fixture
async def coach(store: Store, ada: Token) -> AsyncIterator[HandDriver]:
    """A driver of one slot whose first task is a batch of three jobs."""
    driver = HandDriver(1, jobs_per_task=16)
    await store.leases.add_runner("server", "server", NOW)
    dispatcher = Dispatcher(store, driver, ["simulator"], "server", lambda: NOW)
    for _ in range(3):
        await add_job(store, ada)
    dispatcher.start()
    yield driver
    await dispatcher.stop(0)


async def test_tiny_jobs_travel_together_and_end_each_for_itself(
    store: Store, ada: Token, coach: HandDriver
) -> None:
    jobs = [await begun(coach) for _ in range(3)]
    coach.ends[jobs[0]].set_result(DONE)
    coach.ends[jobs[1]].set_result(RunResult(Failure("x", "y"), 0.1))
    coach.ends[jobs[2]].set_result(DONE)
    for job, state in zip(jobs, ("completed", "failed", "completed"), strict=True):
        present = await store.jobs.get(job)
        assert present is not None
        await reach(store, present, JobState(state))


async def test_the_results_of_a_task_are_stored_by_one_operation(
    store: Store, coach: HandDriver
) -> None:
    jobs = [await begun(coach) for _ in range(3)]
    operations: list[int] = []
    store.on_commit(lambda n_operations, _failed, _seconds: operations.append(n_operations))
    for job in jobs:
        coach.ends[job].set_result(DONE)
    for job in jobs:
        present = await store.jobs.get(job)
        assert present is not None
        await reach(store, present, JobState.COMPLETED)
    assert operations == [1]


async def test_a_lost_lease_of_one_job_keeps_no_result_of_the_others(
    store: Store, coach: HandDriver
) -> None:
    jobs = [await begun(coach) for _ in range(3)]
    lease = await store.leases.held_by(jobs[1])
    assert lease is not None
    await store.leases.finish(lease, RunResult(Failure("x", "y"), 0.1), NOW)
    for job in jobs:
        coach.ends[job].set_result(DONE)
    for job, state in zip(jobs, ("completed", "failed", "completed"), strict=True):
        present = await store.jobs.get(job)
        assert present is not None
        await reach(store, present, JobState(state))


@pytest.mark.parametrize("end", [RetrySeparately("a mate died"), None])
async def test_jobs_whose_batch_broke_run_alone_and_uncounted(
    store: Store, ada: Token, coach: HandDriver, end: Exception | None
) -> None:
    jobs = [await begun(coach) for _ in range(3)]
    if end is None:
        await store.jobs.cancel(jobs[0], actor="ada", now=NOW)
    else:
        coach.ends[jobs[0]].set_exception(end)
    left = jobs if end else jobs[1:]
    for _ in left:
        job = await begun(coach)
        assert coach.begun.empty()  # alone
        coach.ends[job].set_result(DONE)
        present = await store.jobs.get(job)
        assert present is not None
        assert (await reach(store, present, JobState.COMPLETED)).attempts == 0
        (event,) = await store.jobs.events(job)
        assert event.reason == (str(end) if end else "stopped together with another job")


@pytest.fixture
def quick() -> HandDriver:
    """The driver of one express slot."""
    return HandDriver(1)


@pytest.fixture
async def full(
    store: Store, ada: Token, driver: HandDriver, quick: HandDriver
) -> AsyncIterator[Dispatcher]:
    """A dispatcher whose two slots have long jobs, and one express slot nothing to do."""
    await store.leases.add_runner("server", "server", NOW)
    express = Express(quick, max_estimate_s=2.0, barred_s=60.0)
    devices = ["simulator", "clifford"]
    made = Dispatcher(store, driver, devices, "server", lambda: NOW, express, slow_poll_s=60)
    made.start()
    for _ in range(2):
        await add_job(store, ada, est_seconds=100.0)
        await begun(driver)
    yield made
    await made.stop(0)


async def short(store: Store, token: Token, device: str = "simulator") -> Job:
    return await add_job(store, token, device=device, express=True, est_seconds=1.0)


async def test_a_short_job_begins_at_once_while_all_slots_are_busy(
    store: Store, ada: Token, driver: HandDriver, quick: HandDriver, full: Dispatcher
) -> None:
    await add_job(store, ada, est_seconds=100.0)
    job = await short(store, ada, device="clifford")
    async with asyncio.timeout(30):  # the slow poll beneath comes after a minute
        assert await quick.begun.get() == job.id
    quick.ends[job.id].set_result(DONE)
    await reach(store, job, JobState.COMPLETED)
    assert full.express_runs == 1
    assert driver.begun.empty()


async def test_short_jobs_run_one_after_the_other_in_the_express_slot(
    store: Store, ada: Token, quick: HandDriver, full: Dispatcher
) -> None:
    jobs = [await short(store, ada) for _ in range(3)]
    for job in jobs:
        assert await begun(quick) == job.id
        assert quick.begun.empty()
        quick.ends[job.id].set_result(DONE)
    await reach(store, jobs[-1], JobState.COMPLETED)


async def test_a_long_job_waits_for_a_slot(
    store: Store, ada: Token, driver: HandDriver, quick: HandDriver, full: Dispatcher
) -> None:
    job = await add_job(store, ada, est_seconds=100.0)
    mate = await short(store, ada)
    assert await begun(quick) == mate.id
    assert quick.begun.empty()
    first = next(iter(driver.ends))
    driver.ends[first].set_result(DONE)
    assert await begun(driver) == job.id


async def test_while_a_slot_is_free_short_jobs_go_there(
    store: Store, ada: Token, driver: HandDriver, quick: HandDriver, full: Dispatcher
) -> None:
    first = next(iter(driver.ends))
    driver.ends[first].set_result(DONE)
    present = await store.jobs.get(first)
    assert present is not None
    await reach(store, present, JobState.COMPLETED)
    job = await short(store, ada)
    assert await begun(driver) == job.id
    assert full.express_runs == 0


async def test_an_overrun_runs_in_a_slot_and_its_account_waits_while_another_does_not(
    store: Store, ada: Token, driver: HandDriver, quick: HandDriver, full: Dispatcher
) -> None:
    bob = await make_token(store, "bob")
    slow = await short(store, ada)
    quick.ends[await begun(quick)].set_exception(ExpressOverrun("took more than 2 s"))
    await reach(store, slow, JobState.QUEUED)
    next_of_ada, of_bob = await short(store, ada), await short(store, bob)
    assert await begun(quick) == of_bob.id
    quick.ends[of_bob.id].set_result(DONE)
    await reach(store, of_bob, JobState.COMPLETED)
    for first in list(driver.ends):
        driver.ends[first].set_result(DONE)
    assert {await begun(driver), await begun(driver)} == {slow.id, next_of_ada.id}
    driver.ends[slow.id].set_result(DONE)
    ended = await reach(store, slow, JobState.COMPLETED)
    assert (ended.attempts, full.express_overruns, full.express_runs) == (0, 1, 2)
    assert len(await store.jobs.results(slow.id)) == 1


async def test_a_death_in_the_express_slot_is_counted_and_tried_again(
    store: Store, ada: Token, quick: HandDriver, full: Dispatcher
) -> None:
    job = await short(store, ada)
    for _ in range(3):
        quick.ends[await begun(quick)].set_exception(ProcessDied("the worker was killed"))
    ended = await reach(store, job, JobState.FAILED)
    assert (ended.attempts, ended.error_code) == (3, "worker_died")


async def test_a_cancel_stops_a_short_job_and_frees_the_express_slot(
    store: Store, ada: Token, quick: HandDriver, full: Dispatcher
) -> None:
    job = await short(store, ada)
    await begun(quick)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    await reach(store, job, JobState.CANCELLED)
    assert quick.stopped == [job.id]
    again = await short(store, ada)
    assert await begun(quick) == again.id


async def test_an_express_claim_that_goes_wrong_leaves_its_claimer_and_its_slot(
    store: Store,
    ada: Token,
    quick: HandDriver,
    full: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim = store.leases.claim_express
    wrongs = [RuntimeError("a damaged row"), Unavailable()]

    async def unlucky(devices: Collection[str], runner: str, now: int) -> Claim:
        if wrongs:
            raise wrongs.pop()
        return await claim(devices, runner, now)

    while full._express_wake.is_set() or not full._claims.is_quiet:
        await asyncio.sleep(0.01)  # a claim under way would be a lucky one
    monkeypatch.setattr(store.leases, "claim_express", unlucky)
    job = await short(store, ada)
    assert await begun(quick) == job.id
    assert not wrongs


@pytest.mark.parametrize("forwards", [False, True])
async def test_an_idle_server_does_not_write(
    store: Store, ada: Token, driver: HandDriver, quick: HandDriver, forwards: bool
) -> None:
    driver.forwards = forwards
    await add_job(store, ada, device="clifford")
    await store.devices.seed(devices.built_in(), "builtin")
    await store.devices.turn_off_new({"clifford": "it is being repaired"}, NOW)
    await store.leases.add_runner("server", "server", NOW)
    express = Express(quick, max_estimate_s=2.0, barred_s=60.0)
    dispatcher = Dispatcher(
        store, driver, ["simulator", "clifford"], "server", lambda: NOW, express, slow_poll_s=0.01
    )
    dispatcher.start()
    await asyncio.sleep(0.1)
    commits: list[int] = []
    store.on_commit(lambda operations, _failed, _seconds: commits.append(operations))
    await asyncio.sleep(0.3)
    assert commits == []
    dispatcher._stop_listening[0]()  # it is not notified
    job = await add_job(store, ada)
    assert await begun(driver) == job.id, "the slow poll finds it nevertheless"
    await dispatcher.stop(0)


async def test_a_job_in_another_cloud_whose_runner_is_gone_is_adopted(
    store: Store, ada: Token, driver: HandDriver
) -> None:
    driver.forwards = True
    job = await add_job(store, ada)
    for runner in ("former", "server"):
        await store.leases.add_runner(runner, "server", NOW)
    (claimed,) = (await store.leases.claim("simulator", "former", NOW)).taken
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    dispatcher = Dispatcher(store, driver, ["simulator"], "server", lambda: NOW, slow_poll_s=0.01)
    dispatcher.start()
    await asyncio.sleep(0.1)
    assert driver.begun.empty(), "its runner lives"
    await store.leases.void_runner("former", NOW)
    assert await begun(driver) == job.id
    await dispatcher.stop(0)


@pytest.mark.parametrize("slots", [0, 1])
async def test_jobs_in_another_cloud_are_adopted_without_a_free_slot_but_new_ones_wait(
    store: Store, ada: Token, driver: HandDriver, slots: int
) -> None:
    """While the other cloud takes no new jobs, the driver has no slots."""
    driver.forwards, driver.slots = True, slots
    for runner in ("former", "server"):
        await store.leases.add_runner(runner, "server", NOW)
    sent = [(await add_job(store, ada)).id for _ in range(3)]
    for _ in sent:
        (claimed,) = (await store.leases.claim("simulator", "former", NOW)).taken
        await store.forwards.record_intent(claimed.lease, "mark", NOW)
        await store.forwards.record_sent(claimed.lease, claimed.lease.job, NOW)
    await store.leases.void_runner("former", NOW)
    new = await add_job(store, ada)
    dispatcher = Dispatcher(store, driver, ["simulator"], "server", lambda: NOW, slow_poll_s=0.01)
    dispatcher.start()
    assert [await begun(driver) for _ in sent] == sent
    for id in sent[: 3 - slots]:
        driver.ends[id].set_result(DONE)
    await asyncio.sleep(0.1)
    assert driver.begun.empty(), "the slots are still in use, or there are none"
    if slots:
        driver.ends[sent[2]].set_result(DONE)
        assert await begun(driver) == new.id
    await dispatcher.stop(0)


async def test_a_heartbeat_raises_the_beat_until_stopped(store: Store) -> None:
    await store.leases.add_runner("server", "server", NOW)
    runner = Runner("server", "server", 0, 0)
    heartbeat = Heartbeat(store.leases, runner, lambda: NOW, lease_s=0.04)
    heartbeat.start()
    async with asyncio.timeout(30):
        while await beat_of(store) < 3:
            await asyncio.sleep(0.01)
    await asyncio.to_thread(heartbeat.stop)
    assert not heartbeat._thread.is_alive()
    assert (last := await beat_of(store)) == await beat_of(store)
    assert last >= 3


async def test_a_changed_number_of_slots_is_stored_before_the_next_beat(store: Store) -> None:
    await store.leases.add_runner("server", "server", NOW, slots=2)
    heartbeat = Heartbeat(store.leases, Runner("server", "server", 0, 2), lambda: NOW, lease_s=900)
    heartbeat.start()
    heartbeat.resize(5)
    async with asyncio.timeout(30):
        while (await store.leases.runners())[0].slots != 5:
            await asyncio.sleep(0.01)
    await asyncio.to_thread(heartbeat.stop)


async def beat_of(store: Store) -> int:
    (runner,) = await store.leases.runners()
    return runner.beat


class RunningClock:
    """Time that passes, from `NOW` on."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> int:
        return NOW + int(1000 * (time.monotonic() - self._began))


async def test_a_dispatcher_wakes_up_when_a_window_ends(
    store: Store, ada: Token, driver: HandDriver
) -> None:
    await make_token(store, "bob")
    until = NOW + 700
    await reserve(store, "bob", from_at=NOW, until_at=until)
    await store.leases.add_runner("server", "server", NOW)
    clock = RunningClock()
    made = Dispatcher(store, driver, ["simulator"], "server", clock, slow_poll_s=60)
    made.start()
    job = await add_job(store, ada)
    assert await begun(driver) == job.id
    started_at = (await reach(store, job, JobState.RUNNING)).started_at
    assert started_at is not None
    assert until <= started_at
    await made.stop(0)


async def test_a_job_of_others_that_ends_frees_its_slot_for_the_next_one(
    store: Store, ada: Token
) -> None:
    driver = HandDriver(3)
    await make_token(store, "bob")
    await reserve(store, "bob", from_at=NOW, slots=2)
    await store.leases.add_runner("server", "server", NOW, slots=3)
    made = Dispatcher(store, driver, ["simulator"], "server", lambda: NOW, slow_poll_s=60)
    made.start()
    first, second = [await add_job(store, ada, est_seconds=1.0) for _ in range(2)]
    assert await begun(driver) == first.id
    assert driver.begun.empty()
    driver.ends[first.id].set_result(DONE)
    assert await begun(driver) == second.id
    await made.stop(0)
