"""A project of very many members, one of whom has thousands of jobs waiting, and long ones."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import NamedTuple

from qwicket.model.accounts import DEFAULT_SCOPES, Token
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job
from qwicket.model.limits import INT64_MAX
from qwicket.store import Store
from qwicket.store.accounts import NewMember
from support.stores import NOW, execute, new_job

MEMBERS = 1_000
FLOOD = 20_000
LONG = 100


class CrowdedProject(NamedTuple):
    """Its members' accounts, and the one that floods the queue."""

    members: list[str]
    flooder: str


async def crowd_project(
    store: Store, *, run_s: float, long_s: float, jobs_each: int
) -> CrowdedProject:
    """Make the project; jobs of its members run `run_s` seconds, and some of one `long_s`."""
    await store.accounts.add_project("class", 1, NOW)
    people = [
        NewMember(
            f"member{number}",
            None,
            "class",
            Token(
                id=new_id(NOW),
                account="",
                project="",
                scopes=DEFAULT_SCOPES,
                devices=(),
                created_at=NOW,
            ),
            f"{number}".encode(),
        )
        for number in range(MEMBERS)
    ]
    flooder, *others = await store.accounts.add_with_tokens(people, NOW)
    short = await _add(store, flooder, run_s)
    long = await _add(store, flooder, long_s)
    await _copy(store, f"id = '{long.id}'", LONG)
    await _copy(store, f"id = '{short.id}'", FLOOD)
    await asyncio.gather(*(_add(store, each, run_s) for each in others))
    originals = f"account <> '{flooder.account}' and length(id) = {len(short.id)}"
    await _copy(store, originals, jobs_each - 1, at_once=1)
    return CrowdedProject([flooder.account, *(each.account for each in others)], flooder.account)


async def _add(store: Store, token: Token, est_seconds: float) -> Job:
    new = new_job(token, est_seconds=est_seconds)
    return await store.jobs.add(new, waiting_limit=INT64_MAX)


async def _copy(store: Store, which: str, number: int, at_once: int = 500) -> None:
    """Copy jobs in several transactions, whose cost on PostgreSQL rises with the rows of each."""
    same = [name for name in Job.__struct_fields__ if name not in {"id", "seq"}]
    columns = ", ".join(f'"{name}"' for name in same)
    for first in range(1, number + 1, at_once):
        copy = f"""
            insert into job (id, {columns})
            with recursive number (n) as (
                select {first}
                union all select n + 1 from number where n < {min(number, first + at_once - 1)}
            )
            select id || '-' || n, {columns} from job, number where {which}
        """
        await store._database.write(partial(execute, text=copy))


def jain(used: Counter[str]) -> float:
    """Return the fairness index of Jain, Chiu and Hawe (DEC-TR-301, 1984): 1 if all are equal."""
    squares = sum(each**2 for each in used.values())
    return float(used.total() ** 2 / (len(used) * squares))
