"""Requests of the clients for IonQ, IBM and qlued: sent, repeated where it is safe, and read.

The rule by which requests are repeated; docs/clients/README.md states it for users:

- A request that may be carried out twice (a read, a cancellation, a submission under an idempotency
  key that the server knows) is repeated while it may help.
- Any other is repeated only when it was surely not carried out
  (`RetriableError.was_surely_not_done`).
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from qwicket.clients.http.client import HTTPClient, InvalidResponse, NoResponse
from qwicket.clients.http.errors import RetriableError
from qwicket.clients.http.retries import GRACE_S, RetryPolicy, retry, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.clients.http.client import Request, Response

T = TypeVar("T")


class ServiceClient:
    """Base of a vendor's client: connections to one server.

    Attributes:
        retry_policy: Bounds on repeated requests, in tries and time.
        timeout_s: Seconds for one answer.
    """

    retry_policy = RetryPolicy()
    timeout_s = 30.0
    _http: HTTPClient

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._http.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()


def send(
    line: HTTPClient,
    request: Request,
    read: Callable[[Response], T],
    failure: Callable[[Response | NoResponse | InvalidResponse], Exception],
    retry_policy: RetryPolicy,
) -> T:
    """Send a request, again while that is safe and may help, and read the answer.

    Args:
        line: Connections to the server.
        request: What to send.
        read: Returns the content of a good answer, or raises `InvalidResponse`.
        failure: Returns the vendor's error for a refusal or a missing or wrong answer.
        retry_policy: Bounds on repeated tries.
    """

    def attempt(left_s: float) -> T:
        found: Response | NoResponse | InvalidResponse
        try:
            found = line.exchange(replace(request, limit_s=min(request.limit_s, left_s + GRACE_S)))
            if found.status < 400 or found.status == request.also_read:
                return read(found)
        except (NoResponse, InvalidResponse) as error:
            found = error
        # Raised out here, so that the error has no chain.
        raise failure(found)

    def asked_s(error: Exception) -> float | None:
        if isinstance(error, RetriableError) and (request.can_repeat or error.was_surely_not_done):
            return retry_after_s(error.headers, time.time())
        return None

    return retry(retry_policy, attempt, asked_s)


def json_of(response: Response) -> Any:
    """Return the JSON of an answer; objects keep the order of their keys.

    Raises:
        InvalidResponse: It is no JSON.
    """
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        pass
    raise wrong(response, "is no JSON")


def object_of(response: Response) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        InvalidResponse: The answer is something else.
    """
    found = json_of(response)
    if not isinstance(found, dict):
        raise wrong(response, "is no object")
    return found


def objects_of(response: Response) -> list[dict[str, Any]]:
    """Return the list of JSON objects of an answer.

    Raises:
        InvalidResponse: The answer is something else.
    """
    found = json_of(response)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise wrong(response, "is no list of objects")
    return found


def refusal_of(text: str) -> Mapping[str, Any]:
    """Return the JSON object of a refusal; an empty one where there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def wrong(response: Response, what: str) -> InvalidResponse:
    """Return the error for an answer of another API."""
    return InvalidResponse(f"The answer {what}. Is the address right?", response.status)
