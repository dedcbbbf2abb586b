"""Agents on a real store: claims that wait, claims whose response was lost, directives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from qwicket.circuits.outcomes import RunResult
from qwicket.model.accounts import Token
from qwicket.model.errors import Unavailable
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id
from qwicket.model.jobs import Assignment, Directive, Lease, Progress, Runner
from qwicket.model.states import JobState
from qwicket.scheduling import AgentScheduler
from qwicket.store import StaleLease, Store
from support.history_disk import Disk, recorded_store
from support.reservations import reserve
from support.stores import NOW, add_job, make_token, open_new_sqlite

pytestmark = pytest.mark.anyio

AGENT = Runner("ada/first", "agent", 0, 1, "lab5")
OTHER = Runner("ada/second", "agent", 0, 1, "lab5")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def ada(store: Store) -> Token:
    return await make_token(store)


@pytest.fixture
def desk(store: Store) -> AgentScheduler:
    return AgentScheduler(store, lambda: NOW, lease_s=400, max_pause_s=60)


async def is_there() -> bool:
    return False


async def claim(
    desk: AgentScheduler, *known: Lease, agent: Runner = AGENT, wait_s: float = 0
) -> Assignment | None:
    async with asyncio.timeout(30):
        return await desk.claim(agent, known, wait_s, is_there)


async def taken(desk: AgentScheduler, *known: Lease, agent: Runner = AGENT) -> Lease:
    found = await claim(desk, *known, agent=agent)
    assert found is not None
    return found.lease


async def state(store: Store, job: str) -> JobState:
    found = await store.jobs.get(job)
    assert found is not None
    return found.state


async def test_a_claim_takes_a_job_of_its_device_alone(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    await add_job(store, ada)
    job = await add_job(store, ada, device="lab5")
    assert (await taken(desk)).job == job.id
    assert await claim(desk, agent=OTHER) is None


async def test_a_submit_wakes_a_claim_that_waits(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    waiting = asyncio.create_task(claim(desk, wait_s=60))
    while not await store.leases.runners():
        await asyncio.sleep(0)
    # Writers follow each other: once another claim has found nothing, the first one waits.
    assert await claim(desk, agent=OTHER) is None
    job = await add_job(store, ada, device="lab5")
    async with asyncio.timeout(30):  # without the wake-up it looks again after a minute
        found = await waiting
    assert found is not None
    assert found.lease.job == job.id


async def test_a_claim_waits_as_long_as_its_agent_asked(desk: AgentScheduler) -> None:
    begun = time.monotonic()
    assert await claim(desk, wait_s=0.2) is None
    assert time.monotonic() - begun >= 0.2


async def test_a_claim_proves_life_and_so_does_a_renewal(
    store: Store, desk: AgentScheduler
) -> None:
    async def beat() -> int:
        (runner,) = await store.leases.runners()
        assert (runner.kind, runner.device, runner.slots) == ("agent", "lab5", 1)
        return runner.beat

    await claim(desk)
    first = await beat()
    await desk.renew(AGENT, (), {})
    assert await beat() == first + 1


@pytest.mark.parametrize(("lease_s", "renew_s"), [(4.0, 1.0), (40.0, 2.0)])
async def test_an_agent_renews_four_times_in_a_lease_and_every_2_s_at_least(
    store: Store, lease_s: float, renew_s: float
) -> None:
    assert AgentScheduler(store, lambda: NOW, lease_s=lease_s).renew_s == renew_s


async def test_what_an_agent_never_heard_of_is_offered_again_at_its_next_claim(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    job = await add_job(store, ada, device="lab5")
    lost = await taken(desk)
    again = await taken(desk)
    assert (again.job, again.fence) == (job.id, lost.fence + 1)
    found = await store.jobs.get(job.id)
    assert found is not None
    assert found.attempts == 0, "nobody is to blame"
    with pytest.raises(StaleLease):
        await desk.finish(lost, RunResult(Failure("x", "y"), 0.1))
    assert desk.stale_results == 1


async def test_what_an_agent_knows_of_stays_its_own_at_its_next_claim(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    await add_job(store, ada, device="lab5")
    lease = await taken(desk)
    assert await claim(desk, lease) is None
    await desk.require(lease)


async def test_a_claim_is_on_disk_before_its_agent_has_the_job(tmp_path: Path) -> None:
    """After a power cut, a queued job would run in the lab a second time."""
    disk = Disk(new_id(NOW))
    store = recorded_store(tmp_path, disk, syncs=True)
    await add_job(store, await make_token(store), device="lab5")
    await taken(AgentScheduler(store, lambda: NOW, lease_s=40))
    assert disk.operations[-1].kind == "sync"
    await store.close()


async def test_what_others_hold_is_left_alone(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    await add_job(store, ada, device="lab5")
    lease = await taken(desk)
    assert await claim(desk, agent=OTHER) is None
    await desk.require(lease)


async def test_a_claim_whose_agent_is_gone_takes_nothing(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    job = await add_job(store, ada, device="lab5")

    async def is_gone() -> bool:
        return True

    assert await desk.claim(AGENT, (), 30, is_gone) is None
    assert await state(store, job.id) is JobState.QUEUED


async def test_a_claim_whose_agent_goes_meanwhile_gives_its_job_back(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    job = await add_job(store, ada, device="lab5")
    answers = chain([False], repeat(True))

    async def is_gone() -> bool:
        return next(answers)

    assert await desk.claim(AGENT, (), 30, is_gone) is None
    assert await state(store, job.id) is JobState.QUEUED
    assert len(await store.jobs.events(job.id)) == 1


async def test_of_two_claims_of_one_agent_the_newer_counts(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    older = asyncio.create_task(claim(desk, wait_s=60))
    while not await store.leases.runners():
        await asyncio.sleep(0)
    newer = asyncio.create_task(claim(desk, wait_s=60))
    while (await store.leases.runners())[0].beat == 0:
        await asyncio.sleep(0)
    job = await add_job(store, ada, device="lab5")
    assert await older is None
    found = await newer
    assert found is not None
    assert found.lease.job == job.id


async def test_a_claim_that_is_broken_off_gives_back_what_it_took(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    job = await add_job(store, ada, device="lab5")
    for ticks in range(12):
        breaking = asyncio.create_task(claim(desk))
        for _ in range(ticks):
            await asyncio.sleep(0)
        breaking.cancel()
        await asyncio.gather(breaking, return_exceptions=True)
        await claim(desk, agent=OTHER)  # writers follow each other: what it did is done
        await desk.leave(OTHER.id)
        if breaking.cancelled():
            assert await state(store, job.id) is JobState.QUEUED


async def test_a_server_that_stops_sends_its_agents_away(
    store: Store, desk: AgentScheduler
) -> None:
    waiting = asyncio.create_task(claim(desk, wait_s=60))
    while not await store.leases.runners():
        await asyncio.sleep(0)
    store.changes.close()
    with pytest.raises(Unavailable):
        await waiting


async def test_orders_are_to_go_on_to_stop_or_that_it_is_lost(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    jobs = [await add_job(store, ada, device="lab5") for _ in range(2)]
    first = await taken(desk)
    second = await taken(desk, first)
    assert await desk.renew(AGENT, [first, second], {}) == dict.fromkeys(
        [job.id for job in jobs], Directive.GO_ON
    )
    await store.jobs.cancel(first.job, actor="ada", now=NOW)
    await desk.finish(second, RunResult(Failure("x", "y"), 0.1))
    orders = await desk.renew(AGENT, [first, second], {})
    assert orders == {first.job: Directive.STOP, second.job: Directive.LOST}


async def test_the_release_of_a_cancelled_job_is_its_end(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    job = await add_job(store, ada, device="lab5")
    lease = await taken(desk)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    assert (
        await desk.release(lease, "stopped", counts_as_attempt=False)
    ).state is JobState.CANCELLED


async def test_progress_lives_as_long_as_the_lease(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    job = await add_job(store, ada, device="lab5")
    lease = await taken(desk)
    assert await store.leases.progress(job.id) is None
    await desk.renew(AGENT, [lease], {job.id: Progress(0.25, "cooling")})
    assert await store.leases.progress(job.id) == Progress(0.25, "cooling")
    await desk.release(lease, "x", counts_as_attempt=False)
    assert await store.leases.progress(job.id) is None
    again = await taken(desk)
    await desk.renew(AGENT, [again], {})
    assert await store.leases.progress(job.id) is None


async def test_a_goodbye_offers_again_what_the_agent_holds(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    job = await add_job(store, ada, device="lab5")
    await taken(desk)
    await desk.leave(AGENT.id)
    assert await state(store, job.id) is JobState.QUEUED
    assert await store.leases.runners() == []


async def test_a_claim_that_still_waits_when_its_agent_leaves_takes_nothing(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    waiting = asyncio.create_task(claim(desk, wait_s=60))
    while not await store.leases.runners():
        await asyncio.sleep(0)
    await desk.leave(AGENT.id)
    job = await add_job(store, ada, device="lab5")
    assert await waiting is None
    assert await state(store, job.id) is JobState.QUEUED
    assert await store.leases.runners() == []


async def test_a_late_renewal_of_an_ended_job_leaves_the_next_one_alone(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    """An agent renews in a thread; such a request may be slower than its next claim."""
    await add_job(store, ada, device="lab5")
    first = await taken(desk)
    await desk.finish(first, RunResult(Failure("x", "y"), 0.1))
    await add_job(store, ada, device="lab5")
    second = await taken(desk)
    assert await desk.renew(AGENT, [first], {}) == {first.job: Directive.LOST}
    await desk.require(second)


async def test_an_agent_starts_no_job_of_others_in_a_window(
    store: Store, ada: Token, desk: AgentScheduler
) -> None:
    bob = await make_token(store, "bob")
    await reserve(store, "bob", from_at=NOW, device="lab5", agent_device="lab5")
    await add_job(store, ada, device="lab5")
    assert await claim(desk) is None
    job = await add_job(store, bob, device="lab5")
    assert (await taken(desk)).job == job.id
