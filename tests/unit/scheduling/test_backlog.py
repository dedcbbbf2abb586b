"""Tiny jobs that the dispatcher takes with their submission, until a slot is free for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from qwicket.model.accounts import Token
from qwicket.model.errors import Unavailable
from qwicket.model.jobs import Capacity, Job, Lease
from qwicket.model.states import JobState
from qwicket.scheduling import Dispatcher
from qwicket.store import HeldLease, Store
from qwicket.store.leases import Claim
from support.hand_driver import DONE, HandDriver, begun, reach
from support.stores import (
    NOW,
    PLENTY,
    add_job,
    make_token,
    new_job,
    open_new_sqlite,
    stored,
)

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
    return HandDriver(1, jobs_per_task=16)


@pytest.fixture
def backlog_s() -> float:
    return 1e9


@pytest.fixture
async def dispatcher(
    store: Store, driver: HandDriver, backlog_s: float
) -> AsyncIterator[Dispatcher]:
    await store.leases.add_runner("server", "server", NOW)
    devices = ["simulator"]
    made = Dispatcher(
        store, driver, devices, "server", lambda: NOW, slow_poll_s=3600, backlog_s=backlog_s
    )
    made.start()
    yield made
    await made.stop(0)


async def submit(store: Store, token: Token, **changes: Any) -> Job:
    new = new_job(token, **changes)
    offer = store.backlog.offer(new)
    try:
        return await store.jobs.add(new, waiting_limit=PLENTY, offer=offer)
    finally:
        store.backlog.end_offer(new.id)


@pytest.fixture
async def busy(store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher) -> Job:
    """A tiny job that runs in the only slot."""
    job = await submit(store, ada)
    assert await begun(driver) == job.id
    return job


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)


async def test_a_tiny_job_is_claimed_with_its_submission(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher, monkeypatch: Any
) -> None:
    monkeypatch.setattr(store.leases, "claim", None)  # so that nothing else claims it
    job = await submit(store, ada)
    assert (job.state, job.version, job.started_at) == (JobState.QUEUED, 1, None)
    assert await begun(driver) == job.id
    present = await stored(store, job)
    assert (present.state, present.version, present.runner) == (JobState.RUNNING, 2, "server")
    assert present.started_at == present.queued_at
    assert present.change == job.change + 1
    driver.ends[job.id].set_result(DONE)
    await reach(store, job, JobState.COMPLETED)


async def test_the_backlog_begins_as_one_task_when_a_slot_is_free(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    jobs = [await submit(store, ada) for _ in range(3)]
    assert [(await stored(store, job)).state for job in jobs] == [JobState.RUNNING] * 3
    assert driver.begun.empty()
    driver.ends[busy.id].set_result(DONE)
    assert [await begun(driver) for _ in jobs] == [job.id for job in jobs]


async def test_no_more_are_taken_than_sixteen_a_slot(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    jobs = [await submit(store, ada) for _ in range(18)]
    states = [(await stored(store, job)).state for job in jobs]
    assert states == [JobState.RUNNING] * 16 + [JobState.QUEUED] * 2


async def test_offers_count_as_taken(store: Store, ada: Token, busy: Job) -> None:
    new = [new_job(ada) for _ in range(17)]
    offers = [store.backlog.offer(each) for each in new]
    assert [offer is not None for offer in offers] == [True] * 16 + [False]


async def test_a_free_slot_has_room_for_a_task(
    store: Store, ada: Token, dispatcher: Dispatcher
) -> None:
    offers = [store.backlog.offer(new_job(ada)) for _ in range(33)]
    assert [offer is not None for offer in offers] == [True] * 32 + [False]


async def test_tiny_jobs_that_wait_follow_into_the_backlog(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    waiting = [await add_job(store, ada) for _ in range(2)]
    for job in waiting:
        await reach(store, job, JobState.RUNNING)
    next_one = await submit(store, ada)
    assert (await stored(store, next_one)).state is JobState.RUNNING
    assert driver.begun.empty()
    driver.ends[busy.id].set_result(DONE)
    assert {await begun(driver) for _ in range(3)} == {job.id for job in [*waiting, next_one]}


@pytest.mark.parametrize(
    "changes",
    [
        {"est_seconds": 0.0051},
        {"exam_waiting": 5},
        {"withheld_until": NOW + 1},
        {"device": "clifford"},
    ],
    ids=str,
)
async def test_other_jobs_wait_in_the_queue(
    store: Store, ada: Token, busy: Job, changes: dict[str, Any]
) -> None:
    job = await submit(store, ada, **changes)
    assert (await stored(store, job)).state is JobState.QUEUED


async def test_a_job_that_does_not_fit_into_a_slot_is_not_taken(
    store: Store, ada: Token, driver: HandDriver
) -> None:
    await store.leases.add_runner("server", "server", NOW)
    capacity = Capacity(memory_bytes=1 << 19)
    small = Dispatcher(store, driver, ["simulator"], "server", lambda: NOW, capacity=capacity)
    small.start()
    job = await submit(store, ada)
    assert (await stored(store, job)).state is JobState.QUEUED
    await small.stop(0)


async def test_a_job_in_the_backlog_is_cancelled_at_once_and_has_used_nothing(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    job = await submit(store, ada)
    with store.backlog.withdrawn([job.id]) as withdrawn:
        after = await store.jobs.cancel(job.id, actor="ada", now=NOW, withdrawn=withdrawn)
    assert after is not None
    assert (after.state, after.started_at) == (JobState.CANCELLED, None)
    driver.ends[busy.id].set_result(DONE)
    await reach(store, busy, JobState.COMPLETED)
    assert driver.begun.empty()
    assert not await store.leases.held("server")


async def test_a_cancel_from_elsewhere_ends_a_job_in_the_backlog(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    job = await submit(store, ada)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)  # as another server does
    after = await reach(store, job, JobState.CANCELLED)
    assert after.version == 4
    assert driver.begun.empty()


async def test_a_job_in_the_backlog_is_held_and_runs_when_it_is_released(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    job = await submit(store, ada)
    change = store.queue_control.change
    given: dict[str, Any] = {"priority": None, "actor": "ada", "now": NOW}
    with store.backlog.withdrawn([job.id]) as withdrawn:
        held = await change(job.id, "owner", is_held=True, withdrawn=withdrawn, **given)
    assert (held.state, held.held_by, held.started_at) == (JobState.QUEUED, "owner", None)
    driver.ends[busy.id].set_result(DONE)
    await reach(store, busy, JobState.COMPLETED)
    assert driver.begun.empty()
    await change(job.id, "owner", is_held=False, **given)
    assert await begun(driver) == job.id


async def test_a_job_that_cannot_be_changed_comes_back_to_the_backlog(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    job = await submit(store, ada)

    async def change() -> None:
        with store.backlog.withdrawn([job.id]) as withdrawn:
            assert [lease.job for lease in withdrawn] == [job.id]
            raise Unavailable("The disk is full.")

    with pytest.raises(Unavailable):
        await change()
    driver.ends[busy.id].set_result(DONE)
    assert await begun(driver) == job.id


async def test_a_requeued_job_leaves_the_backlog(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher, busy: Job
) -> None:
    job = await submit(store, ada)
    await store.queue_control.requeue(job.id, actor="admin", now=NOW)
    await until(lambda: job.id not in store.backlog)
    driver.ends[busy.id].set_result(DONE)
    assert await begun(driver) == job.id  # under the lease of a new claim
    assert [each.lease.fence for each in await store.leases.held("server")] == [2]


async def test_a_backlog_that_waits_for_too_long_is_queued_again(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher, busy: Job
) -> None:
    jobs = [await submit(store, ada) for _ in range(2)]
    dispatcher._backlog_s = 0.01
    dispatcher._watch_backlog()
    for job in jobs:
        after = await reach(store, job, JobState.QUEUED)
        assert (after.version, after.attempts, after.started_at) == (3, 0, None)
    (event,) = await store.jobs.events(jobs[0].id)
    assert (event.before, event.after, event.actor) == ("running", "queued", "server")


@pytest.mark.parametrize("backlog_s", [0.0])
async def test_nothing_is_taken_while_the_slots_do_not_come_free(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    job = await submit(store, ada)
    assert (await stored(store, job)).version == 1


async def test_nothing_is_taken_while_long_jobs_have_all_slots(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    long = await add_job(store, ada, est_seconds=1.0)
    assert await begun(driver) == long.id
    job = await submit(store, ada)
    assert (await stored(store, job)).version == 1
    driver.ends[long.id].set_result(DONE)
    assert await begun(driver) == job.id


async def test_a_comparison_leaves_the_backlog_and_offers_alone(
    store: Store, ada: Token, dispatcher: Dispatcher, busy: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await submit(store, ada)
    offer = store.backlog.offer(new_job(ada))
    assert offer is not None
    held = [*await store.leases.held("server"), HeldLease(offer, JobState.RUNNING)]

    async def read(runner: str) -> list[HeldLease]:
        return held

    released: list[Lease] = []
    monkeypatch.setattr(store.leases, "held", read)
    monkeypatch.setattr(store.leases, "release", lambda lease, *_, **__: released.append(lease))
    await dispatcher._compare_leases()
    assert not released
    assert job.id in store.backlog


async def test_another_dispatcher_of_the_server_leaves_the_backlog_alone(
    store: Store, ada: Token, dispatcher: Dispatcher, busy: Job
) -> None:
    job = await submit(store, ada)
    await store.leases.add_runner("remote", "server", NOW)
    remote = Dispatcher(store, HandDriver(1), ["far"], "remote", lambda: NOW, slow_poll_s=3600)
    remote.start()
    await remote._compare_leases()
    await remote.stop(0)
    assert job.id in store.backlog


async def test_the_backlog_takes_its_turn_among_the_devices(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher, busy: Job
) -> None:
    dispatcher.serve("clifford")
    long = [await add_job(store, ada, device="clifford", est_seconds=1.0) for _ in range(2)]
    await until(lambda: bool(dispatcher._slots._waiting))
    job = await submit(store, ada)
    await until(lambda: len(dispatcher._slots._waiting) == 2)
    for ended, begins in ((busy, long[0]), (long[0], job), (job, long[1])):
        driver.ends[ended.id].set_result(DONE)
        assert await begun(driver) == begins.id


async def test_a_cancel_while_a_job_is_claimed_for_the_backlog_is_heeded(
    store: Store, ada: Token, dispatcher: Dispatcher, busy: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = store.leases.claim

    async def claim_and_cancel(*args: Any, **options: Any) -> Claim:
        claimed = await claim(*args, **options)
        for each in claimed.taken:
            await store.jobs.cancel(each.lease.job, actor="ada", now=NOW)
        return claimed

    monkeypatch.setattr(store.leases, "claim", claim_and_cancel)
    job = await add_job(store, ada)
    assert (await reach(store, job, JobState.CANCELLED)).version == 4


async def test_a_lease_that_the_backlog_lost_is_not_begun(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher, busy: Job
) -> None:
    job = await submit(store, ada)
    await store.leases.void_runner("server", NOW)
    await dispatcher._compare_leases()
    assert job.id not in store.backlog


async def test_a_job_whose_offer_is_forgotten_is_queued_again(
    store: Store, ada: Token, driver: HandDriver, dispatcher: Dispatcher
) -> None:
    new = new_job(ada)
    offer = store.backlog.offer(new)
    store.backlog.end_offer(new.id)
    job = await store.jobs.add(new, waiting_limit=PLENTY, offer=offer)
    assert await begun(driver) == job.id
    assert [each.lease.fence for each in await store.leases.held("server")] == [2]


async def test_a_stopping_server_gives_its_backlog_back(
    store: Store, ada: Token, dispatcher: Dispatcher, busy: Job
) -> None:
    job = await submit(store, ada)
    dispatcher.stop_claiming()
    after = await reach(store, job, JobState.QUEUED)
    assert (after.attempts, after.started_at) == (0, None)
    assert [each.lease.job for each in await store.leases.held("server")] == [busy.id]


async def test_a_job_that_arrives_while_the_server_stops_is_given_back(
    store: Store, ada: Token, dispatcher: Dispatcher, busy: Job
) -> None:
    late = new_job(ada)
    offer = store.backlog.offer(late)
    dispatcher.stop_claiming()
    job = await store.jobs.add(late, waiting_limit=PLENTY, offer=offer)
    while (after := await stored(store, job)).version < 3:
        await asyncio.sleep(0.01)
    assert after.state is JobState.QUEUED


async def test_a_flood_delays_the_first_job_of_another_account_by_the_backlog_alone(
    store: Store, ada: Token, driver: HandDriver, busy: Job
) -> None:
    bob = await make_token(store, "bob")
    for _ in range(100):
        await submit(store, ada)
    first = await submit(store, bob)
    assert (await stored(store, first)).state is JobState.QUEUED
    began = [busy.id]
    while began[-1] != first.id:
        for job in began[-16:]:
            if not driver.ends[job].done():
                driver.ends[job].set_result(DONE)
        began.append(await begun(driver))
    assert len(began) <= 1 + 2 * 16 + 1  # the backlog, and a task that was claimed before
