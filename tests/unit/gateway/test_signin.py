from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Literal

import argon2
import pytest

from qwicket.gateway import Gateway, passwords, ttl_cache
from qwicket.gateway.admin import Admin
from qwicket.gateway.signin import SignIn, digest, new_secret
from qwicket.model.accounts import DEFAULT_SCOPES, Scope
from qwicket.model.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from qwicket.model.limits import SignInLimits
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


async def test_a_revoked_token_signs_in_no_more(
    admin: Admin, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ttl_cache, "CACHE_TTL_S", 0.0)
    await admin.add_account("ada", email=None, password=None)
    made = await admin.create_token("ada")
    await gateway.auth.by_token(made.secret, HERE)
    await admin.revoke_token(made.token.id)
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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make comparisons, and the pauses of those who guess, short enough for tests."""
    monkeypatch.setattr(passwords, "_hasher", argon2.PasswordHasher(1, 8, 1))
    monkeypatch.setattr(passwords, "NAME_PAUSE_S", 0.02)
    monkeypatch.setattr(passwords, "ADDRESS_PAUSE_S", 0.01)
    passwords._decoy.cache_clear()
    yield
    passwords._decoy.cache_clear()


async def tried(gateway: Gateway, name: str, password: str, address: str) -> str:
    """Try a password; return the limit that was reached, `refused` or `in`."""
    try:
        await gateway.auth.by_password(name, password, address)
    except TooManyRequests as error:
        return error.limit if 0 < (error.retry_after_s or 0) <= 60 else "no Retry-After"
    except Unauthenticated:
        return "refused"
    return "in"


async def test_wrong_passwords_are_limited_per_address_and_name_and_right_ones_never(
    admin: Admin, gateway: Gateway, quick: None
) -> None:
    await admin.add_account("ada", email=None, password="correct horse")
    wrong = [await tried(gateway, "ada", "wrong", "10.0.0.1") for _ in range(4)]
    assert wrong == ["refused"] * 3 + ["password_tries"]
    assert await tried(gateway, "ada", "correct horse", "10.0.0.1") == "in"
    assert await tried(gateway, "ada", "wrong", "10.0.0.1") == "password_tries"
    assert await tried(gateway, "ada", "wrong", "10.0.0.2") == "refused"
    assert await tried(gateway, "bob", "wrong", "10.0.0.1") == "refused"


async def test_many_names_tried_from_one_address_are_limited_together(
    admin: Admin, gateway: Gateway, quick: None
) -> None:
    await admin.add_account("ada", email=None, password="correct horse")
    tries = [await tried(gateway, f"name{k}", "wrong", "10.0.0.1") for k in range(12)]
    assert tries[:6] == ["refused"] * 6  # wrong_passwords of these tests
    assert tries.count("wrong_passwords") >= 4, "one a second is given back"
    assert await tried(gateway, "ada", "correct horse", "10.0.0.1") == "in"
    assert await tried(gateway, "name0", "wrong", "10.0.0.2") == "refused"


async def test_right_passwords_of_one_address_use_up_nothing(
    admin: Admin, gateway: Gateway, quick: None
) -> None:
    await admin.add_account("ada", email=None, password="correct horse")
    assert {await tried(gateway, "ada", "correct horse", "10.0.0.1") for _ in range(10)} == {"in"}
    assert await tried(gateway, "ada", "wrong", "10.0.0.1") == "refused"


async def test_wrong_passwords_at_the_same_time_count_as_well(
    admin: Admin, gateway: Gateway, quick: None
) -> None:
    await admin.add_account("ada", email=None, password="correct horse")
    sent = [tried(gateway, "ada", "wrong", "10.0.0.1") for _ in range(5)]
    assert sorted(await asyncio.gather(*sent)) == ["password_tries"] * 2 + ["refused"] * 3


async def test_a_class_behind_one_address_signs_in_beside_a_guesser(
    admin: Admin, store: Store, clock: Clock, quick: None
) -> None:
    desk = SignIn(store, SignInLimits(), clock)
    names = [f"pupil{k}" for k in range(30)]
    for name in names:
        await admin.add_account(name, email=None, password=f"{name}'s password")

    async def guessed(number: int) -> str:
        try:
            await desk.by_password(f"name{number % 40}", "a guess", "192.0.2.1")
        except TooManyRequests as error:
            return error.limit
        except Unauthenticated:
            return "refused"
        return "in"

    guesses = [await guessed(number) for number in range(150)]
    assert guesses.count("wrong_passwords") > 20
    guesser = asyncio.create_task(guessed(7))
    signed_in = await asyncio.gather(
        *(desk.by_password(name, f"{name}'s password", "192.0.2.1") for name in names)
    )
    assert [actor.account_name for actor in signed_in] == names
    assert await guesser == "wrong_passwords"


async def test_guesses_beyond_the_limit_are_slow(
    admin: Admin, gateway: Gateway, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 2 s each, a day of guessing one name from one address tries 43,200 passwords."""
    monkeypatch.setattr(passwords, "NAME_PAUSE_S", 0.5)
    await admin.add_account("ada", email=None, password="correct horse")
    for _ in range(3):
        await tried(gateway, "ada", "wrong", "10.0.0.1")
    began = time.monotonic()
    sent = [tried(gateway, "ada", f"guess {k}", "10.0.0.1") for k in range(3)]
    await asyncio.gather(*sent)
    assert time.monotonic() - began >= 1.5, "one after the other"


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


async def test_who_tries_many_names_keeps_no_other_address_waiting(
    admin: Admin, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await admin.add_account("ada", email=None, password="a good password")
    compare, go_on = passwords._matches, threading.Event()

    def slowly(stored: str | None, password: str) -> bool:
        if password == "guess":
            assert go_on.wait(30)
        return compare(stored, password)

    monkeypatch.setattr(passwords, "_matches", slowly)  # a comparison that lasts as long as we like
    maximum = gateway.limits.sign_in.passwords_waiting
    tries = [
        asyncio.create_task(gateway.auth.by_password(f"name{k}", "guess", "192.0.2.1"))
        for k in range(maximum + 30)
    ]
    actor = await gateway.auth.by_password("ada", "a good password", "192.0.2.2")
    assert actor.account_name == "ada"
    go_on.set()
    refused = await asyncio.gather(*tries, return_exceptions=True)
    crowd = [each for each in refused if isinstance(each, TooManyRequests)]
    assert len(crowd) == 29
    assert {each.limit for each in crowd} == {"passwords_waiting"}
    assert sum(isinstance(each, Unauthenticated) for each in refused) == maximum + 1


async def test_an_unknown_name_costs_as_much_as_a_wrong_password(
    admin: Admin, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long the answer takes tells nobody who exists: both compare a hash of the same cost."""
    await admin.add_account("ada", email=None, password="a good password")
    compared: list[argon2.Parameters] = []

    class Hasher(argon2.PasswordHasher):
        def verify(self, *stored_and_given: str | bytes) -> Literal[True]:
            compared.append(argon2.extract_parameters(str(stored_and_given[0])))
            return super().verify(*stored_and_given)

    monkeypatch.setattr(passwords, "_hasher", Hasher())
    for name in ("ada", "nobody"):
        with pytest.raises(Unauthenticated):
            await gateway.auth.by_password(name, "wrong", HERE)
    assert len(compared) == 2
    assert compared[0] == compared[1]
