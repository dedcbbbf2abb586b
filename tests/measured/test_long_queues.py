"""What a submission and a claim cost behind 100,000 waiting jobs of one project."""

from __future__ import annotations

import time
from functools import partial
from statistics import median

import pytest

from measured.conftest import Record
from qwicket.model.accounts import Token
from qwicket.store import Store
from support.store_fixtures import ada, open_store, runner, store
from support.stores import NOW, add_job, execute, new_job

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
__all__ = ["ada", "open_store", "runner", "store"]

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


async def times(store: Store, token: Token) -> tuple[float, float]:
    """Return the median times, in ms, of submissions and of claims, one after the other."""
    submitting, claiming = [], []
    for _ in range(ROUNDS):
        new = new_job(token, NOW + 10 * WAITING)
        began = time.perf_counter()
        await store.jobs.add(new, waiting_limit=10_000_000)
        added = time.perf_counter()
        claim = await store.leases.claim("simulator", "runner", NOW)
        claiming.append(time.perf_counter() - added)
        submitting.append(added - began)
        assert len(claim.taken) == 1
    return 1000 * median(submitting), 1000 * median(claiming)


async def test_a_queue_of_one_project(
    store: Store, ada: Token, runner: str, database_kind: str, record: Record
) -> None:
    await times(store, ada)  # caches are warm
    empty = await times(store, ada)
    job = await add_job(store, ada, NOW + 1)
    for first in range(1, WAITING, AT_ONCE):
        copy = _COPY.format(first=first, last=first + AT_ONCE - 1, job=job.id)
        await store._database.write(partial(execute, text=copy))
    if database_kind == "postgres":
        await store._database.write(lambda tx: execute(tx, "analyze"))
    full = await times(store, ada)
    for what, before, behind in zip(("submission", "claim"), empty, full, strict=True):
        name = f"{database_kind}: a {what} behind {WAITING:,} jobs of its project, beside none"
        record(name, behind / before, at_most=1.5, unit="")
