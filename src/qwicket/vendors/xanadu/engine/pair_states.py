"""Photon counts of pure pair states: photons come in pairs, one in each of two halves of the modes.

Such a state is exp(Σ B_ij a_i† b_j†)|0⟩ up to normalisation. The first half alone is thermal, hence
classical. Given its counts s, the second half is Π_i (Σ_j B_ij b_j†)^{s_i}|0⟩, and the polynomial
is multiplied out.
"""

from __future__ import annotations

from math import lgamma
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from qwicket.engines.failures import CannotRun
from qwicket.vendors.xanadu.engine.gates import Complex, Real, omega
from qwicket.vendors.xanadu.engine.moments import classical_counts, moments, pure_amplitudes

Counts = NDArray[np.int64]
_ZERO: Final = 1e-11
"""Size, relative to the covariances, up to which a number is taken for 0."""
_MAX_PAIR_MODES: Final = 5
"""Modes of the smaller half of a pair state. States with more are counted mode by mode."""
_SCALED_EVERY: Final = 64
"""Multiplications after which coefficients are scaled back: each makes the largest at most
`_MAX_PAIR_MODES` times larger, so they stay in the range of floats."""


def split(cov: Real) -> tuple[list[int], list[int]] | None:
    """Return the modes of the halves of a pure pair state, the larger first; None for other states.

    `cov` is as in `moments.py`, 2n × 2n.
    """
    n = len(cov) // 2
    scale = float(np.abs(cov).max())
    form = omega(n)
    if not np.allclose(cov @ form @ cov, form, rtol=0, atol=_ZERO * scale**2):
        return None
    within, across = moments(cov)
    side = [-1] * n
    for start in range(n):
        if side[start] < 0 and not _colour(start, within, across, side, _ZERO * scale):
            return None
    halves = [mode for mode in range(n) if not side[mode]], [m for m in range(n) if side[m]]
    first, second = sorted(halves, key=len, reverse=True)
    return (first, second) if len(second) <= _MAX_PAIR_MODES else None


def _colour(start: int, within: Complex, across: Complex, side: list[int], minimum: float) -> bool:
    """Assign `start` and all modes coupled to it to sides 0 and 1; return whether that is possible.

    ⟨a_i† a_j⟩ couples modes of one side, ⟨a_i a_j⟩ of different sides.
    """
    side[start] = 0
    waiting = [start]
    while waiting:
        mode = waiting.pop()
        for others, turn in ((within, 0), (across, 1)):
            for other in np.flatnonzero(np.abs(others[mode]) > minimum).tolist():
                wanted = side[mode] ^ turn
                if side[other] < 0:
                    side[other] = wanted
                    waiting.append(other)
                elif side[other] != wanted:
                    return False
    return True


def draw(
    cov: Real, halves: tuple[list[int], list[int]], shots: int, rng: Generator, maximum: int
) -> Counts:
    """Return counts of a pure pair state, shots × modes; `maximum` bounds amplitudes in memory."""
    first, second = halves
    n = len(cov) // 2
    at = [*first, *(mode + n for mode in first)]
    found = np.zeros((shots, n), np.int64)
    drawn = classical_counts(cov[np.ix_(at, at)], np.zeros((1, 2 * len(first))), shots, rng)
    found[:, first] = drawn
    if not second:
        return found
    coupling = pure_amplitudes(cov)[np.ix_(first, second)]
    patterns, of_shot = np.unique(drawn, axis=0, return_inverse=True)
    order = np.argsort(of_shot.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(of_shot.ravel()))
    for pattern, rows in zip(patterns, np.split(order, ends[:-1]), strict=True):
        found[rows[:, None], second] = _second_half_counts(
            coupling, pattern, len(rows), rng, maximum
        )
    return found


def _second_half_counts(
    coupling: Complex, pattern: Counts, shots: int, rng: Generator, maximum: int
) -> Counts:
    """Draw the second half's counts, given the first's."""
    total, n = int(pattern.sum()), coupling.shape[1]
    if n == 1:
        return np.full((shots, 1), total)
    size = (total + 1) ** (n - 1)
    if size > maximum:
        text = f"A shot with {total} photons in {n} modes needs {size:,} amplitudes; the limit"
        advice = "A job with fewer shots or less squeezing may run."
        raise CannotRun("unsupported", f"{text} 'amplitudes' is {maximum:,}. {advice}")
    logs = np.array([lgamma(k + 1) for k in range(total + 1)])
    # The last exponent is what the others leave of the total.
    factorials, others = np.zeros(()), np.zeros((), np.int64)
    for _ in range(n - 1):
        factorials = np.add.outer(factorials, logs)
        others = np.add.outer(others, np.arange(total + 1))
    factorials = factorials + logs[np.maximum(total - others, 0)]
    factorials = np.where(others > total, -np.inf, factorials)
    weights = np.exp(factorials - factorials.max())
    weights *= np.abs(_multiply_out(coupling, pattern)) ** 2
    sums = np.cumsum(weights)
    picked = np.searchsorted(sums, rng.random(shots) * sums[-1], side="right")
    found = np.array(np.unravel_index(picked, weights.shape)).reshape(n - 1, shots)
    return np.vstack([found, total - found.sum(axis=0)]).T


def _multiply_out(coupling: Complex, pattern: Counts) -> Complex:
    """Return the coefficients of Π_i (Σ_j B_ij b_j)^{s_i}, up to a factor.

    They are held flat, an axis for each b_j but the last: to multiply by b_j is to shift.
    """
    total, n = int(pattern.sum()), coupling.shape[1]
    strides = [(total + 1) ** axis for axis in reversed(range(n - 1))]
    made = np.zeros((total + 1) ** (n - 1), complex)
    made[0] = 1
    degree = 0
    for row, power in zip(coupling, pattern.tolist(), strict=True):
        *factors, last = row / (np.abs(row).max() or 1.0)
        for _ in range(power):
            degree += 1
            end = degree * strides[0]  # all coefficients beyond are still 0
            old = made[:end].copy()
            made[:end] *= last
            for factor, stride in zip(factors, strides, strict=True):
                made[stride : stride + end] += factor * old
            if degree % _SCALED_EVERY == 0:
                made /= np.abs(made).max()
    return made.reshape((total + 1,) * (n - 1))
