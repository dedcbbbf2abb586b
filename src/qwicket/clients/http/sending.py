"""Requests of clients of clouds: send, repeat if allowed, decode the response.

docs/clients/README.md states the rule for users:

- An idempotent request (a read, a cancellation, a deletion, a submission with an idempotency key
  that the server supports) is repeated after every temporary error.
- Any other request is repeated only if it certainly had no effect
  (`RetriableError.was_surely_not_done`).
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from qwicket.clients.http.client import HTTPClient
from qwicket.clients.http.clock import SYSTEM_CLOCK
from qwicket.clients.http.errors import RetriableError
from qwicket.clients.http.failures import InvalidResponse, NoResponse
from qwicket.clients.http.retries import GRACE_S, RetryPolicy, retry, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.clients.http.clock import Clock
    from qwicket.clients.http.messages import Request, Response

T = TypeVar("T")


class ServiceClient:
    """Base of a vendor's client: connections to one server.

    Attributes:
        retry_policy: Bounds of retries.
        timeout_s: Seconds for one response.
        clock: Clock for deadlines and pauses.
    """

    retry_policy = RetryPolicy()
    timeout_s = 30.0
    clock: Clock = SYSTEM_CLOCK
    _http: HTTPClient

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._http.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def send(
    http: HTTPClient,
    request: Request,
    read: Callable[[Response], T],
    failure: Callable[[Response | NoResponse | InvalidResponse], Exception],
    retry_policy: RetryPolicy,
    clock: Clock = SYSTEM_CLOCK,
) -> T:
    """Send a request, repeat it if that is allowed and may help, and decode the response.

    Args:
        http: Connections to the server.
        request: The request.
        read: Function that decodes a successful response, or raises `InvalidResponse`.
        failure: Function that returns the vendor's error for any other response.
        retry_policy: Bounds of retries.
        clock: Clock for the retries.
    """

    def attempt(left_s: float) -> T:
        found: Response | NoResponse | InvalidResponse
        try:
            found = http.exchange(replace(request, limit_s=min(request.limit_s, left_s + GRACE_S)))
            if found.status < 400 or found.status == request.also_read:
                return read(found)
        except (NoResponse, InvalidResponse) as error:
            found = error
        # Raised outside the handler, so that the traceback has no object with the token.
        raise failure(found)

    def requested_s(error: Exception) -> float | None:
        if isinstance(error, RetriableError) and (request.can_repeat or error.was_surely_not_done):
            return retry_after_s(error.headers, time.time())
        return None

    return retry(retry_policy, attempt, requested_s, clock)


def json_of(response: Response) -> Any:
    """Decode the JSON of a response.

    Raises:
        InvalidResponse: The response is not JSON.
    """
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        pass
    raise invalid_response(response, "is not JSON")


def object_of(response: Response) -> dict[str, Any]:
    """Decode the JSON object of a response.

    Raises:
        InvalidResponse: The response is not a JSON object.
    """
    found = json_of(response)
    if not isinstance(found, dict):
        raise invalid_response(response, "is not a JSON object")
    return found


def objects_of(response: Response) -> list[dict[str, Any]]:
    """Decode the list of JSON objects of a response.

    Raises:
        InvalidResponse: The response is not a list of JSON objects.
    """
    found = json_of(response)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise invalid_response(response, "is not a list of JSON objects")
    return found


def error_body(text: str) -> Mapping[str, Any]:
    """Decode the JSON object of an error response; return {} for any other text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def invalid_response(response: Response, problem: str) -> InvalidResponse:
    """Return the error for a response of another API."""
    return InvalidResponse(f"The response {problem}. Is the address right?", response.status)
