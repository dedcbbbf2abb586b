"""The native API's requests, retries and errors, without I/O.

An operation is a generator that yields steps (`Send`, `Pause`) and receives their results.
`Transport` runs operations in a thread, `AsyncTransport` in an event loop, so both clients behave
alike. All requests except those of `post_once` are idempotent and are therefore repeated. Errors
never contain the token.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import IO, Any, Final, TypeVar

import msgspec

from qwicket import __version__
from qwicket.clients.http import (
    SYSTEM_CLOCK,
    Attempts,
    Clock,
    InvalidResponse,
    NoResponse,
    Request,
    Response,
    RetryPolicy,
    retry_after_s,
    validated_header,
)
from qwicket.clients.http.retries import GRACE_S, OUTAGE
from qwicket.clients.http.text import json_bytes
from qwicket.clients.native import wire
from qwicket.clients.native.errors import (
    ApiError,
    ClientError,
    ServerBusy,
    UnexpectedResponse,
    Unreachable,
)

T = TypeVar("T")

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
RETRY_POLICY: Final = RetryPolicy()
HOLD_S: Final = 30.0
"""Longest long poll that the client requests, in seconds."""
_RETRIED_STATUSES: Final = frozenset({408, 429, 502, 503, 504})
"""Statuses of a server, or of a proxy before it, that cannot take the request now."""
_PROXY_STATUSES: Final = frozenset({502, 503, 504})
"""Without one of Qwicket's error documents, these come from a proxy."""


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
    """Send a request once; the result is a `Response`, or the error in its place.

    Attributes:
        hold_s: Seconds of `limit_s` for which the server may delay its response (long poll).
        left_s: Seconds for which a long poll may wait for its turn, where `AsyncTransport` limits
            how many run at once.
    """

    hold_s: float = 0.0
    left_s: float = 0.0


@dataclass(frozen=True)
class Download(Send):
    """Send a request once; the result is a `Response`, whose body is in a file if it succeeded.

    Attributes:
        file: File that each attempt writes from its beginning.
    """

    file: IO[bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Pause:
    """Pause for a time in seconds; the result is None."""

    seconds: float


StepResult = Response | NoResponse | InvalidResponse | None
Operation = Generator[Send | Pause, StepResult, T]


class Api:
    """Operations of one server's API with one token.

    Args:
        token: The secret.
        timeout_s: Seconds for one response; each 16 KiB received extend them by a second.
        retry_policy: When requests are repeated.
        outage: When requests are repeated within a wait, and a stream after a failure.
        url: Address of the server, for the texts of errors.
        stream_policy: When streams of events are reopened.
        clock: Clock for deadlines and pauses.

    Attributes:
        secret: The token, which is redacted from responses.

    Raises:
        ClientError: The token is invalid.
    """

    def __init__(
        self,
        token: str,
        timeout_s: float,
        retry_policy: RetryPolicy = RETRY_POLICY,
        outage: RetryPolicy = OUTAGE,
        url: str = "",
        stream_policy: StreamPolicy = STREAM_POLICY,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.secret = validated_header(token, "token", ClientError)
        self._timeout_s = timeout_s
        self._retry_policy = retry_policy
        self._url = url
        self.outage = outage
        self.stream_policy = stream_policy
        self.clock = clock

    def get(self, path: str, of: type[T]) -> Operation[T]:
        """Read a quoted path; decode the response as `of`."""
        return wire.decode((yield from self._retry(Send("GET", path), self._retry_policy)), of)

    def get_raw(self, path: str, accept: str) -> Operation[bytes]:
        """Read a response of the media type `accept` as bytes."""
        return (
            yield from self._retry(
                Send("GET", path, headers={"Accept": accept}), self._retry_policy
            )
        )

    def download(self, path: str, accept: str, file: IO[bytes]) -> Operation[None]:
        """Write a response of the media type `accept` to a file."""
        headers = {"Accept": accept}
        yield from self._retry(
            Download("GET", path, headers=headers, file=file), self._retry_policy
        )

    def get_change(self, path: str, of: type[T], *, hold_s: float, within_s: float) -> Operation[T]:
        """Read a job with a long poll: the server responds at its end or after `hold_s` seconds.

        Args:
            path: Quoted path.
            of: Type of the response.
            hold_s: Seconds, at most `within_s`.
            within_s: Seconds after which no attempt begins.
        """
        send = Send("GET", f"{path}?wait={hold_s:.3f}" if hold_s else path, hold_s=hold_s)
        retry_policy = replace(self.outage, total_s=min(self.outage.total_s, within_s))
        return wire.decode((yield from self._retry(send, retry_policy)), of)

    def post(
        self,
        path: str,
        body: Any,
        of: type[T],
        *,
        key: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        hold_s: float = 0.0,
    ) -> Operation[T]:
        """Send an idempotent POST request; a submission is idempotent by its key."""
        if key is not None:
            key = validated_header(key, "idempotency key", ClientError)
            headers = {**headers, "Idempotency-Key": key}
        return (yield from self.send("POST", path, body, of, headers=headers, hold_s=hold_s))

    def post_once(
        self, path: str, body: Any, of: type[T], *, headers: Mapping[str, str] = NO_HEADERS
    ) -> Operation[T]:
        """Send a POST request that is not idempotent, in one attempt.

        Raises:
            Unreachable: No response arrived; the request may have had its effect.
        """
        headers = {"Content-Type": "application/json", **headers}
        send = Send("POST", path, headers, _json(body), can_repeat=False)
        return wire.decode((yield from self._retry(send, RetryPolicy(max_attempts=1))), of)

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        of: type[T],
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        hold_s: float = 0.0,
    ) -> Operation[T]:
        """Send an idempotent request with a body.

        Args:
            method: HTTP method.
            path: Quoted path.
            body: Struct or value that is encoded as JSON, or None.
            of: Type of the response.
            headers: Validated headers besides the usual ones.
            hold_s: Seconds for which the server may delay its response.
        """
        named = {"Content-Type": "application/json", **headers}
        send = Send(method, path, named, _json(body), hold_s=hold_s)
        return wire.decode((yield from self._retry(send, self._retry_policy)), of)

    def change(self, method: str, path: str, body: Any) -> Operation[None]:
        """Send an idempotent request whose response has no body."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        yield from self._retry(Send(method, path, headers, _json(body)), self._retry_policy)

    def change_once(self, method: str, path: str, body: Any) -> Operation[None]:
        """Send a request whose repetition would be refused, in one attempt.

        Raises:
            Unreachable: No response arrived; the request may have had its effect.
        """
        headers = {"Content-Type": "application/json"}
        send = Send(method, path, headers, _json(body), can_repeat=False)
        yield from self._retry(send, RetryPolicy(max_attempts=1))

    def delete(self, path: str) -> Operation[None]:
        """Send a DELETE request; after a lost response the next attempt raises a 404."""
        yield from self.change("DELETE", path, None)

    def stream(self, path: str, last: int | None) -> Send:
        """Return the request for a stream that begins after event number `last`."""
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        send = Send("GET", path, headers, can_be_empty=True)
        return self._ready(send, self.stream_policy.limit_s)

    def _retry(self, send: Send, retry_policy: RetryPolicy) -> Operation[bytes]:
        tries = Attempts(retry_policy, self.clock)
        while True:
            left_s = tries.begin()
            limit_s = min(self._timeout_s + send.hold_s, left_s + GRACE_S)
            ready = replace(self._ready(send, limit_s), left_s=left_s + GRACE_S)
            found = body_or_error((yield ready), self._url)
            if isinstance(found, bytes):
                return found
            pause_s = tries.pause_s(requested_s(found))
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


def body_or_error(result: StepResult, url: str = "") -> bytes | ClientError:
    """Return the body of a successful response, or the error that it means."""
    if isinstance(result, NoResponse):
        return Unreachable(str(result), is_not_started=result.is_not_started)
    if isinstance(result, InvalidResponse):
        return UnexpectedResponse(str(result))
    assert result is not None, "the result of a request is not None"
    if result.status < 400:
        return result.content
    problem = wire.problem(result.content)
    if not problem and result.status in _PROXY_STATUSES:
        problem = {
            "detail": f"{url or 'The server'} answered {result.status}.",
            "remedy": "A proxy in front of the server cannot reach it. Does `qwicket serve` run"
            " there, at the address that the proxy forwards to?",
        }
    # A device that is off is a 503 too, but stays off: repeating would not help.
    if result.status in _RETRIED_STATUSES and problem.get("field") != "device":
        return ServerBusy(result.status, problem, retry_after_s(result.headers, time.time()))
    return ApiError(result.status, problem)


def requested_s(error: ClientError) -> float | None:
    """Return the pause that the server requests; None if repeating the request cannot help."""
    if isinstance(error, ServerBusy):
        return error.retry_after_s
    return 0.0 if isinstance(error, Unreachable) and not error.is_not_started else None


def _json(body: Any) -> bytes | None:
    if body is None:
        return None
    if isinstance(body, msgspec.Struct):
        body = msgspec.to_builtins(body)  # msgspec's own encoder would send NaN as null
    return json_bytes(body, "The program", ClientError)


class OperationRunner(ABC):
    """Runs operations in the calling thread.

    Args:
        api: The server's API.
    """

    def __init__(self, api: Api) -> None:
        self.api = api

    def run(self, operation: Operation[T]) -> T:
        """Run an operation and return its value."""
        result: StepResult = None
        while True:
            try:
                step = operation.send(result)
            except StopIteration as end:
                value: T = end.value
                return value
            result = self._do(step)

    @abstractmethod
    def _do(self, step: Send | Pause) -> StepResult:
        """Return the result of a step."""
