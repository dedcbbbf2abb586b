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

from qwicket.clients.http.errors import RetriableError
from qwicket.clients.http.line import Line, NoAnswer, WrongAnswer
from qwicket.clients.http.patience import GRACE_S, Patience, insist, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.clients.http.line import Answer, Request

T = TypeVar("T")


class ServiceClient:
    """Base of a vendor's client: connections to one server.

    Attributes:
        patience: Bounds on repeated requests, in tries and time.
        timeout_s: Seconds for one answer.
    """

    patience = Patience()
    timeout_s = 30.0
    _line: Line

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._line.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._line.close()


def send(
    line: Line,
    request: Request,
    read: Callable[[Answer], T],
    failure: Callable[[Answer | NoAnswer | WrongAnswer], Exception],
    patience: Patience,
) -> T:
    """Send a request, again while that is safe and may help, and read the answer.

    Args:
        line: Connections to the server.
        request: What to send.
        read: Returns the content of a good answer, or raises `WrongAnswer`.
        failure: Returns the vendor's error for a refusal or a missing or wrong answer.
        patience: Bounds on repeated tries.
    """

    def attempt(left_s: float) -> T:
        found: Answer | NoAnswer | WrongAnswer
        try:
            found = line.exchange(replace(request, limit_s=min(request.limit_s, left_s + GRACE_S)))
            if found.status < 400 or found.status == request.also_read:
                return read(found)
        except (NoAnswer, WrongAnswer) as error:
            found = error
        # Raised out here, so that the error has no chain.
        raise failure(found)

    def asked_s(error: Exception) -> float | None:
        if isinstance(error, RetriableError) and (request.can_repeat or error.was_surely_not_done):
            return retry_after_s(error.headers, time.time())
        return None

    return insist(patience, attempt, asked_s)


def json_of(answer: Answer) -> Any:
    """Return the JSON of an answer; objects keep the order of their keys.

    Raises:
        WrongAnswer: It is no JSON.
    """
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        pass
    raise wrong(answer, "is no JSON")


def object_of(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        WrongAnswer: The answer is something else.
    """
    found = json_of(answer)
    if not isinstance(found, dict):
        raise wrong(answer, "is no object")
    return found


def objects_of(answer: Answer) -> list[dict[str, Any]]:
    """Return the list of JSON objects of an answer.

    Raises:
        WrongAnswer: The answer is something else.
    """
    found = json_of(answer)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise wrong(answer, "is no list of objects")
    return found


def refusal_of(text: str) -> Mapping[str, Any]:
    """Return the JSON object of a refusal; an empty one where there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def wrong(answer: Answer, what: str) -> WrongAnswer:
    """Return the error for an answer of another API."""
    return WrongAnswer(f"The answer {what}. Is the address right?", answer.status)
