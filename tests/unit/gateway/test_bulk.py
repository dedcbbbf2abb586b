"""Many jobs at once: in one write, and all of them or none."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import Actor
from qwicket.model.errors import Conflict, Forbidden, LimitExceeded, NotFound
from qwicket.model.ids import new_id, part_id
from qwicket.model.jobs import Job, JobQuery, Submission
from qwicket.model.states import JobState
from qwicket.store import Store
from support.stores import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

PROGRAM = b'{"qubits": 1, "circuit": []}'


@pytest.fixture
async def ada(gateway: Gateway, admin: Admin) -> Actor:
    await admin.add_account("ada", email=None, password=None)
    return await gateway.auth.by_token((await admin.create_token("ada")).secret, "127.0.0.1")


@pytest.fixture
def commits(store: Store) -> list[int]:
    """How many operations each commit had."""
    seen: list[int] = []
    store.on_commit(lambda operations, _failed, _seconds: seen.append(operations))
    return seen


async def submitted(gateway: Gateway, actor: Actor, count: int, dialect: str = "ionq") -> list[str]:
    new = Submission(
        dialect=dialect, device="simulator", format="ionq.circuit.v1", source=PROGRAM, shots=10
    )
    return [(await gateway.jobs.submit(actor, new)).id for _ in range(count)]


async def left(gateway: Gateway, actor: Actor) -> list[Job]:
    return await gateway.jobs.page(actor, JobQuery(limit=1_000))


async def test_a_hundred_jobs_are_cancelled_in_one_write_and_deleted_in_another(
    gateway: Gateway, ada: Actor, commits: list[int]
) -> None:
    jobs = await submitted(gateway, ada, 100)
    commits.clear()
    assert await gateway.bulk.cancel(ada, [*jobs, jobs[0].upper()], dialect="ionq") == jobs
    assert commits == [1]
    assert {job.state.value for job in await left(gateway, ada)} == {"cancelled"}
    await gateway.bulk.delete(ada, jobs, dialect="ionq")
    assert commits == [1, 1]
    assert await left(gateway, ada) == []


async def test_one_that_has_not_ended_keeps_all_from_being_deleted(
    gateway: Gateway, ada: Actor
) -> None:
    jobs = await submitted(gateway, ada, 3)
    await gateway.bulk.cancel(ada, jobs[:2], dialect="ionq")
    with pytest.raises(Conflict):
        await gateway.bulk.delete(ada, jobs, dialect="ionq")
    assert len(await left(gateway, ada)) == 3


async def test_the_second_of_two_concurrent_deletes_is_not_found(
    gateway: Gateway, ada: Actor
) -> None:
    jobs = await submitted(gateway, ada, 3)
    await gateway.bulk.cancel(ada, jobs, dialect="ionq")
    both = [gateway.bulk.delete(ada, each, dialect="ionq") for each in (jobs, jobs[::-1])]
    told = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(each).__name__ for each in told) == ["NoneType", "NotFound"]
    assert await left(gateway, ada) == []
    (alone,) = await submitted(gateway, ada, 1)
    await gateway.jobs.cancel(ada, alone)
    told = await asyncio.gather(
        *(gateway.jobs.delete(ada, alone) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in told) == ["NoneType", "NotFound"]


@pytest.mark.parametrize("odd", ["absent", "part", "text", "other dialect"])
async def test_one_that_is_not_there_keeps_all_as_they_are(
    gateway: Gateway, ada: Actor, odd: str
) -> None:
    jobs = await submitted(gateway, ada, 2)
    strange = {
        "absent": new_id(NOW),
        "part": part_id(jobs[0], 0),
        "text": "☃",
        "other dialect": (await submitted(gateway, ada, 1, "native"))[0],
    }[odd]
    for change in (gateway.bulk.cancel, gateway.bulk.delete):
        with pytest.raises(NotFound):
            await change(ada, [*jobs, strange], dialect="ionq")
    assert {job.state.value for job in await left(gateway, ada)} == {"queued"}


async def test_anothers_job_is_not_there_and_a_project_mates_is_forbidden(
    gateway: Gateway, admin: Admin, ada: Actor
) -> None:
    await admin.add_account("bob", email=None, password=None)
    bob = await gateway.auth.by_token((await admin.create_token("bob")).secret, "127.0.0.1")
    jobs = await submitted(gateway, ada, 2)
    with pytest.raises(NotFound):
        await gateway.bulk.cancel(bob, jobs, dialect="ionq")
    await admin.add_member("ada", "bob")
    with pytest.raises(Forbidden):
        await gateway.bulk.cancel(bob, jobs, dialect="ionq")
    assert {job.state.value for job in await left(gateway, ada)} == {"queued"}


async def test_too_many_at_once_are_refused(gateway: Gateway, ada: Actor) -> None:
    maximum = gateway.limits.requests.list_page
    with pytest.raises(LimitExceeded, match="list_page"):
        await gateway.bulk.delete(ada, [new_id(NOW)] * (maximum + 1), dialect="ionq")


async def test_a_token_that_only_reads_changes_nothing(
    gateway: Gateway, admin: Admin, ada: Actor
) -> None:
    jobs = await submitted(gateway, ada, 1)
    token = await admin.create_token("ada", scopes=["jobs:read"])
    reader = await gateway.auth.by_token(token.secret, "127.0.0.1")
    for change in (gateway.bulk.cancel, gateway.bulk.delete):
        with pytest.raises(Forbidden, match="jobs:write"):
            await change(reader, jobs, dialect="ionq")
    assert {job.state.value for job in await left(gateway, ada)} == {"queued"}


async def test_who_cancels_may_wait_for_running_jobs_to_end(
    gateway: Gateway, store: Store, ada: Actor
) -> None:
    (job,) = await submitted(gateway, ada, 1)
    await store.leases.add_runner("runner", "server", NOW)
    (assignment,) = (await store.leases.claim("simulator", "runner", NOW)).taken
    asked = asyncio.create_task(gateway.bulk.cancel(ada, [job], dialect="ionq", wait_s=60))
    while (await gateway.jobs.get(ada, job)).state is not JobState.CANCELLING:
        await asyncio.sleep(0)
    done, _ = await asyncio.wait({asked}, timeout=0.1)
    assert not done
    await store.leases.cancel_stopped(assignment.lease, NOW)
    async with asyncio.timeout(30):
        assert await asked == [job]
    assert (await gateway.jobs.get(ada, job)).state is JobState.CANCELLED
