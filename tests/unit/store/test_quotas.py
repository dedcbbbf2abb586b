"""Quotas of a project: unfinished jobs, and stored bytes, a sum that every operation keeps."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.errors import LimitExceeded
from qwicket.model.failures import Failure
from qwicket.model.jobs import Job
from qwicket.store import Store
from support.stores import NOW, PLENTY, add_job, new_job

pytestmark = pytest.mark.anyio

PROGRAM = len(b"source") + len(b"circuits")
SMALL = Encoded(b"r" * 1_000, b"small")
LARGE = Encoded(b"R" * 3_000_000, b"large")


async def stored(store: Store) -> int:
    (project,) = await store.accounts.projects()
    return project.stored_bytes


async def finished(store: Store, runner: str, *results: Encoded | Failure) -> Job:
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    return await store.leases.finish(assignment.lease, RunResult(results, 1.0), NOW)


async def test_programs_and_results_count_until_their_job_is_deleted(
    store: Store, ada: Token, runner: str
) -> None:
    assert await stored(store) == 0
    await add_job(store, ada)
    await add_job(store, ada)
    assert await stored(store) == 2 * PROGRAM
    first = await finished(store, runner, SMALL, Failure("lost", "It was lost."))
    second = await finished(store, runner, SMALL, LARGE)
    assert await stored(store) == 2 * PROGRAM + 2 * 1_000 + 3_000_000
    assert await store.maintenance.repair_stored_bytes() == 0, "the sum is what a count gives"
    await store.jobs.delete(second.id)
    assert await stored(store) == PROGRAM + 1_000
    await store.jobs.delete(first.id)
    assert await stored(store) == 0


async def test_a_submission_that_is_too_much_is_refused_and_leaves_nothing(
    store: Store, ada: Token
) -> None:
    jobs = [new_job(ada) for _ in range(3)]
    add = [
        store.jobs.add(job, waiting_limit=PLENTY, stored_limit=2 * PROGRAM) for job in jobs
    ]  # in one group of writes
    results = await asyncio.gather(*add, return_exceptions=True)
    (refused,) = [each for each in results if isinstance(each, BaseException)]
    assert isinstance(refused, LimitExceeded)
    assert "limit stored_bytes" in refused.detail
    assert await stored(store) == 2 * PROGRAM
    assert sum([await store.jobs.get(job.id) is not None for job in jobs]) == 2


async def test_results_of_jobs_that_were_taken_are_kept_whatever_the_limit(
    store: Store, ada: Token, runner: str
) -> None:
    await store.jobs.add(new_job(ada), waiting_limit=PLENTY, stored_limit=PROGRAM)
    await finished(store, runner, LARGE)
    assert await stored(store) == PROGRAM + 3_000_000
    with pytest.raises(LimitExceeded):
        await store.jobs.add(new_job(ada), waiting_limit=PLENTY, stored_limit=PROGRAM)


async def test_maintenance_mends_a_wrong_sum(store: Store, ada: Token) -> None:
    await add_job(store, ada)
    await store._database.write(
        lambda tx: tx.run("project_store_bytes", project=ada.project, bytes=77, maximum=1 << 40)
    )
    assert await store.maintenance.repair_stored_bytes() == 1
    assert await stored(store) == PROGRAM
    assert await store.maintenance.repair_stored_bytes() == 0


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
