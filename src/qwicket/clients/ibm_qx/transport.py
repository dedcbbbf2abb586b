"""Requests to one server, tried again where that is safe; addresses that bear their own rights.

The access token goes to the server's own address and nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from qwicket.clients.http import Line, NoAnswer, Patience, WrongAnswer, insist, pause_asked_s
from qwicket.clients.ibm_qx.errors import (
    BAD_ANSWER,
    NO_ANSWER,
    NOT_CONNECTED,
    IBMQXAPIError,
    IBMQXClientError,
    IBMQXRetriableError,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.clients.http import Answer

_GRACE_S: Final = 2.0
"""A try that begins in time may end this much later."""


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method: Of HTTP.
        path: What follows the server's address, quoted.
        headers: All of them.
        body: Its bytes.
        can_repeat: Whether it may be carried out twice.
        can_be_empty: Whether the answer may have no body.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    can_repeat: bool = True
    can_be_empty: bool = False

    def asked_s(self, error: Exception) -> float | None:
        """Return the seconds that are asked for before another try; None when none is allowed."""
        if not isinstance(error, IBMQXRetriableError):
            return None
        return pause_asked_s(error, can_repeat=self.can_repeat)


def send(
    line: Line, request: Request, secrets: Sequence[str], patience: Patience, limit_s: float
) -> Answer:
    """Send a request, again while that is safe and may help.

    Raises:
        IBMQXAPIError: It was refused, or no answer came that makes sense.
    """

    def attempt(left_s: float) -> Answer:
        answer = _exchange(line, request, secrets, min(limit_s, left_s + _GRACE_S))
        if answer.status >= 400:
            raise refusal(answer.status, answer.headers, answer.text)
        return answer

    return insist(patience, attempt, request.asked_s)


def _exchange(line: Line, request: Request, secrets: Sequence[str], limit_s: float) -> Answer:
    try:
        return line.exchange(
            request.method,
            request.path,
            headers=request.headers,
            limit_s=limit_s,
            body=request.body,
            secrets=[secret for secret in secrets if secret],
            is_fresh=not request.can_repeat,
            can_be_empty=request.can_be_empty,
        )
    except NoAnswer as error:
        name = NO_ANSWER if error.was_sent else NOT_CONNECTED
        kind = IBMQXAPIError if error.is_absent else IBMQXRetriableError
        failure = kind(str(error), None, None, name, {})
    except WrongAnswer as error:
        failure = IBMQXAPIError(str(error), None, None, BAD_ANSWER, {})
    raise failure


def split(address: str) -> tuple[str, str]:
    """Return server and path of an address that the server gave out.

    Raises:
        IBMQXAPIError: It is none.
    """
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        text = "The server gave out an address that is none."
        raise IBMQXAPIError(text, None, None, BAD_ANSWER, {})
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", path


def decoded(answer: Answer) -> Any:
    """Return the JSON of an answer.

    Raises:
        IBMQXAPIError: It is no JSON.
    """
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        pass
    raise wrong(answer, "is no JSON")


def wrong(answer: Answer, what: str) -> IBMQXAPIError:
    """Return the error that this answer is not one of IBM's API; who knows what it holds."""
    text = f"The answer {what}. Is the address right?"
    return IBMQXAPIError(text, answer.status, None, BAD_ANSWER, {})


def encoded(body: Any) -> bytes | None:
    """Return JSON.

    Raises:
        IBMQXClientError: It cannot be written as JSON.
    """
    if body is None:
        return None
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        what = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    raise IBMQXClientError(f"This is no JSON: {what}.")
