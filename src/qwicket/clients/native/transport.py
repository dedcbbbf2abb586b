"""HTTP with the manners that every client of ours has.

Whatever is sent cannot double, so that it is tried again within bounds of tries and time, as the
server's Retry-After asks. Redirects are not followed: the token stays where it belongs. What
leaves here is an answer of the right shape, or a `ClientError` that knows no secret.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions as broken

from qwicket import __version__
from qwicket.clients.native import timely, wire
from qwicket.clients.native.errors import (
    ApiError,
    BadAnswer,
    ClientError,
    ServerBusy,
    Unreachable,
    plain,
)
from qwicket.clients.native.patience import Patience, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_TRY_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
_CONNECT_S: Final = 10.0
_GRACE_S: Final = 2.0
"""A try that begins in time may end this much later: the server holds answers to the last."""
PATIENCE: Final = Patience()
OUTAGE: Final = Patience(tries=100, total_s=300.0, longest_pause_s=10.0)
"""Who waits for hours does not give up because the server restarts."""
_MOST_BYTES: Final = 512 << 20
_CHUNK_BYTES: Final = 64 << 10

_WHY: Final = (
    (broken.ProxyError, "the proxy makes no connection"),
    (broken.NameResolutionError, "the name is not known"),
    (broken.NewConnectionError, "there is no connection"),
    ((broken.TimeoutError, TimeoutError), "no answer came in time"),
)


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hold_s: float = 0.0


class Transport:
    """Requests to one server with one token.

    Args:
        url: Address of the server.
        token: The secret.
        timeout_s: Time for one answer; a large one may take longer, a slow one may not.
        patience: How long requests are tried again.
        outage: How long a wait outlasts a server that is away.
        most_bytes: Size of the largest answer.

    Raises:
        ClientError: The address or the token cannot be one.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float,
        patience: Patience = PATIENCE,
        outage: Patience = OUTAGE,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self.url = _checked_url(url)
        self._secret = _checked_text(token, "token")
        self._timeout_s = timeout_s
        self._patience = patience
        self._outage = outage
        self._most_bytes = most_bytes
        self._connections = _connections(self.url)

    def __repr__(self) -> str:
        return f"<Transport {self.url}>"

    def get(self, path: str, of: type[T]) -> T:
        """Read; `path` is quoted, `of` is what the answer must be."""
        return wire.read(self._insist(_Request("GET", path), self._patience), of)

    def get_news(self, path: str, of: type[T], *, hold_s: float, within_s: float) -> T:
        """Read, letting the server hold its answer back for `hold_s` until there is news.

        Args:
            path: What to read, quoted.
            of: What the answer must be.
            hold_s: Seconds, at most `within_s`.
            within_s: Seconds after which no try begins.
        """
        request = _Request("GET", f"{path}?wait={hold_s:.3f}" if hold_s else path, hold_s=hold_s)
        patience = replace(self._outage, total_s=min(self._outage.total_s, within_s))
        return wire.read(self._insist(request, patience), of)

    def post(self, path: str, body: Any, of: type[T], *, key: str | None = None) -> T:
        """Write what cannot double: by the nature of the request, or by its idempotency key."""
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = _checked_text(key, "idempotency key")
        request = _Request("POST", path, _encoded(body), headers)
        return wire.read(self._insist(request, self._patience), of)

    def close(self) -> None:
        self._connections.clear()

    def _insist(self, request: _Request, patience: Patience) -> bytes:
        deadline = time.monotonic() + patience.total_s
        tried = 0
        while True:
            tried += 1
            left_s = deadline - time.monotonic()
            try:
                return self._once(request, min(self._timeout_s + request.hold_s, left_s + _GRACE_S))
            except (Unreachable, ServerBusy) as error:
                left_s = deadline - time.monotonic()
                if tried >= patience.tries or left_s <= 0:
                    raise
                asked_s = error.retry_after_s if isinstance(error, ServerBusy) else 0.0
            # The jitter is no secret, which S311 is about.
            pause_s = patience.pause_s(tried, asked_s, random.random())  # noqa: S311
            time.sleep(min(pause_s, left_s))

    def _once(self, request: _Request, limit_s: float) -> bytes:
        status, headers, content = self._exchange(request, limit_s)
        if status >= 400:
            problem = wire.problem(self._without_secret(content))
            if status in _TRY_AGAIN:
                raise ServerBusy(status, problem, retry_after_s(headers, time.time()))
            raise ApiError(status, problem)
        if status >= 300:
            where = _public(self._without_secret(headers.get("Location", "").encode()).decode())
            raise BadAnswer(f"{self.url} redirects{where}; this is not followed.")
        if not content:  # a head that breaks off looks like this
            raise Unreachable(f"{self.url} cannot be reached: the answer is empty.")
        return content

    def _exchange(self, request: _Request, limit_s: float) -> tuple[int, Mapping[str, str], bytes]:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {self._secret}",
            "User-Agent": f"qwicket/{__version__}",
            **request.headers,
        }
        try:
            response = self._connections.urlopen(
                request.method,
                self.url + request.path,
                body=request.body,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(limit_s, _CONNECT_S), total=limit_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                return response.status, response.headers, self._content(response)
            finally:
                response.close()
        except (broken.HTTPError, HTTPException, OSError) as error:
            failure = error
        # Raised out here, so that no chain leads to an object that knows the request.
        raise self._failed(failure)

    def _content(self, response: urllib3.BaseHTTPResponse) -> bytes:
        content = bytearray()
        for chunk in response.stream(_CHUNK_BYTES):
            content += chunk
            if len(content) > self._most_bytes:
                raise BadAnswer(f"{self.url} sends more than {self._most_bytes} bytes.")
        return bytes(content)

    def _without_secret(self, text: bytes) -> bytes:
        """Proxies and debug pages repeat what they were sent."""
        return text.replace(self._secret.encode(), b"...")

    def _failed(self, error: Exception) -> ClientError:
        if isinstance(error, broken.SSLError):
            return BadAnswer(f"TLS with {self.url} failed: {plain(str(error))}.")
        for kinds, why in _WHY:
            if isinstance(error, kinds):
                return Unreachable(f"{self.url} cannot be reached: {why}.")
        return Unreachable(f"{self.url} cannot be reached: the connection broke.")


def _public(location: str) -> str:
    """Return the part of an address that is surely no secret."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f" to {plain(f'{parts.scheme}://{host}')}" if host else ""


def _connections(url: str) -> urllib3.PoolManager:
    try:
        return timely.connections(url)
    except broken.HTTPError:
        pass  # its text may quote the proxy's password
    raise ClientError("The proxy that the environment names cannot be used.")


def _checked_url(url: str) -> str:
    """Return the address, which goes into texts, and therefore may hold no secret."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not url.isprintable() or " " in url:
        raise ClientError("The server's address must be such as http://127.0.0.1:8000.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ClientError("The server's address may hold no password, query or fragment.")
    return url.rstrip("/")


def _checked_text(text: str, what: str) -> str:
    """Return a header's text. Whatever is wrong with it, it is not quoted: it may be a secret."""
    text = text.strip()
    if not (text and text.isascii() and text.isprintable()):
        raise ClientError(f"The {what} must be printable ASCII.")
    return text


def _encoded(body: Any) -> bytes | None:
    if body is None:
        return None
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        what = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    raise ClientError(f"The program is no JSON: {what}.")
