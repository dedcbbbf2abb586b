"""Base classes of the errors of the clients for IonQ, IBM and qlued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServiceError(Exception):
    """Base of each vendor's tree of errors.

    Attributes:
        message: What is wrong.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses have arguments of their own, with which pickle cannot call them again.
        return _restored, (type(self), self.args, vars(self))


class APIError(ServiceError):
    """The server refused a request, or gave no answer that makes sense.

    Attributes:
        status_code: HTTP status; None without an answer.
        headers: Headers of the answer.
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
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.was_sent = was_sent


class RetriableError(APIError):
    """The same request may succeed later."""

    @property
    def was_surely_not_done(self) -> bool:
        """Whether the request had no effect, so that even a submission may be sent again.

        No connection was made, or the server answered 429, which it does before it does anything
        (RFC 6585, 4).
        """
        return self.status_code == 429 or not self.was_sent


def _restored(kind: type[ServiceError], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error
