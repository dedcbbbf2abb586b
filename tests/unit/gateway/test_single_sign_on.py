"""Names and rights of people who sign in at an identity provider."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwicket.gateway.identity_provider import state_of
from qwicket.gateway.signin import SignIn
from qwicket.gateway.single_sign_on import SingleSignOn, fitting_name
from qwicket.model.accounts import GroupRights, IdentityProvider, check_name
from qwicket.model.errors import (
    Forbidden,
    NotFound,
    QwicketError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from qwicket.model.limits import SignInLimits
from qwicket.store import Store
from qwicket.store.sessions import ProviderSignIn
from support.for_each import for_each
from support.small_provider import CLIENT, Provider, small_provider
from support.stores import NOW

HERE = "192.0.2.1"
BACK = "https://lab.example/ui/callback"
LIMITS = SignInLimits(wrong_tokens=10)
ISSUER = "https://login.example.org"


@for_each(
    "stated, name",
    [
        ("ada", "ada"),
        ("Ada.Lovelace@uni.example", "ada.lovelace"),
        ("Åse Ørsted", "ase-rsted"),
        ("UNI\\ada", "uni-ada"),
        ("_ada_", "ada_"),
        ("a" * 100, "a" * 39),
        ("a" * 38 + "!b", "a" * 38),
        ("devices", "devices-1"),
        ("Admin@uni.example", "admin-1"),
        ("root", "root-1"),
        ("support", "support-1"),
        ("SysAdmin", "sysadmin-1"),
        ("admin.", "admin.-1"),
        ("...", ""),
        ("@example.org", ""),
        ("漢字", ""),
        ("", ""),
        ("\0\ud800x", "x"),
    ],
)
def test_a_name_at_the_provider_is_made_to_fit_ours(stated: str, name: str) -> None:
    assert fitting_name(stated) == name
    if name:
        assert check_name(name) == name


@pytest.mark.anyio
async def test_a_race_of_two_first_sign_ins_makes_one_account(store: Store) -> None:
    person = ProviderSignIn(ISSUER, "sub", HERE, NOW)
    made = [await store.sessions.create_account(person, "ada", "ada@example.org") for _ in range(2)]
    assert made[0] == made[1]
    with pytest.raises(NotFound):
        await store.accounts.by_name("ada-2")


# --- with a provider ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with small_provider() as running:
        yield running


Service = Callable[..., SingleSignOn]


@pytest.fixture
def service(store: Store, provider: Provider) -> Service:
    """Return the service with settings."""

    def make(
        now_ms: Callable[[], int] = lambda: round(1000 * time.time()), **settings: Any
    ) -> SingleSignOn:
        chosen = IdentityProvider(issuer=provider.url, client_id=CLIENT, **settings)
        return SingleSignOn(store, SignIn(store, LIMITS, now_ms), chosen, LIMITS, now_ms)

    return make


async def add(store: Store, name: str, email: str | None = None) -> None:
    await store.accounts.add(name, "member", email=email, password_hash=None, now=NOW)


def stating(provider: Provider, subject: str, email: str) -> str:
    """Return an ID token with a verified address."""
    return provider.id_token(sub=subject, email=email, email_verified=True)


@pytest.mark.anyio
async def test_only_an_equal_address_in_ascii_gives_an_account(
    store: Store, provider: Provider, service: Service
) -> None:
    linking = service(links_emails=True)
    await add(store, "kate", "kate@example.org")
    await add(store, "zoe", "zo\xeb@example.org")
    for number, email in enumerate(("\u212aate@example.org", "zo\xeb@example.org")):
        with pytest.raises(Forbidden, match="no account"):
            await linking.by_id_token(stating(provider, f"s{number}", email), None, HERE)
    actor = await linking.by_id_token(stating(provider, "own", "KATE@example.org"), None, HERE)
    assert actor.account_name == "kate"


@pytest.mark.anyio
async def test_an_address_with_invisible_characters_is_not_stored(
    store: Store, provider: Provider, service: Service
) -> None:
    one = service(creates_accounts=True)
    for number, email in enumerate(
        ("boss@example.org\xad", "bo\u200bss@b.c", "\ud800@b.c", "a@b.c")
    ):
        token = provider.id_token(
            sub=f"sub-{number}", preferred_username="x", email=email, email_verified=True
        )
        await one.by_id_token(token, None, HERE)
    assert {each.email for each in await store.accounts.all()} == {
        *("x@localhost", "x-2@localhost", "x-3@localhost", "a@b.c")
    }


@pytest.mark.anyio
async def test_an_address_that_was_given_to_another_person_gives_no_account(
    store: Store, provider: Provider, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    both = service(links_emails=True, creates_accounts=True)
    await add(store, "seat7", "seat7@example.org")
    address = "seat7@example.org"
    assert (await both.by_id_token(stating(provider, "first", address), None, HERE)).account
    with pytest.raises(Forbidden, match=r"belongs to another person.*Ask the server's admin"):
        await both.by_id_token(stating(provider, "second", address), None, HERE)
    assert f"'second' at {provider.url} was refused: The account seat7 belongs" in caplog.text
    again = await both.by_id_token(provider.id_token(sub="first", jti="2"), None, HERE)
    assert again.account_name == "seat7"


@pytest.mark.anyio
async def test_the_audit_has_the_address_and_the_person_of_a_sign_in(
    store: Store, provider: Provider, service: Service
) -> None:
    groups = {"staff": GroupRights(role="admin")}
    one = service(creates_accounts=True, groups=groups)
    claims: dict[str, Any] = {"preferred_username": "boss", "groups": ["staff"]}
    await one.by_id_token(provider.id_token(sub="of boss", **claims), None, HERE)
    role, account = await store.audit.page(10, 10)
    assert account[4:7] == (HERE, "create_account", "account/boss")
    assert role[3:7] == ("boss", HERE, "change_account", "account/boss")
    assert '"subject": "of boss"' in role.details


# --- calls to the provider ------------------------------------------------------------------------


async def back(service: SingleSignOn, secret: str, address: str = HERE) -> type[QwicketError]:
    """Come back from the provider with a code that it refuses; return the kind of the refusal."""
    query = {"code": "x", "state": state_of(secret)}
    with pytest.raises(QwicketError) as refused:
        await service.finish(query, secret, BACK, address)
    return refused.type


@pytest.mark.anyio
async def test_only_a_sign_in_that_a_server_has_just_begun_reaches_the_provider(
    store: Store, provider: Provider, service: Service
) -> None:
    now = round(1000 * time.time())
    first, second = service(lambda: now), service(lambda: now)
    _, secret = await first.begin(BACK, HERE)
    provider.asked.clear()
    time_text, random, signature = secret.split(".")
    forged = [
        *("", "x", "S" * 43, "..", f"{time_text}.{random}.", f"{time_text}.{random}.{'0' * 64}"),
        f"{int(time_text) + 1}.{random}.{signature}",
        f"{time_text}.{random}x.{signature}",
        f"{secret}\xe9",
    ]
    for each in forged:
        assert await back(first, each) is Unauthenticated, each
    for age_s in (600, -61):
        late = service(lambda age_s=age_s: now + 1_000 * age_s)
        assert await back(late, secret) is Unauthenticated
    assert provider.asked["/token"] == 0
    assert await back(second, secret) is Unauthenticated
    assert provider.asked["/token"] == 1, "any server of the database continues it"


@pytest.mark.anyio
async def test_of_300_callbacks_at_once_from_one_address_ten_reach_the_provider(
    provider: Provider, service: Service
) -> None:
    one = service()
    begun = [(await one.begin(BACK, HERE))[1] for _ in range(300)]
    provider.asked.clear()
    found = Counter(await asyncio.gather(*(back(one, each) for each in begun[:60])))
    assert found == {Unauthenticated: 10, TooManyRequests: 50}
    for secret in begun[60:]:
        assert await back(one, secret) is TooManyRequests
    assert provider.asked["/token"] == 10
    assert await back(one, begun[0], "192.0.2.2") is Unauthenticated, "another address calls it"


@pytest.mark.anyio
async def test_sign_ins_that_succeed_do_not_count(
    store: Store, provider: Provider, service: Service
) -> None:
    one = service(creates_accounts=True)
    tokens = [provider.id_token(jti=str(k), preferred_username="ada") for k in range(30)]
    found = await asyncio.gather(*(one.by_id_token(each, None, HERE) for each in tokens))
    assert {each.account_name for each in found} == {"ada"}
    without = service()
    refused = [provider.id_token(sub="nobody", jti=f"n{k}") for k in range(11)]
    for each in refused[:10]:
        with pytest.raises(Forbidden):
            await without.by_id_token(each, None, HERE)
    with pytest.raises(TooManyRequests, match="10 sign-ins from one address"):
        await without.by_id_token(refused[10], None, HERE)


@pytest.mark.anyio
async def test_while_the_provider_is_silent_sign_ins_begin_and_few_wait(
    provider: Provider, service: Service
) -> None:
    one = service()
    _, secret = await one.begin(BACK, HERE)
    assert await one.device_flow(HERE)
    provider.asked.clear()
    provider.may_respond.clear()
    addresses = [f"192.0.2.{k}" for k in range(5) for _ in range(64 if k else 70)]
    try:
        waiting = [asyncio.create_task(back(one, secret, address)) for address in addresses]
        while provider.asked["/token"] < 4:
            await asyncio.sleep(0.01)
        url, _ = await one.begin(BACK, HERE)
        assert url.startswith(f"{provider.url}/authorize?")
        assert await one.device_flow(HERE)
        for address in (HERE, "192.0.2.99"):
            with pytest.raises(Unavailable, match="wait for the identity provider") as full:
                await one.finish({"code": "x", "state": state_of(secret)}, secret, BACK, address)
            assert full.value.retry_after_s
        assert provider.asked["/token"] == 4, "one of each address, four in all"
    finally:
        provider.may_respond.set()
    found = Counter(await asyncio.gather(*waiting))
    assert found[Unavailable] == 6 + 64, "64 of one address may wait, and 256 in all"
    assert provider.asked["/token"] <= 40
