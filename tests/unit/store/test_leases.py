"""Leases, and every step of the state table tried from every state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import pytest

from qwicket.circuits.outcomes import Encoded, PartResult, RunResult
from qwicket.devices import built_in
from qwicket.model.accounts import Token
from qwicket.model.devices import DeviceStatus
from qwicket.model.failures import Failure
from qwicket.model.jobs import Assignment, Job, JobQuery, Lease, Runner
from qwicket.model.states import STEP, JobState
from qwicket.store import HeldLease, JobChange, StaleLease, Store
from support.stores import NOW, add_job, execute, stored

pytestmark = pytest.mark.anyio

DONE = RunResult((Encoded(b"body", b"sha"),), 0.001)
FAILED = RunResult(Failure("x", "y"), 0.001)


async def claim(store: Store, runner: str, device: str = "simulator") -> Assignment:
    (assignment,) = (await store.leases.claim(device, runner, NOW)).taken
    return assignment


async def test_a_claim_hands_over_all_that_a_driver_needs(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada, circuits=b"packed", options=b"options", est_bytes=77)
    assignment = await claim(store, runner)
    assert (assignment.circuits, assignment.options) == (b"packed", b"options")
    assert (assignment.device, assignment.est_bytes, assignment.attempts) == ("simulator", 77, 0)
    assert (assignment.lease.job, assignment.lease.runner) == (job.id, runner)
    present = await store.jobs.get(job.id)
    assert present is not None
    assert (present.state, present.started_at) == (JobState.RUNNING, NOW)


async def test_the_oldest_job_of_the_highest_priority_is_claimed_first(
    store: Store, ada: Token, runner: str
) -> None:
    old = await add_job(store, ada)
    new = await add_job(store, ada)
    urgent = await add_job(store, ada, priority=1)
    claimed = [(await claim(store, runner)).lease.job for _ in range(3)]
    assert claimed == [urgent.id, old.id, new.id]


async def test_a_claim_takes_only_its_devices_jobs(store: Store, ada: Token, runner: str) -> None:
    await add_job(store, ada, device="clifford")
    assert (await store.leases.claim("simulator", runner, NOW)).taken == []


@pytest.mark.both_databases
async def test_many_claims_at_once_take_each_job_once(
    store: Store, ada: Token, runner: str
) -> None:
    jobs = [await add_job(store, ada) for _ in range(30)]
    claims = await asyncio.gather(
        *(store.leases.claim("simulator", runner, NOW) for _ in range(60))
    )
    taken = [assignment.lease.job for claim in claims for assignment in claim.taken]
    assert sorted(taken) == sorted(job.id for job in jobs)


async def test_finishing_stores_state_and_results_in_one(
    store: Store, ada: Token, runner: str, told: list[JobChange]
) -> None:
    await add_job(store, ada)
    assignment = await claim(store, runner)
    job = await store.leases.finish(assignment.lease, DONE, NOW + 9)
    await asyncio.sleep(0)
    assert (job.state, job.ended_at) == (JobState.COMPLETED, NOW + 9)
    assert tuple(await store.jobs.results(job.id)) == DONE.result
    assert [change.state for change in told] == ["queued", "running", "completed"]
    assert [change.version for change in told] == [1, 2, 3]


async def test_a_failed_part_fails_the_job_and_keeps_the_good_ones(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada, n_circuits=2)
    assignment = await claim(store, runner)
    completion = (Encoded(b"body", b"sha"), Failure("out_of_memory", "too big"))
    job = await store.leases.finish(assignment.lease, RunResult(completion, 0.001), NOW)
    assert (job.state, job.error_code, job.error_text) == ("failed", "out_of_memory", "too big")
    assert tuple(await store.jobs.results(job.id)) == completion
    (event,) = await store.jobs.events(job.id)
    assert event == (job.version, NOW, "running", "failed", runner, "out_of_memory")


async def test_a_job_finishes_once(store: Store, ada: Token, runner: str) -> None:
    await add_job(store, ada)
    assignment = await claim(store, runner)
    await store.leases.finish(assignment.lease, DONE, NOW)
    with pytest.raises(StaleLease):
        await store.leases.finish(assignment.lease, DONE, NOW)
    with pytest.raises(StaleLease):
        await store.leases.finish(assignment.lease, FAILED, NOW)


@pytest.mark.both_databases
async def test_two_results_at_once_count_once(store: Store, ada: Token, runner: str) -> None:
    await add_job(store, ada)
    assignment = await claim(store, runner)
    results = await asyncio.gather(
        *(store.leases.finish(assignment.lease, DONE, NOW) for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Job) for result in results) == 1
    assert sum(isinstance(result, StaleLease) for result in results) == 9
    assert len(await store.jobs.results(assignment.lease.job)) == 1


@pytest.mark.both_databases
async def test_a_large_result_that_comes_too_late_leaves_nothing(
    store: Store, ada: Token, runner: str
) -> None:
    """Else who brings some under leases that are over fills the disk."""

    async def kept() -> list[Any]:
        return await store._database.read(lambda tx: tx.all("blob_orphans"))

    await add_job(store, ada)
    assignment = await claim(store, runner)
    await store.leases.release(assignment.lease, "test", NOW, counts_as_attempt=False)
    large = Encoded(bytes(3 << 20), b"large")
    with pytest.raises(StaleLease):
        await store.leases.finish(assignment.lease, RunResult((large,), 0.1), NOW)
    assert await kept() == []
    again = await claim(store, runner)
    await store.leases.finish(again.lease, RunResult((large,), 0.1), NOW)
    with pytest.raises(StaleLease):
        await store.leases.finish(again.lease, RunResult((large,), 0.1), NOW)
    assert tuple(await store.jobs.results(again.lease.job)) == (large,), "one in use stays"


async def test_the_fence_rises_and_an_older_lease_is_worthless(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    first = await claim(store, runner)
    await store.leases.release(first.lease, "test", NOW, counts_as_attempt=False)
    second = await claim(store, runner)
    assert second.lease.fence == first.lease.fence + 1
    with pytest.raises(StaleLease):
        await store.leases.finish(first.lease, DONE, NOW)
    with pytest.raises(StaleLease):
        await store.leases.release(first.lease, "test", NOW, counts_as_attempt=False)
    assert (await store.leases.finish(second.lease, DONE, NOW)).state is JobState.COMPLETED


async def test_a_guessed_nonce_is_worthless(store: Store, ada: Token, runner: str) -> None:
    await add_job(store, ada)
    lease = (await claim(store, runner)).lease
    forged = Lease(job=lease.job, fence=lease.fence, nonce="0" * 32, runner=runner)
    with pytest.raises(StaleLease):
        await store.leases.finish(forged, DONE, NOW)


async def test_a_released_job_is_offered_again_and_published(
    store: Store, ada: Token, runner: str, told: list[JobChange]
) -> None:
    await add_job(store, ada)
    assignment = await claim(store, runner)
    job = await store.leases.release(
        assignment.lease, "the server stops", NOW + 1, counts_as_attempt=False
    )
    await asyncio.sleep(0)
    assert (job.state, job.attempts, job.started_at) == (JobState.QUEUED, 0, NOW)
    assert told[-1].state is JobState.QUEUED
    (event,) = await store.jobs.events(job.id)
    assert (event.reason, event.actor) == ("the server stops", runner)


async def test_a_job_started_again_keeps_its_first_start(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    first = await claim(store, runner)
    await store.leases.release(first.lease, "test", NOW, counts_as_attempt=False)
    (second,) = (await store.leases.claim("simulator", runner, NOW + 60_000)).taken
    present = await store.jobs.get(second.lease.job)
    assert present is not None
    assert present.started_at == NOW


async def test_the_third_death_that_a_job_is_blamed_for_fails_it(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    for attempts in (1, 2):
        lease = (await claim(store, runner)).lease
        job = await store.leases.release(lease, "SIGKILL", NOW, counts_as_attempt=True)
        assert (job.state, job.attempts) == (JobState.QUEUED, attempts)
    lease = (await claim(store, runner)).lease
    job = await store.leases.release(lease, "SIGKILL.", NOW, counts_as_attempt=True)
    assert (job.state, job.attempts, job.error_code) == (JobState.FAILED, 3, "worker_died")
    assert job.error_text == "The job ended its worker 3 times: SIGKILL."


async def test_deaths_that_a_job_is_not_blamed_for_never_fail_it(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    for _ in range(5):
        lease = (await claim(store, runner)).lease
        job = await store.leases.release(lease, "runner gone", NOW, counts_as_attempt=False)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)


async def test_releasing_a_job_that_was_asked_to_stop_cancels_it(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada)
    lease = (await claim(store, runner)).lease
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    ended = await store.leases.release(lease, "stopped", NOW + 3, counts_as_attempt=True)
    assert (ended.state, ended.ended_at) == (JobState.CANCELLED, NOW + 3)


async def test_a_result_that_arrives_while_cancelling_wins(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada)
    lease = (await claim(store, runner)).lease
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    assert (await store.leases.finish(lease, DONE, NOW)).state is JobState.COMPLETED


async def test_a_lost_runners_jobs_are_offered_again_at_once(
    store: Store, ada: Token, runner: str
) -> None:
    jobs = [await add_job(store, ada) for _ in range(3)]
    leases = [(await claim(store, runner)).lease for _ in jobs]
    await store.jobs.cancel(jobs[2].id, actor="ada", now=NOW)
    voided = await store.leases.void_runner(runner, NOW)
    assert sorted(job.state for job in voided) == ["cancelled", "queued", "queued"]
    for lease in leases:
        with pytest.raises(StaleLease):
            await store.leases.finish(lease, DONE, NOW)
    assert await store.leases.void_runner(runner, NOW) == []


async def test_voiding_a_runner_leaves_others_alone(store: Store, ada: Token, runner: str) -> None:
    await store.leases.add_runner("other", "server", NOW)
    await add_job(store, ada)
    lease = (await claim(store, "other")).lease
    assert await store.leases.void_runner(runner, NOW) == []
    assert (await store.leases.finish(lease, DONE, NOW)).state is JobState.COMPLETED


@pytest.mark.both_databases
async def test_a_beat_raises_only_its_runner(store: Store, runner: str) -> None:
    await store.leases.add_runner("other", "server", NOW, slots=3)
    await asyncio.wrap_future(store.leases.record_heartbeat(Runner(runner, "server", 0, 0), NOW))
    assert sorted(await store.leases.runners(), key=lambda each: each.id) == [
        Runner("other", "server", 0, 3),
        Runner(runner, "server", 1, 0),
    ]


async def test_a_runner_that_was_given_up_is_entered_again_by_its_beat(
    store: Store, runner: str
) -> None:
    await store.leases.void_runner(runner, NOW)
    await asyncio.wrap_future(store.leases.record_heartbeat(Runner(runner, "server", 7, 2), NOW))
    assert await store.leases.runners() == [Runner(runner, "server", 0, 2)]


@pytest.mark.both_databases
async def test_what_is_held_by_no_runner_is_offered_again(store: Store, ada: Token) -> None:
    job = await add_job(store, ada)
    await claim(store, "nobody")
    assert [each.id for each in await store.leases.void_orphaned_leases(NOW)] == [job.id]
    assert await store.leases.void_orphaned_leases(NOW) == []


async def test_the_store_says_what_a_runner_holds(store: Store, ada: Token, runner: str) -> None:
    jobs = [await add_job(store, ada) for _ in range(2)]
    leases = [(await claim(store, runner)).lease for _ in jobs]
    await store.jobs.cancel(jobs[1].id, actor="ada", now=NOW)
    held = {each.lease.job: each for each in await store.leases.held(runner)}
    assert held[jobs[0].id] == HeldLease(leases[0], JobState.RUNNING)
    assert held[jobs[1].id] == HeldLease(leases[1], JobState.CANCELLING)
    await store.leases.finish(leases[0], DONE, NOW)
    assert [each.lease.job for each in await store.leases.held(runner)] == [jobs[1].id]


async def test_tiny_jobs_are_claimed_together(store: Store, ada: Token, runner: str) -> None:
    jobs = [await add_job(store, ada, est_seconds=0.001) for _ in range(5)]
    batch = (await store.leases.claim("simulator", runner, NOW, maximum=4)).taken
    assert [each.lease.job for each in batch] == [job.id for job in jobs[:4]]
    assert len({each.lease.nonce for each in batch}) == 4
    for each in batch:
        assert (await store.leases.finish(each.lease, DONE, NOW)).state is JobState.COMPLETED


async def test_a_batch_takes_no_longer_than_a_blink(store: Store, ada: Token, runner: str) -> None:
    for _ in range(10):
        await add_job(store, ada, est_seconds=0.005)
    assert len((await store.leases.claim("simulator", runner, NOW, maximum=16)).taken) == 4


async def test_a_job_that_is_not_tiny_runs_alone(store: Store, ada: Token, runner: str) -> None:
    tiny, big, last = [await add_job(store, ada, est_seconds=s) for s in (0.001, 1.0, 0.001)]
    claims = [
        (await store.leases.claim("simulator", runner, NOW, maximum=16)).taken for _ in range(3)
    ]
    assert [[each.lease.job for each in one] for one in claims] == [[tiny.id], [big.id], [last.id]]


async def test_a_job_that_ran_before_runs_alone(store: Store, ada: Token, runner: str) -> None:
    back = await add_job(store, ada)
    await _release(store, (await claim(store, runner)).lease)
    others = [await add_job(store, ada) for _ in range(2)]
    first = (await store.leases.claim("simulator", runner, NOW, maximum=16)).taken
    second = (await store.leases.claim("simulator", runner, NOW, maximum=16)).taken
    assert [each.lease.job for each in first] == [back.id]
    assert [each.lease.job for each in second] == [job.id for job in others]


async def test_nothing_is_claimed_for_a_device_that_is_off(
    store: Store, ada: Token, runner: str
) -> None:
    await store.devices.seed(built_in(), "builtin")
    await add_job(store, ada)
    off = DeviceStatus(is_on=False, reason="maintenance", until_at=NOW + 1000)
    await store.devices.set_status("simulator", off, NOW)
    assert (await store.leases.claim("simulator", runner, NOW)).taken == []
    assert len((await store.leases.claim("simulator", runner, NOW + 1000)).taken) == 1


async def _release(store: Store, lease: Lease) -> Job:
    return await store.leases.release(lease, "test", NOW, counts_as_attempt=False)


VERBS: dict[str, Callable[[Store, Lease], Awaitable[Job]]] = {
    "complete": lambda store, lease: store.leases.finish(lease, DONE, NOW),
    "fail": lambda store, lease: store.leases.finish(lease, FAILED, NOW),
    "release": _release,
}


@pytest.mark.both_databases
async def test_a_step_is_taken_only_from_the_states_of_the_table(
    store: Store, ada: Token, runner: str
) -> None:
    for verb, state in product(VERBS, JobState):
        device = f"{verb}-{state}"
        job = await add_job(store, ada, device=device)
        lease = (await claim(store, runner, device)).lease
        await put_into(store, job.id, state)
        expected = _expected(verb, state)
        if expected is None:
            with pytest.raises(StaleLease):
                await VERBS[verb](store, lease)
        else:
            assert (await VERBS[verb](store, lease)).state is expected, device
        assert (await stored(store, job)).state is (expected or state), device


def _expected(verb: str, state: JobState) -> JobState | None:
    if verb == "release" and state is JobState.CANCELLING:
        return STEP["cancel"].after
    return STEP[verb].after if state in STEP[verb].before else None


async def test_a_claim_starts_only_from_the_states_of_the_table(
    store: Store, ada: Token, runner: str
) -> None:
    for state in JobState:
        job = await add_job(store, ada, device=state)
        await put_into(store, job.id, state)
        claimed = (await store.leases.claim(state, runner, NOW)).taken
        assert bool(claimed) == (state in STEP["claim"].before), state


async def test_a_cancel_steps_only_from_the_states_of_the_table(store: Store, ada: Token) -> None:
    steps = [STEP["withdraw"], STEP["ask_cancel"]]
    for state in JobState:
        job = await add_job(store, ada)
        await put_into(store, job.id, state)
        after = await store.jobs.cancel(job.id, actor="ada", now=NOW)
        expected = next((step.after for step in steps if state in step.before), state)
        assert after is not None
        assert after.state is expected, state


async def put_into(store: Store, job: str, state: JobState) -> None:
    """Force a state, as no operation can."""

    forced = f"update job set state = '{state}' where id = '{job}'"
    await store._database.write(lambda tx: execute(tx, forced))


async def test_small_results_are_published_with_the_end_of_a_job(
    store: Store, ada: Token, runner: str, told: list[JobChange]
) -> None:
    small, large = Encoded(b"body", b"sha"), Encoded(b"0" * 40_000, b"large")
    failure = Failure("code", "text")
    for given in ((small, small), (small, large), (small, failure)):
        await add_job(store, ada)
        (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
        await store.leases.finish(assignment.lease, RunResult(given, 0.001), NOW)
        expected = given if given == (small, small) else None
        assert told[-1].results == expected
        assert tuple(await store.jobs.results(assignment.lease.job)) == given


@pytest.mark.parametrize("number", [1, 7, 8, 31, 41, 100])
async def test_however_many_results_a_job_has_each_is_kept(
    store: Store, ada: Token, runner: str, number: int
) -> None:
    failure, large = Failure("code", "text"), Encoded(b"0" * 2_000_000, b"large")
    odd: dict[int, PartResult] = {3: failure, 20: large, 40: failure}
    given = tuple(odd.get(part, Encoded(b"%d" % part, b"sha")) for part in range(number))
    await add_job(store, ada)
    await store.leases.finish((await claim(store, runner)).lease, RunResult(given, 0.001), NOW)
    (job,) = await store.jobs.page(JobQuery(account=ada.account))
    assert tuple(await store.jobs.results(job.id)) == given
