"""Retries of urllib3, extended to POST requests after server errors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Self

from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

from qwicket.clients.http import deadline_connections, deadlines

if TYPE_CHECKING:
    from types import TracebackType

    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

STATUS_FORCELIST: Final = (500, 502, 503, 504, 520, 522, 524)
"""Statuses after which a POST is repeated too; its idempotency key prevents a second effect."""

_MAX_RETRY_AFTER_S: Final = 120.0
"""Longest accepted Retry-After, so that a server cannot block its clients."""

_log = logging.getLogger(__name__)


class PostForcelistRetry(Retry):
    """Retry policy of urllib3 that also repeats a POST after the statuses in its list.

    It pauses on the clock of the deadline.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Return whether a request is repeated after a response with this status."""
        if method.upper() == "POST" and status_code in (self.status_forcelist or ()):
            return True
        return super().is_retry(method.upper(), status_code, has_retry_after)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Return the retries left; raise at once if a server on this machine was not started."""
        status = response.status if response is not None else None
        _log.debug("%s %s failed: status %s, error %s", method, url, status, error)
        if (
            error is not None
            and _pool is not None
            and deadline_connections.is_not_started(_pool, error)
        ):
            raise MaxRetryError(_pool, url or "", error) from error
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the seconds that the server requests, bounded by 120 s and the deadline."""
        pause_s = super().get_retry_after(response)
        return None if pause_s is None else deadlines.within(min(pause_s, _MAX_RETRY_AFTER_S))

    def get_backoff_time(self) -> float:
        """Return the seconds to pause, bounded by the deadline."""
        pause_s = super().get_backoff_time()
        return deadlines.within(pause_s) if pause_s > 0 else pause_s

    def sleep_for_retry(self, response: BaseHTTPResponse) -> bool:
        """Pause for as long as the server requests; return whether it requests a pause."""
        pause_s = self.get_retry_after(response)
        if pause_s:
            deadlines.current_clock().sleep(pause_s)
        return bool(pause_s)

    def _sleep_backoff(self) -> None:
        pause_s = self.get_backoff_time()
        if pause_s > 0:
            deadlines.current_clock().sleep(pause_s)

    def is_exhausted(self) -> bool:
        """Return whether no retry or no time is left."""
        return super().is_exhausted() or deadlines.has_passed()
