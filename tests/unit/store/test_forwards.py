"""Jobs on their way to another cloud: intent before the call, doubt after a crash, adoption."""

from __future__ import annotations

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.failures import Failure
from qwicket.model.jobs import Assignment, Forward
from qwicket.model.states import JobState
from qwicket.store import StaleLease, Store
from support.stores import NOW, add_job

pytestmark = pytest.mark.anyio

DONE = RunResult((Encoded(b"body", b"sha"),), 1.0)


@pytest.fixture
async def claimed(store: Store, ada: Token, runner: str) -> Assignment:
    await add_job(store, ada)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    return assignment


async def state(store: Store, assignment: Assignment) -> JobState:
    job = await store.jobs.get(assignment.lease.job)
    assert job is not None
    return job.state


async def unattended(store: Store) -> Assignment | None:
    return await store.leases.claim_unattended("simulator", "other")


async def test_a_crash_before_the_intent_offers_the_job_again(
    store: Store, claimed: Assignment
) -> None:
    await store.leases.void_runner(claimed.lease.runner, NOW)
    assert await state(store, claimed) is JobState.QUEUED


async def test_a_crash_between_intent_and_answer_leaves_the_job_uncertain(
    store: Store, claimed: Assignment
) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    assert await state(store, claimed) is JobState.UNCERTAIN
    assert (await store.leases.claim("simulator", "other", NOW)).taken == []


async def test_an_uncertain_job_is_looked_after_by_one_runner(
    store: Store, claimed: Assignment
) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert (found.state, found.forward) == (JobState.UNCERTAIN, Forward("mark", None))
    assert found.lease.fence == claimed.lease.fence + 1
    assert await unattended(store) is None


async def test_a_job_found_at_its_vendor_runs_again_and_is_never_sent_again(
    store: Store, claimed: Assignment
) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert (
        await store.leases.record_forwarded(found.lease, "vendor-1", NOW)
    ).state is JobState.RUNNING
    await store.leases.void_runner("other", NOW)
    assert await state(store, claimed) is JobState.RUNNING
    adopted = await unattended(store)
    assert adopted is not None
    assert (adopted.state, adopted.forward) == (JobState.RUNNING, Forward("mark", "vendor-1"))
    assert (await store.leases.finish(adopted.lease, DONE, NOW)).state is JobState.COMPLETED


@pytest.mark.parametrize(
    ("result", "after"),
    [(DONE, JobState.COMPLETED), (RunResult(Failure("lost", "not found"), 0.0), JobState.FAILED)],
)
async def test_an_uncertain_job_may_turn_out_to_have_ended(
    store: Store, claimed: Assignment, result: RunResult, after: JobState
) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert (await store.leases.finish(found.lease, result, NOW)).state is after


async def test_an_uncertain_job_may_turn_out_to_be_cancelled(
    store: Store, claimed: Assignment
) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert (await store.leases.cancel_stopped(found.lease, NOW)).state is JobState.CANCELLED


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_forwarded_job_without_a_runner_is_cancelled_at_its_vendor(
    store: Store, claimed: Assignment, is_known: bool
) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    if is_known:
        await store.leases.record_forwarded(claimed.lease, "vendor-1", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    await store.jobs.cancel(claimed.lease.job, actor="ada", now=NOW)
    assert await state(store, claimed) is JobState.CANCELLING
    found = await unattended(store)
    assert found is not None
    assert found.state is JobState.CANCELLING
    assert (await store.leases.cancel_stopped(found.lease, NOW)).state is JobState.CANCELLED


async def test_whoever_looks_after_an_uncertain_job_may_give_up(
    store: Store, claimed: Assignment
) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    await store.leases.release(found.lease, "the server stops", NOW, blamed=False)
    assert await state(store, claimed) is JobState.UNCERTAIN
    assert await unattended(store) is not None


async def test_a_job_that_is_to_stop_at_its_vendor_is_not_cancelled_by_a_crash(
    store: Store, claimed: Assignment
) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    await store.leases.record_forwarded(claimed.lease, "vendor-1", NOW)
    await store.jobs.cancel(claimed.lease.job, actor="ada", now=NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    assert await state(store, claimed) is JobState.CANCELLING
    found = await unattended(store)
    assert found is not None
    assert (found.state, found.forward) == (JobState.CANCELLING, Forward("mark", "vendor-1"))
    assert (await store.leases.cancel_stopped(found.lease, NOW)).state is JobState.CANCELLED


async def test_an_intent_is_written_once(store: Store, claimed: Assignment) -> None:
    await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    assert await store.leases.record_forward_intent(claimed.lease, "other mark", NOW) == Forward(
        "mark", None
    )


async def test_a_stale_lease_can_send_nothing(store: Store, claimed: Assignment) -> None:
    await store.leases.release(claimed.lease, "test", NOW, blamed=False)
    with pytest.raises(StaleLease):
        await store.leases.record_forward_intent(claimed.lease, "mark", NOW)
    with pytest.raises(StaleLease):
        await store.leases.record_forwarded(claimed.lease, "vendor-1", NOW)
    with pytest.raises(StaleLease):
        await store.leases.cancel_stopped(claimed.lease, NOW)
