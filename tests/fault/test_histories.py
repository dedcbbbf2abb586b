"""Random histories of several callers at once: a model of the promises explains every one."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from qwicket.store import Store, open_postgres, open_sqlite
from support.history import OpenStores, check_history
from support.history_model import Mismatch
from support.postgres import PostgresServer

pytestmark = pytest.mark.anyio

SEEDS = 30
CALLS = 200


@pytest.fixture(params=["sqlite", "postgres"])
def open_stores(request: pytest.FixtureRequest) -> OpenStores:
    """Opens a fresh database as two servers do."""
    if request.param == "sqlite":
        return two_on_sqlite
    server: PostgresServer = request.getfixturevalue("postgres")

    @asynccontextmanager
    async def two_on_postgres() -> AsyncIterator[list[Store]]:
        with server.database() as url:
            async with closing([open_postgres(url), open_postgres(url)]) as stores:
                yield stores

    return two_on_postgres


@asynccontextmanager
async def two_on_sqlite() -> AsyncIterator[list[Store]]:
    with tempfile.TemporaryDirectory() as folder:
        stores = [open_sqlite(Path(folder)) for _ in range(2)]
        async with closing(stores):
            yield stores


@asynccontextmanager
async def closing(stores: list[Store]) -> AsyncIterator[list[Store]]:
    try:
        yield stores
    finally:
        for store in stores:
            await store.close()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_the_model_explains_every_history(open_stores: OpenStores, seed: int) -> None:
    await check_history(open_stores, seed, calls=CALLS)
