"""Backups of the embedded database: complete, of one moment, and refused where they would harm."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.errors import StaleLease, Unavailable
from qwicket.model.jobs import Runner
from qwicket.model.states import JobState
from qwicket.store import backup, lock_folder, open_postgres, open_sqlite
from support.postgres import PostgresServer
from support.stores import NOW, add_job, make_token, stored
from support.waiting import until

pytestmark = pytest.mark.anyio

RESULT = RunResult((Encoded(b"counts", b"sha256"),), 1.0)
AGENT = Runner("agent", "agent", 0, 1, device="simulator")


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder with an account and two jobs."""
    data = tmp_path / "data"
    store = open_sqlite(data)
    ada = await make_token(store)
    for _ in range(2):
        await add_job(store, ada)
    await store.close()
    return data


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def jobs(path: Path) -> int:
    with database(path) as connection:
        return int(connection.execute("select count(*) from job").fetchone()[0])


# --- backup ---------------------------------------------------------------------------------------


async def test_a_backup_is_one_private_file_and_has_what_was_there(
    folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copies" / "backup.db"
    target.parent.mkdir()
    contents = backup.back_up(folder, target)
    assert names(target.parent) == {"backup.db"}
    assert target.stat().st_mode & 0o777 == 0o600
    assert (contents.accounts, contents.jobs, contents.unfinished) == (1, 2, 2)
    assert contents.newest_at is not None
    assert contents.newest_at >= NOW
    assert backup.verify(target) == contents
    assert names(target.parent) == {"backup.db"}, "reading it creates no file beside it"


async def test_a_backup_is_of_one_moment_and_ends_while_others_write(
    folder: Path, tmp_path: Path
) -> None:
    """Two tables change in each transaction, more often than the backup takes steps."""
    stopping, n_written = threading.Event(), [0]

    def write() -> None:
        with database(folder / backup.FILE) as connection:
            connection.execute("pragma synchronous = off")
            connection.execute("create table a (filling text)")
            connection.execute("create table b (filling text)")
            while not stopping.is_set():
                connection.execute("begin immediate")
                for table in ("a", "b"):
                    connection.execute(f"insert into {table} values (?)", ("x" * 20_000,))
                connection.execute("commit")
                n_written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: n_written[0] > 500, "the database has pages for several steps")
        steps: list[int] = []
        backup.back_up(folder, tmp_path / "backup.db", lambda _: steps.append(n_written[0]))
    finally:
        stopping.set()
        writer.join()
    assert len(steps) > 1
    assert steps[-1] > steps[0], "others wrote while the backup ran"
    with database(tmp_path / "backup.db") as copy:
        ((a,),) = copy.execute("select count(*) from a").fetchall()
        ((b,),) = copy.execute("select count(*) from b").fetchall()
    assert 500 < a == b < n_written[0]


async def test_commits_that_are_only_in_the_log_are_in_the_backup(
    folder: Path, tmp_path: Path
) -> None:
    with database(folder / backup.FILE) as connection:
        connection.execute("update account set name = 'eve'")
        assert (folder / "qwicket.db-wal").stat().st_size > 0
        backup.back_up(folder, tmp_path / "backup.db")
    with database(tmp_path / "backup.db") as copy:
        assert copy.execute("select name from account").fetchall() == [("eve",)]


async def test_what_cannot_be_backed_up_is_refused_by_path(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    target.write_text("mine")
    for path, said in (
        (target, f"{target} exists"),
        (tmp_path, f"{tmp_path} is a folder"),
        (tmp_path / "no" / "x", f"{tmp_path / 'no' / 'x'}: No such file or directory"),
        (target / "x", f"{target / 'x'}: Not a directory"),
        (Path("/proc/x"), "/proc/x: "),  # nobody may create files there, not even root
    ):
        with pytest.raises(Unavailable) as refused:
            backup.back_up(folder, path)
        assert refused.value.detail.startswith(said)
        assert target.read_text() == "mine"
    backup.back_up(folder, tmp_path / "good")
    with pytest.raises(Unavailable, match=r"^/proc/x: "):
        backup.restore(tmp_path / "good", Path("/proc/x"), replace=False)
    (tmp_path / "good").unlink()
    with pytest.raises(Unavailable, match=r"empty/qwicket.db: No such file or directory\.$"):
        backup.back_up(tmp_path / "empty", tmp_path / "b")
    assert names(tmp_path) == {"data", "backup.db"}


async def test_a_damaged_database_is_not_taken_for_a_backup(folder: Path, tmp_path: Path) -> None:
    with database(folder / backup.FILE) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        ((page,),) = connection.execute(
            "select rootpage from sqlite_schema where name = 'job_by_change'"
        ).fetchall()
    with (folder / backup.FILE).open("r+b") as file:
        file.seek(4096 * (page - 1) + 8)
        file.write(b"\xaa" * 200)
    with pytest.raises(Unavailable, match="is damaged"):
        backup.back_up(folder, tmp_path / "backup.db")
    assert names(tmp_path) == {"data"}


# --- restore --------------------------------------------------------------------------------------


async def test_a_restore_brings_back_what_the_backup_has(folder: Path, tmp_path: Path) -> None:
    contents = backup.back_up(folder, tmp_path / "backup.db")
    restored = backup.restore(tmp_path / "backup.db", tmp_path / "new", replace=False)
    assert restored == (contents, None)
    assert (tmp_path / "new" / backup.FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    store = open_sqlite(tmp_path / "new")
    assert [account.name for account in await store.accounts.all()] == ["ada"]
    await store.close()
    # The folder's lock is free again.
    os.close(lock_folder(tmp_path / "new"))


@pytest.mark.needs_root("only root gives files away")
async def test_what_root_restores_belongs_to_the_user_of_the_folder(
    folder: Path, tmp_path: Path
) -> None:
    backup.back_up(folder, tmp_path / "backup.db")
    (tmp_path / "new").mkdir()
    os.chown(tmp_path / "new", 4711, 4712)
    backup.restore(tmp_path / "backup.db", tmp_path / "new", replace=False)
    for name in ("qwicket.db", "serve.lock"):
        found = (tmp_path / "new" / name).stat()
        assert (found.st_uid, found.st_gid) == (4711, 4712)


async def test_a_restore_replaces_a_database_only_if_asked_and_keeps_it(
    folder: Path, tmp_path: Path
) -> None:
    backup.back_up(folder, tmp_path / "backup.db")
    store = open_sqlite(folder)
    await add_job(store, await make_token(store, "bob"))
    await store.close()
    with pytest.raises(Unavailable, match=r"qwicket\.db exists: use --replace"):
        backup.restore(tmp_path / "backup.db", folder, replace=False)
    assert jobs(folder / backup.FILE) == 3
    restored = backup.restore(tmp_path / "backup.db", folder, replace=True)
    assert restored.former is not None
    assert restored.former.name.startswith("qwicket.db.20")
    assert restored.former.suffix == ".old"
    assert jobs(folder / backup.FILE) == 2
    assert jobs(restored.former) == 3


@pytest.mark.parametrize("is_missing", [False, True])
async def test_a_log_left_by_a_killed_server_is_kept_and_not_applied_to_the_restored_database(
    folder: Path, tmp_path: Path, is_missing: bool
) -> None:
    backup.back_up(folder, tmp_path / "backup.db")
    with database(folder / backup.FILE) as connection:
        connection.execute("update account set name = 'eve'")
        left = (folder / "qwicket.db-wal").read_bytes()
        old = (folder / backup.FILE).read_bytes()
    (folder / "qwicket.db-wal").write_bytes(left)
    (folder / backup.FILE).write_bytes(old)
    if is_missing:
        (folder / backup.FILE).unlink()
    former = backup.restore(tmp_path / "backup.db", folder, replace=True).former
    with database(folder / backup.FILE) as restored:
        assert restored.execute("select name from account").fetchall() == [("ada",)]
    if is_missing:
        assert former is None
        kept = [name for name in names(folder) if name.endswith(".old-wal")]
        assert [(folder / name).read_bytes() for name in kept] == [left]
        return
    assert former is not None
    with database(former) as replaced:
        assert replaced.execute("select name from account").fetchall() == [("eve",)]


async def test_a_folder_that_a_server_uses_is_left_alone(folder: Path, tmp_path: Path) -> None:
    backup.back_up(folder, tmp_path / "backup.db")
    lock = lock_folder(folder)
    try:
        with pytest.raises(Unavailable, match="Another server or a restore uses"):
            backup.restore(tmp_path / "backup.db", folder, replace=True)
    finally:
        os.close(lock)
    assert names(folder) == {"qwicket.db", "qwicket.db-shm", "qwicket.db-wal", "serve.lock"}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("pragma user_version = 1000", "newer version of Qwicket .schema 1000; this version"),
        ("pragma user_version = 0", "is not a database of Qwicket"),
        ("drop table job", "is not a database of Qwicket: no such table: job"),
    ],
)
async def test_a_file_that_this_version_cannot_serve_is_refused(
    folder: Path, tmp_path: Path, statement: str, said: str
) -> None:
    with database(folder / backup.FILE) as connection:
        connection.execute("pragma foreign_keys = off")
        connection.execute(statement)
    with pytest.raises(Unavailable, match=said):
        backup.back_up(folder, tmp_path / "backup.db")
    with pytest.raises(Unavailable, match=said):
        backup.restore(folder / backup.FILE, tmp_path / "new", replace=False)
    assert names(tmp_path) == {"data"}


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no database" * 100)
    with pytest.raises(Unavailable, match="text cannot be read as a database: file is not a data"):
        backup.restore(text, tmp_path / "new", replace=False)
    (tmp_path / "empty").touch()
    with pytest.raises(Unavailable, match=r"empty is not a database of Qwicket\.$"):
        backup.restore(tmp_path / "empty", tmp_path / "new", replace=False)
    with pytest.raises(Unavailable, match="nowhere: No such file or directory"):
        backup.restore(tmp_path / "nowhere", tmp_path / "new", replace=False)
    assert names(tmp_path) == {"text", "empty"}


# --- leases after a restore -----------------------------------------------------------------------


async def test_a_lease_of_the_backup_is_still_valid_and_a_later_one_is_not(tmp_path: Path) -> None:
    """Fencing tokens repeat after a restore; the random nonce tells two such leases apart."""
    store = open_sqlite(tmp_path / "data")
    ada = await make_token(store)
    before, after = await add_job(store, ada), await add_job(store, ada, est_seconds=1.0)
    await store.leases.add_runner(AGENT.id, "agent", NOW)
    (early,) = (await store.leases.claim("simulator", AGENT.id, NOW)).taken
    assert early.lease.job == before.id
    backup.back_up(tmp_path / "data", tmp_path / "backup.db")
    (late,) = (await store.leases.claim("simulator", AGENT.id, NOW)).taken
    await store.leases.finish(early.lease, RESULT, NOW)
    await store.close()

    backup.restore(tmp_path / "backup.db", tmp_path / "new", replace=False)
    store = open_sqlite(tmp_path / "new")
    # Whoever still holds the job ends it.
    await store.leases.finish(early.lease, RESULT, NOW)
    assert (await stored(store, before)).state is JobState.COMPLETED
    # The other one waits again, and its old lease is void, before and after a new claim.
    assert (await stored(store, after)).state is JobState.QUEUED
    with pytest.raises(StaleLease):
        await store.leases.finish(late.lease, RESULT, NOW)
    (again,) = (await store.leases.claim("simulator", "other", NOW)).taken
    assert again.lease.fence == late.lease.fence
    with pytest.raises(StaleLease):
        await store.leases.finish(late.lease, RESULT, NOW)
    await store.close()


async def test_a_job_whose_end_was_lost_is_offered_again_when_its_agent_returns(
    tmp_path: Path,
) -> None:
    store = open_sqlite(tmp_path / "data")
    job = await add_job(store, await make_token(store))
    await store.leases.add_runner(AGENT.id, "agent", NOW)
    (taken,) = (await store.leases.claim("simulator", AGENT.id, NOW, request=1)).taken
    backup.back_up(tmp_path / "data", tmp_path / "backup.db")
    await store.leases.finish(taken.lease, RESULT, NOW)
    await store.close()

    backup.restore(tmp_path / "backup.db", tmp_path / "new", replace=False)
    store = open_sqlite(tmp_path / "new")
    assert (await stored(store, job)).state is JobState.RUNNING
    assert await store.leases.renew(AGENT, (), 1, NOW) == []
    assert (await stored(store, job)).state is JobState.QUEUED
    assert (await stored(store, job)).attempts == 0
    await store.close()


# --- PostgreSQL -----------------------------------------------------------------------------------


async def test_a_postgresql_database_is_checked_without_a_change(postgres: PostgresServer) -> None:
    postgres.run("create database unchecked")
    url = psycopg.conninfo.make_conninfo(postgres.url, dbname="unchecked")
    with pytest.raises(Unavailable, match="has no tables of Qwicket"):
        backup.read_postgres(url)
    store = open_postgres(url)
    await add_job(store, await make_token(store))
    await store.close()
    contents = backup.read_postgres(url)
    assert (contents.accounts, contents.jobs, contents.unfinished) == (1, 1, 1)
    with psycopg.connect(url) as connection:
        connection.execute("insert into schema_version values (1000)")
    with pytest.raises(Unavailable, match="newer version of Qwicket"):
        backup.read_postgres(url)
    postgres.run("drop database unchecked with (force)")


async def test_the_address_is_shown_without_its_secrets() -> None:
    url = "postgresql://ada:very-secret@db.example:5433/lab?sslpassword=secret-too&sslmode=require"
    shown = backup.without_password(url)
    assert "secret" not in shown
    assert psycopg.conninfo.conninfo_to_dict(shown) == {
        "user": "ada",
        "host": "db.example",
        "port": "5433",
        "dbname": "lab",
        "sslmode": "require",
    }
