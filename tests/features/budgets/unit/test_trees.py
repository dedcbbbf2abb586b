"""Projects in a tree: a job counts in the budgets of its project and of all above it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from msgspec import structs

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.features.budgets.store import BudgetStore
from qwicket.model.accounts import Token
from qwicket.model.budgets import EACH
from qwicket.model.errors import BudgetSpent
from qwicket.model.ids import new_id
from qwicket.store import Store
from support.store_fixtures import OpenStore
from support.stores import NOW, PLENTY, add_job, make_token, new_job

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]

TREE = ("physics", "physics/lab-1", "physics/lab-1/anna", "physics/lab-1/ben", "physics/lab-2")


async def tree(store: Store, ada: Token) -> dict[str, Token]:
    """Make a tree of projects; return a token of the account for each, by the project's name."""
    found = {}
    for name in TREE:
        project = await store.accounts.add_project(name, 1, NOW)
        found[name] = structs.replace(ada, project=project.id)
    return found


async def put(store: Store, project: str, shots: int, member: str = "") -> None:
    await store.feature(BudgetStore).put(
        new_id(NOW), project, "", "shots", "total", shots, NOW, member
    )


async def used(store: Store) -> dict[str, int]:
    found = await store.feature(BudgetStore).all()
    return {f"{each.project} {each.budget.member}".strip(): each.budget.used for each in found}


async def test_a_job_counts_in_its_project_and_in_all_above_until_it_has_ended(
    store: Store, ada: Token, runner: str
) -> None:
    of = await tree(store, ada)
    for name in TREE:
        await put(store, name, 1000)
    await add_job(store, of["physics/lab-1/anna"], shots=100)
    reserved = dict.fromkeys(TREE, 0) | dict.fromkeys(TREE[:3], 100)
    assert await used(store) == reserved
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    result = RunResult([Encoded(b"r", b"small")], 1.0)
    await store.leases.finish(assignment.lease, result, NOW)
    assert await used(store) == reserved
    other = await add_job(store, of["physics/lab-2"], shots=30)
    await store.jobs.cancel(other.id, actor="ada", now=NOW)
    assert await used(store) == reserved, "a cancelled job is given back at each level"


async def test_a_budget_above_refuses_what_that_of_the_project_has_room_for(
    store: Store, ada: Token
) -> None:
    of = await tree(store, ada)
    await put(store, "physics", 150)
    await put(store, "physics/lab-1/anna", 1000)
    await add_job(store, of["physics/lab-2"], shots=100)
    with pytest.raises(BudgetSpent, match="for the project physics is not enough"):
        await add_job(store, of["physics/lab-1/anna"], shots=100)
    assert await used(store) == {"physics": 100, "physics/lab-1/anna": 0}, "all or nothing"


async def test_a_budget_of_each_member_counts_a_person_in_all_projects_below(
    store: Store, ada: Token
) -> None:
    of, ben = await tree(store, ada), await make_token(store, "ben")
    await put(store, "physics", 150, EACH)
    await add_job(store, of["physics/lab-1/anna"], shots=100)
    with pytest.raises(BudgetSpent):
        await add_job(store, of["physics/lab-2"], shots=100)
    bens = structs.replace(ben, project=of["physics/lab-2"].project)
    await add_job(store, bens, shots=100)


async def test_submissions_at_once_below_one_budget_never_exceed_it(
    open_store: OpenStore, store: Store, ada: Token
) -> None:
    of, second = await tree(store, ada), open_store()
    await put(store, "physics", 1000)
    try:
        found = await asyncio.gather(
            *(
                (store, second)[k % 2].jobs.add(new_job(of[TREE[2 + k % 3]]), waiting_limit=PLENTY)
                for k in range(30)
            ),
            return_exceptions=True,
        )
    finally:
        await second.close()
    assert Counter(type(each).__name__ for each in found) == {"Job": 10, "BudgetSpent": 20}
    assert await used(store) == {"physics": 1000}
