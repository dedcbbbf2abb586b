from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict, Unpack

import pytest
from msgspec import structs

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.signin import SignIn
from qwicket.gateway.tokens import Tokens
from qwicket.model.accounts import Actor, Scope
from qwicket.model.errors import Forbidden, InvalidRequest, LimitExceeded, NotFound, Unauthenticated
from qwicket.model.ids import new_id
from qwicket.model.limits import Limits
from qwicket.store import Store
from unit.gateway.conftest import Clock

pytestmark = pytest.mark.anyio

HERE = "127.0.0.1"
READ, WRITE, SERVE = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_SERVE
MAKE = Scope.TOKENS_WRITE


@pytest.fixture
async def ada(admin: Admin, gateway: Gateway) -> Actor:
    await admin.add_account("ada", email=None, password=None)
    return await actor(admin, gateway, scopes=[READ, WRITE, MAKE])


class Rights(TypedDict, total=False):
    scopes: Sequence[str]
    devices: Sequence[str]
    project: str
    life_s: int


class Wish(TypedDict):
    scopes: Sequence[Scope]
    devices: NotRequired[Sequence[str]]
    project: NotRequired[str]
    life_s: NotRequired[int]


async def actor(
    admin: Admin, gateway: Gateway, name: str = "ada", **rights: Unpack[Rights]
) -> Actor:
    rights.setdefault("scopes", [READ, WRITE, MAKE])
    made = await admin.create_token(name, **rights)
    return await gateway.auth.by_token(made.secret, HERE)


async def test_a_made_token_signs_in_with_what_it_was_made_with(
    ada: Actor, gateway: Gateway, clock: Clock
) -> None:
    made = await gateway.tokens.create(ada, [READ], devices=["simulator"], life_s=60)
    found = await gateway.auth.by_token(made.secret, HERE)
    assert (found.scopes, found.devices, found.project) == (
        *(frozenset({READ}), frozenset({"simulator"})),
        ada.project,
    )
    assert made.token.expires_at == clock.ms + 60_000


@pytest.mark.parametrize(
    ("rights", "wish", "field"),
    [
        ({"scopes": [READ, MAKE]}, {"scopes": [READ, WRITE]}, "scopes"),
        ({}, {"scopes": [Scope.ADMIN]}, "scopes"),
        ({"devices": ["simulator"]}, {"scopes": [READ], "devices": ["clifford"]}, "devices"),
        ({"life_s": 60}, {"scopes": [READ], "life_s": 61}, "life_s"),
        ({}, {"scopes": [READ], "project": "grace"}, "project"),
    ],
)
async def test_no_token_makes_one_with_more_rights(
    ada: Actor,
    admin: Admin,
    gateway: Gateway,
    rights: Rights,
    wish: Wish,
    field: str,
) -> None:
    weak = await actor(admin, gateway, **rights)
    with pytest.raises(Forbidden) as refusal:
        await gateway.tokens.create(weak, **wish)
    assert refusal.value.field == field
    assert len(await gateway.tokens.valid_tokens(ada)) == 2


async def test_what_is_not_said_is_as_that_of_the_token_that_asks(
    ada: Actor, admin: Admin, gateway: Gateway
) -> None:
    own = await actor(admin, gateway, devices=["simulator"], life_s=60)
    made = await gateway.tokens.create(own, [READ])
    before = await gateway.tokens.current(own)
    assert (made.token.devices, made.token.expires_at) == (("simulator",), before.expires_at)


async def test_an_admin_token_binds_to_any_project_of_its_account(
    ada: Actor, admin: Admin, gateway: Gateway
) -> None:
    await admin.add_account("root", "admin", email=None, password=None)
    lab = await admin.add_project("lab")
    root = await actor(admin, gateway, "root", scopes=["admin", "jobs:read", MAKE])
    with pytest.raises(NotFound):
        await gateway.tokens.create(root, [READ], project="lab")
    await admin.add_member("lab", "root")
    assert (await gateway.tokens.create(root, [READ], project="lab")).token.project == lab.id


async def test_the_token_of_a_lab_makes_none(ada: Actor, admin: Admin, gateway: Gateway) -> None:
    lab = await actor(admin, gateway, scopes=[SERVE], devices=["fridge", "oven"])
    for scopes in ([SERVE], [READ]):
        with pytest.raises(Forbidden, match="tokens:write"):
            await gateway.tokens.create(lab, scopes, devices=["oven"])
    with pytest.raises(InvalidRequest, match="cannot be combined"):
        await admin.create_token("ada", scopes=[SERVE, MAKE], devices=["oven"])
    with pytest.raises(Forbidden, match="devices:serve"):
        await gateway.tokens.create(ada, [SERVE], devices=["oven"])


async def test_unknown_devices_are_refused(ada: Actor, gateway: Gateway) -> None:
    with pytest.raises(NotFound):
        await gateway.tokens.create(ada, [READ], devices=["nowhere"])


async def test_a_revoked_token_is_refused_at_once(
    ada: Actor, admin: Admin, gateway: Gateway
) -> None:
    made = await gateway.tokens.create(ada, [READ])
    await gateway.auth.by_token(made.secret, HERE)  # it is remembered now
    await gateway.tokens.revoke(ada, made.token.id)
    with pytest.raises(Unauthenticated):
        await gateway.auth.by_token(made.secret, HERE)
    with pytest.raises(NotFound):
        await gateway.tokens.revoke(ada, made.token.id)


async def test_a_token_may_revoke_itself_and_makes_none_afterwards(
    ada: Actor, gateway: Gateway
) -> None:
    await gateway.tokens.revoke(ada, ada.token)
    with pytest.raises(Unauthenticated, match="not signed in with a valid token"):
        await gateway.tokens.create(ada, [READ])


async def test_no_token_revokes_one_with_more_rights(
    ada: Actor, admin: Admin, gateway: Gateway
) -> None:
    for scopes in ([READ], [READ, MAKE]):
        weak = await actor(admin, gateway, scopes=scopes)
        with pytest.raises(Forbidden):
            await gateway.tokens.revoke(weak, ada.token)


async def test_an_administrators_token_for_one_device_revokes_none_for_all(
    admin: Admin, gateway: Gateway
) -> None:
    await admin.add_account("root", email=None, password=None, role="admin")
    scopes = [READ, WRITE, MAKE, Scope.ADMIN]
    full = await actor(admin, gateway, "root", scopes=scopes)
    limited = await actor(admin, gateway, "root", scopes=scopes, devices=["simulator"])
    other = await actor(admin, gateway, "root", scopes=scopes, devices=["simulator"])
    with pytest.raises(Forbidden):
        await gateway.tokens.revoke(limited, full.token)
    await gateway.tokens.revoke(limited, other.token)
    await gateway.tokens.revoke(full, limited.token)


async def test_a_token_is_revoked_with_its_whole_tree_wherever_that_is_done(
    ada: Actor, admin: Admin, gateway: Gateway
) -> None:
    await admin.add_account("root", "admin", email=None, password=None)
    await admin.add_project("lab")
    await admin.add_member("lab", "root")
    scopes = [READ, MAKE, Scope.ADMIN]
    lab = await actor(admin, gateway, "root", scopes=scopes, project="lab")
    made = await gateway.tokens.create(lab, scopes, project="root")
    grown = await gateway.auth.by_token(made.secret, HERE)
    last = await gateway.tokens.create(grown, [READ])
    other = await actor(admin, gateway, "root", scopes=scopes)
    await admin.remove_member("lab", "root")  # the first of them was for that project
    live = [each.id for each in await gateway.tokens.valid_tokens(other)]
    assert live == [other.token]
    assert {made.token.parent, last.token.parent} == {lab.token, grown.token}


async def test_nothing_grows_from_a_tree_that_was_revoked(
    ada: Actor, store: Store, gateway: Gateway, clock: Clock
) -> None:
    """Also not from a request that was checked a moment before."""
    own = await gateway.tokens.current(ada)
    await store.accounts.revoke(own.id, clock.ms)
    late = structs.replace(own, id=new_id(clock.ms), parent=own.id)
    with pytest.raises(Unauthenticated):
        await store.accounts.add_token(late, account="ada", project=None, digest=b"late")


async def test_a_made_token_ends_with_its_parent(
    ada: Actor, admin: Admin, gateway: Gateway, clock: Clock
) -> None:
    parent = await actor(admin, gateway, life_s=60)
    made = await gateway.tokens.create(parent, [READ])
    clock.ms += 60_000
    with pytest.raises(Unauthenticated, match="expired"):
        await gateway.auth.by_token(made.secret, HERE)


async def test_a_foreign_token_is_as_absent_as_none(
    ada: Actor, admin: Admin, gateway: Gateway
) -> None:
    await admin.add_account("grace", email=None, password=None)
    grace = await actor(admin, gateway, "grace")
    for token in (grace.token, new_id(0), "", "x" * 5_000, "é", "\0"):
        with pytest.raises(NotFound) as refusal:
            await gateway.tokens.revoke(ada, token)
        assert refusal.value.detail == "There is no such token."


async def test_an_account_has_a_bounded_number_of_tokens(
    ada: Actor, store: Store, clock: Clock
) -> None:
    limits = Limits.from_names(tokens=3)
    few = Tokens(store, SignIn(store, limits.sign_in, clock), limits, clock)
    for _ in range(2):
        made = await few.create(ada, [READ], life_s=60)
    with pytest.raises(LimitExceeded, match="limit tokens"):
        await few.create(ada, [READ])
    await few.revoke(ada, made.token.id)
    await few.create(ada, [READ])
    clock.ms += 60_000  # the other one expires, and makes room
    await few.create(ada, [READ])


async def test_an_account_makes_a_bounded_number_of_tokens_a_day(
    ada: Actor, store: Store, clock: Clock
) -> None:
    """Revoked tokens stay in the database."""
    limits = Limits.from_names(new_tokens=3)
    few = Tokens(store, SignIn(store, limits.sign_in, clock), limits, clock)
    for _ in range(2):  # ada's own is the first
        await few.revoke(ada, (await few.create(ada, [READ])).token.id)
    with pytest.raises(LimitExceeded, match="limit new_tokens"):
        await few.create(ada, [READ])
    clock.ms += 86_400_000
    await few.create(ada, [READ])
