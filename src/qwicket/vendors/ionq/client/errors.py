"""Errors of the client, and which of them are temporary. Their texts never contain a key.

IonQError
├── IonQCredentialsError    a request needs a key, and the client has none
├── IonQClientError         invalid arguments; no request was sent
│   └── IonQGateError       IonQ's format does not have the gate
├── IonQJobTimeoutError     the job has not ended in time (also a TimeoutError)
└── IonQAPIError            the server refused, or its response is missing or invalid
    └── IonQRetriableError  temporary; raised after the last retry, or at once
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from qwicket.clients.http import InvalidResponse, NoResponse, sanitize
from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.sending import error_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.http import Response

RETRIABLE: Final = frozenset({429, 502, 503, 504, *range(520, 530)})
"""Temporary for every method: too many requests (429), and proxies that cannot reach the service
(502 to 504; Cloudflare's 520 to 529)."""

RETRIABLE_FOR_GETS: Final = frozenset({409})
"""Temporary for reads: Cloudflare reports a failed name resolution (its error 1001) as a conflict.
For a write, 409 may also be the service's refusal."""

NOT_CONNECTED: Final = "not_connected"
NO_RESPONSE: Final = "no_response"
INVALID_RESPONSE: Final = "invalid_response"
_INTERNAL: Final = "internal_error"


class ResponseLike(Protocol):
    """Response of `requests`, `httpx` or this client."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def text(self) -> str: ...


class IonQError(ServiceError):
    """Base of the client's errors.

    Attributes:
        message: Text of the error.
    """


class IonQCredentialsError(IonQError):
    """A request needs a key, and the client has none."""


class IonQClientError(IonQError):
    """Invalid arguments; no request was sent."""


class IonQGateError(IonQClientError):
    """A circuit has a gate that its gateset lacks.

    Attributes:
        gate_name: Name of the gate.
        gateset: `qis` or `native`.
    """

    def __init__(self, gate_name: str, gateset: str) -> None:
        self.gate_name = sanitize(gate_name)
        self.gateset = gateset
        super().__init__(f"The gateset {gateset!r} has no gate {self.gate_name!r}.")


class IonQJobTimeoutError(IonQError, TimeoutError):
    """The job has not ended in time; it continues on the server."""


class IonQAPIError(APIError, IonQError):
    """The server refused a request, or its response is missing or invalid.

    Attributes:
        message: Text of the error, from the server if it sent one.
        status_code: HTTP status; None without a response.
        headers: Headers of the response.
        body: Text of the response.
        error_type: The server's name of the error, `internal_error` if it gives none;
            `not_connected` or `no_response` without a response, `invalid_response` with one that
            cannot be read.
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
        """Return the error in a response, in any of IonQ's formats."""
        message, error_type = _message_and_type(error_body(response.text))
        return cls(
            sanitize(message) or f"The server answered {response.status_code}.",
            response.status_code,
            response.headers,
            response.text,
            sanitize(error_type) or _INTERNAL,
        )

    def __str__(self) -> str:
        status = "" if self.status_code is None else f", HTTP {self.status_code}"
        return f"{self.message} ({self.error_type}{status})"


class IonQRetriableError(IonQAPIError, RetriableError):
    """Temporary error: the same request may succeed later."""


def failure(method: str, response: Response | NoResponse | InvalidResponse) -> IonQAPIError:
    """Return the error for a refusal, or for a missing or invalid response."""
    if isinstance(response, InvalidResponse):
        return IonQAPIError(str(response), response.status, {}, "", INVALID_RESPONSE)
    if isinstance(response, NoResponse):
        kind = IonQAPIError if response.is_not_started else IonQRetriableError
        return kind(
            str(response), None, {}, "", NO_RESPONSE if response.was_sent else NOT_CONNECTED
        )
    is_conflicting_read = method == "GET" and response.status in RETRIABLE_FOR_GETS
    is_temporary = response.status in RETRIABLE or is_conflicting_read
    return (IonQRetriableError if is_temporary else IonQAPIError).from_response(response)


def _message_and_type(document: Mapping[str, Any]) -> tuple[object, object]:
    """Read message and type: `{code, message}`, `{statusCode, error, message}` or `{error}`."""
    error = document.get("error")
    if "code" in document:
        return document.get("message"), None
    if "statusCode" in document:
        return document.get("message"), error
    if isinstance(error, dict):
        return error.get("message"), error.get("type")
    return document.get("message") or error, None
