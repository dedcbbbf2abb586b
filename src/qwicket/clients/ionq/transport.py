"""Requests to one server, tried again where that is safe, within bounds of tries and time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qwicket.clients.http import Line, NoAnswer, Patience, WrongAnswer, insist, pause_asked_s
from qwicket.clients.ionq.errors import (
    BAD_ANSWER,
    NO_ANSWER,
    NOT_CONNECTED,
    IonQAPIError,
    IonQClientError,
    IonQRetriableError,
    is_retriable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GRACE_S: Final = 2.0
"""A try that begins in time may end this much later."""
_LEAST_SECRET_CHARS: Final = 8
"""Shorter values of headers hide nothing; to erase them would maim every text."""


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method: Of HTTP.
        path: What follows the server's address, quoted.
        headers: All of them; their values are secrets.
        body: JSON.
        can_repeat: Whether it may be carried out twice.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = None
    can_repeat: bool = True

    def asked_s(self, error: Exception) -> float | None:
        """Return the seconds that are asked for before another try; None when none is allowed."""
        if not isinstance(error, IonQRetriableError):
            return None
        return pause_asked_s(error, can_repeat=self.can_repeat)


@dataclass(frozen=True)
class Answer:
    """An answer, with the names that `IonQAPIError.from_response` reads."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body; objects keep the order of their keys.

        Raises:
            IonQAPIError: It is no JSON.
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            pass
        raise self.wrong("is no JSON")

    @property
    def is_json(self) -> bool:
        try:
            self.json()
        except IonQAPIError:
            return False
        return True

    def wrong(self, what: str) -> IonQAPIError:
        """Return the error that this answer is not one of IonQ's API; who knows what it holds."""
        message = f"The answer {what}. Is the address right?"
        return IonQAPIError(message, self.status_code, {}, "", BAD_ANSWER)


class Transport:
    """Sends requests to the server at `url`.

    Raises:
        IonQClientError: The address cannot be one.
    """

    def __init__(self, url: str) -> None:
        self._line = Line(url, IonQClientError)
        self.url = self._line.url

    def send(
        self, request: Request, secrets: Sequence[str], patience: Patience, limit_s: float
    ) -> Answer:
        """Send a request, again while that is safe and may help.

        Args:
            request: What to send.
            secrets: Texts that no answer may repeat.
            patience: Bounds on trying.
            limit_s: Seconds for one answer.

        Raises:
            IonQAPIError: It was refused, or no answer came that makes sense.
        """
        hidden = [secret for secret in secrets if len(secret) >= _LEAST_SECRET_CHARS]

        def attempt(left_s: float) -> Answer:
            return self._once(request, hidden, min(limit_s, left_s + _GRACE_S))

        return insist(patience, attempt, request.asked_s)

    def close(self) -> None:
        self._line.close()

    def _once(self, request: Request, secrets: Sequence[str], limit_s: float) -> Answer:
        answer = self._exchange(request, secrets, limit_s)
        if answer.status_code < 400:
            return answer
        passes = is_retriable(request.method, answer.status_code)
        raise (IonQRetriableError if passes else IonQAPIError).from_response(answer)

    def _exchange(self, request: Request, secrets: Sequence[str], limit_s: float) -> Answer:
        try:
            answer = self._line.exchange(
                request.method,
                request.path,
                headers=request.headers,
                limit_s=limit_s,
                body=request.body,
                secrets=secrets,
                is_fresh=not request.can_repeat,
            )
            return Answer(answer.status, answer.headers, answer.content)
        except NoAnswer as error:
            kind = NO_ANSWER if error.was_sent else NOT_CONNECTED
            failed = IonQAPIError if error.is_absent else IonQRetriableError
            failure = failed(str(error), None, {}, "", kind)
        except WrongAnswer as error:
            failure = IonQAPIError(str(error), None, {}, "", BAD_ANSWER)
        raise failure


def encoded(body: Any) -> bytes | None:
    """Return JSON.

    Raises:
        IonQClientError: It cannot be written as JSON.
    """
    if body is None:
        return None
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        what = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    raise IonQClientError(f"The job is no JSON: {what}.")
