"""Nobody waits for a request to the identity provider whose response they do not need."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from qwicket.clients.http import bounds
from qwicket.gateway.identity_provider import ProviderConnection
from qwicket.model.accounts import IdentityProvider
from qwicket.model.errors import Unauthenticated, Unavailable
from support import hostile_cloud
from support.for_each import for_each
from support.hostile_cloud import IN_FLIGHT, HostileCloud
from support.small_provider import CLIENT, Provider, small_provider
from support.waiting import until

TIMES = ("exp", "iat", "nbf", "auth_time")
INFINITE = (1e308, float("inf"), float("nan"))
NO_TIMES: tuple[object, ...] = (*INFINITE, -1, 253_402_300_800, 10**30, "1", True, [])


@pytest.fixture
def provider() -> Iterator[Provider]:
    with small_provider() as made:
        yield made


@pytest.fixture
def connection(provider: Provider) -> ProviderConnection:
    settings = IdentityProvider(issuer=provider.url, client_id=CLIENT)
    return ProviderConnection(settings, lambda: round(1000 * time.time()))


def test_a_known_key_is_used_while_the_keys_are_requested(
    provider: Provider, connection: ProviderConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = provider.id_token()
    assert connection.verified(known, {CLIENT}, None).claims["sub"] == "ada"
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)  # so that keys may be requested again
    provider.may_respond.clear()
    other = provider.id_token(RSAKey.generate_key(2048, {"kid": "unknown"}))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(connection.verified, other, {CLIENT}, None)
        while provider.asked["/jwks"] < 2:
            assert not waiting.done(), waiting.exception()
            time.sleep(0.01)
        assert connection.verified(known, {CLIENT}, None).claims["sub"] == "ada"
        assert not waiting.done(), "it has not waited for the other's request"
        provider.may_respond.set()
        assert waiting.exception() is not None


def test_those_who_wait_do_not_request_again_after_a_failure(
    provider: Provider, connection: ProviderConnection
) -> None:
    connection.metadata()
    provider.status = 500
    provider.may_respond.clear()
    token = provider.id_token()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(connection.verified, token, {CLIENT}, None) for _ in range(4)]
        until(lambda: provider.asked["/jwks"] == 1, "the keys are requested")
        provider.may_respond.set()
        assert {type(each.exception()) for each in waiting} == {Unavailable}
    assert provider.asked["/jwks"] == 1


def test_a_secret_that_others_can_read_meanwhile_is_not_sent(
    provider: Provider, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o644)
    settings = IdentityProvider(issuer=provider.url, client_id=CLIENT, client_secret_file=secret)
    with pytest.raises(Unavailable, match="Others can read the file of oidc-client-secret-file"):
        ProviderConnection(settings, lambda: 0).exchange("code", "browser", "http://127.0.0.1/")
    assert "/token" not in provider.asked


def test_an_answer_without_end_is_not_read_beyond_the_bound() -> None:
    for attack in (hostile_cloud.endless_chunks, hostile_cloud.compressed, hostile_cloud.deep()):
        with HostileCloud(attack) as provider:
            settings = IdentityProvider(issuer=provider.url, client_id=CLIENT)
            with pytest.raises(Unavailable, match="does not respond as it should"):
                ProviderConnection(settings, lambda: 0).metadata()
            assert provider.sent_bytes <= bounds.SMALL.wire_bytes + IN_FLIGHT


@for_each("claims", [{name: value} for name in TIMES for value in NO_TIMES])
def test_an_absurd_time_is_refused(
    provider: Provider, connection: ProviderConnection, claims: dict[str, Any]
) -> None:
    (name,) = claims
    token = provider.id_token(**claims)
    with pytest.raises(Unauthenticated, match=f"{name} is not a time"):
        connection.verified(token, {CLIENT}, None)


@for_each("subject", ["\0", "\ud800", "x" * 256])
def test_a_subject_that_cannot_be_stored_is_refused(
    provider: Provider, connection: ProviderConnection, subject: str
) -> None:
    with pytest.raises(Unauthenticated, match="has no valid subject"):
        connection.verified(provider.id_token(sub=subject), {CLIENT}, None)


@for_each("nonce", ["\ud800", "\xe9", "x"])
def test_a_nonce_of_any_letters_is_compared(
    provider: Provider, connection: ProviderConnection, nonce: str
) -> None:
    with pytest.raises(Unauthenticated, match="does not belong to this sign-in"):
        connection.verified(provider.id_token(nonce=nonce), {CLIENT}, "of a browser")


def test_an_id_token_has_no_padding(provider: Provider, connection: ProviderConnection) -> None:
    token = provider.id_token()
    assert connection.verified(token, {CLIENT}, None)
    for padded in (f"{token}=", f"{token}=="):
        with pytest.raises(Unauthenticated, match="not a signed JWT"):
            connection.verified(padded, {CLIENT}, None)
