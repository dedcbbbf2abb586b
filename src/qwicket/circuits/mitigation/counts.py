"""Mitigates readout errors of counts, among the outcomes that were observed.

Matrix-free measurement mitigation (M3; Nation, Kang, Sundaresan and Gambetta, PRX Quantum 2,
040326, 2021). Qubits are read independently, so that the probability of reading i in place of j is
a product over qubits. Only observed outcomes are unknowns, and only pairs of them that differ in
few bits are counted; columns are scaled so that no reading leaves these. The result are
quasi-probabilities: they add up to 1, and some may be negative.

This is right where hardly any reading is missing among those observed. The share of shots whose
outcome occurred once estimates the probability of all unobserved ones (Good, Biometrika 40, 237,
1953). Scaling spares the columns of rare outcomes, of whose readings most are missing, so their
probability is not given back: likely outcomes get too little, by about this share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]

MAX_SEEN_ONCE: Final = 0.02
"""Largest share of shots whose outcome occurred once."""
_NEGLECTED: Final = 1e-5
"""Probability that more bits are misread than pairs of outcomes may differ in."""
_LEAST_ERROR: Final = 1e-12
_CHUNK: Final = 1 << 20
"""Elements that are computed at once."""
_TOLERANCE: Final = 1e-9
_STEPS: Final = 100


class NotConverged(Exception):
    """The readout errors are so large that they cannot be undone."""


class ReadoutErrors(NamedTuple):
    """Probabilities of misreading a qubit: 1 where it was 0, and 0 where it was 1."""

    one_for_zero: float
    zero_for_one: float


def seen_once(counts: NDArray[np.int64]) -> float:
    """Return the share of shots whose outcome occurred once."""
    return float((counts == 1).sum() / counts.sum())


def quasi_probabilities(
    bits: Bits, counts: NDArray[np.int64], errors: Sequence[ReadoutErrors]
) -> Floats:
    """Return the quasi-probability of each observed outcome.

    Args:
        bits: Observed outcomes, different from each other, `(outcomes, qubits)`.
        counts: Shots with each.
        errors: Readout errors of each qubit.

    Raises:
        NotConverged: The errors are too large.
    """
    misread = _misread(bits, errors)
    scales = misread.sum(axis=0)
    misread /= scales
    diagonal = misread.diagonal().copy()
    # Divided by its diagonal, the matrix is closer to the identity, which takes fewer steps.
    found = _solve(misread / diagonal, counts / counts.sum())
    return found / diagonal


def max_distance(errors: Sequence[ReadoutErrors]) -> int:
    """Return the number of bits of which hardly ever more are misread."""
    tail = np.ones(1)
    for error in errors:
        worst = max(error)
        tail = np.convolve(tail, [1 - worst, worst])
    beyond = 1 - np.cumsum(tail)
    return int(np.argmax(beyond <= _NEGLECTED))


def _misread(bits: Bits, errors: Sequence[ReadoutErrors]) -> Floats:
    """Return the probability of reading each outcome (row) in place of each (column)."""
    zero, one = np.clip(np.array(errors).T, _LEAST_ERROR, 1 - _LEAST_ERROR)
    # For bits i and j, the logarithm is a sum of terms that are constant, in i, in j and in ij.
    constant = np.log1p(-zero).sum()
    of_read, of_true = np.log(zero) - np.log1p(-zero), np.log(one) - np.log1p(-zero)
    of_both = np.log1p(-one) - np.log1p(-zero) - of_read - of_true
    limit = max_distance(errors)
    true = bits.astype(np.float64)
    weights = true.sum(axis=1)
    found = np.empty((len(bits), len(bits)))
    step = max(1, _CHUNK // len(bits))
    for start in range(0, len(bits), step):
        read = true[start : start + step]
        logs = (read * of_both) @ true.T
        logs += constant + (read @ of_read)[:, None] + true @ of_true
        distances = weights[start : start + step, None] + weights - 2 * (read @ true.T)
        logs[distances > limit + 0.5] = -np.inf
        found[start : start + step] = np.exp(logs)
    return found


def _solve(matrix: Floats, wanted: Floats) -> Floats:
    """Solve a system of linear equations by GMRES (Saad and Schultz, 1986)."""
    size = np.linalg.norm(wanted)
    basis = [wanted / size]
    projected = np.zeros((_STEPS + 1, _STEPS))
    for step in range(_STEPS):
        grown = matrix @ basis[-1]
        for row, vector in enumerate(basis):
            projected[row, step] = vector @ grown
            grown -= projected[row, step] * vector
        projected[step + 1, step] = np.linalg.norm(grown)
        target = np.zeros(step + 2)
        target[0] = size
        known = projected[: step + 2, : step + 1]
        solution = np.linalg.lstsq(known, target, rcond=None)[0]
        if np.linalg.norm(known @ solution - target) <= _TOLERANCE * size:
            return np.array(solution @ basis)
        if projected[step + 1, step] <= _TOLERANCE * np.linalg.norm(known):
            break  # the matrix is singular
        basis.append(grown / projected[step + 1, step])
    raise NotConverged
