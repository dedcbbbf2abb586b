"""What can go wrong, as one tree, and which of it passes. No text in it ever holds a secret.

IBMQXError
├── IBMQXClientError         what was asked for cannot be sent
├── IBMQXTimeoutError        the wait is over, the job is not (also a TimeoutError)
├── IBMQXJobError            the job has ended without a result
└── IBMQXAPIError            the server refused, or gave no answer that makes sense
    ├── IBMQXJobLimitError   the project has as many unfinished jobs as it may
    └── IBMQXRetriableError  and it may pass: raised when the tries or the time are over
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.clients.http import InvalidResponse, NoResponse, sanitized
from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.sending import error_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.http import Response

RETRIABLE: Final = frozenset({429, 500, 502, 503, 504, 520, 522, 524})
"""Pass with time: too many requests, and what IBM's own clients repeat."""

NOT_CONNECTED: Final = "NOT_CONNECTED"
NO_RESPONSE: Final = "NO_RESPONSE"
INVALID_RESPONSE: Final = "INVALID_RESPONSE"
_JOB_LIMIT: Final = 3458


class IBMQXError(ServiceError):
    """Root of the tree.

    Attributes:
        message: What is wrong.
    """


class IBMQXClientError(IBMQXError):
    """What was asked for cannot be sent; nothing was."""


class IBMQXTimeoutError(IBMQXError, TimeoutError):
    """The time to wait has passed; the job lives on."""


class IBMQXJobError(IBMQXError):
    """A job has ended without a result.

    Attributes:
        status: How it ended.
    """

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class IBMQXAPIError(APIError, IBMQXError):
    """The server refused a request, or there was no answer that makes sense.

    Attributes:
        status_code: HTTP status; None when there was no answer.
        code: The server's number of the error; None when it gave none.
        name: The server's word for it; without an answer one of this client's own.
        headers: Of the answer.
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
    """The project has as many unfinished jobs on this device as it may."""


class IBMQXRetriableError(IBMQXAPIError, RetriableError):
    """It may pass: the same request may succeed later."""


def failure(found: Response | NoResponse | InvalidResponse) -> IBMQXAPIError:
    """Return the error for a refusal, or for a missing or wrong answer."""
    if isinstance(found, InvalidResponse):
        return IBMQXAPIError(str(found), found.status, None, INVALID_RESPONSE, {})
    if isinstance(found, NoResponse):
        kind = IBMQXAPIError if found.is_absent else IBMQXRetriableError
        return kind(str(found), None, None, NO_RESPONSE if found.was_sent else NOT_CONNECTED, {})
    error = error_body(found.text).get("error")
    error = error if isinstance(error, dict) else {}
    code, name = error.get("code"), sanitized(error.get("name")) or "ERROR"
    number = code if isinstance(code, int) else None
    kind = IBMQXRetriableError if found.status in RETRIABLE else IBMQXAPIError
    if number == _JOB_LIMIT:
        kind = IBMQXJobLimitError
    message = sanitized(error.get("message")) or f"The server answered {found.status}."
    return kind(message, found.status, number, name, found.headers)
