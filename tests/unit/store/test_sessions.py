"""Sessions and identities, on both databases."""

from __future__ import annotations

import asyncio
import json

import pytest

from qwicket.model.accounts import Role, Token
from qwicket.model.errors import Conflict, Unauthenticated
from qwicket.store import Store
from qwicket.store.sessions import MAX_SESSIONS, ProviderSignIn
from support.store_fixtures import OpenStore
from support.stores import NOW, execute, make_token

pytestmark = pytest.mark.anyio

ISSUER = "https://login.example.org"
LIFE_MS = 1_000


def person(subject: str, issuer: str = ISSUER) -> ProviderSignIn:
    return ProviderSignIn(issuer, subject, "192.0.2.1", NOW)


async def start(store: Store, ada: Token, digest: bytes, now: int = NOW) -> None:
    await store.sessions.start(
        ada.account, digest, now=now, expires_at=now + LIFE_MS, replaced=None
    )


async def owner(store: Store, digest: bytes, now: int) -> str | None:
    """Return the account of a session, by id."""
    found = await store.sessions.account(digest, now)
    return found.account if found else None


async def number(store: Store, table: str) -> int:
    """Return the number of rows of a table."""
    rows = await store._database.read(lambda tx: execute(tx, f"select count(*) from {table}"))
    return int(rows[0][0])


async def test_a_session_is_found_until_its_end(store: Store, ada: Token) -> None:
    await start(store, ada, b"one")
    assert await owner(store, b"one", NOW + LIFE_MS - 1) == ada.account
    assert await owner(store, b"one", NOW + LIFE_MS) is None
    assert await owner(store, b"two", NOW) is None


async def test_expired_sessions_are_deleted_by_the_next_sign_in(store: Store, ada: Token) -> None:
    await start(store, ada, b"one")
    await start(store, ada, b"two", NOW + LIFE_MS)
    assert await number(store, "session") == 1


@pytest.mark.both_databases
async def test_an_account_has_a_bounded_number_of_sessions(store: Store, ada: Token) -> None:
    bob = await make_token(store, "bob")
    await start(store, bob, b"of bob")
    for each in range(MAX_SESSIONS + 3):
        await start(store, ada, bytes([each]), NOW + each)
    assert await number(store, "session") == MAX_SESSIONS + 1
    assert await owner(store, bytes([2]), NOW) is None
    assert await owner(store, bytes([3]), NOW) == ada.account
    assert await owner(store, b"of bob", NOW) == bob.account


async def test_a_session_is_kept_after_the_clock_was_set_back(store: Store, ada: Token) -> None:
    for each in range(MAX_SESSIONS):
        await start(store, ada, bytes([each]), NOW + 500)
    await start(store, ada, b"new", NOW)
    assert await owner(store, b"new", NOW) == ada.account
    assert await number(store, "session") == MAX_SESSIONS


@pytest.mark.both_databases
async def test_a_disabled_account_starts_no_session(store: Store, ada: Token) -> None:
    await store.accounts.disable("ada", NOW)
    with pytest.raises(Unauthenticated, match="disabled"):
        await start(store, ada, b"one")


async def test_one_of_many_concurrent_uses_of_an_id_token_is_the_first(store: Store) -> None:
    uses = [store.sessions.use_id_token(b"x", now=NOW, expires_at=NOW + 9) for _ in range(8)]
    assert sorted(await asyncio.gather(*uses)) == [False] * 7 + [True]


@pytest.mark.both_databases
async def test_used_id_tokens_are_forgotten_once_they_have_expired(store: Store) -> None:
    await store.sessions.use_id_token(b"x", now=NOW, expires_at=NOW + 9)
    assert not await store.sessions.use_id_token(b"x", now=NOW + 8, expires_at=NOW + 9)
    await store.sessions.use_id_token(b"y", now=NOW + 9, expires_at=NOW + 99)
    assert await number(store, "used_id_token") == 1


async def test_an_account_of_an_identity_has_a_free_name_and_address(store: Store) -> None:
    await store.accounts.add("ada", "member", email="a@b", password_hash=None, now=NOW)
    await store.accounts.add_project("ada-2", 1, NOW)
    account = await store.sessions.create_account(person("s"), "ada", "a@b")
    made = await store.accounts.by_id(account)
    assert made is not None
    assert (made.name, made.email, made.role) == ("ada-3", "ada-3@localhost", "member")
    assert await store.sessions.of_identity(ISSUER, "s") == account
    assert await store.sessions.of_identity("https://other.example", "s") is None
    long = await store.sessions.create_account(person("t"), "a" * 39, None)
    cut = await store.sessions.create_account(person("u"), "a" * 39, None)
    found = [await store.accounts.by_id(each) for each in (long, cut)]
    names = [each.name for each in found if each is not None]
    assert names == ["a" * 39, "a" * 37 + "-2"]


@pytest.mark.both_databases
async def test_an_address_links_an_account_that_is_there(store: Store) -> None:
    ada = await store.accounts.add("ada", "member", email="a@b", password_hash=None, now=NOW)
    assert await store.sessions.link(person("s"), "c@d") is None
    assert await store.sessions.link(person("s"), "a@b") == ada.id
    assert await store.sessions.link(person("s"), "a@b") == ada.id
    with pytest.raises(Conflict, match="The account ada belongs to another person"):
        await store.sessions.link(person("t"), "a@b")
    assert await store.sessions.link(person("t", "https://other.example"), "a@b") == ada.id
    await store.accounts.disable("ada", NOW)
    with pytest.raises(Unauthenticated, match="disabled"):
        await store.sessions.link(person("t"), "a@b")
    await store.accounts.delete("ada", "keep", NOW)
    assert await store.sessions.link(person("t"), "a@b") is None


async def test_an_account_that_a_sign_in_made_is_linked_to_nobody_else(store: Store) -> None:
    await store.sessions.create_account(person("s"), "ada", "a@b")
    with pytest.raises(Conflict, match="The account ada belongs to another person"):
        await store.sessions.link(person("t"), "a@b")
    assert await store.sessions.of_identity(ISSUER, "t") is None


@pytest.mark.both_databases
async def test_one_of_many_people_with_an_address_gets_its_account(
    store: Store, open_store: OpenStore
) -> None:
    await store.accounts.add("ada", "member", email="a@b", password_hash=None, now=NOW)
    other = open_store()
    links = [
        each.sessions.link(person(f"{each is store} {k}"), "a@b")
        for k in range(4)
        for each in (store, other)
    ]
    found = await asyncio.gather(*links, return_exceptions=True)
    await other.close()
    assert sorted(type(each).__name__ for each in found) == ["Conflict"] * 7 + ["str"]
    assert await number(store, "identity") == 1


@pytest.mark.both_databases
async def test_rights_are_set_to_what_groups_give(store: Store, ada: Token) -> None:
    for name in ("class", "lab", "own"):
        await store.accounts.add_project(name, 1, NOW)
    await store.accounts.add_member("own", "ada")

    async def apply(role: Role | None, projects: set[str]) -> tuple[str, set[str], list[str]]:
        missing = await store.sessions.apply_rights(
            person("s"),
            ada.account,
            role=role,
            projects=projects,
            managed={"class", "lab", "none", "ada"},
        )
        account = await store.accounts.by_id(ada.account)
        assert account is not None
        found = {each.name for each in await store.accounts.projects_of(ada.account)}
        return account.role, found, missing

    own = {"ada", "own"}
    assert await apply("admin", {"class", "none"}) == ("admin", {*own, "class"}, ["none"])
    assert await apply(None, {"lab"}) == ("admin", {*own, "lab"}, [])
    assert await apply("member", set()) == ("member", own, [])


@pytest.mark.both_databases
async def test_what_a_sign_in_changes_is_in_the_audit(store: Store) -> None:
    await store.accounts.add("ada", "member", email="a@b", password_hash=None, now=NOW)
    await store.accounts.add_project("class", 1, NOW)

    async def sign_in(role: Role, projects: set[str]) -> None:
        account = await store.sessions.link(person("s"), "a@b")
        assert account is not None
        await store.sessions.apply_rights(
            person("s"), account, role=role, projects=projects, managed={"class"}
        )

    for _ in range(2):  # the second of the same sign-in changes nothing
        await sign_in("admin", {"class"})
    await sign_in("member", set())
    made = await store.sessions.create_account(person("t"), "ada", None)
    found = (await store.audit.page(10, 10))[::-1]
    assert [(each.action, each.subject) for each in found] == [
        ("link_account", f"identity/{ISSUER}/s"),
        ("change_account", "account/ada"),
        ("add_member", "member/class/ada"),
        ("change_account", "account/ada"),
        ("remove_member", "member/class/ada"),
        ("create_account", "account/ada-2"),
    ]
    by_ada = (NOW, (await store.accounts.by_name("ada")).id, "ada", "192.0.2.1")
    assert {each[1:5] for each in found[:-1]} == {by_ada}
    assert found[-1][1:5] == (NOW, made, "ada-2", "192.0.2.1")
    assert [json.loads(each.details) for each in found] == [
        {"single_sign_on": {"issuer": ISSUER, "subject": subject}} for subject in "ssssst"
    ]
    states = [(json.loads(each.before), json.loads(each.after)) for each in found]
    assert states[0] == (None, {"issuer": ISSUER, "subject": "s", "account": "ada"})
    assert [each and each["role"] for each in states[1]] == ["member", "admin"]
    member = {"project": "class", "account": "ada", "shares": 1, "role": "member"}
    assert states[2] == (None, member)
    assert [each and each["role"] for each in states[3]] == ["admin", "member"]
    assert states[4] == (states[2][1], None)
    assert (states[5][0], states[5][1]["name"]) == (None, "ada-2")
    assert (await store.audit.verify()).entries == 6
