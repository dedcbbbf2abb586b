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

import json
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from qwicket.clients.http import plain, was_surely_not_done

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class Response(Protocol):
    """An answer as `requests` and `httpx` have it, and this client."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def text(self) -> str: ...


class IonQError(Exception):
    """Root of the tree.

    Attributes:
        message: What is wrong.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


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

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.gate_name, self.gateset)


class IonQJobTimeoutError(IonQError, TimeoutError):
    """The time to wait has passed; the job lives on."""


class IonQAPIError(IonQError):
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
        super().__init__(message)
        self.status_code = status_code
        self.headers = headers
        self.body = body
        self.error_type = error_type

    @classmethod
    def from_response(cls, response: Response) -> Self:
        """Return the error that an answer tells of, in any of the shapes that IonQ has used."""
        message, error_type = _told(_document(response.text))
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

    def __reduce__(self) -> tuple[Any, ...]:
        told = (self.message, self.status_code, dict(self.headers), self.body, self.error_type)
        return type(self), told


class IonQRetriableError(IonQAPIError):
    """It may pass: the same request may succeed later."""

    @property
    def was_surely_not_done(self) -> bool:
        """Whether the request had no effect, so that even a submission may be sent again."""
        was_sent = self.error_type != NOT_CONNECTED
        return was_surely_not_done(self.status_code, was_sent=was_sent)


def is_retriable(method: str, status: int) -> bool:
    """Return whether an answer of this status may pass."""
    return status in RETRIABLE or (method == "GET" and status in RETRIABLE_FOR_GETS)


def _document(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


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
