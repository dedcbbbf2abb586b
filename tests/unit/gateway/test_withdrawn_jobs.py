"""To its owner a job in the backlog waits: what ends or changes a waiting job does so at once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.job_admin import JobAdmin
from qwicket.model.accounts import Actor
from qwicket.model.jobs import Job, Submission
from qwicket.model.states import JobState
from qwicket.store import JobChange, Store
from support.programs import BELL
from support.stores import NOW, stored

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

CANCELLED, QUEUED = JobState.CANCELLED, JobState.QUEUED


@pytest.fixture
async def ada(admin: Admin, gateway: Gateway) -> Actor:
    await admin.add_account("ada", email=None, password=None, role="admin")
    made = await admin.create_token("ada", scopes=("jobs:read", "jobs:write", "admin"))
    return await gateway.auth.by_token(made.secret, "127.0.0.1")


@pytest.fixture
async def in_backlog(store: Store, gateway: Gateway, ada: Actor) -> Job:
    """A job that a runner took with its submission, and that does not begin."""

    def take(change: JobChange) -> None:
        if change.is_start:
            store.backlog.take(change.job)

    await store.leases.add_runner("server", "server", NOW)
    store.backlog.open("server", lambda _: True, lambda: None)
    store.changes.listen(take, JobState.RUNNING)
    source = json.dumps(BELL).encode()
    submission = Submission(
        dialect="native", device="simulator", format="ionq.circuit.v1", source=source, shots=10
    )
    job = await gateway.jobs.submit(ada, submission)
    assert job.state is QUEUED
    assert (await stored(store, job)).state is JobState.RUNNING
    assert job.id in store.backlog
    return job


Change = Callable[[Gateway, JobAdmin, Actor, str], Awaitable[object]]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda gateway, _, ada, job: gateway.jobs.cancel(ada, job), CANCELLED),
        (lambda gateway, _, ada, job: gateway.bulk.cancel(ada, [job], dialect=None), CANCELLED),
        (lambda _, admin, ada, job: admin.cancel_job(ada, job), CANCELLED),
        (lambda gateway, _, ada, job: gateway.jobs.change(ada, job, is_held=True), QUEUED),
        (lambda gateway, _, ada, job: gateway.jobs.change(ada, job, priority=3), QUEUED),
        (lambda _, admin, ada, job: admin.change_job(ada, job, is_held=True), QUEUED),
    ],
    ids=["cancel", "bulk cancel", "admin cancel", "hold", "priority", "admin hold"],
)
async def test_a_job_in_the_backlog_is_changed_as_a_waiting_one(
    store: Store, gateway: Gateway, ada: Actor, in_backlog: Job, change: Change, state: JobState
) -> None:
    await change(gateway, JobAdmin(store, lambda: NOW), ada, in_backlog.id)
    after = await stored(store, in_backlog)
    assert (after.state, after.started_at, after.runner) == (state, None, None)
    assert in_backlog.id not in store.backlog
    assert not await store.leases.held("server")
