"""From version 1.0.0 on, servers of two versions work beside each other on one database.

So each later migration only adds what the former version does not have to know. That it goes on
beside such an addition is tested with a live server in tests/fault/test_rolling_restart.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import MagicMock

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import qwicket.store
from qwicket.model.errors import Unavailable
from qwicket.store import Store, open_postgres, open_sqlite, postgres, statements
from support.postgres import PostgresServer
from support.stores import make_token

FOLDER = Path(qwicket.store.__file__).parent / "sql" / "migrations"
RELEASED = 41
"""Number of the last migration of version 1.0.0."""
BREAKING = {
    "a column or table is removed": r"\bdrop\s+(table|column)\b",
    "a column or table is renamed": r"\brename\b",
    "a column is changed": r"\balter\s+column\b",
    "a constraint is added": r"\badd\s+constraint\b",
    "a new column must be given": r"\badd\s+column\b(?![^;,]*\bdefault\b)[^;,]*\bnot\s+null\b",
    "rows must be unique": r"\bcreate\s+unique\s+index\b",
}


def breaks(text: str) -> list[str]:
    """Return why the former version cannot work beside a migration."""
    code = re.sub(r"--[^\n]*", "", text).lower()
    return [reason for reason, pattern in BREAKING.items() if re.search(pattern, code)]


def later() -> list[Path]:
    return [each for each in sorted(FOLDER.glob("*.sql")) if int(each.name[:4]) > RELEASED]


def test_migrations_after_the_release_only_add() -> None:
    found = {each.name: breaks(each.read_text()) for each in later()}
    assert not {name: reasons for name, reasons in found.items() if reasons}


@pytest.mark.parametrize(
    ("text", "is_breaking"),
    [
        ("alter table job drop column name;", True),
        ("DROP TABLE runner;", True),
        ("alter table a rename to b;", True),
        ("alter table a rename column b to c;", True),
        ("alter table a alter column b set not null;", True),
        ("alter table a add column b text not null;", True),
        ("create unique index i on a (b);", True),
        ("alter table a add constraint c check (b > 0);", True),
        ("alter table a add column b text;", False),
        ("alter table a add column b integer not null default 0;", False),
        ("create table a (b text not null unique);", False),
        ("create index i on a (b);\n-- this does not drop column c", False),
        ("update a set b = 1 where b is null;", False),
    ],
)
def test_what_breaks_the_former_version(text: str, is_breaking: bool) -> None:
    assert bool(breaks(text)) is is_breaking


def test_the_rule_begins_where_the_release_ends() -> None:
    numbers = [int(each.name[:4]) for each in sorted(FOLDER.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= RELEASED
    assert any(breaks(each.read_text()) for each in FOLDER.glob("*.sql")), "it can fail"


@pytest.fixture
def open_new(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], Store]]:
    """Opens a database that no other test uses again."""
    if database_kind == "sqlite":
        yield lambda: open_sqlite(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    server.run("create database migrated")
    yield lambda: open_postgres(make_conninfo(server.url, dbname="migrated"))
    server.run("drop database migrated with (force)")


@pytest.mark.both_databases
@pytest.mark.anyio
async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    open_new: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_new()
    await make_token(store)
    await store.close()
    known = statements.migrations
    number = known(postgres.SQL_FRAGMENTS)[-1][0] + 1

    def add(text: str) -> None:
        monkeypatch.setattr(statements, "migrations", lambda sql: [*known(sql), (number, text)])

    column = "alter table account add column half integer;"
    add(f"{column} select no_such_column from account;")
    with pytest.raises(Unavailable, match=f"Migration {number} .* failed.*no_such_column"):
        open_new()
    add(column)  # which would be refused if the first had been kept in part
    store = open_new()
    assert [account.name for account in await store.accounts.all()] == ["ada"]
    await store.close()


@pytest.mark.parametrize(("text", "reason"), [("", "DatabaseError"), ("no\nDETAIL: half", "no")])
def test_a_migration_that_fails_without_a_text_is_reported_all_the_same(
    text: str, reason: str
) -> None:
    number = statements.migrations(postgres.SQL_FRAGMENTS)[-1][0]
    connection = MagicMock(broken=False)
    former = MagicMock(**{"fetchone.return_value": (number - 1,)})
    connection.execute.side_effect = [None, None, former, psycopg.DatabaseError(text)]
    with pytest.raises(Unavailable, match=rf"Migration {number} .* was changed: {reason}\.$"):
        postgres._migrate(connection)
