"""The store suite runs against every database that there is: a fixture parameter each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qwicket.model.accounts import Token
from qwicket.store import Changed, Store, open_sqlite
from support.stores import NOW, make_token


@pytest.fixture(params=["sqlite"])
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_sqlite(tmp_path)
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
def told(store: Store) -> list[Changed]:
    """All changes that the store has told."""
    heard: list[Changed] = []
    store.changes.listen(heard.append)
    return heard
