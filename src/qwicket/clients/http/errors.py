"""Base classes of the errors of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServiceError(Exception):
    """Base of each vendor's errors.

    Attributes:
        message: Text of the error.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle would call a subclass with `args`, but subclasses have other arguments.
        return _restored, (type(self), self.args, vars(self))


class APIError(ServiceError):
    """The server refused a request, or its response is missing or invalid.

    Attributes:
        status_code: HTTP status; None without a response.
        headers: Headers of the response.
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
    """The error is temporary: the same request may succeed later."""

    @property
    def was_surely_not_done(self) -> bool:
        """Whether the request certainly had no effect, so that a submission can be repeated.

        True if no connection was made, or for status 429, which a server sends instead of
        processing the request (RFC 6585, section 4).
        """
        return self.status_code == 429 or not self.was_sent


def _restored(kind: type[ServiceError], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error
