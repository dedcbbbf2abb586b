"""Errors of the client. Their texts never contain a token.

ClientError
├── ApiError             the server refused a request
│   └── ServerBusy       the server stayed overloaded, starting or stopping
├── Unreachable          no response within the attempts and the time allowed
├── UnexpectedResponse   the response is not one of Qwicket's API
├── InvalidArchive       the file is not an archive of a job, or was changed
├── JobFailed            the job ended without a result
└── WaitTimeout          the job or its result was not there in time (also a TimeoutError)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwicket.clients.http import sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping


class ClientError(Exception):
    """Base of the client's errors."""


class ApiError(ClientError):
    """The server refused a request.

    Attributes:
        status: HTTP status.
        code: Stable code of the error.
        detail: Cause of the error.
        remedy: Action that helps.
        field: Name of the invalid field; None if no single field is invalid.
    """

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = sanitize(body.get("code")) or "error"
        self.detail = sanitize(body.get("detail")) or f"The server answered {status}."
        self.remedy = sanitize(body.get("remedy"))
        self.field = sanitize(body.get("field")) or None
        super().__init__(f"{self.detail} ({self.code}, HTTP {status})")


class ServerBusy(ApiError):
    """The server is overloaded, starting or stopping, or there are too many requests.

    Attributes:
        retry_after_s: Pause in seconds that the server requests; 0 if it requests none.
    """

    def __init__(self, status: int, body: Mapping[str, Any], retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(status, body)


class Unreachable(ClientError):
    """The server sent no response, or only a part of one.

    Attributes:
        is_not_started: Whether no server listens at an address of this machine that has never
            answered; the client then does not repeat the request.
    """

    def __init__(self, text: str, *, is_not_started: bool = False) -> None:
        self.is_not_started = is_not_started
        super().__init__(text)


class UnexpectedResponse(ClientError):
    """The response is not one of Qwicket's API. Is the address right?"""


class InvalidArchive(ClientError):
    """A file or folder is no archive or export of jobs, was changed, or is of a newer version."""


class JobFailed(ClientError):
    """The job, or the circuit whose result is read, ended without a result."""


class WaitTimeout(ClientError, TimeoutError):
    """The job has not ended, or its result has not arrived, in time; the server keeps both."""
