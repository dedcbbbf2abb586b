"""The rule by which every client repeats requests; docs/clients/README.md states it for users.

- A request that may be carried out twice (a read, a cancellation, a submission under an idempotency
  key that the server knows) is repeated while it may help.
- Any other is repeated only when it was surely not carried out: no connection was made, or the
  server answered 429, which it does before it does anything (RFC 6585, 4).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from qwicket.clients.http.patience import retry_after_s

if TYPE_CHECKING:
    from collections.abc import Mapping


def was_surely_not_done(status: int | None, *, was_sent: bool) -> bool:
    """Return whether a failed request had no effect.

    Args:
        status: Status of the answer; None without an answer.
        was_sent: Whether the request may have arrived.
    """
    return status == 429 or not was_sent


class Transient(Protocol):
    """An error of a request that may succeed later."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def was_surely_not_done(self) -> bool: ...


def pause_asked_s(error: Transient, *, can_repeat: bool) -> float | None:
    """Return the seconds that the server asks for before another try; None when none may follow.

    Args:
        error: Why the try failed.
        can_repeat: Whether the request may be carried out twice.
    """
    if can_repeat or error.was_surely_not_done:
        return retry_after_s(error.headers, time.time())
    return None
