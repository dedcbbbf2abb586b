from __future__ import annotations

import pytest

from qwicket.model.accounts import Token
from qwicket.store import Store
from support.stores import NOW, add_job

pytestmark = [pytest.mark.anyio, pytest.mark.extended]


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
