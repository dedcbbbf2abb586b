"""Errors of the client, and which of them are temporary. Their texts never contain a secret.

IBMQXError
├── IBMQXClientError         invalid arguments, or an unusable URL or access token from the server
├── IBMQXTimeoutError        the job was not seen to end in time (also a TimeoutError)
├── IBMQXJobError            the job has no result, or its upload was refused; see its status
└── IBMQXAPIError            the server refused, or its response is missing or invalid
    ├── IBMQXJobLimitError   the project has too many unfinished jobs on this device
    └── IBMQXRetriableError  temporary; raised after the last retry, or at once
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.clients.http import InvalidResponse, NoResponse, sanitize
from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.sending import error_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.http import Response

RETRIABLE: Final = frozenset({429, 500, 502, 503, 504, 520, 522, 524})
"""Temporary: too many requests (429), and the statuses that IBM's own clients repeat."""

NOT_CONNECTED: Final = "NOT_CONNECTED"
NO_RESPONSE: Final = "NO_RESPONSE"
INVALID_RESPONSE: Final = "INVALID_RESPONSE"
_JOB_LIMIT: Final = 3458
"""IBM's number of the error for too many unfinished jobs."""


class IBMQXError(ServiceError):
    """Base of the client's errors.

    Attributes:
        message: Text of the error.
    """


class IBMQXClientError(IBMQXError):
    """Invalid arguments; or the server gave an access token or address that cannot be used."""


class IBMQXTimeoutError(IBMQXError, TimeoutError):
    """The job has not ended in time, or could not be read; it continues on the server."""


class IBMQXJobError(IBMQXError):
    """A job has no result (yet), or the server refused its program after the upload.

    Attributes:
        status: Status of the job.
    """

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class IBMQXAPIError(APIError, IBMQXError):
    """The server refused a request, or its response is missing or invalid.

    Attributes:
        status_code: HTTP status; None without a response.
        code: The server's number of the error; None without one.
        name: The server's name of the error, "ERROR" if it gives none; NO_RESPONSE or
            NOT_CONNECTED without a response, INVALID_RESPONSE with one that cannot be read.
        headers: Headers of the response.
    """

    def __init__(
        self,
        message: str,
        status_code: int | None,
        code: int | None,
        name: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(message, status_code, headers, was_sent=name != NOT_CONNECTED)
        self.code = code
        self.name = name

    def __str__(self) -> str:
        status = "" if self.status_code is None else f", HTTP {self.status_code}"
        number = "" if self.code is None else f", code {self.code}"
        return f"{self.message} ({self.name}{status}{number})"


class IBMQXJobLimitError(IBMQXAPIError):
    """The project has reached its limit of unfinished jobs on this device."""


class IBMQXRetriableError(IBMQXAPIError, RetriableError):
    """Temporary error: the same request may succeed later."""


def failure(response: Response | NoResponse | InvalidResponse) -> IBMQXAPIError:
    """Return the error for a refusal, or for a missing or invalid response."""
    if isinstance(response, InvalidResponse):
        return IBMQXAPIError(str(response), response.status, None, INVALID_RESPONSE, {})
    if isinstance(response, NoResponse):
        kind = IBMQXAPIError if response.is_not_started else IBMQXRetriableError
        return kind(
            str(response), None, None, NO_RESPONSE if response.was_sent else NOT_CONNECTED, {}
        )
    body = error_body(response.text)
    error, others = body.get("error"), body.get("errors")
    if error is None and isinstance(others, list) and others:  # IBM's newer API has these alone
        error = others[0]
    error = error if isinstance(error, dict) else {}
    code, name = error.get("code"), sanitize(error.get("name")) or "ERROR"
    number = code if isinstance(code, int) else None
    kind = IBMQXRetriableError if response.status in RETRIABLE else IBMQXAPIError
    if number == _JOB_LIMIT:
        kind = IBMQXJobLimitError
    message = sanitize(error.get("message")) or f"The server answered {response.status}."
    return kind(message, response.status, number, name, response.headers)


def not_ended(id_: str) -> IBMQXTimeoutError:
    return IBMQXTimeoutError(f"Job {id_} has not ended in time. It continues on the server.")
