"""Errors of the client. Their texts never contain a token.

IQMError
├── IQMClientError         invalid arguments; no request was sent
└── IQMAPIError            the server refused, or its response is missing or invalid
    └── IQMRetriableError  temporary
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.clients.http import InvalidResponse, NoResponse, sanitize
from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.sending import error_body

if TYPE_CHECKING:
    from qwicket.clients.http import Response

RETRIABLE: Final = frozenset({429, 502, 503, 504, *range(520, 530)})
"""Temporary: too many requests (429), and a server or proxy that cannot take the request."""


class IQMError(ServiceError):
    """Base of the client's errors."""


class IQMClientError(IQMError):
    """Invalid arguments; no request was sent."""


class IQMAPIError(APIError, IQMError):
    """The server refused a request, or its response is missing or invalid."""


class IQMRetriableError(IQMAPIError, RetriableError):
    """Temporary error: the same request may succeed later."""


def failure(response: Response | NoResponse | InvalidResponse) -> IQMAPIError:
    """Return the error for a refusal, or for a missing or invalid response."""
    if isinstance(response, InvalidResponse):
        return IQMAPIError(str(response), response.status)
    if isinstance(response, NoResponse):
        kind = IQMAPIError if response.is_not_started else IQMRetriableError
        return kind(str(response), was_sent=response.was_sent)
    refusal = error_body(response.text)
    message = sanitize(refusal.get("message")) or sanitize(refusal.get("detail"))
    kind = IQMRetriableError if response.status in RETRIABLE else IQMAPIError
    return kind(
        message or f"The server answered {response.status}.", response.status, response.headers
    )
