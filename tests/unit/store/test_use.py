"""Sums of what jobs have used, by what their clients said of Slurm."""

from __future__ import annotations

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.budgets import Use, UsePart
from qwicket.store import Store
from qwicket.store.database import Tx
from support.stores import NOW, add_job, execute

pytestmark = pytest.mark.anyio

DAY = 86_400_000
RESULT = Encoded(b"r", b"small")


async def run(store: Store, token: Token, runner: str, account: str | None, job: str | None) -> str:
    added = await add_job(store, token, slurm_account=account, slurm_job=job)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW - 1000)).taken
    await store.leases.finish(assignment.lease, RunResult((RESULT,), 1.0), NOW)
    return added.id


@pytest.mark.both_databases
async def test_use_is_summed_by_names_of_slurm_and_outlives_the_jobs(
    store: Store, ada: Token, runner: str
) -> None:
    names = (("chem", "71"), ("chem", "71"), ("chem", "72"), ("bio", None), (None, "73"))
    jobs = [await run(store, ada, runner, *each) for each in (*names, (None, None))]
    for job in jobs:
        await store.jobs.delete(job)
    one, two = Use(1, 100, 1_000_000, 0), Use(2, 200, 2_000_000, 0)
    by_both = await store.uses.use_of(0, NOW + DAY, ("slurm_account", "slurm_job"))
    assert sorted((each.slurm_account, each.slurm_job, each.use) for each in by_both) == [
        *(("", "", one), ("", "73", one), ("bio", "", one)),
        *(("chem", "71", two), ("chem", "72", one)),
    ]
    by_account = await store.uses.use_of(0, NOW + DAY, ("account", "slurm_account"))
    assert sorted((each.account, each.slurm_account, each.use.jobs) for each in by_account) == [
        *(("ada", "", 2), ("ada", "bio", 1), ("ada", "chem", 3)),
    ]
    (every,) = await store.uses.use_of(0, NOW + DAY)
    assert every.use == Use(6, 600, 6_000_000, 0)
    assert (every.slurm_account, every.slurm_job) == (None, None)


async def test_a_client_that_invents_names_of_slurm_fills_no_disk(
    store: Store, ada: Token, runner: str
) -> None:
    await run(store, ada, runner, "chem", "first")

    def invent(tx: Tx) -> None:
        execute(
            tx,
            "insert into slurm_use with recursive number (n) as"
            " (select 1 union all select n + 1 from number where n < 999)"
            " select project, device, day, account, 'chem', 'n' || n, 1, 1, 1, 0"
            " from slurm_use, number",
        )
        execute(tx, "update account_use set jobs = jobs + 999, shots = shots + 999, us = us + 999")

    await store._database.write(invent)
    for job in ("first", "another"):
        await run(store, ada, runner, "chem", job)
    by: tuple[UsePart, ...] = ("slurm_job",)
    used = await store.uses.use_of(0, NOW + DAY, by, 2_000)
    found = {each.slurm_job: each.use.jobs for each in used}
    assert (found["first"], found[""], len(found)) == (2, 1, 1001)
