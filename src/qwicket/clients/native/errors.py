"""What can go wrong, as one tree. No text in it ever holds a token.

ClientError
├── ApiError       the server refused; says why and what to do
├── Unreachable    no answer within the tries and the time allowed
├── JobFailed      the job ended without a result
└── WaitTimeout    the wait is over, the job is not (also a TimeoutError)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Root of the tree."""


class ApiError(ClientError):
    """The server refused a request.

    Attributes:
        status: HTTP status.
        code: Stable code of the error.
        detail: What is wrong.
        remedy: What to do about it.
        field: The field at fault, if one is.
    """

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", "error"))
        self.detail = str(body.get("detail", f"The server answered {status}."))
        self.remedy = str(body.get("remedy", ""))
        self.field: str | None = body.get("field")
        super().__init__(f"{self.detail} ({self.code}, HTTP {status})")


class Unreachable(ClientError):
    """The server gave no usable answer."""


class JobFailed(ClientError):
    """The job ended without a result."""


class WaitTimeout(ClientError, TimeoutError):
    """The time to wait has passed; the job lives on."""
