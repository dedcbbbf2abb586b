"""Pilots in the store: claims that fit, and claims whose response was lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwicket.model.accounts import Token
from qwicket.model.errors import LimitExceeded
from qwicket.model.jobs import Capacity, Lease, Projects, Runner
from qwicket.model.states import JobState
from qwicket.store import Store
from support.stores import NOW, add_job, make_token, stored

pytestmark = pytest.mark.anyio

PILOT = Runner("root/node1", "pilot", 0, 2, memory_bytes=1 << 30)


async def claim(
    store: Store,
    request: int,
    *,
    capacity: Capacity | None = None,
    only_tiny: bool = False,
    maximum: int = 1,
) -> list[Lease]:
    found = await store.leases.claim(
        *("simulator", PILOT.id, NOW),
        maximum=maximum,
        capacity=capacity or Capacity(),
        only_tiny=only_tiny,
        request=request,
    )
    return [each.lease for each in found.taken]


@pytest.mark.both_databases
async def test_a_pilot_is_registered_with_its_slots_and_memory(store: Store) -> None:
    await store.leases.renew(PILOT, frozenset(), 0, NOW)
    await store.leases.renew(PILOT, frozenset(), 0, NOW)
    (found,) = await store.leases.runners()
    assert (found.kind, found.slots, found.memory_bytes, found.beat) == ("pilot", 2, 1 << 30, 1)


@pytest.mark.both_databases
async def test_a_pilot_is_registered_with_what_it_takes_now(store: Store) -> None:
    some = Projects(frozenset(("a", "b")), are_left=False)
    offers: tuple[dict[str, Any], ...] = (
        {"projects": some, "ends_at": NOW + 60_000, "task_bytes": 1 << 30},
        {"projects": Projects(frozenset("a"))},
        {},
    )
    for beat, offered in enumerate(offers):
        pilot = msgspec.structs.replace(PILOT, memory_bytes=None, **offered)
        await store.leases.renew(pilot, frozenset(), 0, NOW)
        assert await store.leases.runners() == [msgspec.structs.replace(pilot, beat=beat)]


async def test_there_are_only_so_many_pilots(store: Store) -> None:
    await store.leases.renew(PILOT, frozenset(), 0, NOW, maximum=1)
    await store.leases.renew(PILOT, frozenset(), 0, NOW, maximum=1)
    other = Runner("root/node2", "pilot", 0, 1)
    with pytest.raises(LimitExceeded, match="limit pilots"):
        await store.leases.renew(other, frozenset(), 0, NOW, maximum=1)


async def test_a_lease_is_released_once_its_pilot_awaits_no_response(
    store: Store, ada: Token
) -> None:
    jobs = [await add_job(store, ada) for _ in range(3)]
    first, second, third = [(await claim(store, number))[0] for number in (1, 2, 3)]
    await store.leases.renew(PILOT, frozenset([first]), 0, NOW)
    assert len(await store.leases.held(PILOT.id)) == 3, "all responses may be on their way"
    held = await store.leases.renew(PILOT, frozenset([first]), 2, NOW)
    assert {each.lease for each in held} == {first, third}
    states = {job.id: (await stored(store, job)).state for job in jobs}
    assert states[second.job] is JobState.QUEUED
    assert states[first.job] is states[third.job] is JobState.RUNNING


async def test_only_a_job_that_fits_is_claimed_whoever_is_before_it(
    store: Store, ada: Token
) -> None:
    large = await add_job(store, ada, est_bytes=1 << 40, priority=2)
    long = await add_job(store, ada, est_seconds=1_000.0, priority=1)
    small = await add_job(store, ada)
    capacity = Capacity(1 << 30, 60.0)
    assert [each.job for each in await claim(store, 1, capacity=capacity)] == [small.id]
    assert await claim(store, 2, capacity=capacity) == []
    assert [each.job for each in await claim(store, 3, capacity=Capacity(1 << 30))] == [long.id]
    assert [each.job for each in await claim(store, 4)] == [large.id]


async def test_a_project_whose_jobs_do_not_fit_does_not_hold_up_another(
    store: Store, ada: Token
) -> None:
    bob = await make_token(store, "bob")
    await add_job(store, ada, est_bytes=1 << 40)
    jobs = {(await add_job(store, bob)).id for _ in range(2)}
    found = [await claim(store, number, capacity=Capacity(1 << 30)) for number in (1, 2, 3)]
    assert {each.job for leases in found for each in leases} == jobs


@pytest.mark.both_databases
async def test_a_claim_takes_jobs_of_some_projects_or_of_all_but_some(
    store: Store, ada: Token
) -> None:
    bob = await make_token(store, "bob")
    of_ada, of_bob = await add_job(store, ada, NOW), await add_job(store, bob, NOW + 1)
    only_bob, all_but_ada, only_ada = (
        Capacity(projects=Projects(frozenset(ids), are_left=are_left))
        for ids, are_left in (([bob.project], False), ([ada.project], True), ([ada.project], False))
    )
    work = store.queues.waiting_work
    assert (await work(["simulator"], maximum=9, projects=only_bob.projects)).jobs == 1
    assert (await work(["simulator"], maximum=9)).jobs == 2
    assert [each.job for each in await claim(store, 1, capacity=only_bob)] == [of_bob.id]
    assert (await work(["simulator"], maximum=9, projects=only_bob.projects)).jobs == 0
    assert await claim(store, 2, capacity=all_but_ada) == []
    assert [each.job for each in await claim(store, 3, capacity=only_ada)] == [of_ada.id]


async def test_a_claim_of_tiny_jobs_takes_no_longer_one(store: Store, ada: Token) -> None:
    await add_job(store, ada, est_seconds=1.0)
    assert await claim(store, 1, only_tiny=True) == []
    assert len(await claim(store, 2)) == 1


async def test_a_batch_ends_before_its_circuits_are_large(store: Store, ada: Token) -> None:
    for _ in range(5):
        await add_job(store, ada, n_ops_1q=60_000)
    assert len(await claim(store, 1, maximum=16)) == 2


async def test_a_job_names_the_runner_that_ran_it_last(store: Store, ada: Token) -> None:
    job = await add_job(store, ada)
    assert job.runner is None
    (lease,) = await claim(store, 1)
    released = await store.leases.release(lease, "tired", NOW, counts_as_attempt=False)
    assert released.runner == PILOT.id
    await store.leases.claim("simulator", "other", NOW)
    assert (await stored(store, job)).runner == "other"
