"""Projects in a tree: names, leads, reservations and what is inherited from above."""

from __future__ import annotations

import pytest
from msgspec import structs

from qwicket.model.accounts import Token, check_project_name, project_path
from qwicket.model.errors import Conflict, InvalidRequest, NotFound
from qwicket.store import Store
from support.stores import NOW, add_job, make_token

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


async def add(store: Store, *names: str) -> dict[str, str]:
    return {name: (await store.accounts.add_project(name, 1, NOW)).id for name in names}


async def test_a_project_needs_the_one_above_it_which_is_no_persons_own(
    store: Store, ada: Token
) -> None:
    with pytest.raises(NotFound, match="There is no project physics"):
        await add(store, "physics/lab")
    made = await add(store, "physics", "physics/lab", "physics/lab/anna", "physics-2")
    with pytest.raises(Conflict, match="is taken"):
        await add(store, "physics/lab")
    with pytest.raises(Conflict, match="a person's own project"):
        await add(store, "ada/lab")
    below = await store.accounts.projects_below(made["physics"])
    assert [each.name for each in below] == ["physics/lab", "physics/lab/anna"]
    assert below[1].path == ("physics", "physics/lab", "physics/lab/anna")


def test_names_have_at_most_four_valid_parts() -> None:
    assert check_project_name("a/b/c/d") == "a/b/c/d"
    assert project_path("a") == ("a",)
    for wrong in ("a/b/c/d/e", "a//b", "/a", "a/", "a/B", "a/devices", "a:b"):
        with pytest.raises(InvalidRequest) as refused:
            check_project_name(wrong)
        assert refused.value.field == "name"


async def test_a_lead_leads_all_projects_below_and_reads_their_jobs(
    store: Store, ada: Token
) -> None:
    made = await add(store, "physics", "physics/lab", "chemistry")
    ben = await make_token(store, "ben")
    await store.accounts.add_member("physics", "ada", "lead")
    await store.accounts.add_member("chemistry", "ada")
    leads = [await store.accounts.leads(ada.account, each) for each in made.values()]
    assert leads == [True, True, False]
    job = await add_job(store, structs.replace(ben, project=made["physics/lab"]))
    assert await store.jobs.visible(job.id, ada.account) == job
    await store.accounts.change_member("physics", "ada", role="member")
    assert await store.jobs.visible(job.id, ada.account) is None, "members see none below"
    assert not await store.accounts.leads(ada.account, made["physics/lab"])


async def test_the_time_for_which_jobs_are_kept_is_that_of_the_nearest_above(store: Store) -> None:
    made = await add(store, "a", "a/b", "a/b/c", "a/d", "e")
    await store.accounts.set_retention("a", 30)
    await store.accounts.set_retention("a/b", 7)
    found = dict(await store.maintenance.retentions())
    assert found == {made["a"]: 30, made["a/b"]: 7, made["a/b/c"]: 7, made["a/d"]: 30}
