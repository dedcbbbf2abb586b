"""What a webhook may be connected to, and how requests are signed."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from qwicket.features.webhooks.model import WebhookKeys
from qwicket.features.webhooks.requests import (
    AddressNotAllowed,
    WebhookClient,
    WebhookResponse,
    signed_headers,
)
from support.certificates import certificate
from support.for_each import for_each
from support.ports import held_port
from support.receiver import Receiver, receiving

SECRET = bytes(range(32))


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["a..invalid", f"{'a' * 64}.invalid"])
async def test_a_name_that_cannot_be_one_is_an_attempt_that_failed(host: str) -> None:
    client = WebhookClient(is_private_allowed=True, timeout_s=5.0)
    response = await client.send(WebhookKeys(f"https://{host}/", SECRET, None), "msg", b"{}")
    assert not response.is_success


@pytest.mark.anyio
async def test_a_slow_name_server_delays_only_its_own_receivers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve, is_over = socket.getaddrinfo, threading.Event()

    def slowly(host: str, *args: Any, **options: Any) -> Any:
        if host.startswith("slow"):
            is_over.wait(20)
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    client = WebhookClient(is_private_allowed=True, timeout_s=1.0)
    slow = [WebhookKeys(f"http://slow{each}.invalid/", SECRET, None) for each in range(20)]
    with receiving() as receiver:
        quick = WebhookKeys(receiver.url(), SECRET, None)
        assert (await client.send(quick, "msg", b"{}")).is_success
        try:
            for _ in range(4):  # look-ups of a request outlast it
                responses = await asyncio.gather(*(client.send(each, "m", b"{}") for each in slow))
                assert not any(response.is_success for response in responses)
            assert (await client.send(quick, "msg", b"{}")).is_success
        finally:
            is_over.set()


@for_each(
    "host",
    [
        *("localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "017700000001", "0"),
        *("::1", "::ffff:127.0.0.1", "::", "10.1", "169.254.169.254"),
    ],
)
def test_what_resolves_to_a_private_address_is_not_connected_to(host: str) -> None:
    client = WebhookClient()
    with pytest.raises(AddressNotAllowed):
        asyncio.run(client.addresses(host, 443))


def test_the_signature_is_the_one_of_the_standard() -> None:
    # Checked by the package that the standard's authors publish.
    timestamp = int(time.time())
    headers = signed_headers([b"other" * 8, SECRET], "msg_1", timestamp, b'{"a": "\xc3\xa4"}')
    assert Webhook(SECRET).verify(b'{"a": "\xc3\xa4"}', headers) == {"a": "ä"}


def test_the_signature_of_the_published_example() -> None:
    # https://github.com/standard-webhooks/standard-webhooks, the vector of its libraries' tests.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(
        *([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def send(client: WebhookClient, url: str) -> str:
    keys = WebhookKeys(url, SECRET, None)
    return asyncio.run(client.send(keys, "msg_1", b"{}")).error


def test_a_certificate_must_be_valid_for_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.chain, made.key)
    with receiving(context) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        unknown = WebhookClient(is_private_allowed=True)
        assert "certificate is not valid" in send(unknown, url)
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
        client = WebhookClient(is_private_allowed=True)
        assert send(client, url) == ""
        assert "certificate is not valid" in send(client, url.replace("127.0.0.1", "localhost"))
        assert len(receiver.deliveries) == 1


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver, receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert send(WebhookClient(is_private_allowed=True), receiver.url()) == ""
        assert (len(receiver.deliveries), proxy.deliveries) == (1, [])


def test_what_does_not_respond_in_time_is_given_up() -> None:
    with receiving() as receiver:
        receiver.answer = lambda _: Receiver.HANG
        client = WebhookClient(is_private_allowed=True, timeout_s=0.5)
        assert "within 0.5 s" in send(client, receiver.url())


@pytest.mark.parametrize(("status", "error"), [(b"200 OK", ""), (b"500 X", "status 500")])
def test_a_body_that_never_ends_does_not_hide_the_status(status: bytes, error: str) -> None:
    async def main() -> WebhookResponse:
        is_closed = asyncio.Event()

        async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 500\r\n\r\nhello")
            await reader.read()  # until the client has gone
            writer.close()
            is_closed.set()

        async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            client = WebhookClient(is_private_allowed=True, timeout_s=1.0)
            keys = WebhookKeys(url, SECRET, None)
            found = await client.send(keys, "m", b"{}", with_body=True)
            await is_closed.wait()
            return found

    found = asyncio.run(main())
    assert (found.status, found.body) == (int(status[:3]), b"hello")
    assert error in found.error
    assert found.is_success == (not error)
    assert found.seconds < 3


def test_where_nothing_listens_the_error_says_so() -> None:
    client = WebhookClient(is_private_allowed=True)
    assert send(client, f"http://127.0.0.1:{held_port()}/") == "The receiver accepts no connection."


def test_what_is_not_http_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        async def speak() -> str:
            server = await asyncio.start_server(_nonsense, sock=listener.dup())
            async with server:
                client = WebhookClient(is_private_allowed=True)
                return (await client.send(WebhookKeys(url, SECRET, None), "m", b"{}")).error

        assert "not valid HTTP" in asyncio.run(speak())


async def _nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"220 mail.example.org ESMTP\r\n\r\n")
    await writer.drain()
    writer.close()
