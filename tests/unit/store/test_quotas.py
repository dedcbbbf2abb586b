"""Quotas of a project: unfinished jobs, and stored bytes, a sum that every operation keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.errors import LimitExceeded, TooManyRequests
from qwicket.model.failures import Failure
from qwicket.model.groups import NewGroup
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job, JobQuery, Lease, NewJob
from qwicket.model.limits import StoredLimit
from qwicket.model.states import JobState
from qwicket.store import JobChange, Store
from support.store_fixtures import OpenStore
from support.stores import NOW, PLENTY, add_job, execute, make_token, new_job

pytestmark = pytest.mark.anyio

JOB = 1_000 + len("[]") + len(b"source") + len(b"circuits") + len(b"options")
"""What a job of `new_job` counts: its rows, tags and program."""
EVENT = 200
SMALL = Encoded(b"r" * 1_000, b"small")
LARGE = Encoded(b"R" * 3_000_000, b"large")


async def stored(store: Store) -> int:
    (project,) = await store.accounts.projects()
    return project.stored_bytes


async def finished(store: Store, runner: str, *results: Encoded | Failure) -> Job:
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    return await store.leases.finish(assignment.lease, RunResult(results, 1.0), NOW)


@pytest.mark.both_databases
async def test_how_a_device_was_chosen_is_stored_and_counts(store: Store, ada: Token) -> None:
    choice = '{"candidates":[{"device":"simulator","refusal":"für später"}]}'
    job = await add_job(store, ada, choice=choice)
    assert job.choice == choice
    assert await store.jobs.get(job.id) == job
    assert await stored(store) == JOB + len(choice.encode())
    assert await store.maintenance.repair_stored_bytes() == 0, "the sum is what a count gives"


async def test_programs_and_results_count_until_their_job_is_deleted(
    store: Store, ada: Token, runner: str
) -> None:
    assert await stored(store) == 0
    await add_job(store, ada)
    await add_job(store, ada)
    assert await stored(store) == 2 * JOB
    first = await finished(store, runner, SMALL, Failure("lost", "It was löst."))
    second = await finished(store, runner, SMALL, LARGE)
    failed = JOB + EVENT + len("It was löst.".encode()) + 1_000
    assert await stored(store) == failed + JOB + 1_000 + 3_000_000
    assert await store.maintenance.repair_stored_bytes() == 0, "the sum is what a count gives"
    await store.jobs.delete(second.id)
    assert await stored(store) == failed
    await store.jobs.delete(first.id)
    assert await stored(store) == 0


async def test_all_that_users_write_into_a_job_counts(store: Store, ada: Token) -> None:
    """Metadata, for example, is as large as programs, and ended jobs are not limited."""
    meta = b"{" + b" " * 5_000 + b"}"
    refused = 1_000 + len("[]") + len(meta)  # which has no program
    job = await add_job(store, ada, name="naïve", tags=("a", "ü"), vendor_fields=meta)
    first = JOB + len("naïve".encode()) + len('"a","ü"'.encode()) + len(meta)
    assert await stored(store) == first
    failure = Failure("refused", "The program has an error.")
    await add_job(store, ada, error=failure, vendor_fields=meta)
    assert await stored(store) == first + refused
    draft = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 1, vendor_fields=meta)
    assert await stored(store) == first + 2 * refused
    await store.jobs.admit(draft.id, new_job(ada, vendor_fields=b"{ }"))
    others = refused + JOB + len(b"{ }")
    assert await stored(store) == first + others
    await store.jobs.set_name_and_tags(job.id, "naïveté", ("a",), NOW)
    first += len("té".encode()) - len(',"ü"'.encode())
    assert await stored(store) == first + others
    await store.queue_control.hold(job.id, "owner", actor="ada", now=NOW)
    await store.queue_control.resume(job.id, "owner", actor="ada", now=NOW)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    assert await stored(store) == first + others + 3 * EVENT
    assert await store.maintenance.repair_stored_bytes() == 0, "the sum is what a count gives"


@pytest.mark.both_databases
async def test_groups_count_until_they_are_deleted(store: Store, ada: Token) -> None:
    def group(number: int) -> NewGroup:
        return NewGroup(
            id=new_id(NOW + number),
            account=ada.account,
            project=ada.project,
            dialect="ionq",
            now=NOW,
            name="ü",
            body=b"{" + b" " * 100 + b"}",
        )

    one = 1_000 + 2 + 102
    first = await store.job_groups.open(group(0), maximum=2)
    await store.job_groups.open(group(1), maximum=2)
    assert await stored(store) == 2 * one
    await store.job_groups.annotate(first.id, b"{}")
    await store.job_groups.close(first.id, NOW)
    assert await stored(store) == 2 * one - 100
    last = await store.job_groups.open(group(2), maximum=2)  # in place of the closed one
    assert await stored(store) == 2 * one
    assert await store.maintenance.repair_stored_bytes() == 0, "the sum is what a count gives"
    with pytest.raises(LimitExceeded, match="limit stored_bytes"):
        await store.job_groups.open(group(3), stored_limit=StoredLimit(3 * one - 1))
    with pytest.raises(LimitExceeded, match="limit stored_bytes"):
        await store.job_groups.annotate(last.id, b"{}" * 100, stored_limit=StoredLimit(2 * one))
    await store.job_groups.annotate(
        last.id, b"{}", stored_limit=StoredLimit(100)
    )  # smaller, so never refused
    await store.job_groups.delete(last.id)
    assert await stored(store) == one


async def test_a_full_project_neither_renames_nor_holds_its_jobs(store: Store, ada: Token) -> None:
    job = await add_job(store, ada, name="long")

    def rename(name: str | None, tags: tuple[str, ...] | None) -> Awaitable[Job]:
        return store.jobs.set_name_and_tags(job.id, name, tags, NOW, stored_limit=StoredLimit(JOB))

    def change(is_held: bool | None, priority: int | None) -> Awaitable[Job]:
        given: dict[str, Any] = {
            "is_held": is_held,
            "priority": priority,
            "stored_limit": StoredLimit(JOB),
        }
        return store.queue_control.change(job.id, "owner", actor="ada", now=NOW, **given)

    for refused in (
        rename("longer", None),
        rename(None, ("tag",)),
        change(True, None),
        change(None, 2),
    ):
        with pytest.raises(LimitExceeded, match="limit stored_bytes"):
            await refused
    assert await stored(store) == JOB + len("long")
    await rename("", None)
    await store.queue_control.hold(job.id, "owner", actor="ada", now=NOW)
    await change(False, None)
    assert await stored(store) == JOB + 2 * EVENT


async def test_a_submission_that_is_too_much_is_refused_and_leaves_nothing(
    store: Store, ada: Token, told: list[JobChange]
) -> None:
    jobs = [new_job(ada) for _ in range(3)]
    add = [
        store.jobs.add(job, waiting_limit=PLENTY, stored_limit=StoredLimit(2 * JOB)) for job in jobs
    ]  # in one group of writes
    results = await asyncio.gather(*add, return_exceptions=True)
    (refused,) = [each for each in results if isinstance(each, BaseException)]
    assert isinstance(refused, LimitExceeded)
    assert "limit stored_bytes" in refused.detail
    assert await stored(store) == 2 * JOB
    assert len(told) == sum([await store.jobs.get(job.id) is not None for job in jobs]) == 2


async def test_results_of_jobs_that_were_taken_are_kept_whatever_the_limit(
    store: Store, ada: Token, runner: str
) -> None:
    await store.jobs.add(new_job(ada), waiting_limit=PLENTY, stored_limit=StoredLimit(JOB))
    await finished(store, runner, LARGE)
    assert await stored(store) == JOB + 3_000_000
    with pytest.raises(LimitExceeded):
        await store.jobs.add(new_job(ada), waiting_limit=PLENTY, stored_limit=StoredLimit(JOB))


@pytest.mark.both_databases
async def test_a_job_keeps_its_first_and_last_events(store: Store, ada: Token, runner: str) -> None:
    """Its owner reorders it again and again, and an agent of another project gives it back."""
    job = await add_job(store, ada)
    for begin in (1, 601):
        many = range(begin, begin + 600)
        await asyncio.gather(
            *(store.queue_control.prioritize(job.id, k, actor="ada", now=NOW) for k in many)
        )
    for k in range(20):
        (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
        await store.leases.release(assignment.lease, f"{k}", NOW, counts_as_attempt=False)
    ended = await finished(store, runner, Failure("lost", ""))
    events = await store.jobs.events(job.id)
    assert (ended.state, ended.attempts, events[-1].after) == (JobState.FAILED, 0, "failed")
    reasons = [each.reason for each in events]
    assert reasons[:100] == [f"priority {k}" for k in range(1, 101)]
    assert reasons[100:-21] == [f"priority {k}" for k in range(322, 1_201)]
    assert reasons[-21:] == [*map(str, range(20)), "lost"]
    assert await stored(store) == JOB + 1_000 * EVENT
    assert await store.maintenance.repair_stored_bytes() == 0, "the sum is what a count gives"


@pytest.mark.both_databases
async def test_one_of_several_members_may_store_only_a_part(
    store: Store, ada: Token, runner: str
) -> None:
    bob = await make_token(store, "bob")
    limit = StoredLimit(10 * JOB, 2 * JOB)
    of_bob = partial(new_job, bob, project=ada.project)

    def add(new: NewJob) -> Awaitable[Job]:
        return store.jobs.add(new, waiting_limit=PLENTY, stored_limit=limit)

    async def of_members() -> list[int]:
        return [each.stored_bytes for each in await store.accounts.memberships("ada")]

    jobs = [await add(new_job(ada)) for _ in range(3)]  # alone, she has the project's limit
    await store.accounts.add_member("ada", "bob")
    results = await asyncio.gather(  # in one group of writes
        *(add(new) for new in (of_bob(), new_job(ada), of_bob(), of_bob())), return_exceptions=True
    )
    refused = [each.detail for each in results if isinstance(each, LimitExceeded)]
    assert len(refused) == 2
    text = f"In this project you would store over {2 * JOB} bytes (limit member_stored_bytes)"
    assert refused[0].startswith(text)
    assert await of_members() == [3 * JOB, 2 * JOB]
    assert await store.accounts.own_bytes(bob.account) == {ada.project: 2 * JOB}
    await finished(store, runner, SMALL)
    assert sum(await of_members()) == 5 * JOB + 1_000
    for job in jobs:
        await store.jobs.cancel(job.id, actor="ada", now=NOW)
    assert await store.maintenance.repair_stored_bytes() == 0, "the sums are what a count gives"
    await store.jobs.delete_all([job.id for job in jobs])
    assert await store.accounts.own_bytes(ada.account) == {ada.project: 0}
    await add(new_job(ada))


@pytest.mark.both_databases
async def test_maintenance_mends_a_wrong_sum(store: Store, ada: Token) -> None:
    await add_job(store, ada)
    await store._database.write(
        lambda tx: tx.run("project_store_bytes", project=ada.project, bytes=77, maximum=1 << 40)
    )
    assert await store.maintenance.repair_stored_bytes() == 1
    assert await stored(store) == JOB
    # As beside a server of version 1.0, which counts for projects alone.
    await store._database.write(lambda tx: execute(tx, "update member_bytes set bytes = 1"))
    assert await store.maintenance.repair_stored_bytes() == 1
    assert await store.accounts.own_bytes(ada.account) == {ada.project: JOB}
    assert await store.maintenance.repair_stored_bytes() == 0


async def waiting(store: Store) -> dict[str, int]:
    """Return the numbers of waiting jobs by account, and by "" of the only project that has any."""
    text = "select account, number from waiting_jobs where number <> 0"
    return dict(await store._database.write(lambda tx: execute(tx, text)))


@pytest.mark.both_databases
async def test_waiting_jobs_are_counted_whatever_happens_to_them(
    store: Store, ada: Token, runner: str
) -> None:
    bob = await make_token(store, "bob")
    draft, forgotten = [
        await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 1) for _ in range(2)
    ]
    held, cancelled = await add_job(store, ada), await add_job(store, ada)
    await add_job(store, bob, project=ada.project)
    await add_job(store, ada, error=Failure("refused", "The program has an error."))
    assert await waiting(store) == {"": 5, ada.account: 4, bob.account: 1}
    await store.jobs.admit(draft.id, new_job(ada))
    await store.queue_control.hold(held.id, "owner", actor="ada", now=NOW)
    assert await waiting(store) == {"": 5, ada.account: 4, bob.account: 1}
    await store.jobs.refuse(forgotten.id, Failure("draft_expired", ""), NOW)
    await store.jobs.cancel(cancelled.id, actor="ada", now=NOW)
    assert await waiting(store) == {"": 3, ada.account: 2, bob.account: 1}
    claims = [(await store.leases.claim("simulator", runner, NOW)).taken for _ in range(3)]
    assert await waiting(store) == {"": 1, ada.account: 1}
    for (assignment,) in claims[:2]:
        await store.leases.release(assignment.lease, "a reason", NOW, counts_as_attempt=False)
    assert await waiting(store) == {"": 3, ada.account: 2, bob.account: 1}
    new = new_job(ada, device="clifford")
    lease = Lease(job=new.id, fence=1, nonce=new.id, runner=runner)
    await store.jobs.add(new, waiting_limit=PLENTY, offer=lease)
    assert await waiting(store) == {"": 3, ada.account: 2, bob.account: 1}
    await store.leases.give_back([lease], NOW)
    assert await waiting(store) == {"": 4, ada.account: 3, bob.account: 1}
    assert await store.maintenance.repair_waiting_jobs() == 0, "they are what a count gives"
    await store._database.write(lambda tx: execute(tx, "delete from job where state = 'queued'"))
    assert await waiting(store) == {}


@pytest.mark.both_databases
async def test_a_limit_of_waiting_jobs_holds_for_servers_that_submit_at_once(
    open_store: OpenStore,
) -> None:
    """Some submissions come with a runner's offer, and the other server claims and cancels."""
    one, other = open_store(), open_store()
    ada = await make_token(one)
    await one.leases.add_runner("runner", "server", NOW)

    async def add(store: Store, number: int) -> Job:
        new = new_job(ada)
        lease = Lease(job=new.id, fence=1, nonce=new.id, runner="runner")
        offer = lease if number % 4 == 0 else None
        return await store.jobs.add(new, waiting_limit=5, offer=offer)

    n_stored = 0
    for _ in range(2):
        adding = [add((one, other)[number % 2], number) for number in range(20)]
        found = await asyncio.gather(*adding, return_exceptions=True)
        refused = [each for each in found if isinstance(each, TooManyRequests)]
        n_stored += len(found) - len(refused)
        jobs = await one.jobs.page(JobQuery(account=ada.account))
        assert len(jobs) == n_stored
        queued = [job.id for job in jobs if job.state is JobState.QUEUED]
        assert len(queued) == 5
        assert await waiting(other) == {"": 5, ada.account: 5}
        (claimed,) = (await other.leases.claim("simulator", "runner", NOW)).taken
        some = [job for job in queued if job != claimed.lease.job][:2]
        await one.jobs.cancel_all(some, actor="ada", now=NOW)
        assert await waiting(one) == {"": 2, ada.account: 2}
    await one.close()
    await other.close()


@pytest.mark.both_databases
async def test_maintenance_mends_wrong_numbers_of_waiting_jobs(store: Store, ada: Token) -> None:
    bob = await make_token(store, "bob")
    await add_job(store, ada)
    for damage in (
        "update waiting_jobs set number = 7 where account = ''",
        "delete from waiting_jobs",
        f"insert into waiting_jobs values ('{bob.project}', '', 3)",
    ):
        await store._database.write(partial(execute, text=damage))
        assert await store.maintenance.repair_waiting_jobs() == 1
        assert await waiting(store) == {"": 1, ada.account: 1}
    assert await store.maintenance.repair_waiting_jobs() == 0


@pytest.mark.both_databases
async def test_unfinished_jobs_are_bounded_for_project_and_device(store: Store, ada: Token) -> None:
    async def add(device: str = "simulator") -> Job:
        new = new_job(ada, device=device)
        return await store.jobs.add(new, waiting_limit=100, unfinished_limit=2)

    first = await add()
    await add()
    assert await store.queues.count_unfinished(ada.project, "simulator") == 2
    refused = await asyncio.gather(add(), add(), return_exceptions=True)
    assert all("not ended" in str(each) for each in refused)
    await add("clifford")
    await store.jobs.cancel(first.id, actor=ada.account, now=NOW)
    await add()
