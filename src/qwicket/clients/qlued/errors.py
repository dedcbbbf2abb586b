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

from typing import TYPE_CHECKING, Any, Final

from qwicket.clients.http import was_surely_not_done

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRIABLE: Final = frozenset({429, 502, 503, 504, *range(520, 530)})
"""Pass with time: too many requests, and proxies that find nobody behind them."""


class QluedError(Exception):
    """Root of the tree.

    Attributes:
        message: What is wrong.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class QluedClientError(QluedError):
    """What was asked for cannot be sent; nothing was."""


class QluedJobError(QluedError):
    """The job ended in an error; `message` is the server's."""


class QluedNotFinishedError(QluedError):
    """The job has no result yet."""


class QluedTimeoutError(QluedError, TimeoutError):
    """The job has not ended in time; it goes on."""


class QluedAPIError(QluedError):
    """The server refused, or gave no answer that makes sense.

    Attributes:
        status_code: Of HTTP; None without an answer.
        headers: Of the answer.
        was_sent: Whether the request may have arrived.
    """

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        was_sent: bool = True,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.headers = dict(headers or {})
        self.was_sent = was_sent

    def __str__(self) -> str:
        return self.message if self.status_code is None else f"{self.message} ({self.status_code})"

    def __reduce__(self) -> tuple[Any, ...]:
        told = {"was_sent": self.was_sent}
        return type(self), (self.message, self.status_code, self.headers), told


class QluedRetriableError(QluedAPIError):
    """It may pass: the same request may succeed later."""

    @property
    def was_surely_not_done(self) -> bool:
        """Whether the request had no effect, so that even a job may be sent again."""
        return was_surely_not_done(self.status_code, was_sent=self.was_sent)
