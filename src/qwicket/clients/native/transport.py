"""HTTP with the manners that every client of ours has.

Reads, and writes that cannot double, are tried again within bounds of tries and time, as the
server's Retry-After asks. Redirects are not followed, so that the token stays where it belongs.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any, Final

import requests

from qwicket.clients.native.errors import ApiError, ClientError, Unreachable

TRIES: Final = 5
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_BASE_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 30.0


class Transport:
    """Requests to one server with one token.

    Args:
        url: Address of the server, without a path.
        token: The secret.
        timeout_s: Time for the server to begin its answer, and for each pause within it.
    """

    def __init__(self, url: str, token: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["Accept"] = "application/json"

    def __repr__(self) -> str:
        return f"<Transport {self.url}>"

    def get(self, path: str, *, wait_s: float = 0.0) -> Any:
        """Read. `wait_s` lets the server hold the answer back until there is news."""
        params = {"wait": f"{wait_s:.3f}"} if wait_s else None
        return self._insist("GET", path, params=params, timeout=self._timeout_s + wait_s)

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        repeatable: bool,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Write. `repeatable` says that a second try cannot do it twice."""
        send = self._insist if repeatable else self._once
        return send("POST", path, json=body, headers=headers, timeout=self._timeout_s)

    def close(self) -> None:
        self._session.close()

    def _insist(self, method: str, path: str, **options: Any) -> Any:
        for tried in range(1, TRIES + 1):
            pause_s = min(_BASE_PAUSE_S * 2**tried, _LONGEST_PAUSE_S)
            try:
                return self._once(method, path, **options)
            except Unreachable:
                if tried == TRIES:
                    raise
            except _Busy as busy:
                if tried == TRIES:
                    raise busy.error from None
                pause_s = max(pause_s, min(busy.pause_s, _LONGEST_PAUSE_S))
            time.sleep(pause_s * random.uniform(0.75, 1.25))  # noqa: S311 - jitter, no secret
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._session.request(
                method, self.url + path, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            # Not chained: the original holds the request, and with it the token.
            raise Unreachable(f"{method} {self.url}{path}: {type(error).__name__}.") from None
        if response.status_code in _TRY_AGAIN:
            raise _Busy(ApiError(response.status_code, _body(response)), _pause(response))
        if 300 <= response.status_code < 400:
            raise Unreachable(f"{self.url} redirects elsewhere; use the address itself.")
        if response.status_code >= 400:
            raise ApiError(response.status_code, _body(response))
        return _body(response)


class _Busy(ClientError):
    """An answer that asks for another try."""

    def __init__(self, error: ApiError, pause_s: float) -> None:
        self.error = error
        self.pause_s = pause_s
        super().__init__(str(error))


def _pause(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "0")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _body(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    if response.status_code < 400:
        raise Unreachable(f"{response.url} does not speak Qwicket's API.")
    return {}
