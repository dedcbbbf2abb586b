"""Requests as plans: what is sent, when it is sent again, and what the answers mean. No I/O.

A plan is a generator: it yields a step and is told what came of it. `Transport` drives plans with
a thread, `AsyncTransport` with an event loop, so that both clients do the same. Whatever is sent
cannot double, so that it is tried again within bounds of tries and time, as the server's
Retry-After asks. What a plan returns has the right shape; what it raises is a `ClientError` that
knows no secret.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from qwicket import __version__
from qwicket.clients.http import (
    Attempts,
    InvalidResponse,
    NoResponse,
    Request,
    Response,
    RetryPolicy,
    header,
    retry_after_s,
)
from qwicket.clients.http.retries import GRACE_S, OUTAGE
from qwicket.clients.http.text import json_bytes
from qwicket.clients.native import wire
from qwicket.clients.native.errors import (
    ApiError,
    BadAnswer,
    ClientError,
    ServerBusy,
    Unreachable,
)

T = TypeVar("T")

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
RETRY_POLICY: Final = RetryPolicy()
HOLD_S: Final = 30.0
"""For how long the server is asked to hold an answer back at most."""
_TRY_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
_FROM_PROXIES: Final = frozenset({502, 503, 504})


@dataclass(frozen=True)
class StreamPolicy:
    """When a stream of events is reopened.

    Attributes:
        limit_s: Seconds after which every stream is reopened, so that a dead peer is noticed.
        healthy_s: Age in seconds from which any received byte, a heartbeat included, resets the
            count of failed attempts.
    """

    limit_s: float = 60.0
    healthy_s: float = 5.0


STREAM_POLICY: Final = StreamPolicy()


@dataclass(frozen=True)
class Send(Request):
    """Send a request once; be told its `Response`, or why there is none.

    Attributes:
        hold_s: For how many seconds of `limit_s` the server may hold its answer back.
        left_s: Seconds after which nobody wants it any more, should it have to wait for its turn.
    """

    hold_s: float = 0.0
    left_s: float = 0.0


@dataclass(frozen=True)
class Pause:
    """Let so many seconds pass; be told None."""

    seconds: float


Outcome = Response | NoResponse | InvalidResponse | None
Plan = Generator[Send | Pause, Outcome, T]


class Api:
    """Plans for one server's API with one token.

    Args:
        token: The secret.
        timeout_s: Time for one answer; a large one may take longer, a slow one may not.
        retry_policy: How long requests are tried again.
        outage: How long a wait outlasts a server that is away.
        url: Address of the server, for the texts of errors.
        stream_policy: When streams of events are reopened.

    Attributes:
        secret: The token, which no answer may repeat.

    Raises:
        ClientError: The token cannot be one.
    """

    def __init__(
        self,
        token: str,
        timeout_s: float,
        retry_policy: RetryPolicy = RETRY_POLICY,
        outage: RetryPolicy = OUTAGE,
        url: str = "",
        stream_policy: StreamPolicy = STREAM_POLICY,
    ) -> None:
        self.secret = header(token, "token", ClientError)
        self._timeout_s = timeout_s
        self._retry_policy = retry_policy
        self._url = url
        self.outage = outage
        self.stream_policy = stream_policy

    def get(self, path: str, of: type[T]) -> Plan[T]:
        """Read; `path` is quoted, `of` is what the answer must be."""
        return wire.read((yield from self._retry(Send("GET", path), self._retry_policy)), of)

    def get_raw(self, path: str, accept: str) -> Plan[bytes]:
        """Read what is no JSON, of the media type `accept`."""
        return (
            yield from self._retry(
                Send("GET", path, headers={"Accept": accept}), self._retry_policy
            )
        )

    def get_news(self, path: str, of: type[T], *, hold_s: float, within_s: float) -> Plan[T]:
        """Read, letting the server hold its answer back for `hold_s` until there is news.

        Args:
            path: What to read, quoted.
            of: What the answer must be.
            hold_s: Seconds, at most `within_s`.
            within_s: Seconds after which no try begins.
        """
        send = Send("GET", f"{path}?wait={hold_s:.3f}" if hold_s else path, hold_s=hold_s)
        retry_policy = replace(self.outage, total_s=min(self.outage.total_s, within_s))
        return wire.read((yield from self._retry(send, retry_policy)), of)

    def post(self, path: str, body: Any, of: type[T], *, key: str | None = None) -> Plan[T]:
        """Write what cannot double: by the nature of the request, or by its idempotency key."""
        headers = {}
        if key is not None:
            headers["Idempotency-Key"] = header(key, "idempotency key", ClientError)
        return (yield from self.send("POST", path, body, of, headers=headers))

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        of: type[T],
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        hold_s: float = 0.0,
    ) -> Plan[T]:
        """Write what cannot double.

        Args:
            method: Of HTTP.
            path: Quoted.
            body: A struct or a value to be encoded as JSON, or None.
            of: What the answer must be.
            headers: Beside the usual ones, checked.
            hold_s: Seconds for which the server may hold its answer back.
        """
        named = {"Content-Type": "application/json", **headers}
        send = Send(method, path, named, _json(body), hold_s=hold_s)
        return wire.read((yield from self._retry(send, self._retry_policy)), of)

    def delete(self, path: str) -> Plan[None]:
        """Delete; a try whose answer was lost makes the next one a refusal with status 404."""
        yield from self._retry(Send("DELETE", path), self._retry_policy)

    def stream(self, path: str, last: int | None) -> Send:
        """Return the request for a stream of events after the one numbered `last`."""
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        send = Send("GET", path, headers, can_be_empty=True)
        return self._ready(send, self.stream_policy.limit_s)

    def _retry(self, send: Send, retry_policy: RetryPolicy) -> Plan[bytes]:
        tries = Attempts(retry_policy)
        while True:
            left_s = tries.begin()
            limit_s = min(self._timeout_s + send.hold_s, left_s + GRACE_S)
            ready = replace(self._ready(send, limit_s), left_s=left_s + GRACE_S)
            found = validated((yield ready), self._url)
            if isinstance(found, bytes):
                return found
            pause_s = tries.pause_s(asked_s(found))
            if pause_s is None:
                raise found
            yield Pause(pause_s)

    def _ready(self, send: Send, limit_s: float) -> Send:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {self.secret}",
            "User-Agent": f"qwicket/{__version__}",
            **send.headers,
        }
        return replace(send, headers=headers, limit_s=limit_s, secrets=[self.secret])


def validated(told: Outcome, url: str = "") -> bytes | ClientError:
    """Return the body of a good answer, or what is wrong; `url` is the server's."""
    if isinstance(told, NoResponse):
        return Unreachable(str(told), is_absent=told.is_absent)
    if isinstance(told, InvalidResponse):
        return BadAnswer(str(told))
    assert told is not None, "a request is told its answer"
    if told.status < 400:
        return told.content
    problem = wire.problem(told.content)
    if not problem and told.status in _FROM_PROXIES:
        problem = {
            "detail": f"{url or 'The server'} answered {told.status}.",
            "remedy": "A proxy in front of the server cannot reach it. Does `qwicket serve` run"
            " there, at the address that the proxy forwards to?",
        }
    if told.status in _TRY_AGAIN and problem.get("field") != "device":  # one that is off stays so
        return ServerBusy(told.status, problem, retry_after_s(told.headers, time.time()))
    return ApiError(told.status, problem)


def asked_s(error: ClientError) -> float | None:
    """Return the seconds that the server asks for before another try; None when none would help."""
    if isinstance(error, ServerBusy):
        return error.retry_after_s
    return 0.0 if isinstance(error, Unreachable) and not error.is_absent else None


def _json(body: Any) -> bytes | None:
    if body is None:
        return None
    if isinstance(body, msgspec.Struct):
        body = msgspec.to_builtins(body)  # msgspec's own encoder would send NaN as null
    return json_bytes(body, "The program", ClientError)
