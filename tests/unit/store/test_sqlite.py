"""What only SQLite can be asked: durability, full disks, migrations, other writers."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qwicket.model.accounts import Token
from qwicket.model.errors import StorageFull, Unavailable
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.store import JobChange, Store, lock_folder, open_sqlite, statements
from qwicket.store.database import Tx
from qwicket.store.sqlite import SQLite
from support.stores import add_job, make_token, sqlite

pytestmark = pytest.mark.anyio

FULL, NORMAL = 2, 1


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_sqlite(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def ada(store: Store) -> Token:
    return await make_token(store)


def pragma(name: str) -> Any:
    return lambda tx: sqlite(tx).execute(f"pragma {name}").fetchone()[0]


async def test_a_durable_write_is_flushed_and_a_claim_is_not(store: Store) -> None:
    database = store._database
    assert await database.write(pragma("synchronous")) == FULL
    assert await database.write(pragma("synchronous"), durable=False) == NORMAL
    assert await database.write(pragma("synchronous")) == FULL


async def test_the_files_are_readable_by_their_owner_alone(store: Store, tmp_path: Path) -> None:
    assert (tmp_path / "qwicket.db").stat().st_mode & 0o077 == 0


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    first = open_sqlite(tmp_path)
    job = await add_job(first, await make_token(first))
    await first.close()
    second = open_sqlite(tmp_path)
    assert await second.jobs.get(job.id) == job
    await second.close()


async def test_a_full_disk_is_a_clear_refusal_and_leaves_no_half_job(
    store: Store, ada: Token
) -> None:
    await add_job(store, ada)
    used = await store._database.read(pragma("page_count"))
    await store._database.write(pragma(f"max_page_count = {used}"))
    outcomes = await asyncio.gather(
        *(add_job(store, ada, source=bytes(200_000)) for _ in range(10)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {StorageFull}
    await store._database.write(pragma("max_page_count = 1000000"))
    await add_job(store, ada, source=bytes(200_000))
    assert len(await store.jobs.page(JobQuery(account=ada.account))) == 2
    assert await store._database.read(pragma("integrity_check")) == "ok"


async def test_another_process_may_write_between_groups(
    store: Store, ada: Token, tmp_path: Path
) -> None:
    other = open_sqlite(tmp_path)
    await make_token(other, "bob")
    await add_job(store, ada)
    assert [account.name for account in await store.accounts.all()] == ["ada", "bob"]
    await other.close()


async def test_a_database_held_by_another_answers_unavailable(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store._database.write(pragma("busy_timeout = 50"))
    other = sqlite3.connect(tmp_path / "qwicket.db", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(Unavailable) as refused:
        await make_token(store)
    assert "sqlite" not in str(refused.value).lower()
    (line,) = [record for record in caplog.records if record.name == "qwicket.store.sqlite"]
    assert line.getMessage() == "database error: database is locked"
    assert line.exc_info is None
    other.execute("rollback")
    other.close()
    await make_token(store)


async def test_a_wrong_statement_is_logged_with_where_it_came_from(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unavailable):
        await store._database.write(lambda tx: sqlite(tx).execute("select from nothing"))
    assert "syntax error" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_writer_that_closes_refuses_new_work(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    await store.close()
    with pytest.raises(Unavailable):
        await make_token(store)


async def test_work_queued_before_closing_is_done(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    ada = await make_token(store)
    adding = [asyncio.ensure_future(add_job(store, ada)) for _ in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*adding)) == 50


async def test_a_long_scan_is_ended_by_its_deadline(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "qwicket.db", lambda _: None, scan_deadline_s=0.05)
    endless = (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    )
    with pytest.raises(Unavailable):
        await database.scan(lambda tx: sqlite(tx).execute(endless).fetchone())
    await database.close()


async def test_the_writer_outlives_whatever_an_operation_does(store: Store, ada: Token) -> None:
    def give_up_the_transaction(tx: Tx) -> None:
        sqlite(tx).execute("rollback")  # as SQLite does by itself when memory runs out
        raise MemoryError

    with pytest.raises(Unavailable):
        await store._database.write(give_up_the_transaction)
    assert store.is_alive
    await add_job(store, ada)
    assert len(await store.jobs.page(JobQuery(account=ada.account))) == 1


async def test_a_rule_of_the_schema_that_is_broken_is_our_fault_not_the_databases(
    store: Store,
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await store._database.write(
            lambda tx: sqlite(tx).execute("insert into member (account, project) values ('a', 'b')")
        )


async def test_a_rolled_back_operation_publishes_no_change(store: Store, ada: Token) -> None:
    told: list[object] = []
    store.changes.listen(told.append)

    def change_and_fail(tx: Any) -> None:
        tx.changed(JobChange("job", 1, JobState.QUEUED, "simulator"))
        raise StorageFull

    results = await asyncio.gather(
        add_job(store, ada), store._database.write(change_and_fail), return_exceptions=True
    )
    await asyncio.sleep(0)
    assert isinstance(results[1], StorageFull)
    assert len(told) == 1


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "qwicket.db")
    other.execute("pragma user_version = 99")
    other.close()
    with pytest.raises(Unavailable, match="newer version"):
        open_sqlite(tmp_path)


def test_a_database_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "qwicket.db").touch(mode=0o644)
    asyncio.run(open_sqlite(tmp_path).close())
    assert (tmp_path / "qwicket.db").stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "qwicket.db").write_text("something else entirely, and long enough\n" * 100)
    with pytest.raises(Unavailable, match=r"qwicket\.db cannot be opened"):
        open_sqlite(tmp_path)


def test_one_folder_has_one_server(tmp_path: Path) -> None:
    lock_folder(tmp_path)
    with pytest.raises(Unavailable, match="Another server"):
        lock_folder(tmp_path)


async def test_each_index_has_a_query_that_names_it(store: Store) -> None:
    def indexes(tx: Tx) -> set[str]:
        found = sqlite(tx).execute("select name from sqlite_master where type = 'index'")
        return {name for (name,) in found if not name.startswith("sqlite_autoindex")}

    queries = "".join(path.read_text() for path in statements.files())
    unnamed = {name for name in await store._database.read(indexes) if name not in queries}
    assert not unnamed
