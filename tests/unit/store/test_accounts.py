from __future__ import annotations

import asyncio

import pytest

from qwicket.model.accounts import DEFAULT_SCOPES, Token
from qwicket.model.errors import Conflict, NotFound
from qwicket.model.ids import new_id
from qwicket.store import Store
from qwicket.store.accounts import Listed, ListedProjects
from support.stores import NOW, make_token

pytestmark = pytest.mark.anyio


async def test_an_account_starts_with_a_project_of_its_own(store: Store) -> None:
    account = await store.accounts.add("ada", "member", email=None, password_hash=None, now=NOW)
    project = await store.accounts.project("ada")
    assert (account.name, account.email, account.role) == ("ada", "ada@localhost", "member")
    assert (project.name, project.shares) == ("ada", 1)


@pytest.mark.both_databases
async def test_names_and_addresses_are_unique(store: Store) -> None:
    await store.accounts.add("ada", "member", email="a@b.c", password_hash=None, now=NOW)
    with pytest.raises(Conflict) as name:
        await store.accounts.add("ada", "member", email=None, password_hash=None, now=NOW)
    with pytest.raises(Conflict) as email:
        await store.accounts.add("bob", "member", email="a@b.c", password_hash=None, now=NOW)
    assert (name.value.field, email.value.field) == ("name", "email")
    assert [account.name for account in await store.accounts.all()] == ["ada"]


@pytest.mark.both_databases
async def test_a_password_account_is_found_by_name_and_address(store: Store) -> None:
    await store.accounts.add("ada", "admin", email="a@b.c", password_hash="hash", now=NOW)
    for login in ("ada", "a@b.c"):
        found = await store.accounts.for_password(login)
        assert found is not None
        assert (found.account.name, found.password_hash) == ("ada", "hash")
    assert await store.accounts.for_password("nobody") is None


@pytest.mark.both_databases
async def test_names_and_addresses_are_equal_in_any_case_of_ascii_alone(store: Store) -> None:
    await store.accounts.add("kim", "admin", email="kim@b.c", password_hash="hash", now=NOW)
    for login in ("KIM", "Kim@B.C"):
        assert (await store.accounts.by_name(login)).name == "kim"
        assert await store.accounts.for_password(login) is not None
    for login in ("\u212aim", "\u212aim@b.c"):  # Kelvin signs
        with pytest.raises(NotFound):
            await store.accounts.by_name(login)
        assert await store.accounts.for_password(login) is None


@pytest.mark.both_databases
@pytest.mark.parametrize("given", ["ada", "Ada", "a@b.c"])
async def test_an_account_stays_in_its_own_project(store: Store, given: str) -> None:
    await store.accounts.add("ada", "member", email="a@b.c", password_hash=None, now=NOW)
    with pytest.raises(Conflict):
        await store.accounts.remove_member("ada", given, NOW)
    assert await store.accounts.members("ada") == ["ada"]


@pytest.mark.both_databases
async def test_a_token_is_found_by_its_digest_alone(store: Store) -> None:
    token = await make_token(store, "ada", digest=b"digest")
    owner = await store.accounts.token_owner(b"digest")
    assert owner is not None
    assert (owner.token, owner.account_name, owner.is_disabled) == (token, "ada", False)
    assert await store.accounts.token_owner(b"other") is None


@pytest.mark.both_databases
async def test_a_token_belongs_to_a_project_of_its_account(store: Store, ada: Token) -> None:
    await make_token(store, "bob")
    blank = Token(
        id=new_id(NOW), account="", project="", scopes=DEFAULT_SCOPES, devices=(), created_at=NOW
    )
    for account, project in (("ada", "bob"), ("ada", "nowhere"), ("nobody", None)):
        with pytest.raises(NotFound):
            await store.accounts.add_token(blank, account=account, project=project, digest=b"x")


@pytest.mark.both_databases
async def test_a_second_revocation_does_not_change_its_time(store: Store, ada: Token) -> None:
    assert [each.revoked_at for each in await store.accounts.revoke(ada.id, NOW + 1)] == [NOW + 1]
    assert [each.revoked_at for each in await store.accounts.revoke(ada.id, NOW + 2)] == [NOW + 1]
    with pytest.raises(NotFound):
        await store.accounts.revoke(new_id(NOW), NOW)


async def test_a_disabled_account_shows_at_its_tokens(store: Store, ada: Token) -> None:
    await store.accounts.disable("ada", NOW)
    owner = await store.accounts.token_owner(b"ada")
    assert owner is not None
    assert owner.is_disabled
    with pytest.raises(NotFound):
        await store.accounts.disable("nobody", NOW)


@pytest.mark.both_databases
async def test_the_owner_of_a_token_is_found_by_its_id(store: Store) -> None:
    token = await make_token(store, "ada")
    found = await store.accounts.owner_of_token(token.id)
    assert found is not None
    assert (found.token, found.account_name, found.is_disabled) == (token, "ada", False)
    assert await store.accounts.owner_of_token(token.account) is None
    account = await store.accounts.by_id(token.account)
    assert account is not None
    assert account.name == "ada"
    assert await store.accounts.by_id(token.id) is None


@pytest.mark.both_databases
async def test_the_first_key_of_a_name_stays(store: Store) -> None:
    add = store.accounts.get_or_add_server_key
    made = await asyncio.gather(*(add("access_tokens", bytes([n]) * 32, NOW) for n in range(5)))
    assert set(made) == {made[0]}
    assert await add("other", b"\0\xff", NOW) == b"\0\xff"


@pytest.mark.both_databases
async def test_administrators_find_people_in_pages_by_parts_of_names(store: Store) -> None:
    token = await make_token(store, "kim")
    for name, email in (("ada", "a@b.c"), ("kira", None), ("gone", None), ("off", None)):
        await store.accounts.add(name, "admin", email=email, password_hash=None, now=NOW)
    await store.accounts.delete("gone", "keep", NOW)
    await store.accounts.disable("off", NOW)
    await store.accounts.note_use(token.id, NOW + 7)
    await store.accounts.add_project("team", 2, NOW)
    await store.accounts.add_member("team", "kim")

    async def found(after: str, part: str, which: Listed, limit: int = 9) -> list[str]:
        page = await store.accounts.page(after, part, which, limit)
        return [each.account.name for each in page]

    assert await found("", "", "", 2) == ["ada", "kim"]
    assert await found("kim", "", "", 2) == ["kira", "off"]
    assert await found("", "KI", "") == ["kim", "kira"]
    assert await found("", "@b", "") == ["ada"]
    assert await found("", "%", "") == []
    assert await found("", "", "admins") == ["ada", "kira", "off"]
    assert await found("", "", "disabled") == ["off"]
    assert await found("", "", "deleted") == ["gone"]
    (kim,) = await store.accounts.page("ada", "kim", "", 1)
    assert (kim.seen_at, kim.projects) == (NOW + 7, ("kim", "team"))
    await store.sessions.start(kim.account.id, b"s", now=NOW, expires_at=NOW + 99, replaced=None)
    await store.sessions.note_use(b"s", NOW + 9)
    (kim,) = await store.accounts.page("ada", "kim", "", 1)
    assert kim.seen_at == NOW + 9


@pytest.mark.both_databases
async def test_administrators_find_projects_with_the_number_of_members(store: Store) -> None:
    for name in ("ada", "kim"):
        await store.accounts.add(name, "member", email=None, password_hash=None, now=NOW)
    await store.accounts.add_project("kites", 2, NOW)
    await store.accounts.add_member("kites", "ada")

    async def found(after: str, part: str, which: ListedProjects) -> list[tuple[str, int]]:
        page = await store.accounts.project_page(after, part, which, 9)
        return [(each.project.name, each.n_members) for each in page]

    assert await found("", "", "all") == [("ada", 1), ("kim", 1), ("kites", 1)]
    assert await found("ada", "ki", "all") == [("kim", 1), ("kites", 1)]
    assert await found("", "", "shared") == [("kites", 1)]
    assert await found("", "", "personal") == [("ada", 1), ("kim", 1)]
