"""People without an account who send callbacks of single sign-on in place of the provider."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from support.server import LiveServer
from support.small_provider import CLIENT, Provider, small_provider
from support.waiting import until


@pytest.fixture
def provider() -> Iterator[Provider]:
    with small_provider() as running:
        yield running


@pytest.fixture
def site(provider: Provider, tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path, "--oidc-issuer", provider.url, "--oidc-client-id", CLIENT)
    yield server
    assert server.stop() == 0


def client(server: LiveServer) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=100)
    return httpx.AsyncClient(base_url=server.url, timeout=60, verify=False, limits=limits)


async def begin(http: httpx.AsyncClient) -> tuple[str, str]:
    """Begin a sign-in; return the cookie and the state."""
    response = await http.get("/ui/provider")
    assert response.status_code == 303, response.text
    query = parse_qs(urlsplit(response.headers["location"]).query)
    cookie = response.headers["set-cookie"].partition("=")[2].partition(";")[0]
    http.cookies.clear()
    return cookie, query["state"][0]


async def back(http: httpx.AsyncClient, cookie: str, state: str) -> httpx.Response:
    headers = {"Cookie": f"qwicket_provider={cookie}"}
    return await http.get(f"/ui/callback?code=x&state={state}", headers=headers)


async def flood(
    http: httpx.AsyncClient, sign_ins: list[tuple[str, str]]
) -> tuple[Counter[int], list[httpx.Response]]:
    found = await asyncio.gather(*(back(http, *each) for each in sign_ins))
    return Counter(each.status_code for each in found), found


@pytest.mark.extended
@pytest.mark.anyio
async def test_a_callback_that_the_server_has_not_begun_never_reaches_the_provider(
    site: LiveServer, provider: Provider
) -> None:
    """An attacker makes the cookie, and the state that belongs to it."""
    async with client(site) as http:
        state = hashlib.sha256(b"state S").hexdigest()
        statuses, _ = await flood(http, [("S", state)] * 300)
        assert statuses == {401: 10, 429: 290}
        assert provider.asked["/token"] == 0


@pytest.mark.anyio
async def test_of_many_begun_sign_ins_with_made_up_codes_ten_reach_the_provider(
    site: LiveServer, provider: Provider
) -> None:
    async with client(site) as http:
        begun = [await begin(http) for _ in range(40)]
        statuses, _ = await flood(http, begun)
        assert statuses == {401: 10, 429: 30}
        statuses, _ = await flood(http, [begun[0]] * 40)
        assert statuses == {429: 40}
        assert provider.asked["/token"] == 10


@pytest.mark.anyio
async def test_a_silent_provider_delays_no_begin_and_holds_few_callbacks(
    site: LiveServer, provider: Provider
) -> None:
    async with client(site) as http, client(site) as other:
        begun = await begin(http)
        provider.may_respond.clear()
        waiting = [asyncio.create_task(back(http, *begun)) for _ in range(64)]
        await asyncio.to_thread(until, lambda: provider.asked["/token"], "a code is sent")
        waiting += [asyncio.create_task(back(other, *begun)) for _ in range(40)]
        refused = await next(asyncio.as_completed(waiting))
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["content-type"].startswith("text/html")
        assert "Too many sign-ins wait for the identity provider" in refused.text
        await begin(other)
        provider.may_respond.set()
        await asyncio.wait(waiting)
        assert provider.asked["/token"] == 10
