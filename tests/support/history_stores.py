"""Opening stores as two servers on one database do."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from qwicket.store import Store, open_postgres, open_sqlite
from support.postgres import PostgresServer


@asynccontextmanager
async def two_on_sqlite() -> AsyncIterator[list[Store]]:
    """Two stores on one new file: a server, and a command beside it."""
    with tempfile.TemporaryDirectory() as folder:
        async with _closing([open_sqlite(Path(folder)) for _ in range(2)]) as stores:
            yield stores


@asynccontextmanager
async def two_on_postgres(server: PostgresServer) -> AsyncIterator[list[Store]]:
    with server.database() as url:
        async with _closing([open_postgres(url) for _ in range(2)]) as stores:
            yield stores


@asynccontextmanager
async def _closing(stores: list[Store]) -> AsyncIterator[list[Store]]:
    try:
        yield stores
    finally:
        for store in stores:
            await store.close()
