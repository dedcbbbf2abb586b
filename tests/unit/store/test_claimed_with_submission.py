"""Jobs that are claimed with their submission: when a statement accepts an offer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qwicket import devices
from qwicket.features.budgets.store import BudgetStore
from qwicket.model.accounts import Token
from qwicket.model.devices import DeviceStatus
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job, Lease, NewJob
from qwicket.model.states import JobState
from qwicket.store import Store
from support.reservations import reserve
from support.stores import NOW, PLENTY, add_job, execute, make_token, new_job, stored

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


def lease_of(new: NewJob) -> Lease:
    return Lease(job=new.id, fence=1, nonce=new.id, runner="runner")


async def submit(store: Store, token: Token, **changes: Any) -> Job:
    new = new_job(token, **changes)
    job = await store.jobs.add(new, waiting_limit=PLENTY, offer=lease_of(new))
    return await stored(store, job)


async def shares(store: Store) -> list[Any]:
    text = "select project, vtime, has_work from share order by project"
    return await store._database.read(lambda tx: execute(tx, text))


async def test_a_free_device_accepts_an_offer(store: Store, ada: Token, runner: str) -> None:
    job = await submit(store, ada)
    assert job.state is JobState.RUNNING
    assert [(each.lease.job, each.lease.fence) for each in await store.leases.held(runner)] == [
        (job.id, 1)
    ]
    assert [has_work for _, _, has_work in await shares(store)] == [0]


async def test_a_device_for_which_a_job_waits_does_not(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    assert (await submit(store, ada)).state is JobState.QUEUED
    assert (await submit(store, ada, device="clifford")).state is JobState.RUNNING


async def test_a_held_job_does_not_wait(store: Store, ada: Token, runner: str) -> None:
    job = await add_job(store, ada)
    await store.queue_control.hold(job.id, "owner", actor="ada", now=NOW)
    assert (await submit(store, ada)).state is JobState.RUNNING


async def test_a_device_that_is_off_does_not(store: Store, ada: Token, runner: str) -> None:
    await store.devices.seed([devices.built_in()[0]], "builtin")
    name = devices.built_in()[0].name
    await store.devices.set_status(name, DeviceStatus(is_on=False), NOW)
    assert (await submit(store, ada, device=name)).state is JobState.QUEUED


@pytest.mark.parametrize(("from_at", "is_free"), [(0, False), (10, False), (11, True)])
async def test_a_reserved_device_does_not(
    store: Store, ada: Token, runner: str, from_at: int, is_free: bool
) -> None:
    await reserve(store, from_at=NOW + from_at, until_at=NOW + 10_000, drain_ms=0)
    job = await submit(store, ada)
    assert job.state is (JobState.RUNNING if is_free else JobState.QUEUED)


async def test_a_project_with_a_budget_does_not(store: Store, ada: Token, runner: str) -> None:
    await store.feature(BudgetStore).put(new_id(NOW), "ada", "", "jobs", "total", 10, NOW)
    assert (await submit(store, ada)).state is JobState.QUEUED


async def test_a_refused_offer_leaves_a_job_that_waits(
    store: Store, ada: Token, runner: str
) -> None:
    first, second = new_job(ada), new_job(ada)
    await asyncio.gather(  # one commit
        store.jobs.add(first, waiting_limit=PLENTY),
        store.jobs.add(second, waiting_limit=PLENTY, offer=lease_of(second)),
    )
    assert not await store.leases.held(runner)
    assert [has_work for _, _, has_work in await shares(store)] == [1]
    claim = await store.leases.claim("simulator", runner, NOW, maximum=16)
    assert [each.lease.job for each in claim.taken] == [first.id, second.id]


async def test_fair_share_counts_it_like_any_claim(store: Store, ada: Token, runner: str) -> None:
    bob = await make_token(store, "bob")
    await submit(store, ada)
    await add_job(store, bob)
    await store.leases.claim("simulator", runner, NOW)
    usage = {project: vtime for project, vtime, _ in await shares(store)}
    assert usage[ada.project] == usage[bob.project] > 0
    for held in await store.leases.held(runner):
        await store.leases.release(held.lease, "test", NOW, counts_as_attempt=False)
    assert [vtime for _, vtime, _ in await shares(store)] == [0.0, 0.0]


async def test_a_job_that_has_not_begun_is_given_back_as_if_it_had_waited(
    store: Store, ada: Token, runner: str
) -> None:
    job = await submit(store, ada)
    (held,) = await store.leases.held(runner)
    await store.leases.give_back([held.lease, held.lease], NOW)
    after = await stored(store, job)
    assert (after.state, after.started_at, after.runner) == (JobState.QUEUED, None, None)
    assert (after.attempts, len(await store.jobs.events(job.id))) == (0, 1)
    assert [(vtime, has_work) for _, vtime, has_work in await shares(store)] == [(0.0, 1)]
    claim = await store.leases.claim("simulator", runner, NOW)
    assert [each.lease.fence for each in claim.taken] == [2]
