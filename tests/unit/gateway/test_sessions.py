"""Sessions of people, and the tokens that they make for themselves."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.sessions import Browser
from qwicket.model.accounts import DEFAULT_SCOPES, SELF_SERVICE_SCOPES, Actor, Preferences, Scope
from qwicket.model.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from qwicket.store import Store
from qwicket.store.sessions import MAX_SESSIONS
from support.passwords import cheap_hash
from support.stores import NOW
from unit.gateway.conftest import LIMITS, Clock

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse"
BROWSER = Browser("Firefox", "192.0.2.1")


@pytest.fixture
async def ada(gateway: Gateway, store: Store) -> Actor:
    hashed = cheap_hash(PASSWORD)
    await store.accounts.add("ada", "member", email=None, password_hash=hashed, now=NOW)
    return await gateway.auth.by_password("ada", PASSWORD, "192.0.2.1")


async def test_a_session_signs_in_until_it_ends(gateway: Gateway, ada: Actor) -> None:
    secret = await gateway.sessions.start(ada, None, BROWSER)
    signed_in = structs.replace(ada, scopes=frozenset(SELF_SERVICE_SCOPES))
    assert await gateway.sessions.actor(secret) == signed_in
    await gateway.sessions.end(secret)
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


async def test_a_session_expires(gateway: Gateway, ada: Actor, clock: Clock) -> None:
    secret = await gateway.sessions.start(ada, None, BROWSER)
    clock.ms += round(1000 * gateway.sessions.session_s) - 1
    await gateway.sessions.actor(secret)
    clock.ms += 1
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


async def test_a_sign_in_has_a_new_session_and_ends_the_browsers_former_one(
    gateway: Gateway, ada: Actor
) -> None:
    former = await gateway.sessions.start(ada, None, BROWSER)
    secret = await gateway.sessions.start(ada, former, BROWSER)
    assert secret != former
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(former)
    assert (await gateway.sessions.actor(secret)).account == ada.account


@pytest.mark.parametrize("secret", [None, "", "x", "x" * 43, "x" * 1000, "\ud800"])
async def test_a_text_that_is_no_session_signs_in_nobody(
    gateway: Gateway, ada: Actor, secret: str | None
) -> None:
    await gateway.sessions.start(ada, None, BROWSER)
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


@pytest.mark.parametrize("act", ["disable_account", "delete_account", "reset_account"])
async def test_a_disabled_deleted_or_reset_account_has_no_session_even_once_it_is_back(
    gateway: Gateway, admin: Admin, ada: Actor, act: str
) -> None:
    secret = await gateway.sessions.start(ada, None, BROWSER)
    if act == "reset_account":
        await admin.reset_account("ada", password=PASSWORD)
    elif act == "disable_account":
        await admin.disable_account("ada")
        with pytest.raises(Unauthenticated):
            await gateway.sessions.start(ada, None, BROWSER)
        await admin.enable_account("ada")
    else:
        await admin.delete_account("ada")
        await admin.restore_account("ada")
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


async def test_a_new_password_ends_the_other_sessions_and_the_access_tokens_of_the_old_one(
    gateway: Gateway, ada: Actor
) -> None:
    own, other = [await gateway.sessions.start(ada, None, BROWSER) for _ in range(2)]
    access = await gateway.access_tokens.issue(ada, "xanadu", 60)
    change = gateway.sessions.change_password
    with pytest.raises(InvalidRequest, match="current password"):
        await change(ada, "wrong horse", "battery staple", "192.0.2.1", own)
    with pytest.raises(InvalidRequest, match="8 to"):
        await change(ada, PASSWORD, "short", "192.0.2.1", own)
    await gateway.sessions.actor(other)
    await change(ada, PASSWORD, "battery staple", "192.0.2.1", own)
    assert (await gateway.sessions.actor(own)).account == ada.account
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(other)
    with pytest.raises(Unauthenticated, match="changed"):
        await gateway.access_tokens.actor(access, "xanadu", "192.0.2.1")
    again = await gateway.auth.by_password("ada", "battery staple", "192.0.2.1")
    access = await gateway.access_tokens.issue(again, "xanadu", 60)
    assert await gateway.access_tokens.actor(access, "xanadu", "192.0.2.1") == again


async def test_wrong_old_passwords_count_as_at_sign_in(gateway: Gateway, ada: Actor) -> None:
    for _ in range(LIMITS.sign_in.password_tries):
        with pytest.raises(InvalidRequest):
            await gateway.sessions.change_password(ada, "wrong", "battery staple", "192.0.2.1")
    gateway.auth.passwords._name_pause_s = 0.0
    with pytest.raises(TooManyRequests):
        await gateway.sessions.change_password(ada, "wrong", "battery staple", "192.0.2.1")


async def test_a_person_sees_and_ends_only_their_own_sessions(
    gateway: Gateway, admin: Admin, ada: Actor, clock: Clock
) -> None:
    secret = await gateway.sessions.start(ada, None, BROWSER)
    await admin.add_account("eve", email=None, password=PASSWORD)
    eve = await gateway.auth.by_password("eve", PASSWORD, "192.0.2.1")
    clock.ms += 300_000
    await gateway.sessions.actor(secret)
    (seen,) = await gateway.sessions.all(ada)
    assert (seen.agent, seen.address, seen.used_at) == (*BROWSER, clock.ms)
    with pytest.raises(NotFound):
        await gateway.sessions.end_one(eve, seen.id)
    await gateway.sessions.end_one(ada, seen.id)
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


async def test_preferences_are_of_the_account(gateway: Gateway, ada: Actor) -> None:
    secret = await gateway.sessions.start(ada, None, BROWSER)
    with pytest.raises(InvalidRequest, match="no time zone"):
        await gateway.sessions.set_preferences(ada, Preferences("dark", "Europe/Nowhere"))
    wanted = Preferences("dark", "Europe/Vienna")
    await gateway.sessions.set_preferences(ada, wanted)
    assert (await gateway.sessions.actor(secret)).preferences == wanted


async def test_one_session_too_many_ends_the_oldest(
    gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    secrets = []
    for _ in range(MAX_SESSIONS + 1):
        clock.ms += 1
        secrets.append(await gateway.sessions.start(ada, None, BROWSER))
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secrets[0])
    await asyncio.gather(*map(gateway.sessions.actor, secrets[1:]))


async def test_a_token_of_a_session_signs_in_with_what_was_asked_for(
    gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    usual = await gateway.sessions.create_token(ada)
    assert (usual.token.scopes, usual.token.expires_at) == (DEFAULT_SCOPES, None)
    short = await gateway.sessions.create_token(ada, scopes=["jobs:read"], life_s=60)
    actor = await gateway.auth.by_token(short.secret, "192.0.2.1")
    assert actor.scopes == {Scope.JOBS_READ}
    clock.ms += 60_000
    with pytest.raises(Unauthenticated):
        await gateway.auth.by_token(short.secret, "192.0.2.1")


@pytest.mark.parametrize("scope", [Scope.ADMIN, Scope.COMPUTE_SERVE, Scope.DEVICES_SERVE])
async def test_a_member_makes_no_token_with_a_scope_that_an_administrator_gives(
    gateway: Gateway, admin: Admin, ada: Actor, scope: Scope
) -> None:
    with pytest.raises(Forbidden, match=scope):
        await gateway.sessions.create_token(ada, scopes=[scope])
    await admin.set_role("ada", "admin")
    actor = await gateway.sessions.actor(await gateway.sessions.start(ada, None, BROWSER))
    assert (await gateway.sessions.create_token(actor, scopes=[scope])).token.scopes == (scope,)


async def test_what_is_wrong_in_a_new_token_is_named(gateway: Gateway, ada: Actor) -> None:
    with pytest.raises(InvalidRequest, match="'jobs:all' is not one of jobs:read"):
        await gateway.sessions.create_token(ada, scopes=["jobs:all"])
    with pytest.raises(InvalidRequest, match="life_s"):
        await gateway.sessions.create_token(ada, life_s=0)
    for name, reason in (("x" * 101, "at most 100"), ("a\u202eb", "not displayed")):
        with pytest.raises(InvalidRequest, match=reason):
            await gateway.sessions.create_token(ada, name=name)
    with pytest.raises(InvalidRequest, match="project"):
        await gateway.sessions.create_token(ada, project="\0")
    with pytest.raises(NotFound):
        await gateway.sessions.create_token(ada, project="other")


async def test_a_session_revokes_the_accounts_tokens_and_no_other(
    gateway: Gateway, admin: Admin, ada: Actor
) -> None:
    own = await gateway.sessions.create_token(ada)
    await admin.add_account("bob", email=None, password=None)
    other = await admin.create_token("bob")
    for token in (other.token.id, "x", "\0"):
        with pytest.raises(NotFound):
            await gateway.sessions.revoke_token(ada, token)
    await gateway.sessions.revoke_token(ada, own.token.id)
    with pytest.raises(Unauthenticated):
        await gateway.auth.by_token(own.secret, "192.0.2.1")
