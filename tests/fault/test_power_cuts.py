"""Power cuts at random moments: every confirmed write survives, and the database is intact."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.errors import QwicketError
from qwicket.model.ids import new_id
from qwicket.model.jobs import Lease
from qwicket.model.states import JobState
from qwicket.store import Store, open_sqlite
from qwicket.store.database import Tx
from support.history_disk import Disk, DiskOperation, cut, recorded_store
from support.repetitions import runs
from support.stores import NOW, PLENTY, add_job, make_token, new_job, sqlite

pytestmark = [pytest.mark.anyio, pytest.mark.promise]

CUTS = runs(10, long=100)
ROUNDS = 60


class Promise(NamedTuple):
    """An acknowledged state, and the numbers of disk operations at the call and at the answer."""

    after: int
    job: str
    state: JobState | None
    outcomes: tuple[Encoded, ...] = ()
    asked: int = 0


class Recording(NamedTuple):
    operations: list[DiskOperation]
    promises: list[Promise]
    begun: int


@pytest.fixture(scope="module")
async def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return await record(tmp_path_factory.mktemp("disk"))


async def record(folder: Path, *, syncs: bool = True) -> Recording:
    """A busy store on a recorded disk: submits, claims, finishes, releases, deletions."""
    disk = Disk(new_id(NOW))
    store = recorded_store(folder, disk, syncs=syncs)
    ada = await make_token(store)
    await store.leases.add_runner("runner", "server", NOW)
    begun = len(disk.operations)
    promises: list[Promise] = []
    rng = random.Random(0)
    for number in range(ROUNDS):
        await asyncio.gather(*(_round(store, ada, disk, promises, rng) for _ in range(3)))
        if number % 20 == 19:
            await _delete_some(store, promises, disk)
    operations = list(disk.operations)
    await store.close()
    return Recording(operations, promises, begun)


async def _round(
    store: Store, ada: Token, disk: Disk, promises: list[Promise], rng: random.Random
) -> None:
    source = rng.randbytes(rng.choice((10, 3_000, 40_000)))
    job = await add_job(store, ada, source=source)
    promises.append(Promise(len(disk.operations), job.id, JobState.QUEUED))
    for assignment in (await store.leases.claim("simulator", "runner", NOW, maximum=2)).taken:
        await _end(store, assignment.lease, disk, promises, rng)


async def _end(
    store: Store, lease: Lease, disk: Disk, promises: list[Promise], rng: random.Random
) -> None:
    if rng.random() < 0.2:
        await store.leases.release(lease, "a reason", NOW, counts_as_attempt=False)
        return
    outcome = Encoded(rng.randbytes(rng.choice((10, 20_000))), b"sha")
    await store.leases.finish(lease, RunResult((outcome,), 0.1), NOW)
    promises.append(Promise(len(disk.operations), lease.job, JobState.COMPLETED, (outcome,)))


async def _delete_some(store: Store, promises: list[Promise], disk: Disk) -> None:
    ended = [each.job for each in promises if each.state is JobState.COMPLETED]
    for job in ended[:5]:
        present = await store.jobs.get(job)
        if present is not None:
            asked = len(disk.operations)
            await store.jobs.delete(job)
            promises.append(Promise(len(disk.operations), job, None, asked=asked))


@pytest.mark.parametrize("number", range(CUTS))
async def test_after_a_power_cut_all_that_was_promised_is_there(
    recording: Recording, number: int, tmp_path: Path
) -> None:
    await check_cut(recording, number, tmp_path)


async def test_a_job_that_may_be_elsewhere_is_there_although_its_submission_was_not_flushed(
    tmp_path: Path,
) -> None:
    """Nothing is sent, and nobody is told of the job, before the intent is on disk."""
    (tmp_path / "disk").mkdir()
    disk = Disk(new_id(NOW))
    store = recorded_store(tmp_path / "disk", disk)
    ada = await make_token(store)
    await store.leases.add_runner("runner", "server", NOW)
    begun, intents = len(disk.operations), list[Promise]()
    for _ in range(20):
        job = await store.jobs.add_unflushed(new_job(ada), waiting_limit=PLENTY)
        (assignment,) = (await store.leases.claim("simulator", "runner", NOW)).taken
        assert assignment.lease.job == job.id
        await store.forwards.record_intent(assignment.lease, f"marker-{job.id}", NOW)
        intents.append(Promise(len(disk.operations), job.id, JobState.RUNNING))
    operations = list(disk.operations)
    await store.close()
    for number in range(CUTS):
        rng, folder = random.Random(number), tmp_path / str(number)
        folder.mkdir()
        end = rng.randrange(begun, len(operations) + 1)
        cut(operations[:end], rng, folder)
        after = open_sqlite(folder)
        for each in intents:
            if each.after <= end:
                assert (await after.jobs.get(each.job)) is not None
                assert (await after.agents.full_program(each.job)).source
        await after.close()


async def test_a_store_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    recording = await record(tmp_path / "disk", syncs=False)
    with pytest.raises((AssertionError, QwicketError, sqlite3.Error)):
        await check_cuts(recording, tmp_path)


async def check_cuts(recording: Recording, folder: Path) -> None:
    for number in range(10):
        (folder / str(number)).mkdir()
        await check_cut(recording, number, folder / str(number))


async def check_cut(recording: Recording, seed: int, folder: Path) -> None:
    rng = random.Random(seed)
    end = rng.randrange(recording.begun, len(recording.operations) + 1)
    cut(recording.operations[:end], rng, folder)
    store = open_sqlite(folder)
    try:
        assert await store._database.read(integrity) == "ok"
        kept = {each.job: each for each in recording.promises if each.after <= end}
        for promise in kept.values():
            await check(store, promise, recording, end)
        await goes_on(store)
    finally:
        await store.close()


async def check(store: Store, promise: Promise, recording: Recording, end: int) -> None:
    found = await store.jobs.get(promise.job)
    if promise.state is None:
        assert found is None
    elif found is None:
        # A deletion may come to the disk before it is answered.
        goes = [
            each for each in recording.promises if (each.job, each.state) == (promise.job, None)
        ]
        assert any(each.asked < end for each in goes)
    elif promise.state is JobState.COMPLETED:
        assert found.state is JobState.COMPLETED
        assert await store.jobs.results(promise.job) == list(promise.outcomes)
    else:
        assert found.state in (JobState.QUEUED, JobState.RUNNING, JobState.COMPLETED)


async def goes_on(store: Store) -> None:
    """What ran is offered again, and everything that waits can be run to its end."""
    await store.leases.void_runner("runner", NOW)
    await store.leases.add_runner("next", "server", NOW)
    while claimed := (await store.leases.claim("simulator", "next", NOW)).taken:
        for each in claimed:
            await store.leases.finish(each.lease, RunResult((Encoded(b"", b""),), 0.1), NOW)
    assert await store.maintenance.repair_fair_share(NOW) == 0


def integrity(tx: Tx) -> str:
    connection = sqlite(tx)
    assert connection.execute("pragma foreign_key_check").fetchall() == []
    (answer,) = connection.execute("pragma integrity_check").fetchone()
    return str(answer)
