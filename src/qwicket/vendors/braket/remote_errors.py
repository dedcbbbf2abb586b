"""Errors of requests to Amazon Braket and S3. Their texts never contain a secret.

BraketError
├── BraketClientError         invalid arguments; no request was sent
└── BraketAPIError            the service refused, or its response is missing or invalid
    └── BraketRetriableError  temporary
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qwicket.clients.http import InvalidResponse, NoResponse, sanitize
from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.sending import error_body
from qwicket.drivers.remote import failures
from qwicket.drivers.remote.clouds import NotAccepted, OutcomeUnknown

if TYPE_CHECKING:
    from qwicket.clients.http import Response

_RETRIABLE: Final = frozenset({429, 500, 502, 503, 504, *range(520, 530)})
_OF_KEYS: Final = frozenset(
    {
        "ExpiredToken",  # of S3
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "UnrecognizedClientException",
    }
)
"""Codes of refusals that concern the key pair or the clock, not the request; the status varies."""
_LATER: Final = frozenset({"DeviceOfflineException", "ServiceQuotaExceededException"})
"""Codes of refusals of a task that may be taken later."""
_IN_XML: Final = re.compile(r"<(Code|Message)>([^<]{0,2000})</\1>")
_OF_TOKEN: Final = re.compile(r"client\W?token|idempoten", re.IGNORECASE)


class BraketError(ServiceError):
    """Base of the errors."""


class BraketClientError(BraketError):
    """Invalid arguments; no request was sent."""


class BraketAPIError(APIError, BraketError):
    """The service refused a request, or its response is missing or invalid.

    Attributes:
        code: Amazon's code of the error; empty if there is none.
    """

    code = ""


class BraketRetriableError(BraketAPIError, RetriableError):
    """Temporary error: the same request may succeed later."""


def failure(response: Response | NoResponse | InvalidResponse) -> BraketAPIError:
    """Return the error for a refusal, or for a missing or invalid response."""
    if isinstance(response, InvalidResponse):
        return BraketAPIError(str(response), response.status)
    if isinstance(response, NoResponse):
        kind = BraketAPIError if response.is_not_started else BraketRetriableError
        return kind(str(response), was_sent=response.was_sent)
    code, message = _code_and_message(response)
    status = response.status
    if code in _OF_KEYS:
        status = 401
    elif code in ("ThrottlingException", "Throttling"):  # the second one of STS
        status = 429
    kind = BraketRetriableError if status in _RETRIABLE else BraketAPIError
    error = kind(message or f"The server answered {response.status}.", status, response.headers)
    error.code = code
    return error


def _code_and_message(response: Response) -> tuple[str, str]:
    body = error_body(response.text)
    in_xml = dict(_IN_XML.findall(response.text)) if not body else {}
    code = response.headers.get("x-amzn-ErrorType") or body.get("__type") or in_xml.get("Code")
    # The code may stand between a namespace and an address: ns#Code:http://…
    name = str(code or "").rpartition("#")[2].partition(":")[0]
    return name[:100], sanitize(body.get("message") or body.get("Message") or in_xml.get("Message"))


def submission_error(error: BraketError) -> Exception:
    """Return what an error means for the creation of a task."""
    if isinstance(error, BraketAPIError):
        if error.code in _LATER:
            return NotAccepted(str(error))
        # An earlier request under this token, with other content, has made a task.
        if error.code == "ValidationException" and _OF_TOKEN.search(error.message):
            return OutcomeUnknown(str(error))
    return failures.submission_error(error)
