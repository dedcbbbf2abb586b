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

import json
from typing import TYPE_CHECKING, Any, Final

from qwicket.clients.http import plain, was_surely_not_done

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRIABLE: Final = frozenset({429, 500, 502, 503, 504, 520, 522, 524})
"""Pass with time: too many requests, and what IBM's own clients repeat."""

NOT_CONNECTED: Final = "NOT_CONNECTED"
NO_ANSWER: Final = "NO_ANSWER"
BAD_ANSWER: Final = "BAD_ANSWER"
_JOB_LIMIT: Final = 3458


class IBMQXError(Exception):
    """Root of the tree.

    Attributes:
        message: What is wrong.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


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

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.status)


class IBMQXAPIError(IBMQXError):
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
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.name = name
        self.headers = headers

    def __str__(self) -> str:
        status = "" if self.status_code is None else f", HTTP {self.status_code}"
        number = "" if self.code is None else f", code {self.code}"
        return f"{self.message} ({self.name}{status}{number})"

    def __reduce__(self) -> tuple[Any, ...]:
        told = (self.message, self.status_code, self.code, self.name, dict(self.headers))
        return type(self), told


class IBMQXJobLimitError(IBMQXAPIError):
    """The project has as many unfinished jobs on this device as it may."""


class IBMQXRetriableError(IBMQXAPIError):
    """It may pass: the same request may succeed later."""

    @property
    def was_surely_not_done(self) -> bool:
        """Whether the request had no effect, so that even a submission may be sent again."""
        was_sent = self.name != NOT_CONNECTED
        return was_surely_not_done(self.status_code, was_sent=was_sent)


def refusal(status: int, headers: Mapping[str, str], text: str) -> IBMQXAPIError:
    """Return the error that an answer tells of."""
    error = _error(text)
    code, name = error.get("code"), plain(error.get("name")) or "ERROR"
    number = code if isinstance(code, int) else None
    kind = IBMQXRetriableError if status in RETRIABLE else IBMQXAPIError
    if number == _JOB_LIMIT:
        kind = IBMQXJobLimitError
    message = plain(error.get("message")) or f"The server answered {status}."
    return kind(message, status, number, name, headers)


def _error(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}
