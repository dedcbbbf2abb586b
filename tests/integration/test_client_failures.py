"""What the clients say of a server that is not there, or not as its address says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwicket.clients.http import SYSTEM_CLOCK, Clock, RetryPolicy
from qwicket.clients.native import ServerBusy, UnexpectedResponse, Unreachable
from qwicket.clients.native.async_transport import AsyncTransport
from qwicket.clients.native.protocol import RETRY_POLICY
from qwicket.clients.native.transport import Transport
from support.bad_server import BadServer, answer
from support.certificates import certificate
from support.given_clock import GivenClock
from support.ports import held_port
from support.server import LiveServer

Ask = Callable[..., Any]
TWICE = RetryPolicy(max_attempts=2, first_pause_s=0.01)


def ask(url: str, retry_policy: RetryPolicy = RETRY_POLICY, clock: Clock = SYSTEM_CLOCK) -> Any:
    transport = Transport(url, "secret", 5.0, retry_policy, clock=clock)
    return transport.get("/x", dict[str, Any])


def ask_async(
    url: str, retry_policy: RetryPolicy = RETRY_POLICY, clock: Clock = SYSTEM_CLOCK
) -> Any:
    async def asked() -> Any:
        transport = AsyncTransport(url, "secret", 5.0, retry_policy, clock=clock)
        try:
            return await transport.run(transport.api.get("/x", dict[str, Any]))
        finally:
            await transport.close()

    return asyncio.run(asked())


BOTH = pytest.mark.parametrize("ask", [ask, ask_async])


@BOTH
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_that_was_not_started_here_is_reported_at_once_with_a_remedy(
    ask: Ask, host: str
) -> None:
    url = f"http://{host}:{held_port()}"
    clock = GivenClock()
    with pytest.raises(Unreachable) as caught:
        ask(url, clock=clock)
    assert clock.pauses_s == []
    assert str(caught.value) == (
        f"{url} cannot be reached: no server listens there. Is the server running?"
        " Start it with `qwicket serve`, or put its address into QWICKET_URL."
    )


def test_a_server_that_answered_before_is_given_time_to_restart() -> None:
    with BadServer(answer(200, {})) as server:
        transport = Transport(server.url, "secret", 5.0, TWICE)
        transport.get("/x", dict[str, Any])
    with pytest.raises(Unreachable, match=r"no server listens there\.$") as caught:
        transport.get("/x", dict[str, Any])
    assert not caught.value.is_not_started


@BOTH
def test_https_of_a_port_that_speaks_http_says_so(ask: Ask, server: LiveServer) -> None:
    url = server.url.replace("http:", "https:")
    with pytest.raises(UnexpectedResponse) as caught:
        ask(url)
    assert str(caught.value) == (
        f"TLS with {url} failed: the server there uses HTTP. Use {server.url} instead."
    )


@BOTH
def test_a_certificate_of_a_private_authority_names_ssl_cert_file(ask: Ask, tmp_path: Path) -> None:
    files = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.chain, files.key)
    with (
        BadServer(answer(200, {}), tls=context) as server,
        pytest.raises(UnexpectedResponse) as caught,
    ):
        ask(server.url)
    assert "its certificate is not trusted (" in str(caught.value)
    assert "SSL_CERT_FILE" in str(caught.value)
    assert "_ssl.c" not in str(caught.value)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_without_a_server_behind_it_is_named(status: int) -> None:
    with BadServer(answer(status, b"<html>Bad Gateway</html>")) as server:
        url = server.url
        transport = Transport(url, "secret", 5.0, TWICE)
        with pytest.raises(ServerBusy) as caught:
            transport.get("/x", dict[str, Any])
    assert caught.value.detail == f"{url} answered {status}."
    assert "proxy" in caught.value.remedy
