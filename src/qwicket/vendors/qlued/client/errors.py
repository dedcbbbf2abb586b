"""Errors of the client. Their texts never contain a token.

QluedError
├── QluedClientError         invalid arguments; no request was sent
├── QluedJobError            the job ended in an error or does not exist
├── QluedNotFinishedError    the job has no result yet
├── QluedTimeoutError        the job has not ended in time (also a TimeoutError)
└── QluedAPIError            the server refused, or its response is missing or invalid
    └── QluedRetriableError  temporary; raised after the last retry, or at once
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from qwicket.clients.http import InvalidResponse, NoResponse, sanitize
from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.sending import error_body

if TYPE_CHECKING:
    from qwicket.clients.http import Response

RETRIABLE: Final = frozenset({429, 502, 503, 504, *range(520, 530)})
"""Temporary: too many requests (429), and a server or proxy that cannot take the request."""


class QluedError(ServiceError):
    """Base of the client's errors.

    Attributes:
        message: Text of the error.
    """


class QluedClientError(QluedError):
    """Invalid arguments; no request was sent."""


class QluedJobError(QluedError):
    """The job ended in an error or does not exist; `message` is the server's."""


class QluedNotFinishedError(QluedError):
    """The job has no result yet."""


class QluedTimeoutError(QluedError, TimeoutError):
    """The job has not ended in time; it continues on the server."""


class QluedAPIError(APIError, QluedError):
    """The server refused a request, or its response is missing or invalid.

    Attributes:
        status_code: HTTP status; None without a response.
        headers: Headers of the response.
        was_sent: Whether the request may have arrived.
    """

    def __str__(self) -> str:
        return self.message if self.status_code is None else f"{self.message} ({self.status_code})"


class QluedRetriableError(QluedAPIError, RetriableError):
    """Temporary error: the same request may succeed later."""


def failure(response: Response | NoResponse | InvalidResponse) -> QluedAPIError:
    """Return the error for a refusal, or for a missing or invalid response."""
    if isinstance(response, InvalidResponse):
        return QluedAPIError(str(response), response.status)
    if isinstance(response, NoResponse):
        kind = QluedAPIError if response.is_not_started else QluedRetriableError
        return kind(str(response), was_sent=response.was_sent)
    refusal = error_body(response.text)
    detail = refusal.get("detail")
    text = detail if isinstance(detail, str) or "detail" not in refusal else json.dumps(detail)
    message = sanitize(refusal.get("error_message")) or sanitize(text)
    kind = QluedRetriableError if response.status in RETRIABLE else QluedAPIError
    return kind(
        message or f"The server answered {response.status}.", response.status, response.headers
    )
