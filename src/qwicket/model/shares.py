"""Fair share: what use of a device costs a project, so that the least user goes first.

Use decays with a half-life. Instead of making every old number smaller all the time, new use is
counted larger the later it comes ("forward decay", Cormode et al., ICDE 2009): everyone's use
decays alike, so their order never changes by waiting, and the next project is an index look-up.
"""

from __future__ import annotations

from typing import Final

HALF_LIFE_S: Final = 86_400.0
"""Yesterday's use counts half of today's."""

CREDIT_S: Final = 60.0
"""How far below the least active project a newcomer may start."""

REBASE_AFTER: Final = 100.0
"""Half-lives after which numbers are made small again; doubles hold about 1,000."""

_LEAST_COST_S: Final = 0.001
"""Else a project whose jobs are estimated at nothing would always be the least user."""


def weight(now_ms: int, epoch_ms: int) -> float:
    """Return what a second of use at `now_ms` counts; 1 at the epoch, twice that a half-life later.

    A clock that jumps before the epoch, or far beyond it, changes what use counts for a while, but
    overflows nothing.
    """
    half_lives = (now_ms - epoch_ms) / (1000 * HALF_LIFE_S)
    return float(2.0 ** max(-REBASE_AFTER, min(2 * REBASE_AFTER, half_lives)))


def cost(seconds: float) -> float:
    """Return what a job of so many seconds counts: something, however short it is."""
    return max(seconds, _LEAST_COST_S)
