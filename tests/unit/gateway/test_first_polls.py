"""The first status read of a young job is delayed until the job ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from qwicket.compute import ParserPool
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import Actor
from qwicket.model.errors import Unauthenticated
from qwicket.model.jobs import Job, Submission
from qwicket.model.states import JobState
from qwicket.store import Store
from support.stores import NOW
from unit.gateway.conftest import LIMITS, Clock

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

PROGRAM = b'{"qubits": 1, "circuit": []}'
LONG = (
    b'{"qubits": 22, "circuit": ['
    + b", ".join(
        b'{"gate": "rx", "target": %d, "control": %d, "rotation": 0.1}' % (n % 22, (n + 1) % 22)
        for n in range(2_000)
    )
    + b"]}"
)


@pytest.fixture
async def gateway(store: Store, clock: Clock) -> AsyncIterator[Gateway]:
    """A gateway that delays reads for up to a second; its worker is idle: no job ends by itself."""
    await store.leases.add_runner("idle", "server", NOW, slots=1)
    parsers = ParserPool(LIMITS)
    yield Gateway(store, parsers, LIMITS, clock, first_poll_ms=1_000)
    await parsers.close()


async def _actor(gateway: Gateway, admin: Admin, name: str) -> Actor:
    await admin.add_account(name, email=None, password=None)
    return await gateway.auth.by_token((await admin.create_token(name)).secret, "127.0.0.1")


@pytest.fixture
async def ada(gateway: Gateway, admin: Admin) -> Actor:
    return await _actor(gateway, admin, "ada")


@pytest.fixture
async def bob(gateway: Gateway, admin: Admin) -> Actor:
    return await _actor(gateway, admin, "bob")


async def submitted(gateway: Gateway, actor: Actor, source: bytes = PROGRAM) -> Job:
    new = Submission(
        dialect="ionq", device="simulator", format="ionq.circuit.v1", source=source, shots=10
    )
    return await gateway.jobs.submit(actor, new)


async def stays() -> None:
    await asyncio.Event().wait()


async def polled(gateway: Gateway, actor: Actor, job: Job) -> tuple[Job, float]:
    """Return what a status read gives, and the seconds that it took."""
    began = time.monotonic()
    return await gateway.first_polls.wait_if_ending_soon(
        actor, job, stays
    ), time.monotonic() - began


async def delayed_read(gateway: Gateway, actor: Actor, job: Job) -> asyncio.Task[tuple[Job, float]]:
    """Begin a status read, which is delayed when this returns."""
    task = asyncio.create_task(polled(gateway, actor, job))
    watches = gateway.jobs._changes.watches
    while gateway.jobs._changes.watches == watches and not task.done():
        await asyncio.sleep(0.001)
    assert not task.done()
    return task


async def test_a_read_is_delayed_until_the_job_ends(gateway: Gateway, ada: Actor) -> None:
    job = await submitted(gateway, ada)
    read = await delayed_read(gateway, ada, job)
    await gateway.jobs.cancel(ada, job.id)
    found, _ = await read
    assert found.state is JobState.CANCELLED
    assert gateway.first_polls.delayed == {"job_ended": 1, "timeout": 0, "disconnected": 0}


async def test_a_read_is_delayed_for_the_set_time_at_most(gateway: Gateway, ada: Actor) -> None:
    job = await submitted(gateway, ada)
    found, took_s = await polled(gateway, ada, job)
    assert found.state is JobState.QUEUED
    assert 0.95 < took_s < 10
    assert gateway.first_polls.delayed["timeout"] == 1


async def test_a_job_of_a_second_ago_is_not_delayed(
    gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    job = await submitted(gateway, ada)
    clock.ms += 1_000
    assert (await polled(gateway, ada, job))[0] is job
    assert sum(gateway.first_polls.delayed.values()) == 0


async def test_a_job_that_runs_long_is_not_delayed(gateway: Gateway, ada: Actor) -> None:
    job = await submitted(gateway, ada, LONG)
    assert job.est_seconds > 1
    assert (await polled(gateway, ada, job))[0] is job
    assert sum(gateway.first_polls.delayed.values()) == 0


async def test_a_short_job_behind_a_long_queue_is_not_delayed(gateway: Gateway, ada: Actor) -> None:
    for _ in range(2):
        await submitted(gateway, ada, LONG)  # of one project, so that their order is certain
    await gateway.queue.forecast("simulator")  # has seen only those
    job = await submitted(gateway, ada)
    assert (await polled(gateway, ada, job))[0] is job
    assert sum(gateway.first_polls.delayed.values()) == 0


async def test_a_short_job_beside_a_long_queue_is_delayed_where_an_express_slot_is_free(
    gateway: Gateway, ada: Actor, bob: Actor, store: Store
) -> None:
    await store.leases.add_runner("server", "server", NOW, slots=1, express_slots=1)
    for _ in range(2):
        await submitted(gateway, bob, LONG)
    assert (await gateway.queue.forecast("simulator")).start_in_s  # it has seen only those
    await asyncio.sleep(0.05)
    job = await submitted(gateway, ada)
    read = await delayed_read(gateway, ada, job)
    await gateway.jobs.cancel(ada, job.id)
    assert (await read)[0].state is JobState.CANCELLED


async def test_one_read_of_a_job_is_delayed_at_a_time(gateway: Gateway, ada: Actor) -> None:
    job = await submitted(gateway, ada)
    first = await delayed_read(gateway, ada, job)
    assert (await polled(gateway, ada, job))[0] is job
    assert gateway.first_polls.over_limit == 1
    await gateway.jobs.cancel(ada, job.id)
    await first


async def test_32_reads_of_an_account_are_delayed_and_those_of_others_beside_them(
    gateway: Gateway, ada: Actor, bob: Actor
) -> None:
    jobs = [await submitted(gateway, ada) for _ in range(33)]
    reads = [await delayed_read(gateway, ada, job) for job in jobs[:32]]
    assert (await polled(gateway, ada, jobs[32]))[0] is jobs[32]
    assert gateway.first_polls.over_limit == 1
    others = await submitted(gateway, bob)
    reads.append(await delayed_read(gateway, bob, others))
    await gateway.bulk.cancel(ada, [job.id for job in jobs], dialect="ionq")
    await gateway.jobs.cancel(bob, others.id)
    await asyncio.gather(*reads)
    assert gateway.first_polls.delayed["job_ended"] == 33


async def test_a_client_that_leaves_frees_its_place(gateway: Gateway, ada: Actor) -> None:
    job = await submitted(gateway, ada)

    async def leaves() -> None:
        pass

    assert await gateway.first_polls.wait_if_ending_soon(ada, job, leaves) is job
    assert gateway.first_polls.delayed == {"job_ended": 0, "timeout": 0, "disconnected": 1}
    assert gateway.jobs._changes.watches == 0
    again = await delayed_read(gateway, ada, job)
    await gateway.jobs.cancel(ada, job.id)
    await again
    assert gateway.first_polls.over_limit == 0


async def test_a_cancelled_request_frees_its_place(gateway: Gateway, ada: Actor) -> None:
    job = await submitted(gateway, ada)
    read = await delayed_read(gateway, ada, job)
    read.cancel()
    with pytest.raises(asyncio.CancelledError):
        await read
    again = await delayed_read(gateway, ada, job)
    await gateway.jobs.cancel(ada, job.id)
    await again


async def test_a_stopping_server_answers_at_once(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    job = await submitted(gateway, ada)
    read = await delayed_read(gateway, ada, job)
    store.changes.close()
    found, took_s = await read
    assert found.state is JobState.QUEUED
    assert took_s < 0.95


async def test_a_token_revoked_during_the_delay_reads_nothing(
    gateway: Gateway, admin: Admin, ada: Actor
) -> None:
    job = await submitted(gateway, ada)
    read = await delayed_read(gateway, ada, job)
    assert ada.token is not None
    await admin.revoke_token(ada.token)
    await gateway.jobs.cancel(ada, job.id)
    with pytest.raises(Unauthenticated):
        await read


async def test_nothing_is_delayed_where_the_setting_is_0(
    store: Store, clock: Clock, admin: Admin
) -> None:
    parsers = ParserPool(LIMITS)
    off = Gateway(store, parsers, LIMITS, clock, first_poll_ms=0)
    actor = await _actor(off, admin, "eve")
    job = await submitted(off, actor)
    assert (await polled(off, actor, job))[0] is job
    assert sum(off.first_polls.delayed.values()) + off.first_polls.over_limit == 0
    await parsers.close()
