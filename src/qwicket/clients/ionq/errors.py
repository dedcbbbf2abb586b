"""What can go wrong, as one tree, and which of it passes. No text in it ever holds a key.

IonQError
├── IonQCredentialsError    a request needs a key, and there is none
├── IonQClientError         what was asked for cannot be sent
│   └── IonQGateError       a gate that IonQ's format has no word for
├── IonQJobTimeoutError     the wait is over, the job is not (also a TimeoutError)
└── IonQAPIError            the server refused, or gave no answer that makes sense
    └── IonQRetriableError  and it may pass: raised when the tries or the time are over
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from qwicket.clients.http import InvalidResponse, NoResponse, plain
from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.sending import refusal_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.http import Response

RETRIABLE: Final = frozenset({429, 502, 503, 504, *range(520, 530)})
"""Pass with time, whatever was asked: too many requests (429), and the proxies in front of the
service that find nobody behind them (502 to 504; 520 to 529 are Cloudflare's own)."""

RETRIABLE_FOR_GETS: Final = frozenset({409})
"""Cloudflare words a name that it cannot resolve (its error 1001) as a conflict. A read conflicts
with nothing, so that there it means just this; for a write it may be the service's refusal."""

NOT_CONNECTED: Final = "not_connected"
NO_ANSWER: Final = "no_answer"
BAD_ANSWER: Final = "bad_answer"
_INTERNAL: Final = "internal_error"


class ResponseLike(Protocol):
    """An answer as `requests` and `httpx` have it, and this client."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def text(self) -> str: ...


class IonQError(ServiceError):
    """Root of the tree.

    Attributes:
        message: What is wrong.
    """


class IonQCredentialsError(IonQError):
    """A request needs a key, and there is none."""


class IonQClientError(IonQError):
    """What was asked for cannot be sent; nothing was."""


class IonQGateError(IonQClientError):
    """A circuit has a gate that its gateset lacks.

    Attributes:
        gate_name: The gate.
        gateset: `qis` or `native`.
    """

    def __init__(self, gate_name: str, gateset: str) -> None:
        self.gate_name = plain(gate_name)
        self.gateset = gateset
        super().__init__(f"The gateset {gateset!r} has no gate {self.gate_name!r}.")


class IonQJobTimeoutError(IonQError, TimeoutError):
    """The time to wait has passed; the job lives on."""


class IonQAPIError(APIError, IonQError):
    """The server refused a request, or there was no answer that makes sense.

    Attributes:
        message: What is wrong, as the server says it.
        status_code: HTTP status; None when there was no answer.
        headers: Of the answer.
        body: Text of the answer.
        error_type: The server's word for it; without an answer one of this client's own.
    """

    def __init__(
        self,
        message: str,
        status_code: int | None,
        headers: Mapping[str, str],
        body: str,
        error_type: str,
    ) -> None:
        super().__init__(message, status_code, headers, was_sent=error_type != NOT_CONNECTED)
        self.body = body
        self.error_type = error_type

    @classmethod
    def from_response(cls, response: ResponseLike) -> Self:
        """Return the error that an answer tells of, in any of the shapes that IonQ has used."""
        message, error_type = _told(refusal_of(response.text))
        return cls(
            plain(message) or f"The server answered {response.status_code}.",
            response.status_code,
            response.headers,
            response.text,
            plain(error_type) or _INTERNAL,
        )

    def __str__(self) -> str:
        status = "" if self.status_code is None else f", HTTP {self.status_code}"
        return f"{self.message} ({self.error_type}{status})"


class IonQRetriableError(IonQAPIError, RetriableError):
    """It may pass: the same request may succeed later."""


def failure(method: str, found: Response | NoResponse | InvalidResponse) -> IonQAPIError:
    """Return the error for a refusal, or for a missing or wrong answer."""
    if isinstance(found, InvalidResponse):
        return IonQAPIError(str(found), found.status, {}, "", BAD_ANSWER)
    if isinstance(found, NoResponse):
        kind = IonQAPIError if found.is_absent else IonQRetriableError
        return kind(str(found), None, {}, "", NO_ANSWER if found.was_sent else NOT_CONNECTED)
    is_conflicting_read = method == "GET" and found.status in RETRIABLE_FOR_GETS
    can_pass = found.status in RETRIABLE or is_conflicting_read
    return (IonQRetriableError if can_pass else IonQAPIError).from_response(found)


def _told(document: Mapping[str, Any]) -> tuple[object, object]:
    """Return message and type: `{code, message}`, `{statusCode, error, message}` or `{error}`."""
    error = document.get("error")
    if "code" in document:
        return document.get("message"), None
    if "statusCode" in document:
        return document.get("message"), error
    if isinstance(error, dict):
        return error.get("message"), error.get("type")
    return document.get("message") or error, None
