"""How long a request is tried again: a value, what the server asks for, and the trying."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """Bounds on trying again, by number and by time.

    Attributes:
        tries: Tries at most.
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
            tried: Tries so far.
            asked_s: Seconds that the server asks for.
            chance: From 0 to 1; keeps clients that failed together from coming back together.
        """
        own_s = self.first_pause_s * 2.0 ** min(tried - 1, 64) * (0.5 + chance / 2)
        return min(max(own_s, asked_s), self.longest_pause_s)


def insist(
    patience: Patience,
    attempt: Callable[[float], T],
    asked_s: Callable[[Exception], float | None],
) -> T:
    """Return what an attempt returns, the first that does.

    Args:
        patience: The bounds.
        attempt: Is told the seconds that are left.
        asked_s: Seconds that the server asks for before another try; None when none would help.
    """
    deadline = time.monotonic() + patience.total_s
    tried = 0
    while True:
        tried += 1
        try:
            return attempt(deadline - time.monotonic())
        except Exception as error:
            asked = asked_s(error)
            left_s = deadline - time.monotonic()
            if asked is None or tried >= patience.tries or left_s <= 0:
                raise
        # The jitter is no secret, which S311 is about.
        pause_s = patience.pause_s(tried, asked, random.random())  # noqa: S311 - no secret
        time.sleep(min(pause_s, left_s))


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
