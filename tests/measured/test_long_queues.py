"""What a submission and a claim cost behind 100,000 waiting jobs of one project."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from measured.conftest import Record
from qwicket.model.accounts import Token
from qwicket.model.jobs import Job
from qwicket.store import Store, open_postgres
from support.server import database_of
from support.stores import NOW, add_job, execute, make_token, new_job, open_new_sqlite

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]

WAITING = 100_000
AT_ONCE = 1_000
"""Rows of one transaction: PostgreSQL removes former versions of a changed row only after it."""
ROUNDS = 300
_COPY = """
insert into job (
    id, account, project, device, dialect, state, version, name, tags, shots, n_circuits, n_qubits,
    n_ops_1q, n_ops_2q, est_bytes, est_seconds, priority, attempts, change, created_at, queued_at
)
with recursive number (n) as (
    select {first} union all select n + 1 from number where n < {last}
)
select
    id || '-' || cast(n as text), account, project, device, dialect, state, version, name, tags,
    shots, n_circuits, n_qubits, n_ops_1q, n_ops_2q, est_bytes, est_seconds, priority, attempts,
    change + n, created_at + n, queued_at + n
from job, number where id = '{job}'
"""


class Queue(NamedTuple):
    """A queue of one project, with what its submissions and claims took in ms."""

    store: Store
    token: Token
    submissions: list[float]
    claims: list[float]

    async def turn(self) -> None:
        """Submit a job, and claim the next one."""
        new = new_job(self.token, NOW + 10 * WAITING)
        began = time.perf_counter()
        await self.store.jobs.add(new, waiting_limit=10_000_000)
        added = time.perf_counter()
        claim = await self.store.leases.claim("simulator", "runner", NOW)
        self.claims.append(1000 * (time.perf_counter() - added))
        self.submissions.append(1000 * (added - began))
        assert len(claim.taken) == 1


async def open_queue(folder: Path, url: str | None) -> Queue:
    store = open_postgres(url) if url else open_new_sqlite(folder)
    await store.leases.add_runner("runner", "server", NOW)
    return Queue(store, await make_token(store), [], [])


async def fill(store: Store, job: Job) -> None:
    for first in range(1, WAITING, AT_ONCE):
        copy = _COPY.format(first=first, last=first + AT_ONCE - 1, job=job.id)
        await store._database.write(partial(execute, text=copy))


async def test_a_long_queue_of_one_project(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path, record: Record
) -> None:
    with database_of(database_kind, request) as one, database_of(database_kind, request) as other:
        empty = await open_queue(tmp_path / "empty", one)
        full = await open_queue(tmp_path / "full", other)
        await fill(full.store, await add_job(full.store, full.token, NOW + 1))
        if other is not None:
            await full.store._database.write(partial(execute, text="analyze"))
        for _ in range(ROUNDS):  # in turns, so that others' load is the same for both
            await empty.turn()
            await full.turn()
        for queue in (empty, full):
            await queue.store.close()
    for what in ("submissions", "claims"):
        before, behind = (median(getattr(queue, what)) for queue in (empty, full))
        name = f"{database_kind}: {what} behind {WAITING:,} jobs of their project, beside none"
        record(name, behind / before, at_most=1.5, unit="")
