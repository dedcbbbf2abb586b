"""What can go wrong, as one tree. No text in it ever holds a token.

ClientError
├── ApiError         the server refused; says why and what to do
│   └── ServerBusy   it asks to come back later, and still did at the last try
├── Unreachable      no answer within the tries and the time allowed
├── BadAnswer        what answered does not speak Qwicket's API
├── JobFailed        the job ended without a result
└── WaitTimeout      the wait is over, the job is not (also a TimeoutError)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwicket.clients.http import plain

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        self.code = plain(body.get("code")) or "error"
        self.detail = plain(body.get("detail")) or f"The server answered {status}."
        self.remedy = plain(body.get("remedy"))
        self.field = plain(body.get("field")) or None
        super().__init__(f"{self.detail} ({self.code}, HTTP {status})")


class ServerBusy(ApiError):
    """The server is overloaded, starting or stopping.

    Attributes:
        retry_after_s: Seconds after which it wants to be asked again; 0 when it does not say.
    """

    def __init__(self, status: int, body: Mapping[str, Any], retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(status, body)


class Unreachable(ClientError):
    """The server gave no answer, or only the beginning of one.

    Attributes:
        is_absent: Whether no server was started at an address of this machine: trying again does
            not help.
    """

    def __init__(self, text: str, *, is_absent: bool = False) -> None:
        self.is_absent = is_absent
        super().__init__(text)


class BadAnswer(ClientError):
    """An answer came, but not one that a Qwicket server gives. Is the address right?"""


class JobFailed(ClientError):
    """The job ended without a result."""


class WaitTimeout(ClientError, TimeoutError):
    """The time to wait has passed; the job lives on."""
