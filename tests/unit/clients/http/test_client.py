"""The results and errors of one request; misbehaving servers are in the clients' own tests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from qwicket.clients.http import HTTPClient, InvalidResponse, NoResponse, Request
from qwicket.clients.http.async_client import AsyncHTTPClient
from support.bad_server import BadServer, Step, answer, cut, drop, keep_alive, reset, silent
from support.bad_server import Request as Received
from support.certificates import certificate

SECRET = "ThisMustNeverBeSeen"


# Nothing listens on port 1 of this machine, and .invalid does not exist (RFC 2606).
@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://nowhere.invalid"])
def test_a_request_without_a_connection_was_surely_not_sent(url: str) -> None:
    with pytest.raises(NoResponse) as caught:
        HTTPClient(url, ValueError).exchange(Request("POST", "/x", limit_s=5.0))
    assert not caught.value.was_sent


@pytest.mark.parametrize("trouble", [drop(), reset(), silent(), cut(40, {}), answer(200, b"")])
def test_a_request_on_a_connection_may_have_been_sent(trouble: Step) -> None:
    with BadServer(trouble) as server, pytest.raises(NoResponse) as caught:
        HTTPClient(server.url, ValueError).exchange(Request("POST", "/x", limit_s=0.5))
    assert caught.value.was_sent


def test_a_server_that_has_streamed_is_known_to_run() -> None:
    request = Request("GET", "/x", limit_s=5.0)
    with BadServer(answer(200, b"x")) as server:
        client = HTTPClient(server.url, ValueError)
        assert b"".join(chunk for chunk in client.stream(request) if isinstance(chunk, bytes))
    with pytest.raises(NoResponse) as caught:
        client.exchange(request)
    assert not caught.value.is_not_started


def exchange(url: str, request: Request) -> None:
    HTTPClient(url, ValueError).exchange(request)


def exchange_async(url: str, request: Request) -> None:
    async def run() -> None:
        client = AsyncHTTPClient(url, ValueError, 1)
        try:
            await client.exchange(request)
        finally:
            await client.close()

    asyncio.run(run())


@pytest.mark.parametrize("send", [exchange, exchange_async])
def test_a_tls_connection_that_breaks_within_a_response_may_be_tried_again(
    send: Callable[[str, Request], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.chain, made.key)
    with BadServer(cut(40, {}), tls=tls) as server, pytest.raises(NoResponse) as caught:
        send(server.url, Request("GET", "/x", limit_s=5.0))
    assert caught.value.was_sent


def test_a_refusal_repeats_no_secret_in_body_or_headers() -> None:
    def echo(request: Received) -> dict[str, str]:
        return {"x-echo": request.headers["x-key"]}

    with BadServer(answer(401, echo, echo)) as server:
        got = HTTPClient(server.url, ValueError).exchange(
            Request("GET", "/x", {"X-Key": SECRET}, limit_s=5.0, secrets=[SECRET])
        )
    assert (got.status, got.text) == (401, '{"x-echo": "..."}')
    assert got.headers["X-Echo"] == "..."


def test_a_fresh_connection_is_used_once() -> None:
    with BadServer(keep_alive(answer(200, {}), answer(200, {}))) as server:
        line = HTTPClient(server.url, ValueError)
        for is_fresh in (False, True, True, False):
            line.exchange(Request("GET", "/x", limit_s=5.0, can_repeat=not is_fresh))
        line.close()
        assert (len(server.requests), server.connections) == (4, 3)


def test_headers_of_an_answer_are_found_in_any_case() -> None:
    with BadServer(answer(503, b"later", {"retry-after": "7"})) as server:
        got = HTTPClient(server.url, ValueError).exchange(Request("GET", "/x", limit_s=5.0))
    assert got.headers["Retry-After"] == "7"


def test_a_redirect_is_reported_without_the_secret_and_not_followed() -> None:
    with BadServer(answer(307, b"", {"Location": f"http://{SECRET}.invalid/"})) as server:
        with pytest.raises(
            InvalidResponse, match=r"redirects to http://\.\.\.\.invalid; this is not"
        ):
            HTTPClient(server.url, ValueError).exchange(
                Request("GET", "/x", limit_s=5.0, secrets=[SECRET])
            )
        assert len(server.requests) == 1


def test_a_line_shows_its_address() -> None:
    assert (
        repr(HTTPClient("http://lab.invalid/", ValueError)) == "<HTTPClient to http://lab.invalid>"
    )
