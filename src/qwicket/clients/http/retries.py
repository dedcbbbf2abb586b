"""Retry policy, the pauses that servers request, and the retry loop."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.clients.http import deadlines
from qwicket.clients.http.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.clients.http.clock import Clock

T = TypeVar("T")

GRACE_S: Final = 2.0
"""Time in seconds by which an attempt that began in time may exceed the deadline."""
_RANDOM: Final = random.SystemRandom()


@dataclass(frozen=True)
class RetryPolicy:
    """Bounds of retries.

    Attributes:
        max_attempts: Maximum number of attempts, the first one included.
        total_s: Seconds after the first attempt within which the last one must begin.
        first_pause_s: Longest pause before the second attempt, unless the server requests a longer
            one; it doubles with each attempt.
        max_pause_s: Longest pause, even if the server requests a longer one.
    """

    max_attempts: int = 5
    total_s: float = 90.0
    first_pause_s: float = 0.4
    max_pause_s: float = 30.0

    def pause_s(self, attempts: int, requested_s: float, jitter: float) -> float:
        """Return the seconds to pause.

        Args:
            attempts: Number of attempts so far.
            requested_s: Pause in seconds that the server requests.
            jitter: Random number from 0 to 1, so that clients that failed together do not retry
                together.
        """
        own_s = self.first_pause_s * 2.0 ** min(attempts - 1, 64) * (0.5 + jitter / 2)
        return min(max(own_s, requested_s), self.max_pause_s)


OUTAGE: Final = RetryPolicy(max_attempts=100, total_s=300.0, max_pause_s=10.0)
"""Retry policy within a wait, so that a restart of the server does not end a wait of hours."""


class Attempts:
    """Attempts of one request: their number, the time left, and the next pause.

    This class does not sleep, because threads and event loops do that differently.
    """

    def __init__(self, retry_policy: RetryPolicy, clock: Clock = SYSTEM_CLOCK) -> None:
        self._retry_policy = retry_policy
        self._clock = clock
        fixed = deadlines.current()
        own = clock.monotonic() + retry_policy.total_s
        self._deadline = own if fixed is None else min(own, fixed)
        self._count = 0

    def begin(self) -> float:
        """Count an attempt; return the seconds left for all attempts."""
        self._count += 1
        return self._left_s()

    def pause_s(self, requested_s: float | None) -> float | None:
        """Return the seconds to pause before the next attempt; None if there is no next one.

        Args:
            requested_s: Pause that the server requests; None if repeating cannot help.
        """
        left_s = self._left_s()
        if requested_s is None or self._count >= self._retry_policy.max_attempts or left_s <= 0:
            return None
        own_s = self._retry_policy.pause_s(self._count, requested_s, _RANDOM.random())
        return min(own_s, left_s)

    def _left_s(self) -> float:
        return self._deadline - self._clock.monotonic()


def retry(
    retry_policy: RetryPolicy,
    attempt: Callable[[float], T],
    requested_s: Callable[[Exception], float | None],
    clock: Clock = SYSTEM_CLOCK,
) -> T:
    """Repeat an attempt until it succeeds; return its value, or raise the last error.

    Args:
        retry_policy: Bounds of the retries.
        attempt: Function of the seconds left.
        requested_s: Function that returns the pause that the server requests with an error; None
            if repeating cannot help.
        clock: Clock on which the pauses are.
    """
    attempts = Attempts(retry_policy, clock)
    while True:
        try:
            return attempt(attempts.begin())
        except Exception as error:
            pause_s = attempts.pause_s(requested_s(error))
            if pause_s is None:
                raise
        clock.sleep(pause_s)


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float:
    """Return the seconds in Retry-After, a number or a date (RFC 9110, 10.2.3); 0 without one.

    Args:
        headers: Headers of the response.
        now_s: Unix time of this machine, used only for a response without a Date header, because
            the server's clock may differ.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = _unix_s(text)
    if until is None:
        return 0.0
    server_now_s = _unix_s(headers.get("Date", ""))
    return max(0.0, until - (now_s if server_now_s is None else server_now_s))


def _unix_s(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # late: few servers send a date

    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
