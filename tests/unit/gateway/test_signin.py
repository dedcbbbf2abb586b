from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.signin import USE_MS, digest, new_secret
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.model.accounts import DEFAULT_SCOPES, Scope
from qwicket.model.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from qwicket.store import Store
from unit.gateway.conftest import Clock

pytestmark = pytest.mark.anyio

HERE = "127.0.0.1"


async def token_for(
    admin: Admin,
    name: str = "ada",
    *,
    scopes: Sequence[str] = (),
    devices: Sequence[str] = (),
    life_s: int | None = None,
) -> str:
    await admin.add_account(name, email=None, password=None)
    made = await admin.create_token(name, scopes=scopes, devices=devices, life_s=life_s)
    return made.secret


def test_a_secret_passes_through_every_client_unchanged() -> None:
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    for secret in secrets:
        assert re.fullmatch(r"qw_[A-Za-z0-9]{43}", secret)
        assert not re.fullmatch(r"[a-z]+_[A-Z2-7]+\.[0-9a-f]{64}", secret)


async def test_a_token_signs_in_with_what_it_may_do(admin: Admin, gateway: Gateway) -> None:
    secret = await token_for(admin, scopes=["jobs:read"], devices=["simulator"])
    actor = await gateway.auth.by_token(secret, HERE)
    assert (actor.account_name, actor.role) == ("ada", "member")
    assert actor.scopes == frozenset({Scope.JOBS_READ})
    assert actor.devices == frozenset({"simulator"})


async def test_by_default_a_token_may_read_and_submit(admin: Admin, gateway: Gateway) -> None:
    actor = await gateway.auth.by_token(await token_for(admin), HERE)
    assert (actor.scopes, actor.devices) == (frozenset(DEFAULT_SCOPES), frozenset())


@pytest.mark.parametrize("secret", [None, "", "qw_" + "a" * 43, "x" * 100_000, "\ud800", "é"])
async def test_what_is_no_token_does_not_sign_in(gateway: Gateway, secret: str | None) -> None:
    with pytest.raises(Unauthenticated):
        await gateway.auth.by_token(secret, HERE)


async def test_the_stored_digest_is_no_token(admin: Admin, gateway: Gateway) -> None:
    secret = await token_for(admin)
    with pytest.raises(Unauthenticated):
        await gateway.auth.by_token(digest(secret).hex(), HERE)


async def test_a_revoked_token_signs_in_no_more(admin: Admin, gateway: Gateway) -> None:
    await admin.add_account("ada", email=None, password=None)
    made = await admin.create_token("ada")
    await gateway.auth.by_token(made.secret, HERE)
    await admin.revoke_token(made.token.id)
    await asyncio.sleep(2 * CACHE_TTL_S)
    with pytest.raises(Unauthenticated, match="revoked"):
        await gateway.auth.by_token(made.secret, HERE)


async def test_a_token_ends_with_its_expiry(admin: Admin, gateway: Gateway, clock: Clock) -> None:
    secret = await token_for(admin, life_s=60)
    clock.ms += 59_999
    await gateway.auth.by_token(secret, HERE)
    clock.ms += 1
    with pytest.raises(Unauthenticated, match="expired"):
        await gateway.auth.by_token(secret, HERE)


async def test_a_disabled_account_signs_in_no_more(admin: Admin, gateway: Gateway) -> None:
    secret = await token_for(admin)
    await admin.disable_account("ada")
    with pytest.raises(Unauthenticated, match="disabled"):
        await gateway.auth.by_token(secret, HERE)


async def test_no_secret_shows_in_a_repr(admin: Admin, store: Store) -> None:
    await admin.add_account("ada", email=None, password="correct horse")
    made = await admin.create_token("ada")
    assert made.secret not in repr(made)
    found = await store.accounts.for_password("ada")
    assert found is not None
    assert "correct horse" not in repr(found)


@pytest.mark.parametrize("login", ["ada", "ada@lab.org"])
async def test_a_password_signs_in_by_name_and_address(
    admin: Admin, gateway: Gateway, login: str
) -> None:
    await admin.add_account("ada", email="ada@lab.org", password="correct horse")
    actor = await gateway.auth.by_password(login, "correct horse", "127.0.0.1")
    assert (actor.account_name, actor.scopes) == ("ada", frozenset(DEFAULT_SCOPES))


@pytest.mark.parametrize(
    ("login", "password"),
    [("ada", "wrong"), ("ada", ""), ("nobody", "correct horse"), ("bob", ""), ("", "")],
)
async def test_a_wrong_password_does_not_say_what_is_wrong(
    admin: Admin, gateway: Gateway, login: str, password: str
) -> None:
    await admin.add_account("ada", email=None, password="correct horse")
    await admin.add_account("bob", email=None, password=None)
    with pytest.raises(Unauthenticated, match="name or the password"):
        await gateway.auth.by_password(login, password, "127.0.0.1")


async def test_a_disabled_account_has_no_password_either(admin: Admin, gateway: Gateway) -> None:
    await admin.add_account("ada", email=None, password="correct horse")
    await admin.disable_account("ada")
    with pytest.raises(Unauthenticated):
        await gateway.auth.by_password("ada", "correct horse", "127.0.0.1")


async def test_passwords_are_counted_by_the_address_that_they_come_from(gateway: Gateway) -> None:
    async def tried(name: str, address: str) -> str:
        try:
            await gateway.auth.by_password(name, "wrong", address)
        except TooManyRequests as error:
            return error.limit
        except Unauthenticated:
            return "refused"
        return "in"

    gateway.auth.clock = lambda: 0.0  # as time goes on, an address may try again
    crowd = [tried(f"name{k}", "10.0.0.1") for k in range(30)]
    *found, other = await asyncio.gather(*crowd, tried("ada", "10.0.0.2"))
    assert set(found) == {"refused", "wrong_passwords", "passwords_waiting"}
    assert found.count("refused") >= gateway.limits.sign_in.wrong_passwords
    assert other == "refused"
    n_compared = len(crowd) - found.count("passwords_waiting") + 1
    assert gateway.auth.wrong_passwords == n_compared


async def test_other_spellings_of_a_name_give_no_further_tries(gateway: Gateway) -> None:
    for name in ("ada", "Ada", "aDa"):
        with pytest.raises(Unauthenticated):
            await gateway.auth.by_password(name, "wrong", HERE)
    with pytest.raises(TooManyRequests) as refused:
        await gateway.auth.by_password("ADA", "wrong", HERE)
    assert refused.value.limit == "password_tries"


async def test_an_address_with_invisible_characters_is_refused(admin: Admin) -> None:
    for invisible in (
        "\xad",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\u2060",
        "\u3164",
        "\ufe0f",
        "\U000e0061",
        "\U000e0100",
        "\u2800",
        "\U00016fe4",
        "\U0001d159",
    ):
        with pytest.raises(InvalidRequest, match="254 visible characters") as refused:
            await admin.add_account("boss", email=f"boss@lab.org{invisible}", password=None)
        assert refused.value.field == "email"
        assert invisible not in refused.value.detail
    assert await admin.accounts() == []


async def test_a_stored_address_has_no_letter_that_was_not_written(admin: Admin) -> None:
    kelvin = await admin.add_account("kim", email="\u212aIM@Lab.org", password=None)
    assert kelvin.email == "\u212aim@lab.org"
    assert (await admin.add_account("kim-2", email="KIM@lab.org", password=None)).name == "kim-2"


@pytest.mark.parametrize(
    ("name", "email", "password", "field"),
    [
        ("Ada", None, None, "name"),
        ("ada", "no address", None, "email"),
        ("ada", "a@" + "b" * 300, None, "email"),
        ("ada", "a@b\x00", None, "email"),
        ("ada", None, "short", "password"),
        ("ada", None, "x" * 2000, "password"),
    ],
)
async def test_an_account_that_cannot_be_is_refused_by_field(
    admin: Admin, name: str, email: str | None, password: str | None, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await admin.add_account(name, email=email, password=password)
    assert refused.value.field == field
    assert await admin.accounts() == []


async def test_a_taken_name_is_refused(admin: Admin) -> None:
    await admin.add_account("ada", email=None, password=None)
    with pytest.raises(Conflict):
        await admin.add_account("ada", email=None, password=None)


async def test_a_token_for_what_does_not_exist_is_refused(admin: Admin) -> None:
    await admin.add_account("ada", email=None, password=None)
    for options in ({"devices": ["nowhere"]}, {"project": "nowhere"}):
        with pytest.raises(NotFound):
            await admin.create_token("ada", **options)
    with pytest.raises(NotFound):
        await admin.create_token("nobody")
    with pytest.raises(InvalidRequest, match="jobs:read"):
        await admin.create_token("ada", scopes=["jobs:everything"])


async def test_only_an_admin_has_admin_tokens(admin: Admin, gateway: Gateway) -> None:
    await admin.add_account("ada", email=None, password=None)
    await admin.add_account("root", "admin", email=None, password=None)
    with pytest.raises(InvalidRequest, match="not an admin"):
        await admin.create_token("ada", scopes=["admin"])
    made = await admin.create_token("root", scopes=["admin", "admin"])
    assert (await gateway.auth.by_token(made.secret, HERE)).scopes == {"admin"}


async def test_the_use_of_a_token_is_stored_at_most_once_an_hour(
    admin: Admin, gateway: Gateway, store: Store, clock: Clock
) -> None:
    secret = await token_for(admin)
    account = (await store.accounts.by_name("ada")).id
    began, found = clock.ms, []
    for step_ms in (0, 1, USE_MS - 2, 1, 1, USE_MS):
        clock.ms += step_ms
        await gateway.auth.by_token(secret, HERE)
        await asyncio.gather(*gateway.auth._uses)
        await asyncio.sleep(CACHE_TTL_S)
        (token,) = await store.accounts.tokens(account)
        found.append((token.used_at or 0) - began)
    assert found == [0, 0, 0, USE_MS, USE_MS, 2 * USE_MS + 1]
