"""Values for tests that speak to a store directly."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from qwicket.model.accounts import DEFAULT_SCOPES, Token
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job, NewJob
from qwicket.store import Store, open_sqlite
from qwicket.store.database import Tx
from qwicket.store.postgres import PostgresTx
from qwicket.store.sqlite import SQLiteTx

NOW = 1_760_000_000_000
PLENTY = 10_000


def open_new_sqlite(folder: Path) -> Store:
    """Open the database of this folder; a new one is a copy, because to migrate it takes 60 ms."""
    path = folder / "qwicket.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_new_database())
    return open_sqlite(folder)


@cache
def _new_database() -> bytes:
    """Return the file of a database that nothing was written to."""

    async def make(folder: Path) -> None:
        await open_sqlite(folder).close()

    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as thread:
        folder = Path(name)  # made in a thread, because an async test has a loop already
        thread.submit(lambda: asyncio.run(make(folder))).result()
        assert not folder.joinpath("qwicket.db-wal").exists()
        return folder.joinpath("qwicket.db").read_bytes()


async def make_token(store: Store, name: str = "ada", *, digest: bytes = b"") -> Token:
    """Make an account and a token of it; the token knows account and project."""
    await store.accounts.add(name, "member", email=None, password_hash=None, now=NOW)
    blank = Token(
        id=new_id(NOW),
        account="",
        project="",
        scopes=DEFAULT_SCOPES,
        devices=(),
        created_at=NOW,
    )
    return await store.accounts.add_token(
        blank, account=name, project=None, digest=digest or name.encode()
    )


def new_job(token: Token, /, now: int = NOW, **changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "id": new_id(now),
        "account": token.account,
        "project": token.project,
        "device": "simulator",
        "dialect": "native",
        "name": "",
        "tags": (),
        "shots": 100,
        "n_circuits": 1,
        "n_qubits": 2,
        "n_ops_1q": 1,
        "n_ops_2q": 1,
        "est_bytes": 1 << 20,
        "est_seconds": 0.001,
        "priority": 0,
        "format": "ionq.circuit.v1",
        "source": b"source",
        "circuits": b"circuits",
        "options": b"options",
        "reader_version": 1,
        "vendor_fields": b"{}",
        "now": now,
    }
    return NewJob(**{**values, **changes})


async def add_job(store: Store, token: Token, /, now: int = NOW, **changes: Any) -> Job:
    return await store.jobs.add(new_job(token, now, **changes), waiting_limit=PLENTY)


async def stored(store: Store, job: Job) -> Job:
    """Return a job as it is now."""
    found = await store.jobs.get(job.id)
    assert found is not None
    return found


def execute(tx: Tx, text: str) -> list[tuple[Any, ...]]:
    """Run a statement that no operation of the store has, on either database; return its rows."""
    assert isinstance(tx, SQLiteTx | PostgresTx)
    cursor = tx._connection.execute(text)
    return cursor.fetchall() if cursor.description else []


def sqlite(tx: Tx) -> sqlite3.Connection:
    """Return the connection of a transaction, for statements that no operation of the store has."""
    assert isinstance(tx, SQLiteTx)
    return tx._connection
