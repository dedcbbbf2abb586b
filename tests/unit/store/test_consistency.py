"""A real database is damaged in every way that the checks know, and each is found."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.groups import NewGroup
from qwicket.model.jobs import Job
from qwicket.model.states import JobState
from qwicket.store import Store, consistency, open_postgres
from qwicket.store.consistency import Problem
from support.server import database_of
from support.stores import NOW, add_job, make_token, open_new_sqlite

pytestmark = pytest.mark.anyio

LARGE = b"large" * (1 << 19)


class Place(NamedTuple):
    """Where a database is."""

    folder: Path
    url: str | None

    def open(self) -> Store:
        return open_postgres(self.url) if self.url else open_new_sqlite(self.folder)

    def execute(self, *statements: str) -> None:
        """Change rows as no operation does; foreign keys are not enforced."""
        if self.url:
            with psycopg.connect(self.url) as connection:
                connection.execute("set session_replication_role = replica")
                for text in statements:
                    connection.execute(text.encode())
            return
        path = self.folder / "qwicket.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            for text in statements:
                file.execute(text)

    def problems(self) -> list[Problem]:
        with consistency.reading(self.folder, self.url) as tx:
            return list(consistency.problems(tx))


@pytest.fixture
def place(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with database_of(database_kind, request) as url:
        yield Place(tmp_path, url)


class Jobs(NamedTuple):
    """One job of each kind."""

    completed: Job
    large: Job
    released: Job
    running: Job
    queued: Job
    draft: Job


def encoded(body: bytes) -> Encoded:
    return Encoded(body, hashlib.sha256(body).digest())


@pytest.fixture
async def jobs(place: Place) -> Jobs:
    """A database that no operation has damaged, and its jobs."""
    store = place.open()
    ada = await make_token(store)
    await store.leases.add_runner("runner", "server", NOW, slots=2)
    devices = ("first", "second", "third", "fourth", "fifth")
    first, second, third, fourth, fifth = [
        await add_job(store, ada, device=device) for device in devices
    ]
    draft = await add_job(store, ada, device="sixth", state=JobState.DRAFT, expires_at=NOW + 1)
    for device, body in (("first", b"small"), ("second", LARGE)):
        (taken,) = (await store.leases.claim(device, "runner", NOW)).taken
        result = RunResult((encoded(body), encoded(b"another")), 1.0)
        await store.leases.finish(taken.lease, result, NOW)
    (taken,) = (await store.leases.claim("third", "runner", NOW)).taken
    await store.leases.release(taken.lease, "a reason", NOW, counts_as_attempt=True)
    assert (await store.leases.claim("fourth", "runner", NOW)).taken
    await store.uploads.begin("upload", draft.id, ada.account, max_bytes=100, held_limit=100)
    await store.uploads.add("upload", 0, b"program")
    await store.uploads.finish("upload", 7)
    await store.close()
    return Jobs(first, second, third, fourth, fifth, draft)


@pytest.mark.both_databases
async def test_what_operations_wrote_is_consistent(place: Place, jobs: Jobs) -> None:
    assert place.problems() == []
    with consistency.reading(place.folder, place.url) as tx:
        assert consistency.lease_holders(tx) == [consistency.LeaseHolder("runner", "server", 0, 1)]


@pytest.mark.both_databases
async def test_jobs_of_a_deleted_group_are_consistent(place: Place) -> None:
    store = place.open()
    ada = await make_token(store)
    for number in range(2):  # the second one deletes the first, which is closed
        new = NewGroup(
            id=f"group-{number}",
            account=ada.account,
            project=ada.project,
            dialect="native",
            now=NOW,
        )
        group = await store.job_groups.open(new, maximum=1)
        await add_job(store, ada, group=group.id)
        await store.job_groups.close(group.id, NOW)
    await store.close()
    assert place.problems() == []


@pytest.mark.both_databases
async def test_an_empty_database_is_consistent(place: Place) -> None:
    await place.open().close()
    assert place.problems() == []


DAMAGES = [
    ("delete from lease where job = '{running}'", "running jobs have no lease", "running"),
    (
        "update lease set runner = null where job = '{running}'",
        "running jobs have no lease",
        "running",
    ),
    (
        "update job set state = 'completed' where id = '{running}'",
        "jobs that do not run have a runner's lease",
        "running",
    ),
    ("delete from runner", "leases have a runner that is gone", "running"),
    ("delete from program where job = '{queued}'", "jobs have lost their program", "queued"),
    ("delete from program where job = '{completed}'", "jobs have lost their program", "completed"),
    ("delete from outcome where job = '{completed}'", "completed jobs have lost results", None),
    (
        "delete from outcome where job = '{completed}' and part = 0",
        "completed jobs have lost results",
        "completed",
    ),
    (
        "update job set state = 'queued' where id = '{completed}'",
        "jobs that have not ended have results",
        "completed",
    ),
    (
        "delete from blob where part = 1",
        "results are not what was stored: their hash is wrong",
        "large",
    ),
    ("delete from blob", "results are not what was stored: their hash is wrong", "large"),
    (
        "delete from share where device = 'fifth'",
        "queued jobs are missing in the fair queue's records",
        "queued",
    ),
    (
        "update share set has_work = 0 where device = 'fifth'",
        "queued jobs are missing in the fair queue's records",
        "queued",
    ),
    (
        "update share set has_work = 1 where device = 'first'",
        "records of the fair queue name work that is gone",
        None,
    ),
    (
        "update waiting_jobs set number = number + 1 where account = ''",
        "projects have a wrong number of waiting jobs",
        None,
    ),
    ("update upload set size = 8", "uploads do not have their size", "draft"),
    ("delete from upload_piece", "uploads do not have their size", "draft"),
    ("update job set state = 'cancelled' where id = '{draft}'", "uploads are left over", "draft"),
    (
        "update outcome set body = '{x}' where job = '{completed}' and part = 1",
        "results are not what was stored: their hash is wrong",
        "completed",
    ),
    (
        "update blob set bytes = '{x}' where part = 0",
        "results are not what was stored: their hash is wrong",
        "large",
    ),
    (
        "update project set stored_bytes = stored_bytes + 1",
        "projects have a wrong sum of stored bytes",
        None,
    ),
    (
        "update program set source = '{x}' where job = '{queued}'",
        "projects have a wrong sum of stored bytes",
        None,
    ),
    (
        "insert into blob (sha256, part, bytes) values ('{x}', 0, '{x}')",
        "large results were begun and not finished; a running server may be at it",
        None,
    ),
]


@pytest.mark.both_databases
@pytest.mark.parametrize(("damage", "found", "job"), DAMAGES, ids=[each[0] for each in DAMAGES])
async def test_a_damage_is_found_with_its_job(
    place: Place, jobs: Jobs, damage: str, found: str, job: str | None
) -> None:
    ids = {name: each.id for name, each in jobs._asdict().items()}
    if place.url is None:
        damage = damage.replace("'{x}'", "x'78'")
    place.execute(damage.format(x="\\x78", **ids))
    problems = {each.found: each for each in place.problems()}
    assert found in problems
    assert problems[found].number == 1
    assert problems[found].remedy
    if job is not None:
        assert problems[found].examples[0].startswith(ids[job])


@pytest.mark.both_databases
async def test_wrong_jobs_are_counted_over_all_ranges_and_a_few_are_named(place: Place) -> None:
    store = place.open()
    ada = await make_token(store)
    for _ in range(11):
        await add_job(store, ada)
    await store.close()
    place.execute("delete from program")
    seen: list[tuple[int, int]] = []
    with consistency.reading(place.folder, place.url) as tx:
        lost, sums = consistency.problems(tx, lambda *now: seen.append(now), jobs_at_once=3)
    assert (lost.number, len(lost.examples)) == (11, 3)
    assert sums.found == "projects have a wrong sum of stored bytes"
    assert seen == [(3, 11), (6, 11), (9, 11), (11, 11)]


@pytest.mark.both_databases
async def test_every_result_is_read_however_many_a_job_has(place: Place) -> None:
    store = place.open()
    ada = await make_token(store)
    await store.leases.add_runner("runner", "server", NOW, slots=1)
    for _ in range(2):
        await add_job(store, ada)
        (taken,) = (await store.leases.claim("simulator", "runner", NOW)).taken
        parts = tuple(encoded(bytes([part])) for part in range(40))
        await store.leases.finish(taken.lease, RunResult(parts, 1.0), NOW)
    await store.close()
    place.execute("update outcome set sha256 = body")
    (problem,) = place.problems()
    assert problem.number == 80


async def test_orphaned_rows_and_damaged_indexes_of_a_file_are_found(tmp_path: Path) -> None:
    place = Place(tmp_path, None)
    store = place.open()
    ada = await make_token(store)
    job = await add_job(store, ada)
    await store.close()
    path = tmp_path / "qwicket.db"
    assert list(consistency.file_problems(path)) == []
    place.execute(
        "pragma foreign_keys = off",
        f"insert into job_event values ('gone', 1, 1, 'a', 'b', '{job.account}', '')",
        "insert into job_event values ('gone', 2, 1, 'a', 'b', 'c', '')",
    )
    (orphans,) = consistency.file_problems(path)
    assert orphans.found == "orphaned rows: job_event without its job"
    assert orphans.number == 2
    with closing(sqlite3.connect(path)) as file:
        file.execute("pragma wal_checkpoint(truncate)")
        ((page,),) = file.execute(
            "select rootpage from sqlite_schema where name = 'job_by_change'"
        ).fetchall()
    with path.open("r+b") as raw:
        raw.seek(4096 * (page - 1) + 8)
        raw.write(b"\xaa" * 200)
    (faults,) = consistency.file_problems(path)
    assert "faults in the file" in faults.found
    assert "restore the last backup" in faults.remedy


async def test_checks_see_one_moment_and_change_nothing(place: Place, jobs: Jobs) -> None:
    with consistency.reading(place.folder, place.url) as tx:
        before = consistency.lease_holders(tx)
        place.execute("delete from lease", "delete from job")
        assert consistency.lease_holders(tx) == before
        assert list(consistency.problems(tx)) == []
        with pytest.raises((sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction)):
            tx.count("share_rebase", factor=1.0)
