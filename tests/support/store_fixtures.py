"""Fixtures of tests of the store: on SQLite, and also on PostgreSQL if marked `both_databases`.

There, each statement runs in a marked test, with each kind of answer that a test brings about: no
row, one, or several.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from qwicket.model.accounts import Token
from qwicket.store import JobChange, Store, open_postgres
from support.postgres import PostgresServer
from support.stores import NOW, make_token, open_new_sqlite

OpenStore = Callable[[], Store]


@pytest.fixture
def open_store(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[OpenStore]:
    """Opens the test's database, as often as it is called."""
    if database_kind == "sqlite":
        yield lambda: open_new_sqlite(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield lambda: open_postgres(url)


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[Store]:
    opened = open_store()
    yield opened
    await opened.close()


@pytest.fixture
async def ada(store: Store) -> Token:
    return await make_token(store, "ada")


@pytest.fixture
async def runner(store: Store) -> str:
    await store.leases.add_runner("runner", "server", NOW)
    return "runner"


@pytest.fixture
def told(store: Store) -> list[JobChange]:
    """All changes that the store has published."""
    heard: list[JobChange] = []
    store.changes.listen(heard.append)
    return heard
