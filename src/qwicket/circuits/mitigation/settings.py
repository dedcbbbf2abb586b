"""Settings of error mitigation that users give: their defaults and bounds."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from qwicket.circuits.mitigation import EXTRAPOLATORS

RANDOMIZATIONS: Final = 32
LEAST_SHOTS: Final = 64
"""By default 32 randomizations, or fewer where each would have less than 64 shots."""
NOISE_FACTORS: Final = (1.0, 3.0, 5.0)
DEFAULT_EXTRAPOLATORS: Final = ("exponential", "linear")
MAX_NOISE_FACTOR: Final = 100
MAX_ENTRIES: Final = 10
"""Limit on noise factors and on extrapolators."""


def divided(shots: int, randomizations: int | None, shots_each: int | None) -> tuple[int, int]:
    """Return the number of randomizations, and the shots of each, in place of a run.

    Args:
        shots: Shots of the run.
        randomizations: Wanted number; None for a number that suits the shots.
        shots_each: Wanted shots; None as above.
    """
    if shots_each is None:
        shots_each = ceil(shots / (randomizations or RANDOMIZATIONS))
        if randomizations is None:
            shots_each = max(LEAST_SHOTS, shots_each)
    return randomizations or ceil(shots / shots_each), shots_each


def factors_fault(factors: Sequence[float], least: float) -> str:
    """Return what is wrong with noise factors, or an empty text."""
    if not 1 <= len(factors) <= MAX_ENTRIES:
        return f"takes 1 to {MAX_ENTRIES} numbers, not {len(factors)}"
    for factor in factors:
        if not least <= factor <= MAX_NOISE_FACTOR:
            return f"must be {least:g} to {MAX_NOISE_FACTOR}, not {factor:g}"
    return ""


def lack_of_factors(factors: Sequence[float], extrapolators: Sequence[str]) -> str:
    """Return which known extrapolator lacks noise factors, or an empty text."""
    n_factors = len(set(factors))
    for name in extrapolators:
        if n_factors < EXTRAPOLATORS[name]:
            return (
                f"{name} needs at least {EXTRAPOLATORS[name]} different noise factors, not"
                f" {n_factors}"
            )
    return ""
