"""One request to a webhook: signed, without redirects, and by default only to public addresses."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import importlib
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.features.webhooks.public_addresses import is_public

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpcore

    from qwicket.features.webhooks.model import WebhookKeys
    from qwicket.gateway import Gateway

TIMEOUT_S: Final = 10.0
BODY_BYTES: Final = 1_024
"""Limit on the returned bytes of a response's body. Only the test event that an owner sends to a
webhook asks for one."""
GONE: Final = 410
"""Status with which a receiver asks to be sent nothing more; `delivery.py` uses it."""
_RESOLVERS: Final = 64
"""Threads for look-ups. A look-up may outlast its request, so they are more than the 48 requests
that can run at once (32 events, 16 tests)."""
_MAX_ADDRESSES: Final = 4
"""Addresses of one name that are tried."""


class WebhookResponse(NamedTuple):
    """Result of one request.

    Attributes:
        status: Status of the response; None if there was none.
        body: The beginning of its body, if it was requested.
        error: Why the delivery failed, for the webhook's owner; empty if it succeeded.
        seconds: Time that it took.
    """

    status: int | None
    body: bytes
    error: str
    seconds: float

    @property
    def is_success(self) -> bool:
        return not self.error


class _Received:
    """The parts of a response that have arrived; they survive a timeout."""

    status: int | None = None
    body: bytes = b""


class AddressNotAllowed(Exception):
    """The receiver's address is not public."""


class WebhookClient:
    """Sends events to webhooks. It reads no proxy from the environment, and follows no redirect.

    Args:
        is_private_allowed: Whether addresses that are not public are allowed.
        timeout_s: Seconds for the whole request, with the look-up of the name.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> WebhookClient:
        """Return the client of a gateway's webhooks."""
        return cls(is_private_allowed=gateway.allow_private_webhooks)

    def __init__(self, *, is_private_allowed: bool = False, timeout_s: float = TIMEOUT_S) -> None:
        self.is_private_allowed = is_private_allowed
        self._timeout_s = timeout_s
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, "webhook-resolver")
        self._lookups: dict[tuple[str, int], asyncio.Future[list[Any]]] = {}

    async def send(
        self, keys: WebhookKeys, message_id: str, body: bytes, *, with_body: bool = False
    ) -> WebhookResponse:
        """Send one event. Foreseen failures are part of the response; others are raised.

        Args:
            keys: Address and keys of the webhook.
            message_id: Id of the event, by which receivers notice repetitions.
            body: JSON.
            with_body: Whether to read the beginning of the response's body.
        """
        began = time.monotonic()
        received, error = _Received(), ""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._post(keys, message_id, body, received, with_body=with_body)
        except TimeoutError:
            if received.status is None:
                error = f"The receiver did not respond within {self._timeout_s:g} s."
        except AddressNotAllowed:
            error = (
                "The receiver's address is not public. An administrator can allow such addresses"
                " for the whole server."
            )
        except socket.gaierror:
            error = "The receiver's name cannot be resolved."
        except Exception as failure:
            error = _reason(failure)
        status = received.status
        if status is not None and not 200 <= status < 300:
            is_redirect = 300 <= status < 400
            error = f"The receiver responded with the status {status}" + (
                ": redirects are not followed." if is_redirect else "."
            )
        return WebhookResponse(status, received.body[:BODY_BYTES], error, time.monotonic() - began)

    async def _post(
        self,
        keys: WebhookKeys,
        message_id: str,
        body: bytes,
        received: _Received,
        *,
        with_body: bool,
    ) -> None:
        # Imported and made at the first request, because most servers have no webhooks; in a
        # thread, because each takes tens of milliseconds.
        httpcore, context = await asyncio.to_thread(lambda: (_httpcore(), self._tls))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Qwicket",
            "Connection": "close",
            **signed_headers(keys.secrets, message_id, int(time.time()), body),
        }
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=context, max_connections=1, network_backend=self._backend(httpcore)
            ) as pool,
            pool.stream("POST", keys.url, headers=headers, content=body) as response,
        ):
            received.status = response.status
            if with_body:
                # A body that breaks off or is slow changes nothing: the status has arrived.
                with suppress(httpcore.NetworkError, httpcore.ProtocolError):
                    async for chunk in response.aiter_stream():
                        received.body += chunk
                        if len(received.body) >= BODY_BYTES:
                            break

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _backend(self, httpcore: Any) -> httpcore.AsyncNetworkBackend:
        from qwicket.connections import Connections  # `_httpcore` has imported it in a thread

        client = self

        class CheckedAddresses(Connections):
            """Connects to the address that was checked, so that no second look-up can differ."""

            async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> Any:
                addresses = await client.addresses(host, port)
                for address in addresses[:-1]:
                    with suppress(httpcore.ConnectError):
                        return await super().connect_tcp(address, port, *args, **options)
                return await super().connect_tcp(addresses[-1], port, *args, **options)

        return CheckedAddresses()

    async def addresses(self, host: str, port: int) -> list[str]:
        """Resolve a name; return up to `_MAX_ADDRESSES` of its addresses.

        Raises:
            AddressNotAllowed: One of its addresses is not public, and only public ones are allowed.
            socket.gaierror: The name cannot be resolved.
        """
        try:
            entries = await asyncio.shield(self._lookup(host, port))
        except UnicodeError:  # a label of the name is empty or has more than 63 characters
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in entries))
        if not self.is_private_allowed and not all(map(is_public, addresses)):
            raise AddressNotAllowed
        return addresses[:_MAX_ADDRESSES]

    def _lookup(self, host: str, port: int) -> asyncio.Future[list[Any]]:
        """Return the look-up of a name. No timeout can end it, so further requests share it."""
        key = host, port
        if (pending := self._lookups.get(key)) is not None:
            return pending
        lookup = self._lookups[key] = asyncio.get_running_loop().run_in_executor(
            self._resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )

        def end(lookup: asyncio.Future[list[Any]]) -> None:
            del self._lookups[key]
            if not lookup.cancelled():
                # Marks the error as seen; else asyncio logs it if no request waits any more.
                lookup.exception()

        lookup.add_done_callback(end)
        return lookup


def signed_headers(
    secrets: Iterable[bytes], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with one signature for each secret.

    The secrets are the present one and, for a day after a rotation, the former one.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    digests = [hmac.new(secret, content, hashlib.sha256).digest() for secret in secrets]
    signatures = [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


@cache
def _httpcore() -> Any:
    """Return httpcore, with all that it needs imported. The first call must be in a thread."""
    import anyio
    import httpcore

    importlib.import_module("qwicket.connections")
    anyio.run(anyio.sleep, 0)  # anyio imports most of itself at its first use
    return httpcore


def _reason(failure: Exception) -> str:
    """Return why a request failed, without text of a library; raise an unforeseen failure again."""
    httpcore = _httpcore()
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "The receiver's TLS certificate is not valid for its name."
        if isinstance(cause, ssl.SSLError):
            return "The TLS handshake with the receiver failed."
        cause = cause.__cause__ or cause.__context__
    if isinstance(failure, httpcore.ConnectError):
        return "The receiver accepts no connection."
    if isinstance(failure, httpcore.RemoteProtocolError):
        return "The receiver's response is not valid HTTP, or the connection ended before it."
    if isinstance(failure, httpcore.NetworkError | OSError):
        return "The connection to the receiver broke."
    raise failure
