"""Fair share: usage of devices by projects, so that the project with the least usage goes first.

Usage decays with a half-life. Instead of reducing all old numbers continually, later usage counts
more ("forward decay", Cormode et al., ICDE 2009). All usage decays alike, so decay does not change
the order of projects, and an index finds the next one.
"""

from __future__ import annotations

from typing import Final

HALF_LIFE_S: Final = 86_400.0
"""Half-life in seconds: yesterday's usage counts half."""

MAX_ADVANTAGE_S: Final = 60.0
"""Seconds of usage by which a project that begins to wait may be ahead of the waiting project with
the least usage. A longer pause gains no further advantage."""

REBASE_AFTER: Final = 100.0
"""Half-lives after which usage numbers are rescaled; doubles overflow after about 1,000."""

_MIN_CHARGE_S: Final = 0.001
"""Minimum usage of one job. Without it, projects with tiny estimates would always go first."""


def weight(now_ms: int, epoch_ms: int) -> float:
    """Return the weight of a second of usage at `now_ms`: 1 at the epoch, 2 a half-life later.

    A clock that jumps before the epoch, or far beyond it, distorts weights for a while, but cannot
    make them overflow.
    """
    half_lives = (now_ms - epoch_ms) / (1000 * HALF_LIFE_S)
    return float(2.0 ** max(-REBASE_AFTER, min(2 * REBASE_AFTER, half_lives)))


def charge_s(seconds: float) -> float:
    """Return the usage that a job of this run time counts as, in seconds."""
    return max(seconds, _MIN_CHARGE_S)
