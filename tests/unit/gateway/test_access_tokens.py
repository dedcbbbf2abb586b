from __future__ import annotations

import asyncio
from pathlib import Path

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwicket.compute import ParserPool
from qwicket.gateway import Gateway
from qwicket.gateway.access_tokens import AccessTokens
from qwicket.gateway.admin import Admin
from qwicket.gateway.signin import SignIn
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.model.accounts import Actor
from qwicket.model.errors import Forbidden, TooManyRequests, Unauthenticated
from qwicket.model.limits import Limits, SignInLimits
from qwicket.store import Store, open_sqlite
from support.passwords import cheap_hash
from support.stores import NOW
from unit.gateway.conftest import Clock

pytestmark = pytest.mark.anyio

HERE = "127.0.0.1"
DIALECT = "xanadu"
KEY = b"not the key of this server at all"


@pytest.fixture
async def ada(admin: Admin, gateway: Gateway, store: Store) -> Actor:
    hashed = cheap_hash("correct horse")
    await store.accounts.add("ada", "member", email="ada@lab.org", password_hash=hashed, now=NOW)
    return await gateway.auth.by_token((await admin.create_token("ada")).secret, HERE)


async def test_a_pass_signs_in_with_what_its_token_may_do(admin: Admin, gateway: Gateway) -> None:
    await admin.add_account("ada", email=None, password=None)
    made = await admin.create_token("ada", scopes=["jobs:read"], devices=["simulator"])
    actor = await gateway.auth.by_token(made.secret, HERE)
    text = await gateway.access_tokens.issue(actor, DIALECT, 60)
    assert await gateway.access_tokens.actor(text, DIALECT, HERE) == actor
    with pytest.raises(Forbidden):
        actor.require_device("clifford")


async def test_a_pass_of_a_password_signs_in_as_the_account(gateway: Gateway, ada: Actor) -> None:
    by_password = await gateway.auth.by_password("ada@lab.org", "correct horse", HERE)
    text = await gateway.access_tokens.issue(by_password, DIALECT, 60)
    assert await gateway.access_tokens.actor(text, DIALECT, HERE) == by_password


async def test_two_access_tokens_are_never_the_same_text(gateway: Gateway, ada: Actor) -> None:
    assert len({await gateway.access_tokens.issue(ada, DIALECT, 60) for _ in range(10)}) == 10


async def test_a_pass_ends_with_its_life(gateway: Gateway, ada: Actor, clock: Clock) -> None:
    text = await gateway.access_tokens.issue(ada, DIALECT, 60)
    clock.ms += 59_000
    await gateway.access_tokens.actor(text, DIALECT, HERE)
    clock.ms += 1_000
    with pytest.raises(Unauthenticated, match="expired"):
        await gateway.access_tokens.actor(text, DIALECT, HERE)


async def test_an_access_token_has_no_padding(gateway: Gateway, ada: Actor) -> None:
    text = await gateway.access_tokens.issue(ada, DIALECT, 60)
    with pytest.raises(Unauthenticated, match="not valid"):
        await gateway.access_tokens.actor(f"{text}=", DIALECT, HERE)


async def test_a_pass_is_taken_for_the_leeway_after_its_life_unless_its_token_ends(
    gateway: Gateway, admin: Admin, ada: Actor, clock: Clock
) -> None:
    text = await gateway.access_tokens.issue(ada, DIALECT, 60)
    clock.ms += 60_000 + 329_000
    await gateway.access_tokens.actor(text, DIALECT, HERE, leeway_s=330)
    with pytest.raises(Unauthenticated, match="expired"):
        await gateway.access_tokens.actor(text, DIALECT, HERE)
    clock.ms += 1_000
    with pytest.raises(Unauthenticated, match="expired"):
        await gateway.access_tokens.actor(text, DIALECT, HERE, leeway_s=330)
    other = await gateway.access_tokens.issue(ada, DIALECT, 60)
    clock.ms += 61_000
    await admin.revoke_token(ada.token)
    with pytest.raises(Unauthenticated, match="revoked"):
        await gateway.access_tokens.actor(other, DIALECT, HERE, leeway_s=330)


@pytest.mark.parametrize("within_second_ms", [0, 1, 999])
async def test_a_pass_lives_for_no_less_than_it_says(
    gateway: Gateway, ada: Actor, clock: Clock, within_second_ms: int
) -> None:
    """Whatever the part of the second in which it was made: its times have no smaller unit."""
    clock.ms += within_second_ms - clock.ms % 1_000
    text = await gateway.access_tokens.issue(ada, DIALECT, 1)
    clock.ms += 999
    await gateway.access_tokens.actor(text, DIALECT, HERE)
    clock.ms += 1_001
    with pytest.raises(Unauthenticated, match="expired"):
        await gateway.access_tokens.actor(text, DIALECT, HERE)


async def test_a_pass_dies_with_its_token(gateway: Gateway, admin: Admin, ada: Actor) -> None:
    text = await gateway.access_tokens.issue(ada, DIALECT, 14 * 86_400)
    await gateway.access_tokens.actor(text, DIALECT, HERE)
    await admin.revoke_token(ada.token)
    with pytest.raises(Unauthenticated, match="revoked"):
        await gateway.access_tokens.actor(text, DIALECT, HERE)


async def test_a_pass_outlives_its_token_by_nothing(
    gateway: Gateway, admin: Admin, clock: Clock
) -> None:
    await admin.add_account("ada", email=None, password=None)
    actor = await gateway.auth.by_token((await admin.create_token("ada", life_s=30)).secret, HERE)
    text = await gateway.access_tokens.issue(actor, DIALECT, 3_600)
    clock.ms += 30_000
    with pytest.raises(Unauthenticated, match="expired"):
        await gateway.access_tokens.actor(text, DIALECT, HERE)


@pytest.mark.parametrize("by_password", [False, True])
async def test_a_pass_dies_with_its_account(
    gateway: Gateway, admin: Admin, ada: Actor, by_password: bool
) -> None:
    actor = ada
    if by_password:
        actor = await gateway.auth.by_password("ada", "correct horse", HERE)
    text = await gateway.access_tokens.issue(actor, DIALECT, 3_600)
    await admin.disable_account("ada")
    with pytest.raises(Unauthenticated, match="disabled"):
        await gateway.access_tokens.actor(text, DIALECT, HERE)


async def test_a_pass_is_good_at_its_own_dialect_alone(gateway: Gateway, ada: Actor) -> None:
    text = await gateway.access_tokens.issue(ada, "ibm", 60)
    with pytest.raises(Unauthenticated):
        await gateway.access_tokens.actor(text, DIALECT, HERE)


async def test_a_token_is_no_pass_and_a_pass_no_token(gateway: Gateway, admin: Admin) -> None:
    await admin.add_account("ada", email=None, password=None)
    secret = (await admin.create_token("ada")).secret
    text = await gateway.access_tokens.issue(await gateway.auth.by_token(secret, HERE), DIALECT, 60)
    with pytest.raises(Unauthenticated):
        await gateway.access_tokens.actor(secret, DIALECT, HERE)
    with pytest.raises(Unauthenticated):
        await gateway.auth.by_token(text, HERE)


async def test_a_signed_url_is_for_one_purpose_and_job(gateway: Gateway, ada: Actor) -> None:
    text = await gateway.access_tokens.sign_url(ada, "ibm", "upload", "a job", 60)
    assert await gateway.access_tokens.verify_url(text, "ibm", "upload", HERE) == (ada, "a job")
    for dialect, purpose in (("ibm", "download"), ("runtime", "upload")):
        with pytest.raises(Unauthenticated):
            await gateway.access_tokens.verify_url(text, dialect, purpose, HERE)
    with pytest.raises(Unauthenticated):
        await gateway.access_tokens.actor(text, "ibm", HERE)
    one = await gateway.access_tokens.issue(ada, "ibm", 60)
    with pytest.raises(Unauthenticated):
        await gateway.access_tokens.verify_url(one, "ibm", "upload", HERE)


async def test_a_signed_url_ends_with_its_lifetime_and_its_token(
    gateway: Gateway, admin: Admin, ada: Actor, clock: Clock
) -> None:
    old = await gateway.access_tokens.sign_url(ada, "ibm", "upload", "a job", 60)
    clock.ms += 60_000
    new = await gateway.access_tokens.sign_url(ada, "ibm", "upload", "a job", 60)
    with pytest.raises(Unauthenticated, match="expired"):
        await gateway.access_tokens.verify_url(old, "ibm", "upload", HERE)
    await admin.revoke_token(ada.token)
    with pytest.raises(Unauthenticated, match="revoked"):
        await gateway.access_tokens.verify_url(new, "ibm", "upload", HERE)


def forgeries(genuine: str) -> list[str]:
    claims = jwt.decode(genuine, options={"verify_signature": False})
    head, body, signature = genuine.split(".")
    other = jwt.encode(claims | {"sub": "account 1"}, KEY, "HS256").split(".")[1]
    return [
        jwt.encode(claims, KEY, "HS256"),
        jwt.encode(claims, KEY * 2, "HS512"),
        jwt.encode(claims, "", "none"),
        f"{head}.{other}.{signature}",
        f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
    ]


@pytest.mark.parametrize("number", range(5))
async def test_a_forged_pass_counts_as_a_wrong_token(
    store: Store, gateway: Gateway, ada: Actor, clock: Clock, number: int
) -> None:
    genuine = await gateway.access_tokens.issue(ada, DIALECT, 60)
    forged = forgeries(genuine)[number]
    passes = AccessTokens(store, SignIn(store, SignInLimits(wrong_tokens=2), clock), clock)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await passes.actor(forged, DIALECT, HERE)
    with pytest.raises(TooManyRequests):
        await passes.actor(forged, DIALECT, HERE)
    assert await passes.actor(genuine, DIALECT, HERE) == ada


async def test_what_is_malformed_or_expired_or_for_another_dialect_does_not_count(
    gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    expired = await gateway.access_tokens.issue(ada, DIALECT, 1)
    elsewhere = await gateway.access_tokens.issue(ada, "ibm", 3_600)
    clock.ms += 1_000
    forged = jwt.encode({"sub": "token 1", "aud": "access xanadu", "exp": 1}, KEY, "HS256")
    texts = [expired, elsewhere, "None", "a.b.c", "eyJ.eyJ.", "e" * 5_000, "é.é.é", "\ud800", ""]
    for _ in range(gateway.limits.sign_in.wrong_tokens):
        for text in (*texts, None):
            with pytest.raises(Unauthenticated):
                await gateway.access_tokens.actor(text, DIALECT, HERE)
    with pytest.raises(Unauthenticated):
        await gateway.access_tokens.actor(forged, DIALECT, HERE)


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(parts=st.lists(st.text('eyJ0{["-_=.', max_size=200), max_size=4))
async def test_no_text_is_more_than_refused(gateway: Gateway, parts: list[str]) -> None:
    with pytest.raises((Unauthenticated, TooManyRequests)):
        await gateway.access_tokens.actor(".".join(parts), DIALECT, HERE)


async def test_all_servers_of_a_database_sign_with_one_key(
    tmp_path: Path, gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    other = open_sqlite(tmp_path)
    parsers = ParserPool(Limits())
    try:
        neighbour = Gateway(other, parsers, gateway.limits, clock)
        made = await asyncio.gather(
            gateway.access_tokens.issue(ada, DIALECT, 60),
            neighbour.access_tokens.issue(ada, DIALECT, 60),
        )
        for text in made:
            assert await gateway.access_tokens.actor(text, DIALECT, HERE) == ada
            assert await neighbour.access_tokens.actor(text, DIALECT, HERE) == ada
    finally:
        await parsers.close()
        await other.close()


async def test_a_rotated_key_voids_all_access_tokens_and_signed_urls_on_every_server_at_once(
    tmp_path: Path, gateway: Gateway, admin: Admin, ada: Actor, clock: Clock
) -> None:
    other = open_sqlite(tmp_path)
    parsers = ParserPool(Limits())
    try:
        neighbour = Gateway(other, parsers, gateway.limits, clock)
        old = await gateway.access_tokens.issue(ada, DIALECT, 60)
        ticket = await gateway.access_tokens.sign_url(ada, "ibm", "upload", "a job", 60)
        assert await neighbour.access_tokens.actor(old, DIALECT, HERE) == ada
        await admin.rotate_keys()
        for each in (gateway, neighbour):
            await asyncio.sleep(CACHE_TTL_S)  # so long may it go by the former key
            with pytest.raises(Unauthenticated):
                await each.access_tokens.actor(old, DIALECT, HERE)
            with pytest.raises(Unauthenticated):
                await each.access_tokens.verify_url(ticket, "ibm", "upload", HERE)
        new = await gateway.access_tokens.issue(ada, DIALECT, 60)
        assert await gateway.access_tokens.actor(new, DIALECT, HERE) == ada
        assert await neighbour.access_tokens.actor(new, DIALECT, HERE) == ada
    finally:
        await parsers.close()
        await other.close()


async def test_clients_that_renew_after_a_rotation_do_not_count_as_guessing(
    gateway: Gateway, admin: Admin, ada: Actor
) -> None:
    """A class behind one address would be refused with 429, and its clients would not renew."""
    old = [await gateway.access_tokens.issue(ada, DIALECT, 60) for _ in range(30)]

    async def refusals() -> set[type[Exception]]:
        await asyncio.sleep(CACHE_TTL_S)
        sent = [gateway.access_tokens.actor(text, DIALECT, HERE) for text in old]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        return {type(each) for each in outcomes if isinstance(each, Exception)}

    await admin.rotate_keys()
    assert await refusals() == {Unauthenticated}
    assert gateway.auth.wrong_tokens == 0
    await admin.rotate_keys()
    assert await refusals() == {Unauthenticated, TooManyRequests}


async def test_a_server_that_has_not_heard_of_a_new_key_takes_what_its_neighbour_signs_with_it(
    tmp_path: Path, gateway: Gateway, admin: Admin, ada: Actor, clock: Clock
) -> None:
    """Otherwise a client that has just renewed would see its new access token refused, and stop."""
    other = open_sqlite(tmp_path)
    parsers = ParserPool(Limits())
    try:
        neighbour = Gateway(other, parsers, gateway.limits, clock)
        await admin.rotate_keys()
        await gateway.access_tokens.issue(ada, DIALECT, 60)  # remembers the key for a moment
        await admin.rotate_keys()
        new = await neighbour.access_tokens.issue(ada, DIALECT, 60)
        assert await gateway.access_tokens.actor(new, DIALECT, HERE) == ada
        assert gateway.auth.wrong_tokens == 0
    finally:
        await parsers.close()
        await other.close()


async def test_a_clock_set_back_makes_no_pass_invalid(
    store: Store, gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    text = await gateway.access_tokens.issue(ada, DIALECT, 60)
    clock.ms -= 3_600_000
    earlier = AccessTokens(store, SignIn(store, gateway.limits.sign_in, clock), clock)
    assert await earlier.actor(text, DIALECT, HERE) == ada
