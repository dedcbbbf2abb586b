"""What can go wrong, as one tree. No text in it ever holds a token.

QluedError
├── QluedClientError        what was asked for cannot be sent
├── QluedJobError           the job ended in an error
├── QluedNotFinishedError   the job has no result yet
├── QluedTimeoutError       the wait is over, the job is not (also a TimeoutError)
└── QluedAPIError           the server refused, or gave no answer that makes sense
    └── QluedRetriableError and it may pass: raised when the tries or the time are over
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from qwicket.clients.http import InvalidResponse, NoResponse, sanitized
from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.sending import error_body

if TYPE_CHECKING:
    from qwicket.clients.http import Response

RETRIABLE: Final = frozenset({429, 502, 503, 504, *range(520, 530)})
"""Pass with time: too many requests, and proxies that find nobody behind them."""


class QluedError(ServiceError):
    """Root of the tree.

    Attributes:
        message: What is wrong.
    """


class QluedClientError(QluedError):
    """What was asked for cannot be sent; nothing was."""


class QluedJobError(QluedError):
    """The job ended in an error; `message` is the server's."""


class QluedNotFinishedError(QluedError):
    """The job has no result yet."""


class QluedTimeoutError(QluedError, TimeoutError):
    """The job has not ended in time; it goes on."""


class QluedAPIError(APIError, QluedError):
    """The server refused, or gave no answer that makes sense.

    Attributes:
        status_code: Of HTTP; None without an answer.
        headers: Of the answer.
        was_sent: Whether the request may have arrived.
    """

    def __str__(self) -> str:
        return self.message if self.status_code is None else f"{self.message} ({self.status_code})"


class QluedRetriableError(QluedAPIError, RetriableError):
    """It may pass: the same request may succeed later."""


def failure(found: Response | NoResponse | InvalidResponse) -> QluedAPIError:
    """Return the error for a refusal, or for a missing or wrong answer."""
    if isinstance(found, InvalidResponse):
        return QluedAPIError(str(found), found.status)
    if isinstance(found, NoResponse):
        kind = QluedAPIError if found.is_absent else QluedRetriableError
        return kind(str(found), was_sent=found.was_sent)
    refusal = error_body(found.text)
    detail = refusal.get("detail")
    said = detail if isinstance(detail, str) or "detail" not in refusal else json.dumps(detail)
    message = sanitized(refusal.get("error_message")) or sanitized(said)
    kind = QluedRetriableError if found.status in RETRIABLE else QluedAPIError
    return kind(message or f"The server answered {found.status}.", found.status, found.headers)
