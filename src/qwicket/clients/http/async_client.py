"""HTTP client for event loops, with the responses and errors of `HTTPClient`.

Cancelling a task closes the connection of its request. Only asynchronous clients import this
module, because importing httpcore takes time.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from contextlib import nullcontext, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httpcore
import urllib3

from qwicket.clients.http import bounds, deadlines, failures
from qwicket.clients.http.client import CONNECT_S, MAX_BYTES, validate_response
from qwicket.clients.http.deadline_connections import MIN_BYTES_PER_S, proxy_of
from qwicket.clients.http.failures import InvalidResponse, NoResponse
from qwicket.clients.http.messages import Request, Response
from qwicket.clients.http.text import validated_address
from qwicket.connections import Connections

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

_TRANSPORT_ERRORS: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    TimeoutError,
    OSError,
)
_KINDS: Final = failures.ExceptionKinds(
    never_sent=(
        (httpcore.ProxyError, failures.PROXY_FAILED),
        (httpcore.ConnectTimeout, failures.CONNECT_TIMEOUT),
        (httpcore.PoolTimeout, "no connection became free in time"),
        (httpcore.ConnectError, failures.NO_CONNECTION),
    ),
    timeouts=(httpcore.TimeoutException, TimeoutError),
)


class AsyncHTTPClient:
    """Connections to one server, for any number of tasks of one event loop.

    Args:
        url: Address of the server.
        error_class: Class of the error for an invalid address or proxy.
        connections: Maximum number of connections; further requests wait for one until their
            timeout.
        max_bytes: Size of the largest response in bytes; by default 512 MiB.
        url_source: Setting that holds the address; the error names it if no server listens.
    """

    def __init__(
        self,
        url: str,
        error_class: type[Exception],
        connections: int,
        max_bytes: int | None = None,
        *,
        url_source: str = failures.URL_SOURCE,
    ) -> None:
        self._url_source = url_source
        self.url = validated_address(url, error_class)
        self._bounds = bounds.Bounds("a response", MAX_BYTES if max_bytes is None else max_bytes)
        self._has_answered = False
        try:
            self._pool = _pool(self.url, connections)
        except (ValueError, urllib3.exceptions.HTTPError):
            pass  # the error's text may contain the proxy's password
        else:
            return
        raise error_class("The proxy in the environment variables cannot be used.")

    def __repr__(self) -> str:
        return f"<AsyncHTTPClient to {self.url}>"

    async def exchange(self, request: Request) -> Response:
        """Send a request once; see `HTTPClient.exchange`.

        Raises:
            NoResponse: No complete response arrived.
            InvalidResponse: TLS failed, or the response is a redirect or too large.
        """
        limit_s = deadlines.within(request.limit_s)
        own = None if request.can_repeat else _pool(self.url, 1)
        try:
            async with (
                asyncio.timeout(limit_s) as timeout,
                own or nullcontext(),
                self._open(request, limit_s, own) as response,
            ):
                self._has_answered = True
                received = await self._received(response, timeout)
        except _TRANSPORT_ERRORS as error:
            failure = self._failed(error)
        else:
            return validate_response(received, self.url, request)
        # Raised outside the handler, so that the traceback has no object with the token.
        raise failure

    async def stream(
        self, request: Request, *, min_bytes_per_s: float = math.inf
    ) -> AsyncGenerator[bytes | Response, None]:
        """Yield a successful response in chunks, any other whole; see `HTTPClient.stream`.

        Each received byte extends the timeout by 1 / `min_bytes_per_s` seconds, by default not at
        all. A deadline of `ends_by` does not apply.
        """
        deadline = asyncio.get_running_loop().time() + request.limit_s
        try:
            async with self._open(request, request.limit_s) as response:
                if response.status != 200:
                    async with asyncio.timeout_at(deadline) as timeout:
                        received = await self._received(response, timeout)
                    yield validate_response(received, self.url, request)
                    return
                bounds.require_plain(_headers(response), self.url)
                chunks = response.aiter_stream()
                while True:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    deadline += len(chunk) / min_bytes_per_s
                    yield chunk
        except _TRANSPORT_ERRORS as error:
            failure = self._failed(error)
        raise failure

    async def close(self) -> None:
        with suppress(*_TRANSPORT_ERRORS):
            await self._pool.aclose()

    def _open(
        self,
        request: Request,
        limit_s: float,
        own: httpcore.AsyncConnectionPool | None = None,
    ) -> AbstractAsyncContextManager[httpcore.Response]:
        times = {"connect": min(limit_s, CONNECT_S), "pool": limit_s, "write": limit_s}
        return (own or self._pool).stream(
            request.method,
            self.url + request.path,
            headers=[*request.headers.items(), ("Accept-Encoding", "identity")],
            content=request.body,
            extensions={"timeout": {**times, "read": limit_s}},
        )

    async def _received(self, response: httpcore.Response, timeout: asyncio.Timeout) -> Response:
        """Read a whole response; without a deadline each received byte extends the timeout."""
        s_per_byte = 1 / MIN_BYTES_PER_S if deadlines.current() is None else 0.0
        headers = _headers(response)
        if response.status < 400:
            bounds.require_plain(headers, self.url)
        content = BytesIO()  # which gives its bytes away without a copy
        async for chunk in response.aiter_stream():
            content.write(chunk)
            if content.tell() > self._bounds.max_bytes:
                raise bounds.too_large(self._bounds, self.url)
            timeout.reschedule((timeout.when() or 0.0) + len(chunk) * s_per_byte)
        return Response(response.status, headers, content.getvalue())

    def _failed(self, error: Exception) -> NoResponse | InvalidResponse:
        return failures.error_of_exception(
            self.url,
            error,
            _KINDS,
            has_answered=self._has_answered,
            url_source=self._url_source,
        )


def _headers(response: httpcore.Response) -> urllib3.HTTPHeaderDict:
    return urllib3.HTTPHeaderDict(
        (name.decode("latin-1"), text.decode("latin-1")) for name, text in response.headers
    )


def _pool(url: str, connections: int) -> httpcore.AsyncConnectionPool:
    options: dict[str, Any] = {
        "max_connections": connections,
        "keepalive_expiry": 30.0,
        "network_backend": Connections(),
        # The same certificates that urllib3 trusts, so that both clients agree.
        "ssl_context": ssl.create_default_context() if url.startswith("https:") else None,
    }
    proxy = proxy_of(url)
    if proxy is None:
        return httpcore.AsyncConnectionPool(**options)
    return httpcore.AsyncConnectionPool(proxy=_proxy(proxy), **options)


def _proxy(proxy: str) -> httpcore.Proxy:
    parts = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in ("http", "https"):
        raise ValueError("unsupported proxy scheme")
    user, _, password = unquote(parts.auth or "").partition(":")
    return httpcore.Proxy(
        parts._replace(auth=None).url, auth=(user, password) if parts.auth else None
    )
