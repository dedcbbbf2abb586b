"""Names and rights of people who sign in at an identity provider."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwicket.gateway.signin import SignIn
from qwicket.gateway.single_sign_on import SingleSignOn, fitting_name
from qwicket.model.accounts import IdentityProvider, check_name
from qwicket.model.errors import Forbidden, NotFound
from qwicket.model.limits import SignInLimits
from qwicket.store import Store
from support.small_provider import CLIENT, Provider, small_provider
from support.stores import NOW

HERE = "192.0.2.1"
ISSUER = "https://login.example.org"


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("ada", "ada"),
        ("Ada.Lovelace@uni.example", "ada.lovelace"),
        ("Åse Ørsted", "ase-rsted"),
        ("UNI\\ada", "uni-ada"),
        ("_ada_", "ada_"),
        ("a" * 100, "a" * 39),
        ("a" * 38 + "!b", "a" * 38),
        ("devices", "devices-1"),
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
    made = [
        await store.sessions.create_account(ISSUER, "sub", "ada", "ada@example.org", NOW)
        for _ in range(2)
    ]
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

    def now_ms() -> int:
        return round(1000 * time.time())

    def make(**settings: Any) -> SingleSignOn:
        chosen = IdentityProvider(issuer=provider.url, client_id=CLIENT, **settings)
        return SingleSignOn(store, SignIn(store, SignInLimits(), now_ms), chosen, now_ms)

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
async def test_an_address_that_was_given_to_another_person_gives_no_account(
    store: Store, provider: Provider, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    both = service(links_emails=True, creates_accounts=True)
    await add(store, "seat7", "seat7@example.org")
    address = "seat7@example.org"
    assert (await both.by_id_token(stating(provider, "first", address), None, HERE)).account
    with pytest.raises(Forbidden, match="belongs to another person.*Ask the server's admin"):
        await both.by_id_token(stating(provider, "second", address), None, HERE)
    assert f"'second' at {provider.url} was refused: The account seat7 belongs" in caplog.text
    again = await both.by_id_token(provider.id_token(sub="first", jti="2"), None, HERE)
    assert again.account_name == "seat7"
