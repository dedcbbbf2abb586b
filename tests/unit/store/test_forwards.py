"""Jobs on their way to another cloud: intent before the call, doubt after a crash, adoption."""

from __future__ import annotations

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.devices import Device, DeviceSpec, Presence
from qwicket.model.errors import Conflict, NotFound
from qwicket.model.failures import Failure
from qwicket.model.groups import ForwardedGroup, NewGroup
from qwicket.model.ids import new_id
from qwicket.model.jobs import Assignment, Forward
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.scheduling import Forecaster
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
    return await store.forwards.claim_unattended("simulator", "other")


async def test_a_crash_before_the_intent_offers_the_job_again(
    store: Store, claimed: Assignment
) -> None:
    await store.leases.void_runner(claimed.lease.runner, NOW)
    assert await state(store, claimed) is JobState.QUEUED


async def test_a_crash_between_intent_and_answer_leaves_the_job_uncertain(
    store: Store, claimed: Assignment
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    assert await state(store, claimed) is JobState.UNCERTAIN
    assert (await store.leases.claim("simulator", "other", NOW)).taken == []


async def test_an_uncertain_job_is_looked_after_by_one_runner(
    store: Store, claimed: Assignment
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert (found.state, found.forward) == (
        JobState.UNCERTAIN,
        Forward("mark", None, intent_at=NOW),
    )
    assert found.lease.fence == claimed.lease.fence + 1
    assert await unattended(store) is None


async def test_a_job_found_at_its_vendor_runs_again_and_is_never_sent_again(
    store: Store, claimed: Assignment
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert (
        await store.forwards.record_sent(found.lease, "vendor-1", NOW)
    ).state is JobState.RUNNING
    await store.leases.void_runner("other", NOW)
    assert await state(store, claimed) is JobState.RUNNING
    adopted = await unattended(store)
    assert adopted is not None
    assert (adopted.state, adopted.forward) == (
        JobState.RUNNING,
        Forward("mark", "vendor-1", intent_at=NOW),
    )
    assert (await store.leases.finish(adopted.lease, DONE, NOW)).state is JobState.COMPLETED


@pytest.mark.parametrize(
    ("result", "after"),
    [(DONE, JobState.COMPLETED), (RunResult(Failure("lost", "not found"), 0.0), JobState.FAILED)],
)
async def test_an_uncertain_job_may_turn_out_to_have_ended(
    store: Store, claimed: Assignment, result: RunResult, after: JobState
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert (await store.leases.finish(found.lease, result, NOW)).state is after


async def test_an_uncertain_job_may_turn_out_to_be_cancelled(
    store: Store, claimed: Assignment
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert (await store.leases.cancel_stopped(found.lease, NOW)).state is JobState.CANCELLED


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_forwarded_job_without_a_runner_is_cancelled_at_its_vendor(
    store: Store, claimed: Assignment, is_known: bool
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    if is_known:
        await store.forwards.record_sent(claimed.lease, "vendor-1", NOW)
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
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    await store.leases.release(found.lease, "the server stops", NOW, counts_as_attempt=False)
    assert await state(store, claimed) is JobState.UNCERTAIN
    assert await unattended(store) is not None


async def test_a_job_that_is_to_stop_at_its_vendor_is_not_cancelled_by_a_crash(
    store: Store, claimed: Assignment
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.forwards.record_sent(claimed.lease, "vendor-1", NOW)
    await store.jobs.cancel(claimed.lease.job, actor="ada", now=NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    assert await state(store, claimed) is JobState.CANCELLING
    found = await unattended(store)
    assert found is not None
    assert (found.state, found.forward) == (
        JobState.CANCELLING,
        Forward("mark", "vendor-1", intent_at=NOW),
    )
    assert (await store.leases.cancel_stopped(found.lease, NOW)).state is JobState.CANCELLED


async def test_an_intent_is_written_once(store: Store, claimed: Assignment) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    assert await store.forwards.record_intent(claimed.lease, "other mark", NOW) == Forward(
        "mark", None, intent_at=NOW
    )


async def test_the_first_intent_counts_until_a_person_calls_the_job_absent(
    store: Store, left: str
) -> None:
    """A later time would hide that the cloud may have deleted the job of the first one."""
    await store.forwards.resolve_absent(left, actor="eve", now=NOW)
    found = await unattended(store)
    assert found is not None
    for now, intent_at in ((NOW + 5, NOW + 5), (NOW + 9, NOW + 5)):
        forward = await store.forwards.record_intent(found.lease, "mark", now)
        assert forward == Forward("mark", None, intent_at=intent_at)


@pytest.mark.both_databases
async def test_the_account_there_is_that_of_the_last_submission(
    store: Store, claimed: Assignment
) -> None:
    lease, forwards = claimed.lease, store.forwards
    await forwards.record_intent(lease, "mark", NOW, "first")
    assert await forwards.record_intent(lease, "mark", NOW, "second") == Forward(
        "mark", None, sent_to="second", intent_at=NOW
    )
    await store.leases.void_runner(lease.runner, NOW)
    found = await unattended(store)
    assert found is not None
    assert found.forward == Forward("mark", None, sent_to="second", intent_at=NOW)
    await forwards.leave_to_person(found.lease, "another account", NOW)
    await forwards.resolve_sent(lease.job, "vendor-7", actor="eve", now=NOW)
    found = await unattended(store)
    assert found is not None
    assert found.forward == Forward("mark", "vendor-7", intent_at=NOW), (
        "a person knows of no account"
    )


@pytest.mark.both_databases
async def test_a_job_that_is_found_is_not_absent(store: Store, left: str) -> None:
    """Or it would be sent again without a look, once its id turns out to be another job's."""
    await store.forwards.resolve_absent(left, actor="eve", now=NOW)
    found = await unattended(store)
    assert found is not None
    await store.forwards.record_sent(found.lease, "vendor-7", NOW)
    assert await store.forwards.forget_sent(found.lease) == Forward("mark", None, intent_at=NOW)


async def test_a_stale_lease_can_send_nothing(store: Store, claimed: Assignment) -> None:
    await store.leases.release(claimed.lease, "test", NOW, counts_as_attempt=False)
    with pytest.raises(StaleLease):
        await store.forwards.record_intent(claimed.lease, "mark", NOW)
    with pytest.raises(StaleLease):
        await store.forwards.record_sent(claimed.lease, "vendor-1", NOW)
    with pytest.raises(StaleLease):
        await store.leases.cancel_stopped(claimed.lease, NOW)


async def test_no_two_jobs_of_a_device_have_one_id_at_the_vendor(
    store: Store, ada: Token, claimed: Assignment, runner: str
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.forwards.record_sent(claimed.lease, "vendor-1", NOW)
    await add_job(store, ada)
    (other,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.forwards.record_intent(other.lease, "other mark", NOW)
    with pytest.raises(Conflict, match=claimed.lease.job):
        await store.forwards.record_sent(other.lease, "vendor-1", NOW)
    await store.forwards.record_sent(claimed.lease, "vendor-1", NOW)


@pytest.mark.both_databases
async def test_an_id_that_is_another_jobs_is_given_up(
    store: Store, ada: Token, claimed: Assignment, runner: str
) -> None:
    with pytest.raises(Conflict, match="not been sent"):
        await store.forwards.forget_sent(claimed.lease)
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.forwards.record_sent(claimed.lease, "vendor-1", NOW)
    await add_job(store, ada)
    (other,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.forwards.record_intent(other.lease, "other mark", NOW)
    assert await store.forwards.forget_sent(claimed.lease) == Forward("mark", None, intent_at=NOW)
    await store.forwards.record_sent(other.lease, "vendor-1", NOW)
    with pytest.raises(Conflict, match=other.lease.job):
        await store.forwards.record_sent(claimed.lease, "vendor-1", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW)
    assert await state(store, claimed) is JobState.UNCERTAIN, "it may still be there"
    with pytest.raises(StaleLease):
        await store.forwards.forget_sent(claimed.lease)


@pytest.mark.both_databases
async def test_what_was_certainly_not_sent_is_queued_again(
    store: Store, claimed: Assignment
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.forwards.withdraw(claimed.lease)
    await store.leases.release(claimed.lease, "not sent", NOW, counts_as_attempt=False)
    assert await state(store, claimed) is JobState.QUEUED


@pytest.mark.both_databases
async def test_a_response_is_stored_under_the_lease_alone(
    store: Store, claimed: Assignment
) -> None:
    lease, forwards = claimed.lease, store.forwards
    assert await forwards.response(lease.job) == (None, None)
    await forwards.record_intent(lease, "mark", NOW)
    assert await forwards.response(lease.job) == (None, None)
    before = await store.jobs.get(lease.job)
    assert before is not None
    after = await forwards.record_response(lease, b"said", NOW)
    assert (after.state, after.version) == (before.state, before.version + 1)
    assert await forwards.response(lease.job) == (None, b"said")
    await store.leases.void_runner(lease.runner, NOW)
    with pytest.raises(StaleLease):
        await forwards.record_response(lease, b"other", NOW)
    assert await forwards.response(lease.job) == (None, b"said")


async def test_a_response_is_stored_together_with_the_id_in_it(
    store: Store, claimed: Assignment
) -> None:
    lease, forwards = claimed.lease, store.forwards
    await forwards.record_intent(lease, "mark", NOW)
    before = await store.jobs.get(lease.job)
    assert before is not None
    after = await forwards.record_sent(lease, "vendor-1", NOW, b"said")
    assert after.version == before.version + 1, "whoever waits for the response is woken"
    assert await forwards.response(lease.job) == ("vendor-1", b"said")


@pytest.mark.both_databases
async def test_ids_at_the_vendor_are_found_by_their_owner_alone(
    store: Store, ada: Token, runner: str
) -> None:
    ids = []
    for k in range(3):
        await add_job(store, ada)
        (claimed,) = (await store.leases.claim("simulator", runner, NOW)).taken
        await store.forwards.record_intent(claimed.lease, f"mark-{k}", NOW)
        await store.forwards.record_sent(claimed.lease, f"vendor-{k}", NOW)
        ids.append(claimed.lease.job)
        found = await store.forwards.of_vendor_job("simulator", f"vendor-{k}", ada.account)
        assert found is not None
        assert found.id == claimed.lease.job
    assert await store.forwards.of_vendor_job("simulator", "vendor-9", ada.account) is None
    assert await store.forwards.of_vendor_job("simulator", "vendor-1", "another") is None
    assert await store.forwards.of_vendor_job("other", "vendor-1", ada.account) is None
    page = await store.forwards.vendor_jobs("simulator", ada.account, INT64_MAX, 2)
    assert [id for _, id in page] == ["vendor-2", "vendor-1"]
    rest = await store.forwards.vendor_jobs("simulator", ada.account, page[-1][0], 2)
    assert [id for _, id in rest] == ["vendor-0"]
    assert await store.forwards.vendor_jobs("simulator", "another", INT64_MAX, 2) == []


@pytest.fixture
async def left(store: Store, claimed: Assignment) -> str:
    """Return a job that waits for a person."""
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.forwards.leave_to_person(claimed.lease, "look there for mark", NOW)
    return claimed.lease.job


@pytest.mark.both_databases
async def test_a_job_that_waits_for_a_person_is_adopted_by_no_runner(
    store: Store, claimed: Assignment, left: str
) -> None:
    assert await state(store, claimed) is JobState.UNCERTAIN
    assert await unattended(store) is None
    assert await store.forwards.unattended_devices() == set()
    assert (await store.jobs.events(left))[-1].reason == "look there for mark"


async def test_a_person_knows_the_id_at_the_vendor(store: Store, left: str) -> None:
    await store.forwards.resolve_sent(left, "vendor-7", actor="eve", now=NOW)
    found = await unattended(store)
    assert found is not None
    assert found.forward == Forward("mark", "vendor-7", intent_at=NOW)


async def test_a_person_knows_that_the_vendor_does_not_have_it(store: Store, left: str) -> None:
    await store.forwards.resolve_absent(left, actor="eve", now=NOW)
    found = await unattended(store)
    assert found is not None
    assert found.forward == Forward("mark", None, is_absent=True, intent_at=NOW)


async def test_what_a_person_said_ends_with_the_next_send(store: Store, left: str) -> None:
    """A crash during this send must lead to a search, and not to a further send."""
    await store.forwards.resolve_absent(left, actor="eve", now=NOW)
    found = await unattended(store)
    assert found is not None
    await store.forwards.record_intent(found.lease, "mark", NOW)
    await store.leases.void_runner("other", NOW)
    again = await unattended(store)
    assert again is not None
    assert again.forward == Forward("mark", None, is_absent=False, intent_at=NOW)


@pytest.mark.both_databases
async def test_a_job_that_needs_no_decision_gets_none(store: Store, claimed: Assignment) -> None:
    job = claimed.lease.job
    with pytest.raises(Conflict, match="needs no decision"):
        await store.forwards.resolve_absent(job, actor="eve", now=NOW)
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    with pytest.raises(Conflict, match="running"):
        await store.forwards.resolve_sent(job, "vendor-1", actor="eve", now=NOW)
    with pytest.raises(NotFound):
        await store.forwards.resolve_absent("nothing", actor="eve", now=NOW)


@pytest.mark.both_databases
async def test_a_job_at_another_cloud_can_be_abandoned(store: Store, claimed: Assignment) -> None:
    lease = claimed.lease
    with pytest.raises(Conflict, match="running here"):
        await store.forwards.abandon(lease.job, actor="eve", now=NOW)
    await store.forwards.record_intent(lease, "mark", NOW)
    await store.forwards.record_sent(lease, "vendor-7", NOW)
    for _ in range(2):  # the response to the first may be lost
        job = await store.forwards.abandon(lease.job, actor="eve", now=NOW)
        assert job.state is JobState.FAILED
        assert job.error_code == "remote_abandoned"
    assert (await store.jobs.events(lease.job))[-1].actor == "eve"
    assert await unattended(store) is None
    with pytest.raises(StaleLease):  # what its runner reports then counts no more
        await store.leases.finish(lease, RunResult(Failure("failed", "late"), 1.0), NOW)
    with pytest.raises(NotFound):
        await store.forwards.abandon("nothing", actor="eve", now=NOW)


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_job_that_waits_for_a_person_can_be_abandoned(
    store: Store, left: str, *, is_cancelled: bool
) -> None:
    if is_cancelled:
        await store.jobs.cancel(left, actor="ada", now=NOW)
    job = await store.forwards.abandon(left, actor="eve", now=NOW)
    assert job.state is JobState.FAILED
    assert not await store.forwards.unattended_devices()
    with pytest.raises(Conflict, match="failed"):
        await store.forwards.resolve_absent(left, actor="eve", now=NOW)


FAR = Device(
    name="far",
    family="qubit",
    provider="elsewhere",
    driver="remote",
    dialects=("native",),
    position=500,
    spec=DeviceSpec(description="Elsewhere", qubits=5, formats=("openqasm3",)),
)


async def test_a_device_elsewhere_is_as_it_was_last_seen(store: Store) -> None:
    await store.devices.seed([FAR], "file")
    assert await store.devices.presence(FAR) == Presence(0, None, "it has not been reached yet")
    await store.forwards.put_mirror("far", NOW, is_online=True, reason="", n_waiting=7)
    assert await store.devices.presence(FAR) == Presence(1, NOW, "", 7)
    await store.forwards.put_mirror("far", NOW + 1, is_online=False, reason="helium", n_waiting=0)
    assert await store.devices.presence(FAR) == Presence(0, NOW + 1, "helium", 0)


@pytest.mark.both_databases
async def test_jobs_that_wait_elsewhere_are_in_the_queue_of_the_device(store: Store) -> None:
    await store.devices.seed([FAR], "file")
    await store.forwards.put_mirror("far", NOW, is_online=True, reason="", n_waiting=7)
    assert (await Forecaster(store, lambda: NOW).forecast("far")).n_waiting == 7


@pytest.mark.both_databases
async def test_the_history_of_a_device_elsewhere_has_what_changed(store: Store) -> None:
    await store.devices.seed([FAR], "file")
    for at, is_online, reason in ((1, True, ""), (2, True, ""), (3, False, "helium")):
        await store.forwards.put_mirror(
            "far", NOW + at, is_online=is_online, reason=reason, n_waiting=at
        )
    changes = (await store.devices.changes("far", NOW + 9)).changes
    assert [(each.at - NOW, each.status, each.reason) for each in changes] == [
        (3, "away", "helium"),
        (1, "online", ""),
    ]


async def test_an_adopted_job_counts_its_time_since_its_first_claim(
    store: Store, claimed: Assignment
) -> None:
    await store.forwards.record_intent(claimed.lease, "mark", NOW)
    await store.leases.void_runner(claimed.lease.runner, NOW + 9_000)
    adopted = await unattended(store)
    assert adopted is not None
    await store.forwards.record_sent(adopted.lease, "vendor-1", NOW + 9_500)
    await store.leases.finish(adopted.lease, RunResult(DONE.result, 8.0), NOW + 10_000)
    (found,) = await store.uses.use_of(NOW - 86_400_000, NOW + 86_400_000)
    assert found.use.seconds == 8_000_000


@pytest.mark.both_databases
async def test_a_group_is_found_with_its_newest_job_there(
    store: Store, ada: Token, runner: str
) -> None:
    new = NewGroup(
        id=new_id(NOW),
        account=ada.account,
        project=ada.project,
        dialect="runtime",
        now=NOW,
        expires_at=NOW + 5,
        body=b'{"mode":"batch"}',
    )
    group = await store.job_groups.open(new)
    for _ in range(3):
        await add_job(store, ada, group=group.id)
    await add_job(store, ada)
    first, second, third, alone = [
        each
        for _ in range(4)
        for each in (await store.leases.claim("simulator", runner, NOW)).taken
    ]
    found = ForwardedGroup(group.id, "runtime", group.body, NOW + 5, None)
    assert await store.forwards.group(third.lease.job, "key") == found
    assert await store.forwards.group(alone.lease.job, "key") is None
    for each, sent_to in ((first, "key"), (second, "key"), (third, "other key")):
        await store.forwards.record_intent(each.lease, "mark", NOW, sent_to)
        await store.forwards.record_sent(each.lease, f"there-{each.lease.job}", NOW)
    found = found._replace(vendor_job_id=f"there-{second.lease.job}")
    assert await store.forwards.group(third.lease.job, "key") == found
