"""One-time links: to set up a server, to set a password, and to sign in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.links import PASSWORD_S, SET_UP_S, SIGN_IN_S, NewLink
from qwicket.gateway.sessions import Browser
from qwicket.model.accounts import Actor, SignInSettings
from qwicket.model.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    TooManyRequests,
    Unauthenticated,
)
from qwicket.store import Store
from unit.gateway.conftest import LIMITS, Clock

pytestmark = pytest.mark.anyio

HERE = "127.0.0.1"
ELSEWHERE = "192.0.2.1"
PASSWORD = "correct horse"


async def use(
    gateway: Gateway,
    link: NewLink | None,
    name: str = "root",
    password: str = PASSWORD,
    address: str = HERE,
) -> Actor:
    assert link is not None
    return await gateway.links.use(link.code, address, name=name, password=password)


async def test_the_first_account_is_an_administrators_and_the_link_serves_once(
    gateway: Gateway, store: Store
) -> None:
    link = await gateway.links.make_set_up()
    assert (await use(gateway, link)).role == "admin"
    assert (await gateway.auth.by_password("root", PASSWORD, HERE)).role == "admin"
    with pytest.raises(Forbidden):
        await use(gateway, link, "second")
    assert await gateway.links.make_set_up() is None
    (entry,) = await store.audit.page(100, 10)
    assert (entry.action, entry.subject, entry.address) == ("create_account", "account/root", HERE)


async def test_the_first_account_made_elsewhere_ends_the_link_for_ever(
    gateway: Gateway, admin: Admin
) -> None:
    link = await gateway.links.make_set_up()
    await admin.add_account("ada", email=None, password=None)
    with pytest.raises(Forbidden):
        await use(gateway, link)


@pytest.mark.parametrize(("name", "password"), [("No Name", PASSWORD), ("root", "short"), ("", "")])
async def test_a_wrong_field_leaves_the_link(gateway: Gateway, name: str, password: str) -> None:
    link = await gateway.links.make_set_up()
    with pytest.raises(InvalidRequest):
        await use(gateway, link, name, password)
    await use(gateway, link)


async def test_reading_the_page_of_a_link_changes_nothing(gateway: Gateway) -> None:
    link = await gateway.links.make_set_up()
    assert link is not None
    for _ in range(2):
        assert (await gateway.links.find(link.code, HERE)).kind == "set_up"


async def _set_up(gateway: Gateway, _admin: Admin) -> NewLink | None:
    return await gateway.links.make_set_up()


async def _password(_gateway: Gateway, admin: Admin) -> NewLink:
    await admin.add_account("ada", email=None, password=None)
    return await admin.make_password_link("ada")


async def _sign_in(_gateway: Gateway, admin: Admin) -> NewLink:
    await admin.add_account("ada", email=None, password=None)
    return await admin.make_sign_in_link("ada")


@pytest.mark.parametrize(
    ("make", "life_s"), [(_set_up, SET_UP_S), (_password, PASSWORD_S), (_sign_in, SIGN_IN_S)]
)
async def test_a_link_ends(
    gateway: Gateway,
    admin: Admin,
    clock: Clock,
    make: Callable[[Gateway, Admin], Awaitable[NewLink | None]],
    life_s: int,
) -> None:
    link = await make(gateway, admin)
    assert link is not None
    clock.ms += 1000 * life_s - 1
    await gateway.links.find(link.code, HERE)
    clock.ms += 1
    with pytest.raises(Forbidden):
        await use(gateway, link)


async def test_a_new_password_ends_all_sessions_and_access_tokens_and_keeps_tokens(
    gateway: Gateway, admin: Admin
) -> None:
    await admin.add_account("ada", email=None, password="battery staple")
    token = (await admin.create_token("ada")).secret
    ada = await gateway.auth.by_password("ada", "battery staple", HERE)
    session = await gateway.sessions.start(ada, None, Browser("", HERE))
    access = await gateway.access_tokens.issue(ada, "xanadu", 60)
    former, link = await admin.make_password_link("ada"), await admin.make_password_link("ada")
    with pytest.raises(Forbidden):
        await use(gateway, former)
    assert (await use(gateway, link, "", address=ELSEWHERE)).account == ada.account
    for refused in (
        gateway.links.find(link.code, HERE),
        gateway.sessions.actor(session),
        gateway.access_tokens.actor(access, "xanadu", HERE),
        gateway.auth.by_password("ada", "battery staple", HERE),
    ):
        with pytest.raises((Forbidden, Unauthenticated)):
            await refused
    await gateway.auth.by_password("ada", PASSWORD, HERE)
    await gateway.auth.by_token(token, HERE)
    actions = [entry.action for entry in await gateway.store.audit.page(100, 10)]
    assert actions == ["set_password"]


async def test_a_link_signs_in_once_and_only_on_the_servers_own_machine(
    gateway: Gateway, admin: Admin
) -> None:
    await admin.add_account("ada", email=None, password=None)
    link = await admin.make_sign_in_link("ada")
    with pytest.raises(Forbidden, match="own machine"):
        await use(gateway, link, address=ELSEWHERE)
    assert (await use(gateway, link, "", "")).account_name == "ada"
    with pytest.raises(Forbidden):
        await use(gateway, link)


async def test_a_disabled_account_gets_and_uses_no_link(gateway: Gateway, admin: Admin) -> None:
    await admin.add_account("ada", email=None, password=None)
    link = await admin.make_password_link("ada")
    await admin.disable_account("ada")
    with pytest.raises(Forbidden):
        await use(gateway, link)
    with pytest.raises(Conflict, match="disabled"):
        await admin.make_password_link("ada")


async def test_a_server_without_passwords_makes_and_takes_no_link_that_sets_one(
    gateway: Gateway, admin: Admin
) -> None:
    await admin.add_account("ada", email=None, password=None)
    link = await admin.make_password_link("ada")
    gateway.sign_in = SignInSettings(are_passwords_on=False)
    with pytest.raises(Forbidden, match="no passwords"):
        await use(gateway, link)
    with pytest.raises(Conflict, match="no passwords"):
        await gateway.admin.make_password_link("ada")


async def test_wrong_codes_count_as_wrong_tokens(gateway: Gateway) -> None:
    for _ in range(LIMITS.sign_in.wrong_tokens):
        with pytest.raises(Forbidden):
            await gateway.links.find("x" * 46, ELSEWHERE)
    with pytest.raises(TooManyRequests):
        await gateway.links.find("x" * 1_000, ELSEWHERE)


def test_the_text_of_a_link_has_no_code() -> None:
    assert "qw_" not in repr(NewLink("ada", "qw_secret", 1))
