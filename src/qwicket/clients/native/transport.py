"""HTTP with the manners that every client of ours has.

Whatever is sent cannot double, so that it is tried again within bounds of tries and time, as the
server's Retry-After asks. Redirects are not followed: the token stays where it belongs. What
leaves here is an answer of the right shape, or a `ClientError` that knows no secret.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwicket import __version__
from qwicket.clients.http import (
    Answer,
    Line,
    NoAnswer,
    Patience,
    WrongAnswer,
    header,
    insist,
    retry_after_s,
)
from qwicket.clients.native import wire
from qwicket.clients.native.errors import (
    ApiError,
    BadAnswer,
    ClientError,
    ServerBusy,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_TRY_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_GRACE_S: Final = 2.0
"""A try that begins in time may end this much later: the server holds answers to the last."""
PATIENCE: Final = Patience()
OUTAGE: Final = Patience(tries=100, total_s=300.0, longest_pause_s=10.0)
"""Who waits for hours does not give up because the server restarts."""


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
        most_bytes: int | None = None,
    ) -> None:
        self._line = Line(url, ClientError, most_bytes)
        self.url = self._line.url
        self._secret = header(token, "token", ClientError)
        self._timeout_s = timeout_s
        self._patience = patience
        self._outage = outage

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
        headers = {}
        if key is not None:
            headers["Idempotency-Key"] = header(key, "idempotency key", ClientError)
        return self.send("POST", path, body, of, headers=headers)

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        of: type[T],
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        hold_s: float = 0.0,
    ) -> T:
        """Write what cannot double.

        Args:
            method: Of HTTP.
            path: Quoted.
            body: To be JSON, or None.
            of: What the answer must be.
            headers: Beside the usual ones, checked.
            hold_s: Seconds for which the server may hold its answer back.
        """
        named = {"Content-Type": "application/json", **headers}
        request = _Request(method, path, _encoded(body), named, hold_s)
        return wire.read(self._insist(request, self._patience), of)

    def close(self) -> None:
        self._line.close()

    def _insist(self, request: _Request, patience: Patience) -> bytes:
        def attempt(left_s: float) -> bytes:
            return self._once(request, min(self._timeout_s + request.hold_s, left_s + _GRACE_S))

        return insist(patience, attempt, _asked_s)

    def _once(self, request: _Request, limit_s: float) -> bytes:
        answer = self._exchange(request, limit_s)
        if answer.status < 400:
            return answer.content
        problem = wire.problem(answer.content)
        if answer.status in _TRY_AGAIN:
            asked_s = retry_after_s(answer.headers, time.time())
            raise ServerBusy(answer.status, problem, asked_s)
        raise ApiError(answer.status, problem)

    def _exchange(self, request: _Request, limit_s: float) -> Answer:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {self._secret}",
            "User-Agent": f"qwicket/{__version__}",
            **request.headers,
        }
        try:
            return self._line.exchange(
                request.method,
                request.path,
                headers=headers,
                limit_s=limit_s,
                body=request.body,
                secrets=[self._secret],
            )
        except NoAnswer as error:
            failure: ClientError = Unreachable(str(error))
        except WrongAnswer as error:
            failure = BadAnswer(str(error))
        raise failure


def _asked_s(error: Exception) -> float | None:
    if isinstance(error, ServerBusy):
        return error.retry_after_s
    return 0.0 if isinstance(error, Unreachable) else None


def _encoded(body: Any) -> bytes | None:
    if body is None:
        return None
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        what = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    raise ClientError(f"The program is no JSON: {what}.")
