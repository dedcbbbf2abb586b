"""Pilots on a real store: pulls that wait, what wakes them, directives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qwicket.circuits.outcomes import RunResult
from qwicket.model.accounts import Token
from qwicket.model.errors import Unavailable
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id
from qwicket.model.jobs import Capacity, Directive, Lease, Progress, Runner
from qwicket.model.states import JobState
from qwicket.scheduling import Offer, PilotScheduler, Pulled
from qwicket.store import JobChange, Store, open_sqlite
from support.history_disk import Disk, recorded_store
from support.reservations import reserve
from support.stores import NOW, add_job, make_token, open_new_sqlite, stored

pytestmark = pytest.mark.anyio

FIRST = Runner("root/first", "pilot", 0, 1)
SECOND = Runner("root/second", "pilot", 0, 1)
DEVICES = frozenset({"simulator", "clifford"})
AGENT = Runner("ada/lab5/first", "agent", 0, 1, "lab5")
LAB: dict[str, Any] = {"devices": frozenset({"lab5"}), "is_of_lab": True}
FAILED = RunResult(Failure("x", "y"), 0.1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def ada(store: Store) -> Token:
    return await make_token(store)


@pytest.fixture
def pilots(store: Store) -> PilotScheduler:
    return PilotScheduler(store, lambda: NOW, lease_s=400, slow_poll_s=60)


async def is_there() -> bool:
    return False


async def is_gone() -> bool:
    return True


def offer(request: int = 1, **changes: Any) -> Offer:
    values = {"tasks": 1, "tiny_tasks": 0, "capacity": Capacity(), "devices": DEVICES}
    return Offer(request, **{**values, **changes})


async def pull(
    pilots: PilotScheduler,
    *known: Lease,
    pilot: Runner = FIRST,
    wait_s: float = 0,
    settled: int = 0,
    stopping: tuple[str, ...] = (),
    progress: dict[str, Progress] | None = None,
    **changes: Any,
) -> Pulled:
    async with asyncio.timeout(30):
        return await pilots.pull(
            pilot,
            offer(**changes),
            known,
            stopping,
            settled,
            wait_s,
            is_there,
            progress=progress or {},
        )


async def pulling(
    store: Store, pilots: PilotScheduler, pilot: Runner = FIRST, **changes: Any
) -> asyncio.Task[Pulled]:
    """Begin a pull, which waits when this returns."""
    task = asyncio.create_task(pull(pilots, pilot=pilot, wait_s=60, **changes))
    while pilot.id not in {each.id for each in await store.leases.runners()}:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert not task.done()
    return task


def jobs(pulled: Pulled) -> list[str]:
    return [each.lease.job for task in pulled.tasks for each in task]


async def test_a_submission_wakes_one_pull_that_waits(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    first = await pulling(store, pilots)
    second = await pulling(store, pilots, SECOND)
    job = await add_job(store, ada, est_seconds=1.0)
    async with asyncio.timeout(30):  # without the wake-up it looks again after a minute
        assert jobs(await first) == [job.id]
    assert not second.done()
    other = await add_job(store, ada, est_seconds=1.0)
    async with asyncio.timeout(30):
        assert jobs(await second) == [other.id]


async def test_a_job_wakes_a_pull_that_can_take_it(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    small = await pulling(store, pilots, capacity=Capacity(1 << 10))
    full = await pulling(store, pilots, Runner("root/full", "pilot", 0, 1), tasks=0)
    elsewhere = Runner("root/elsewhere", "pilot", 0, 1)
    other = await pulling(store, pilots, elsewhere, devices=frozenset({"clifford"}))
    fitting = await pulling(store, pilots, SECOND)
    job = await add_job(store, ada)
    async with asyncio.timeout(30):
        assert jobs(await fitting) == [job.id]
    for each in (small, full, other):
        assert not each.done()
        each.cancel()


async def test_devices_are_served_in_turn(store: Store, ada: Token, pilots: PilotScheduler) -> None:
    for device in ("simulator",) * 3 + ("clifford",) * 3:
        await add_job(store, ada, device=device, est_seconds=1.0)
    tasks = (await pull(pilots, tasks=4)).tasks
    assert sorted(task[0].device for task in tasks) == ["clifford"] * 2 + ["simulator"] * 2


async def test_tiny_jobs_are_taken_in_advance_and_longer_ones_are_not(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    for _ in range(20):
        await add_job(store, ada)
    await add_job(store, ada, est_seconds=1.0)
    taken = await pull(pilots, tasks=1, tiny_tasks=5)
    assert [len(task) for task in taken.tasks] == [16, 4]


async def test_a_cancellation_ends_a_pull_with_a_directive(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    await add_job(store, ada)
    ((claimed,),) = (await pull(pilots)).tasks
    waiting = asyncio.create_task(pull(pilots, claimed.lease, tasks=0, wait_s=60))
    await asyncio.sleep(0.05)
    await store.jobs.cancel(claimed.lease.job, actor="ada", now=NOW)
    async with asyncio.timeout(30):
        told = (await waiting).directives
    assert told == {(claimed.lease.job, claimed.lease.fence): Directive.STOP}


async def test_a_late_notice_of_a_cancellation_does_not_end_the_pull_of_a_pilot_that_knows(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    await add_job(store, ada)
    ((claimed,),) = (await pull(pilots)).tasks
    job = await store.jobs.cancel(claimed.lease.job, actor="ada", now=NOW)
    assert job is not None
    pulls = pull(pilots, claimed.lease, stopping=(job.id,), tasks=0, wait_s=0.3)
    waiting = asyncio.create_task(pulls)
    await asyncio.sleep(0.05)
    store.changes.publish([JobChange(job.id, job.version, job.state, job.device)])
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert await waiting == Pulled([], {})


async def test_a_result_ends_a_job_and_its_response_has_the_next(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    await add_job(store, ada)
    ((claimed,),) = (await pull(pilots)).tasks
    following = await add_job(store, ada)
    states, tasks = await pilots.report(FIRST.id, [(claimed.lease, FAILED)], [], offer(2))
    assert states == {claimed.lease.job: JobState.FAILED}
    assert [each.lease.job for task in tasks for each in task] == [following.id]
    states, tasks = await pilots.report(FIRST.id, [(claimed.lease, FAILED)], [], offer(3, tasks=0))
    assert (states, tasks) == ({claimed.lease.job: None}, [])
    assert pilots.stale_results == 1


async def test_a_pull_of_a_client_that_is_gone_claims_nothing(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    job = await add_job(store, ada)
    assert (await pilots.pull(FIRST, offer(), (), (), 0, 1.0, is_gone)).tasks == []
    assert (await stored(store, job)).state is JobState.QUEUED


async def test_a_claim_of_a_client_that_left_meanwhile_is_given_back(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    job = await add_job(store, ada)
    looks = iter([False, True])

    async def leaves() -> bool:
        return next(looks)

    assert (await pilots.pull(FIRST, offer(), (), (), 0, 1.0, leaves)).tasks == []
    found = await stored(store, job)
    assert (found.state, found.attempts) == (JobState.QUEUED, 0)


async def test_a_newer_pull_of_the_same_pilot_ends_the_older(
    store: Store, pilots: PilotScheduler
) -> None:
    older = await pulling(store, pilots)
    newer = asyncio.create_task(pull(pilots, wait_s=60))
    async with asyncio.timeout(30):
        assert await older == Pulled([], {})
    newer.cancel()


async def test_a_pilot_that_leaves_loses_its_jobs_at_once(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    job = await add_job(store, ada)
    await pull(pilots)
    assert [each.id for each in await pilots.leave(FIRST.id)] == [job.id]
    assert await store.leases.runners() == []


async def test_after_a_resync_a_pull_looks_again(
    store: Store, ada: Token, pilots: PilotScheduler, tmp_path: Path
) -> None:
    waiting = await pulling(store, pilots)
    other = open_sqlite(tmp_path)  # this store hears nothing of what is done there
    job = await add_job(other, ada)
    await other.close()
    store.changes.resync()
    async with asyncio.timeout(30):
        assert jobs(await waiting) == [job.id]


async def test_a_server_that_stops_ends_its_pulls(store: Store, pilots: PilotScheduler) -> None:
    waiting = await pulling(store, pilots)
    store.changes.close()
    with pytest.raises(Unavailable):
        async with asyncio.timeout(30):
            await waiting


async def test_a_pull_wakes_up_when_a_window_ends(store: Store, ada: Token) -> None:
    began = time.monotonic()
    pilots = PilotScheduler(
        store,
        lambda: NOW + int(1000 * (time.monotonic() - began)),
        lease_s=400,
        slow_poll_s=60,
    )
    await make_token(store, "bob")
    await reserve(store, "bob", from_at=NOW, until_at=NOW + 700)
    job = await add_job(store, ada)
    async with asyncio.timeout(30):  # it would look again after a minute
        assert jobs(await pull(pilots, wait_s=60)) == [job.id]
    started_at = (await stored(store, job)).started_at
    assert started_at is not None
    assert started_at >= NOW + 700


# --- labs' agents ---------------------------------------------------------------------------------


async def test_an_agent_gets_its_jobs_one_by_one(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    await add_job(store, ada)
    first, second = [await add_job(store, ada, device="lab5") for _ in range(2)]
    pulled = await pull(pilots, pilot=AGENT, **LAB)
    assert jobs(pulled) == [first.id]
    lease = pulled.tasks[0][0].lease
    assert jobs(await pull(pilots, lease, pilot=AGENT, request=2, settled=1, **LAB)) == [second.id]


async def test_a_claim_is_on_disk_before_its_agent_has_the_job(tmp_path: Path) -> None:
    """After a power cut, a queued job would run in the lab a second time."""
    disk = Disk(new_id(NOW))
    store = recorded_store(tmp_path, disk, syncs=True)
    await add_job(store, await make_token(store), device="lab5")
    pilots = PilotScheduler(store, lambda: NOW, lease_s=40)
    assert jobs(await pull(pilots, pilot=AGENT, **LAB))
    assert disk.operations[-1].kind == "sync"
    await store.close()


async def test_progress_lives_as_long_as_the_lease(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    job = await add_job(store, ada, device="lab5")
    lease = (await pull(pilots, pilot=AGENT, **LAB)).tasks[0][0].lease
    told = {job.id: Progress(0.25, "cooling")}
    await pull(pilots, pilot=SECOND, progress=told, tasks=0)
    assert await store.leases.progress(job.id) is None, "another's word"
    await pull(pilots, lease, pilot=AGENT, progress=told, request=2, tasks=0, **LAB)
    assert await store.leases.progress(job.id) == Progress(0.25, "cooling")
    await pilots.report(AGENT.id, [], [(lease, "x", False)], offer(3, tasks=0, **LAB))
    again = (await pull(pilots, pilot=AGENT, request=4, **LAB)).tasks[0][0].lease
    await pull(pilots, again, pilot=AGENT, request=5, tasks=0, **LAB)
    assert await store.leases.progress(job.id) is None


async def test_an_agent_starts_no_job_of_others_in_a_window(
    store: Store, ada: Token, pilots: PilotScheduler
) -> None:
    bob = await make_token(store, "bob")
    await reserve(store, "bob", from_at=NOW, device="lab5", agent_device="lab5")
    await add_job(store, ada, device="lab5")
    assert not jobs(await pull(pilots, pilot=AGENT, **LAB))
    job = await add_job(store, bob, device="lab5")
    assert jobs(await pull(pilots, pilot=AGENT, **LAB)) == [job.id]
