"""How long a request is tried again: a value, what the server asks for, and the trying."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.clients.http import deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

GRACE_S: Final = 2.0
"""A try that begins in time may end this much later."""
_CHANCE: Final = random.SystemRandom()


@dataclass(frozen=True)
class RetryPolicy:
    """Bounds on trying again, by number and by time.

    Attributes:
        tries: Attempts at most.
        total_s: Seconds after which no try begins.
        first_pause_s: Longest pause before the second try; it doubles from try to try.
        longest_pause_s: Longest pause, whatever the server asks for.
    """

    tries: int = 5
    total_s: float = 90.0
    first_pause_s: float = 0.4
    longest_pause_s: float = 30.0

    def pause_s(self, tried: int, asked_s: float, chance: float) -> float:
        """Return the seconds to pause.

        Args:
            tried: Attempts so far.
            asked_s: Seconds that the server asks for.
            chance: From 0 to 1; keeps clients that failed together from coming back together.
        """
        own_s = self.first_pause_s * 2.0 ** min(tried - 1, 64) * (0.5 + chance / 2)
        return min(max(own_s, asked_s), self.longest_pause_s)


OUTAGE: Final = RetryPolicy(tries=100, total_s=300.0, longest_pause_s=10.0)
"""Bounds within a wait: a server that restarts does not end a wait of hours."""


class Attempts:
    """The tries of one request: says after each failure how long to pause, or that it was the last.

    Knows the time, but never waits itself: threads and event loops pause in ways of their own.
    """

    def __init__(self, retry_policy: RetryPolicy) -> None:
        self._retry_policy = retry_policy
        fixed = deadlines.current()
        own = time.monotonic() + retry_policy.total_s
        self._deadline = own if fixed is None else min(own, fixed)
        self._tried = 0

    def begin(self) -> float:
        """Count a try, and return the seconds that are left for all."""
        self._tried += 1
        return self._left_s()

    def pause_s(self, asked_s: float | None) -> float | None:
        """Return the seconds to pause before the next try; None when there is none.

        Args:
            asked_s: Seconds that the server asks for; None when another try would not help.
        """
        left_s = self._left_s()
        if asked_s is None or self._tried >= self._retry_policy.tries or left_s <= 0:
            return None
        own_s = self._retry_policy.pause_s(self._tried, asked_s, _CHANCE.random())
        return min(own_s, left_s)

    def _left_s(self) -> float:
        return self._deadline - time.monotonic()


def retry(
    retry_policy: RetryPolicy,
    attempt: Callable[[float], T],
    asked_s: Callable[[Exception], float | None],
) -> T:
    """Return what an attempt returns, the first that does.

    Args:
        retry_policy: The bounds.
        attempt: Is told the seconds that are left.
        asked_s: Seconds that the server asks for before another try; None when none would help.
    """
    tries = Attempts(retry_policy)
    while True:
        try:
            return attempt(tries.begin())
        except Exception as error:
            pause_s = tries.pause_s(asked_s(error))
            if pause_s is None:
                raise
        time.sleep(pause_s)


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float:
    """Return what Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3); 0 when nothing.

    Args:
        headers: Of the answer.
        now_s: Unix time, used only when the answer has no Date: the server's clock is not ours.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = _unix_s(text)
    if until is None:
        return 0.0
    said_now = _unix_s(headers.get("Date", ""))
    return max(0.0, until - (now_s if said_now is None else said_now))


def _unix_s(text: str) -> float | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
