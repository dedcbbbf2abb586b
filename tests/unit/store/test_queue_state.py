from __future__ import annotations

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.failures import Failure
from qwicket.store import Store
from support.stores import NOW, add_job

pytestmark = [pytest.mark.anyio, pytest.mark.extended]

HOUR_MS = 3_600_000
DONE = RunResult((Encoded(b"body", b"sha"),), 0.001)
FAILED = RunResult(Failure("x", "y"), 0.001)


async def test_jobs_that_wait_and_run_are_counted_by_device(store: Store, ada: Token) -> None:
    jobs = [await add_job(store, ada) for _ in range(3)]
    await store.leases.add_runner("runner", "server", NOW, slots=1)
    await store.leases.claim("simulator", "runner", NOW)
    await store.jobs.cancel(jobs[2].id, actor="ada", now=NOW)
    found = await store.queues.depths(["simulator", "idle"])
    assert found == {"simulator": (1, 1), "idle": (0, 0)}


async def test_waiting_work_is_added_up_to_a_number_of_jobs(store: Store, ada: Token) -> None:
    jobs = [await add_job(store, ada) for _ in range(3)]
    await store.jobs.cancel(jobs[2].id, actor="ada", now=NOW)
    devices = ["simulator", "idle"]
    assert await store.queues.waiting_work(devices, maximum=9) == (2, 2 * jobs[0].est_seconds)
    assert await store.queues.waiting_work(devices, maximum=1) == (1, jobs[0].est_seconds)


@pytest.mark.both_databases
async def test_jobs_without_slurm_are_counted_and_waiting_ones_up_to_the_limit_of_their_device(
    store: Store, ada: Token
) -> None:
    jobs = [await add_job(store, ada, slurm_job=each) for each in (None, "71", None, None)]
    await store.leases.add_runner("runner", "server", NOW, slots=2)
    for _ in range(2):
        await store.leases.claim("simulator", "runner", NOW)
    await store.jobs.cancel(jobs[3].id, actor="ada", now=NOW)
    await add_job(store, ada)
    assert await store.queues.without_slurm({"simulator": 9, "idle": 1}) == {
        "simulator": 3,
        "idle": 0,
    }
    assert await store.queues.without_slurm({"simulator": 1}) == {"simulator": 2}


@pytest.mark.both_databases
async def test_completed_jobs_are_counted_by_hour_up_to_a_limit(store: Store, ada: Token) -> None:
    first = NOW // HOUR_MS * HOUR_MS
    before = first - 2 * HOUR_MS
    await store.leases.add_runner("runner", "server", before, slots=1)
    for result, at in ((DONE, -2), (DONE, -1), (DONE, 0), (FAILED, 1), (DONE, HOUR_MS)):
        await add_job(store, ada, before)
        (assignment,) = (await store.leases.claim("simulator", "runner", before)).taken
        await store.leases.finish(assignment.lease, result, first + at)
    count = store.queues.completed_by_hour
    assert await count("simulator", first - HOUR_MS, 9) == {
        first - HOUR_MS: 2,
        first: 1,
        first + HOUR_MS: 1,
    }
    assert await count("simulator", first, 9) == {first: 1, first + HOUR_MS: 1}
    assert await count("simulator", 0, 3) == {first - HOUR_MS: 1, first: 1, first + HOUR_MS: 1}
    assert await count("idle", 0, 9) == {}
