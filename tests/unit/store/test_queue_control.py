"""Hold, release, reorder and requeue jobs, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.errors import (
    Conflict,
    Forbidden,
    LimitExceeded,
    NotFound,
    StaleLease,
    TooManyRequests,
)
from qwicket.model.jobs import Holder, Job
from qwicket.model.limits import StoredLimit
from qwicket.model.states import JobState
from qwicket.store import Store
from support.stores import NOW, add_job, make_token, new_job

pytestmark = pytest.mark.anyio

DONE = RunResult((Encoded(b"body", b"sha"),), 0.001)


@pytest.fixture
async def bob(store: Store) -> Token:
    return await make_token(store, "bob")


async def started(store: Store, device: str = "simulator", **how: Any) -> list[str]:
    claimed = await store.leases.claim(device, "runner", NOW, **how)
    return [each.lease.job for each in claimed.taken]


async def hold(store: Store, job: Job, by: Any = "owner") -> Job:
    return await store.queue_control.hold(job.id, by, actor=job.account, now=NOW)


async def resume(store: Store, job: Job, by: Any = "owner") -> Job:
    return await store.queue_control.resume(job.id, by, actor=job.account, now=NOW)


@pytest.mark.both_databases
async def test_a_held_job_starts_once_it_is_released(store: Store, ada: Token, runner: str) -> None:
    job = await add_job(store, ada)
    held = await hold(store, job)
    assert (held.is_held, held.state, held.version) == (True, JobState.QUEUED, 2)
    assert not (await store.leases.claimable(NOW)).devices
    assert await started(store) == []
    state = await store.queues.state("simulator", NOW, limit=10)
    assert (state.waiting, state.shares) == ([], [])
    assert (await store.queues.depths(["simulator"]))["simulator"].waiting == 0
    assert (await store.queues.waiting_work(["simulator"], maximum=9)).jobs == 0
    assert not (await resume(store, job)).is_held
    assert await started(store) == [job.id]
    reasons = [(each.version, each.reason) for each in await store.jobs.events(job.id)]
    assert reasons == [(2, "held by its owner"), (3, "released")]


async def test_the_other_jobs_of_a_project_and_of_others_start(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    first, second = [await add_job(store, ada) for _ in range(2)]
    other = await add_job(store, bob)
    await hold(store, first)
    assert sorted(await started(store) + await started(store)) == sorted([second.id, other.id])
    assert await started(store) == []


async def test_a_held_express_job_does_not_stop_those_behind_it(
    store: Store, ada: Token, runner: str
) -> None:
    first, second = [await add_job(store, ada, express=True) for _ in range(2)]
    await hold(store, first)
    claimed = await store.leases.claim_express(["simulator"], "runner", NOW)
    assert [each.lease.job for each in claimed.taken] == [second.id]
    assert not (await store.leases.claim_express(["simulator"], "runner", NOW)).taken
    await resume(store, first)
    claimed = await store.leases.claim_express(["simulator"], "runner", NOW)
    assert [each.lease.job for each in claimed.taken] == [first.id]


async def test_what_an_administrator_holds_its_owner_cannot_release(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada)
    await hold(store, job)
    assert (await hold(store, job, "admin")).held_by == "admin"
    assert (await hold(store, job)).held_by == "admin"
    with pytest.raises(Forbidden, match="administrator"):
        await resume(store, job)
    assert await started(store) == []
    await resume(store, job, "admin")
    assert await started(store) == [job.id]


async def test_repeated_changes_change_nothing(store: Store, ada: Token) -> None:
    job = await add_job(store, ada)
    assert (await resume(store, job)).version == 1
    assert (await hold(store, job)).version == (await hold(store, job)).version == 2
    control = store.queue_control
    for _ in range(2):
        changed = await control.prioritize(job.id, 7, actor="", now=NOW)
        assert (changed.version, changed.priority) == (3, 7)


@pytest.mark.both_databases
async def test_only_waiting_jobs_are_held_released_and_reordered(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada)
    await started(store)
    control = store.queue_control
    for change in (hold, resume):
        with pytest.raises(Conflict, match="this one is running"):
            await change(store, job)
    with pytest.raises(Conflict, match="this one is running"):
        await control.prioritize(job.id, 1, actor="", now=NOW)
    with pytest.raises(NotFound):
        await control.hold("0199c82c-c000-7000-8000-000000000000", "owner", actor="", now=NOW)
    assert (await store.jobs.events(job.id)) == []


async def test_a_priority_moves_a_job_ahead_of_those_of_its_project(
    store: Store, ada: Token, runner: str
) -> None:
    first, second = [await add_job(store, ada) for _ in range(2)]
    await store.queue_control.change(
        second.id, "owner", is_held=None, priority=1, actor="", now=NOW
    )
    assert await started(store) + await started(store) == [second.id, first.id]


@pytest.mark.both_databases
async def test_held_jobs_count_against_the_limits_on_waiting_jobs(store: Store, ada: Token) -> None:
    job = await add_job(store, ada)
    await hold(store, job)
    with pytest.raises(TooManyRequests):
        await store.jobs.add(new_job(ada), waiting_limit=1)
    with pytest.raises(TooManyRequests):
        await add_job(store, ada, exam_waiting=1)


async def test_a_held_job_can_be_cancelled(store: Store, ada: Token, runner: str) -> None:
    job = await add_job(store, ada)
    await hold(store, job)
    ended = await store.jobs.cancel(job.id, actor=ada.account, now=NOW)
    assert ended is not None
    assert (ended.state, ended.is_held) == (JobState.CANCELLED, False)


async def test_a_requeued_job_runs_again_and_its_former_result_counts_no_more(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada)
    (first,) = (await store.leases.claim("simulator", runner, NOW)).taken
    requeued = await store.queue_control.requeue(job.id, actor="admin", now=NOW)
    assert (requeued.state, requeued.attempts) == (JobState.QUEUED, 0)
    with pytest.raises(StaleLease):
        await store.leases.finish(first.lease, DONE, NOW)
    (second,) = (await store.leases.claim("simulator", runner, NOW)).taken
    assert second.lease.fence > first.lease.fence
    assert (await store.leases.finish(second.lease, DONE, NOW)).state is JobState.COMPLETED
    (event,) = await store.jobs.events(job.id)
    assert (event.actor, event.reason) == ("admin", "queued again by an administrator")
    with pytest.raises(Conflict, match="this one is completed"):
        await store.queue_control.requeue(job.id, actor="admin", now=NOW)


@pytest.mark.both_databases
async def test_an_action_on_many_jobs_leaves_out_those_that_do_not_fit(
    store: Store, ada: Token, runner: str
) -> None:
    jobs = [(await add_job(store, ada)).id for _ in range(3)]
    (running,) = await started(store, maximum=1)
    waiting = [job for job in jobs if job != running]
    control = store.queue_control

    async def change(action: Any, priority: int = 0, by: Holder = "admin") -> list[str]:
        every = [*jobs, "0199c82c-c000-7000-8000-000000000000"]
        return await control.change_all(every, action, priority, by=by, actor="", now=NOW)

    assert await change("hold") == waiting
    assert await change("hold") == []
    assert await change("priority", 3) == waiting
    assert await change("release", by="owner") == [], "an administrator holds them"
    assert await change("requeue") == [running]
    assert await change("release") == waiting
    assert await change("hold", by="owner") == jobs
    assert await change("release", by="owner") == jobs
    with pytest.raises(LimitExceeded):
        await control.change_all(
            jobs, "hold", 0, by="owner", actor="", now=NOW, stored_limit=StoredLimit(project=0)
        )
    assert await change("hold") == jobs, "none was held"
    assert await change("cancel") == jobs
