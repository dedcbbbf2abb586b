"""Lists by tag or name: they read rows of their own, which follow each change of a job."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from qwicket.model.accounts import Token
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.store import Store
from support.stores import NOW, add_job, execute, make_token

pytestmark = pytest.mark.anyio


async def listed(store: Store, **query: Any) -> list[str]:
    return [job.id for job in await store.jobs.page_of_all(JobQuery(**query))]


@pytest.mark.both_databases
async def test_a_tag_is_found_in_the_order_of_a_list_and_with_other_filters(
    store: Store, ada: Token
) -> None:
    bob = await make_token(store, "bob")
    one = await add_job(store, ada, name="n", tags=("x", "y", "x"))
    two = await add_job(store, bob, tags=("x",))
    three = await add_job(store, ada, tags=("x", "long " * 60))
    await add_job(store, ada)
    assert await listed(store, tags=("x",)) == [three.id, two.id, one.id]
    assert await listed(store, tags=("x",), account=ada.account) == [three.id, one.id]
    assert await listed(store, tags=("x",), account=ada.account, limit=1) == [three.id]
    assert await listed(store, tags=("x",), before=three.seq) == [two.id, one.id]
    assert await listed(store, tags=("x", "y"), account=ada.account) == [one.id]
    assert await listed(store, tags=("x",), name="n") == [one.id]
    assert await listed(store, tags=("long " * 60,)) == [three.id]
    assert await listed(store, tags=("long " * 59,)) == []
    assert await listed(store, tags=("x",), states=(JobState.COMPLETED,)) == []
    assert await listed(store, tags=("y",), states=(JobState.QUEUED,)) == [one.id]


async def test_a_name_is_found_in_the_order_of_a_list(store: Store, ada: Token) -> None:
    bob = await make_token(store, "bob")
    jobs = [await add_job(store, who, name="bell") for who in (ada, bob, ada)]
    long = await add_job(store, ada, name="b" * 300)
    unnamed = await add_job(store, ada)
    assert await listed(store, name="bell") == [job.id for job in reversed(jobs)]
    assert await listed(store, name="bell", account=bob.account) == [jobs[1].id]
    assert await listed(store, name="bell", before=jobs[1].seq) == [jobs[0].id]
    assert await listed(store, name="b" * 300) == [long.id]
    assert await listed(store, name="b" * 299) == []
    assert await listed(store, name="") == [unnamed.id]


@pytest.mark.both_databases
async def test_rows_of_tags_follow_a_new_name_and_the_deletion(store: Store, ada: Token) -> None:
    job = await add_job(store, ada, name="old", tags=("a", "b"))
    await store.jobs.set_name_and_tags(job.id, "new", ("b", "c"), NOW)
    assert await listed(store, tags=("a",)) == await listed(store, name="old") == []
    for query in ({"tags": ("b",)}, {"tags": ("c",)}, {"name": "new"}):
        assert await listed(store, **query) == [job.id]
    assert (
        len(await store._database.write(lambda tx: execute(tx, "select label from job_label"))) == 3
    )
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    await store.jobs.delete(job.id)
    assert await store._database.write(lambda tx: execute(tx, "select label from job_label")) == []


@pytest.mark.both_databases
async def test_jobs_of_projects_are_listed_counted_and_searched_in_both_orders(
    store: Store, ada: Token
) -> None:
    bob, eve = await make_token(store, "bob"), await make_token(store, "eve")
    one = await add_job(store, ada, name="Bell pair")
    two = await add_job(store, bob, tags=("belly",))
    other = await add_job(store, eve, name="bell")
    three = await add_job(store, ada)
    both: dict[str, Any] = {"projects": frozenset((ada.project, bob.project))}
    assert await listed(store, **both) == [three.id, two.id, one.id]
    assert await listed(store, **both, oldest_first=True) == [one.id, two.id, three.id]
    assert await listed(store, **both, oldest_first=True, after=one.seq, limit=1) == [two.id]
    assert await listed(store, **both, states=(JobState.QUEUED,)) == [three.id, two.id, one.id]
    assert await listed(store, **both, states=(JobState.FAILED,)) == []
    assert await listed(store, project=ada.project) == [three.id, one.id]
    assert await listed(store, text="BELL") == [other.id, two.id, one.id]
    assert await listed(store, **both, text="bell") == [two.id, one.id]
    assert await listed(store, **both, text=three.id[2:]) == [three.id]
    assert await listed(store, account=ada.account, text="PAIR") == [one.id]
    assert await listed(store, account=ada.account, oldest_first=True) == [one.id, three.id]
    for limit, number in ((9, 3), (2, 3), (1, 2)):  # a count stops above its limit
        tally = await store.jobs.tally_of_all(JobQuery(**both, limit=limit))
        assert sum(tally.values()) == number
    assert sum((await store.jobs.tally_of_all(JobQuery(text="bell"))).values()) == 3
    await add_job(store, structs.replace(ada, project=eve.project), name="Bell pair")
    of_ada = both | {"account": ada.account}
    assert await listed(store, **of_ada) == [three.id, one.id]
    assert await listed(store, **of_ada, states=(JobState.QUEUED,)) == [three.id, one.id]
    assert await listed(store, **of_ada, name="Bell pair") == [one.id]


async def test_jobs_without_tags_have_no_rows(store: Store, ada: Token) -> None:
    job = await add_job(store, ada)
    await store.jobs.set_name_and_tags(job.id, None, ("x",), NOW)
    await store.jobs.set_name_and_tags(job.id, None, (), NOW)
    assert await store._database.write(lambda tx: execute(tx, "select label from job_label")) == []


@pytest.mark.both_databases
async def test_when_a_token_was_used_is_stored(store: Store, ada: Token) -> None:
    assert ada.used_at is None
    await store.accounts.note_use(ada.id, NOW)
    (found,) = await store.accounts.tokens(ada.account)
    assert found == structs.replace(ada, used_at=NOW)
