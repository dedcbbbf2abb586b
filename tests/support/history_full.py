"""A store whose files must not grow, in a process of its own (`-m support.history_full`).

The limit on the size of files (RLIMIT_FSIZE) makes every write beyond it fail in the kernel, in the
middle of a transaction or at its end; Python ignores the signal that comes with it. Prints the
numbers of answers by kind, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.errors import StorageFull, Unavailable
from qwicket.model.jobs import Lease, NewJob
from qwicket.model.states import JobState
from qwicket.store import Store, open_sqlite
from qwicket.store.database import Tx
from support.stores import NOW, PLENTY, make_token, new_job, sqlite

PARTS = ("program", "job_vendor_fields")


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def fill(folder: Path, rounds: int) -> Counter[str]:
    """Work under a different file size limit in each round; return the numbers of answers."""
    store = open_sqlite(folder)
    ada = await make_token(store)
    await store.leases.add_runner("runner", "server", NOW)
    rng = random.Random(0)
    answers: Counter[str] = Counter()
    for number in range(rounds):
        lease = await _claimed(store, ada)
        with files_no_larger_than(rng.randrange(_largest(folder) + 60_000)):
            await _work(store, ada, lease, rng, answers)
        await _go_on(store, ada)
        if number % 10 == 0:
            assert await store._database.read(_integrity) == ["ok"]
    await store.close()
    return answers


def _largest(folder: Path) -> int:
    return max(each.stat().st_size for each in folder.iterdir())


async def _claimed(store: Store, ada: Token) -> Lease:
    await store.jobs.add(new_job(ada), waiting_limit=PLENTY)
    (assignment,) = (await store.leases.claim("simulator", "runner", NOW)).taken
    return assignment.lease


async def _work(
    store: Store, ada: Token, lease: Lease, rng: random.Random, answers: Counter[str]
) -> None:
    new = [
        new_job(ada, source=rng.randbytes(rng.choice((10, 9_000))), vendor_fields=b'{"a": 1}')
        for _ in range(4)
    ]
    results = [Encoded(rng.randbytes(20_000), b"sha")]
    acknowledged = [await _is_done(answers, _add(store, each)) for each in new[:2]]
    ran = RunResult(tuple(results), 0.1)
    is_finished = await _is_done(answers, store.leases.finish(lease, ran, NOW))
    acknowledged += await asyncio.gather(
        *(_is_done(answers, _add(store, each)) for each in new[2:])
    )
    await _is_done(answers, store.jobs.cancel(new[0].id, actor="ada", now=NOW))
    for each, is_acknowledged in zip(new, acknowledged, strict=True):
        await _check_whole(store, each, is_acknowledged)
    await _check_end(store, lease, results, is_finished)


def _add(store: Store, new: NewJob) -> Awaitable[Any]:
    return store.jobs.add(new, waiting_limit=PLENTY)


async def _is_done(answers: Counter[str], asked: Awaitable[Any]) -> bool:
    """Return whether a call succeeded. Only the two documented refusals may come instead."""
    try:
        await asked
    except (StorageFull, Unavailable) as refusal:
        answers[f"{refusal.status}"] += 1
        return False
    answers["done"] += 1
    return True


async def _check_whole(store: Store, new: NewJob, is_acknowledged: bool) -> None:
    """Check that a job is stored with all its parts if that was acknowledged, else not at all."""
    present = await store.jobs.get(new.id)
    assert (present is not None) == is_acknowledged, new.id
    for table in PARTS:
        count = partial(_count, table=table, job=new.id)
        assert await store._database.read(count) == is_acknowledged, table


async def _check_end(
    store: Store, lease: Lease, results: Sequence[Encoded], is_finished: bool
) -> None:
    """Check that a result is stored if that was acknowledged, else the job has not ended."""
    job = await store.jobs.get(lease.job)
    assert job is not None
    assert (job.state is JobState.COMPLETED) == is_finished
    assert await store.jobs.results(lease.job) == (results if is_finished else [])


async def _go_on(store: Store, ada: Token) -> None:
    """Check that everything works again without the limit, and requeue the runner's jobs."""
    assert store.is_alive
    await store.jobs.add(new_job(ada), waiting_limit=PLENTY)
    await store.leases.void_runner("runner", NOW)
    for assignment in (await store.leases.claim("simulator", "runner", NOW, maximum=4)).taken:
        await store.leases.finish(assignment.lease, RunResult((Encoded(b"", b""),), 0.1), NOW)


def _count(tx: Tx, table: str, job: str) -> int:
    found = sqlite(tx).execute(f"select count(*) from {table} where job = ?", (job,))
    (count,) = found.fetchone()
    return int(count)


def _integrity(tx: Tx) -> list[str]:
    assert sqlite(tx).execute("pragma foreign_key_check").fetchall() == []
    return [row[0] for row in sqlite(tx).execute("pragma integrity_check").fetchall()]


if __name__ == "__main__":
    logging.disable()  # each refusal is logged with its traceback, which is right and long
    json.dump(asyncio.run(fill(Path(sys.argv[1]), int(sys.argv[2]))), sys.stdout)
