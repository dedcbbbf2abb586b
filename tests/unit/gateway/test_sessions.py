"""Sessions of people, and the tokens that they make for themselves."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import DEFAULT_SCOPES, Actor, Scope
from qwicket.model.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from qwicket.store import Store
from qwicket.store.sessions import MAX_SESSIONS
from support.passwords import cheap_hash
from support.stores import NOW
from unit.gateway.conftest import Clock

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse"


@pytest.fixture
async def ada(gateway: Gateway, store: Store) -> Actor:
    hashed = cheap_hash(PASSWORD)
    await store.accounts.add("ada", "member", email=None, password_hash=hashed, now=NOW)
    return await gateway.auth.by_password("ada", PASSWORD, "192.0.2.1")


async def test_a_session_signs_in_until_it_ends(gateway: Gateway, ada: Actor) -> None:
    secret = await gateway.sessions.start(ada, None)
    assert await gateway.sessions.actor(secret) == ada
    await gateway.sessions.end(secret)
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


async def test_a_session_expires(gateway: Gateway, ada: Actor, clock: Clock) -> None:
    secret = await gateway.sessions.start(ada, None)
    clock.ms += round(1000 * gateway.sessions.session_s) - 1
    await gateway.sessions.actor(secret)
    clock.ms += 1
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


async def test_a_sign_in_has_a_new_session_and_ends_the_browsers_former_one(
    gateway: Gateway, ada: Actor
) -> None:
    former = await gateway.sessions.start(ada, None)
    secret = await gateway.sessions.start(ada, former)
    assert secret != former
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(former)
    assert await gateway.sessions.actor(secret) == ada


@pytest.mark.parametrize("secret", [None, "", "x", "x" * 43, "x" * 1000, "\ud800"])
async def test_a_text_that_is_no_session_signs_in_nobody(
    gateway: Gateway, ada: Actor, secret: str | None
) -> None:
    await gateway.sessions.start(ada, None)
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


@pytest.mark.parametrize("act", ["disable_account", "delete_account", "reset_account"])
async def test_a_disabled_deleted_or_reset_account_has_no_session_even_once_it_is_back(
    gateway: Gateway, admin: Admin, ada: Actor, act: str
) -> None:
    secret = await gateway.sessions.start(ada, None)
    if act == "reset_account":
        await admin.reset_account("ada", password=PASSWORD)
    elif act == "disable_account":
        await admin.disable_account("ada")
        with pytest.raises(Unauthenticated):
            await gateway.sessions.start(ada, None)
        await admin.enable_account("ada")
    else:
        await admin.delete_account("ada")
        await admin.restore_account("ada")
    with pytest.raises(Unauthenticated):
        await gateway.sessions.actor(secret)


async def test_one_session_too_many_ends_the_oldest(
    gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    secrets = []
    for _ in range(MAX_SESSIONS + 1):
        clock.ms += 1
        secrets.append(await gateway.sessions.start(ada, None))
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
    actor = await gateway.sessions.actor(await gateway.sessions.start(ada, None))
    assert (await gateway.sessions.create_token(actor, scopes=[scope])).token.scopes == (scope,)


async def test_what_is_wrong_in_a_new_token_is_named(gateway: Gateway, ada: Actor) -> None:
    with pytest.raises(InvalidRequest, match="'jobs:all' is not one of jobs:read"):
        await gateway.sessions.create_token(ada, scopes=["jobs:all"])
    with pytest.raises(InvalidRequest, match="life_s"):
        await gateway.sessions.create_token(ada, life_s=0)
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
