"""HTTP client for one server: sends a request once and returns a whole response or an error.

It follows no redirects, because these would send credentials elsewhere. Errors, and responses with
a status from 400, contain no secrets.
"""

from __future__ import annotations

from contextlib import closing, nullcontext
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

import urllib3
from urllib3 import exceptions as urllib3_errors

from qwicket.clients.http import bounds, deadline_connections, deadlines, failures
from qwicket.clients.http.bounds import BeyondBounds
from qwicket.clients.http.failures import InvalidResponse, NoResponse
from qwicket.clients.http.messages import Request, Response
from qwicket.clients.http.text import redact, scheme_and_host, validated_address

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_S: Final = 10.0
"""Time limit of a connection attempt, in seconds."""
MAX_BYTES: Final = 512 << 20
"""Default size limit of a response that is returned whole."""
_CHUNK_BYTES: Final = 64 << 10

_KINDS: Final = failures.ExceptionKinds(
    never_sent=(
        (urllib3_errors.ProxyError, failures.PROXY_FAILED),
        (urllib3_errors.NewConnectionError, failures.NO_CONNECTION),
        (urllib3_errors.ConnectTimeoutError, failures.CONNECT_TIMEOUT),
    ),
    timeouts=(urllib3_errors.TimeoutError, TimeoutError),
)


def validate_response(response: Response, url: str, request: Request) -> Response:
    """Check a response; redact the secrets in one with a status from 400.

    Raises:
        NoResponse: The response is empty, and the request expects a body.
        InvalidResponse: The response is a redirect.
    """
    if response.status >= 400:
        headers = ((name, redact(text, request.secrets)) for name, text in response.headers.items())
        content = redact(response.text, request.secrets).encode()
        return Response(response.status, urllib3.HTTPHeaderDict(headers), content)
    if response.status >= 300:
        where = scheme_and_host(redact(response.headers.get("Location", ""), request.secrets))
        to = f" to {where}" if where else ""
        raise InvalidResponse(f"{url} redirects{to}; this is not followed.")
    # A connection that breaks within the headers looks like an empty response; a 204 has no body.
    is_empty = not response.content and response.status != HTTPStatus.NO_CONTENT
    if is_empty and not request.can_be_empty:
        raise NoResponse(f"{url} cannot be reached: the response is empty.", was_sent=True)
    return response


class HTTPClient:
    """Connections to one server, for any number of threads.

    Args:
        url: Address of the server.
        error_class: Class of the error for an invalid address or proxy.
        max_bytes: Size of the largest response in bytes; by default 512 MiB.
        has_answered: Whether the server is known to run.
        url_source: Setting that holds the address; the error names it if no server listens.
    """

    def __init__(
        self,
        url: str,
        error_class: type[Exception],
        max_bytes: int | None = None,
        *,
        has_answered: bool = False,
        url_source: str = failures.URL_SOURCE,
    ) -> None:
        self.url = validated_address(url, error_class)
        self._bounds = bounds.Bounds("a response", MAX_BYTES if max_bytes is None else max_bytes)
        self._has_answered = has_answered
        self._url_source = url_source
        try:
            self._connections = deadline_connections.connections(self.url)
        except urllib3_errors.HTTPError:
            pass  # the error's text may contain the proxy's password
        else:
            return
        raise error_class("The proxy in the environment variables cannot be used.")

    def __repr__(self) -> str:
        return f"<HTTPClient to {self.url}>"

    def exchange(self, request: Request) -> Response:
        """Send a request once.

        Raises:
            NoResponse: No complete response arrived.
            InvalidResponse: TLS failed, or the response is a redirect or beyond the bounds.
        """
        # The server may be closing an idle connection, and then it is unknown whether the request
        # arrived. So a request that is not idempotent gets a new connection.
        own = None if request.can_repeat else deadline_connections.connections(self.url)
        with own or nullcontext(self._connections) as connections:
            response = self._send(connections, request)
        return validate_response(response, self.url, request)

    def stream(self, request: Request) -> Iterator[bytes | Response]:
        """Yield the body of a response with status 200 in chunks; any other as one `Response`.

        Raises:
            NoResponse: The connection was lost, or the timeout has passed.
            InvalidResponse: TLS failed, the response is a redirect, or its status is not 200 and
                it is too large.
        """
        with deadline_connections.connections(self.url) as connections:
            for chunk in self._chunks(connections, request):
                if isinstance(chunk, NoResponse | InvalidResponse):
                    raise chunk  # here, so that the traceback has no object with the token
                if isinstance(chunk, Response):
                    yield validate_response(chunk, self.url, request)
                else:
                    yield chunk

    def _chunks(
        self, connections: urllib3.PoolManager, request: Request
    ) -> Iterator[bytes | Response | NoResponse | InvalidResponse]:
        try:
            with closing(self._opened(connections, request)) as response:
                self._has_answered = True
                if response.status != 200:
                    yield self._whole(response)
                else:
                    yield from response.stream(_CHUNK_BYTES)
        except (urllib3_errors.HTTPError, HTTPException, OSError, BeyondBounds) as error:
            failure = self._failed(error)
        else:
            return
        yield failure

    def close(self) -> None:
        self._connections.clear()

    def _send(self, connections: urllib3.PoolManager, request: Request) -> Response:
        try:
            with closing(self._opened(connections, request)) as response:
                self._has_answered = True
                return self._whole(response)
        except (urllib3_errors.HTTPError, HTTPException, OSError, BeyondBounds) as error:
            failure = self._failed(error)
        # Raised outside the handler, so that the traceback has no object with the token.
        raise failure

    def _opened(
        self, connections: urllib3.PoolManager, request: Request
    ) -> urllib3.BaseHTTPResponse:
        limit_s = deadlines.within(request.limit_s)
        return connections.urlopen(
            request.method,
            self.url + request.path,
            body=request.body,
            headers=request.headers,
            timeout=urllib3.Timeout(connect=min(limit_s, CONNECT_S), total=limit_s),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def _whole(self, response: urllib3.BaseHTTPResponse) -> Response:
        content = bounds.body_of(response, self.url, self._bounds)
        return Response(response.status, response.headers, content)

    def _failed(self, error: Exception) -> NoResponse | InvalidResponse:
        if isinstance(error, BeyondBounds):
            return BeyondBounds(str(error))
        # urllib3 also blames the proxy for a connection that broke after the request was sent.
        if isinstance(error, urllib3_errors.ProxyError):
            cause = error.original_error
            error = cause if isinstance(cause, ConnectionError) else error
        return failures.error_of_exception(
            self.url,
            error,
            _KINDS,
            has_answered=self._has_answered,
            url_source=self._url_source,
        )
