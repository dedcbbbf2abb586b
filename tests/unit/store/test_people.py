"""Imports of files of people: what they change, on both databases, and what they leave."""

from __future__ import annotations

import pytest

from qwicket.features.budgets.store import BudgetStore
from qwicket.gateway.admin import Admin
from qwicket.model.errors import InvalidRequest
from qwicket.model.people import Absent
from qwicket.store import Store
from support.stores import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]

DAY = 86_400_000


@pytest.fixture
async def admin(store: Store) -> Admin:
    made = Admin(store, lambda: NOW)
    await made.add_project("one")
    await made.add_project("two")
    return made


async def changes(
    admin: Admin,
    text: str,
    *,
    absent: Absent = "keep",
    enables: bool = False,
    is_dry_run: bool = False,
) -> list[tuple[int | None, str, str, str, str, str]]:
    """Import a file; return what it changed, and check that a second import changes nothing."""
    given = {"absent": absent, "enables": enables}
    planned, _ = await admin.import_people(text, **given, is_dry_run=True)  # type: ignore[arg-type]
    if is_dry_run:
        return [tuple(each) for each in planned.changes]  # type: ignore[misc]
    done, _ = await admin.import_people(text, **given, makes_tokens=True)  # type: ignore[arg-type]
    assert done == planned, "a dry run says what is changed"
    again, tokens = await admin.import_people(text, **given, makes_tokens=True)  # type: ignore[arg-type]
    assert (again.changes, tokens) == ((), [])
    return [tuple(each) for each in done.changes]  # type: ignore[misc]


async def members(admin: Admin, project: str) -> dict[str, str]:
    return {each.name: each.role for each in await admin.members(project)}


async def test_people_are_added_with_memberships_and_budgets(store: Store, admin: Admin) -> None:
    text = (
        "name,email,project,role,budget\n"
        "anna,a@b.example,one,lead,\n"
        "ben,,one,,100 jobs per month\n"
        "ben,,two,reader,\n"
        "carl,,,,3600 seconds\n"
    )
    assert await changes(admin, text, is_dry_run=True)
    assert await admin.accounts() == [], "a dry run changes nothing"
    assert await changes(admin, text) == [
        (2, "anna", "add", "", "", "a@b.example"),
        (2, "anna", "join", "one", "", "lead"),
        (3, "ben", "add", "", "", ""),
        (3, "ben", "join", "one", "", "member"),
        (3, "ben", "budget", "one", "", "100 jobs per month"),
        (4, "ben", "join", "two", "", "reader"),
        (5, "carl", "add", "", "", ""),
        (5, "carl", "budget", "carl", "", "3600 seconds"),
    ]
    assert await members(admin, "one") == {"anna": "lead", "ben": "member"}
    assert await members(admin, "two") == {"ben": "reader"}
    budgets = await store.feature(BudgetStore).all()
    assert [(each.project, each.budget.member, each.budget.maximum) for each in budgets] == [
        ("carl", "", 3_600_000_000),
        ("one", "ben", 100),
    ]
    text = text.replace("lead", "member").replace("100 jobs", "50 jobs").replace("a@b", "c@b")
    assert await changes(admin, text) == [
        (2, "anna", "email", "", "a@b.example", "c@b.example"),
        (2, "anna", "role", "one", "lead", "member"),
        (3, "ben", "budget", "one", "100", "50 jobs per month"),
    ]
    assert await changes(admin, "name,email,project,role,budget\nanna,,,,\n") == []


async def test_new_tokens_are_for_the_first_project_and_end_on_the_day(
    store: Store, admin: Admin
) -> None:
    text = "name,project,expires\nanna,one,2099-03-31\nanna,two,2099-03-31\nben,,\n"
    _, made = await admin.import_people(text, makes_tokens=True)
    tokens = {name: new.token for name, new in made}
    assert tokens["anna"].project == (await admin.project("one")).id
    assert tokens["ben"].expires_at is None
    ends_at = tokens["anna"].expires_at
    assert ends_at is not None
    assert ends_at % DAY == 0
    own = await admin.create_token("anna", life_s=60)
    later = text.replace("2099-03-31", "2099-04-01").replace("ben,,", "ben,,2099-04-01")
    assert await changes(admin, later) == [
        (2, "anna", "expires", "", "2099-03-31", "2099-04-01"),
        (4, "ben", "expires", "", "never", "2099-04-01"),
    ]
    found = {each.id: each.expires_at for each in await admin.tokens("anna")}
    assert found[tokens["anna"].id] == ends_at + DAY
    assert found[own.token.id] == own.token.expires_at, "only the import's token is changed"


async def test_people_whom_the_file_does_not_name_are_disabled_or_leave(
    store: Store, admin: Admin
) -> None:
    for name in ("anna", "ben", "carl", "dora", "lena", "stranger"):
        await admin.add_account(name, email=None, password=None)
    await admin.add_account("root", "admin", email=None, password=None)
    await admin.add_project("other")
    for name in ("anna", "ben", "carl", "lena", "root"):
        await admin.add_member("one", name)
    await admin.add_member("two", "dora")
    await admin.add_member("other", "carl")
    await admin.change_member("one", "lena", role="lead")
    text = "name,project\nanna,one\ndora,two\n"
    assert await changes(admin, text) == []
    assert await changes(admin, text, absent="disable") == [
        (None, "ben", "disable", "", "", ""),
        (None, "carl", "leave", "one", "", ""),
    ]
    disabled = [each.name for each in await admin.accounts() if each.disabled_at is not None]
    assert disabled == ["ben"]
    assert set(await members(admin, "one")) == {"anna", "ben", "lena", "root"}

    # Nobody is enabled silently: an account may be disabled for a reason.
    text += "ben,one\n"
    plan, _ = await admin.import_people(text)
    assert (plan.changes, plan.disabled) == ((), ("ben",))
    assert await changes(admin, text, enables=True) == [(4, "ben", "enable", "", "", "")]


async def test_a_person_who_moves_leaves_no_project(admin: Admin) -> None:
    await changes(admin, "name,project\nanna,one\nben,two\n")
    assert await changes(admin, "name,project\nanna,two\nben,one\n", absent="disable") == [
        (2, "anna", "join", "two", "", "member"),
        (3, "ben", "join", "one", "", "member"),
    ]


async def test_two_people_can_exchange_their_addresses(admin: Admin) -> None:
    await changes(admin, "name,email\nanna,a@b.example\nben,b@b.example\n")
    await changes(admin, "name,email\nanna,b@b.example\nben,a@b.example\n")
    assert (await admin.account("b@b.example")).name == "anna"


async def test_all_is_changed_or_nothing_and_each_error_names_its_line(admin: Admin) -> None:
    await admin.add_account("anna", email="a@b.example", password=None)
    await admin.add_account("gone", email=None, password=None)
    await admin.delete_account("gone")
    text = "name,email,project\nnew,,one\nben,a@b.example,\none,,\ngone,,\ncarl,,none\n"
    with pytest.raises(InvalidRequest) as raised:
        await admin.import_people(text)
    assert raised.value.detail == (
        "Line 3: the e-mail address a@b.example is taken by anna."
        " Line 4: the name one is taken by a project."
        " Line 5: gone was deleted; restore the account first."
        " Line 6: there is no project none."
    )
    assert [each.name for each in await admin.accounts()] == ["anna"]


async def test_a_project_takes_a_budget_for_each_of_a_hundred_members(admin: Admin) -> None:
    lines = "".join(f"p{number},one,{number + 1} jobs\n" for number in range(100))
    assert len(await changes(admin, f"name,project,budget\n{lines}")) == 300
