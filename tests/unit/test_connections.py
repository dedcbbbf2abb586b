"""Connections that break while they open, on uvloop, which forgets their sockets.

A connection may also break a moment later, so each test makes many: of 300, about seven break
within that moment.
"""

from __future__ import annotations

import uvloop

from qwicket.clients.http import Request
from qwicket.clients.http.async_client import AsyncHTTPClient
from qwicket.clients.http.failures import NoResponse
from qwicket.features.webhooks.model import WebhookKeys
from qwicket.features.webhooks.requests import WebhookClient
from support.resetting import resetting

ATTEMPTS = 500


def test_each_attempt_at_a_webhook_ends_with_a_reason() -> None:
    async def run(url: str) -> None:
        client = WebhookClient(is_private_allowed=True)
        keys = WebhookKeys(url, bytes(32), None)
        for _ in range(ATTEMPTS):
            assert (await client.send(keys, "msg_1", b"{}")).error

    with resetting() as url:
        uvloop.run(run(url))


def test_each_request_of_the_asynchronous_client_ends_with_no_response() -> None:
    async def run(url: str) -> int:
        client = AsyncHTTPClient(url, ValueError, 1)
        failures = 0
        for _ in range(ATTEMPTS):
            try:
                await client.exchange(Request("GET", "/x", limit_s=5.0))
            except NoResponse:
                failures += 1
        await client.close()
        return failures

    with resetting() as url:
        assert uvloop.run(run(url)) == ATTEMPTS
