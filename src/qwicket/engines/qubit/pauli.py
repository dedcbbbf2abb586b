"""Exact exponentials of sums of Pauli strings, the gate `pauliexp`, on state vectors.

A string P maps row r of a state to row r ^ x with the phase i^(number of Y) · (-1)^|r & z|, where
x has a bit for every X or Y and z one for every Z or Y.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, fsum, sin
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits import analysis
from qwicket.circuits.qubit import Gate
from qwicket.engines.failures import CannotRun

Rows = NDArray[np.complex128]

_SMALLEST_COEFFICIENT: Final = 1e-20
"""Coefficients up to this change no amplitude in double precision."""

MAX_NORM: Final = 10_000.0
"""Bound on Σ|c| of terms that do not commute, because time and error grow with it."""


class Term(NamedTuple):
    """One Pauli string and its coefficient. The rightmost letter is bit 0 of both masks."""

    x: int
    z: int
    coefficient: float


def sum_of(gate: Gate) -> list[Term]:
    """Return the terms of a `pauliexp`, each string once."""
    coefficients: dict[tuple[int, int], list[float]] = {}
    for letters, coefficient in zip(gate.terms, gate.params, strict=True):
        coefficients.setdefault(analysis.pauli_masks(letters), []).append(coefficient)
    return [Term(x, z, fsum(parts)) for (x, z), parts in coefficients.items()]


def all_commute(terms: Iterable[Term]) -> bool:
    """Return whether every two terms commute."""
    return analysis.all_commute((term.x, term.z) for term in terms)


def apply(tensor: NDArray[np.complex128], gate: Gate) -> None:
    """Apply a `pauliexp`, controlled or not, to a state in place.

    Args:
        tensor: Shape (2,) * n, complex128; qubit q is axis n - 1 - q.
        gate: The gate; its rightmost letters act on targets[0].

    Raises:
        CannotRun: The terms do not commute and `MAX_NORM` is exceeded.
    """
    last = tensor.ndim - 1
    index = [slice(None)] * tensor.ndim
    for control in gate.controls:
        index[last - control] = slice(1, 2)
    part = tensor[tuple(index)]
    axes = [last - target for target in reversed(gate.targets)]
    front = list(range(len(axes)))
    moved = np.moveaxis(part, axes, front)
    rows = exponential(sum_of(gate), moved.reshape(1 << len(axes), -1))
    part[...] = np.moveaxis(rows.reshape(moved.shape), front, axes)


def exponential(terms: Sequence[Term], rows: Rows) -> Rows:
    """Return exp(-i Σ c_k P_k) times each column of `rows` (2^k × any, complex128)."""
    phase = fsum(term.coefficient for term in terms if not (term.x or term.z))
    rows = rows * np.exp(-1j * phase)
    rest = [
        term
        for term in terms
        if (term.x or term.z) and abs(term.coefficient) > _SMALLEST_COEFFICIENT
    ]
    if not all_commute(rest):
        return _chebyshev(rest, rows)
    for term in rest:
        rows = cos(term.coefficient) * rows - 1j * sin(term.coefficient) * _string(term, rows)
    return rows


def _string(term: Term, rows: Rows) -> Rows:
    """Return P times each column."""
    index = np.arange(len(rows)) ^ term.x
    odd = np.bitwise_count(index & term.z) & 1
    phases = (1j ** (term.x & term.z).bit_count()) * (1.0 - 2.0 * odd)
    made: Rows = rows[index] * phases[:, np.newaxis]
    return made


def _chebyshev(terms: Sequence[Term], rows: Rows) -> Rows:
    """Sum exp(-iLh) = J_0(L) + 2 Σ (-i)^m J_m(L) T_m(h) for h = Σ c_k P_k / L, L = Σ|c_k|.

    The spectrum of h lies in [-1, 1]; beyond m = L the J_m fall faster than exponentially
    (Tal-Ezer and Kosloff, J. Chem. Phys. 81, 3967, 1984).
    """
    norm = fsum(abs(term.coefficient) for term in terms)
    if norm > MAX_NORM:
        text = f"pauliexp: terms do not commute and their sum is {norm:.6g}, above {MAX_NORM:g}"
        raise CannotRun("unsupported", text)
    scaled = [term._replace(coefficient=term.coefficient / norm) for term in terms]
    weights = bessel(norm)
    before, now = rows, _sum(scaled, rows)
    total: Rows = weights[0] * before - 2j * weights[1] * now
    for order in range(2, len(weights)):
        before, now = now, 2 * _sum(scaled, now) - before
        total += 2 * (-1j) ** order * weights[order] * now
    return total


def _sum(terms: Sequence[Term], rows: Rows) -> Rows:
    total = np.zeros_like(rows)
    for term in terms:
        total += term.coefficient * _string(term, rows)
    return total


def bessel(x: float) -> NDArray[np.float64]:
    """Return J_0(x) … J_m(x) for x ≥ 1e-20, m ≥ 1 so large that all that follow are below 1e-17.

    Miller's downward recurrence, normalised by J_0 + 2 (J_2 + J_4 + …) = 1 (Abramowitz and
    Stegun, 9.1.46 and 9.12).
    """
    top = int(x + 20 * (x + 8) ** (1 / 3)) + 20
    values = np.zeros(top + 2)
    values[top] = 1e-300
    for order in range(top, 0, -1):
        values[order - 1] = 2 * order / x * values[order] - values[order + 1]
        if abs(values[order - 1]) > 1e250:
            values[order - 1 :] *= 1e-250
    values /= values[0] + 2 * values[2::2].sum()
    return values[: max(1, int(np.flatnonzero(np.abs(values) >= 1e-17)[-1])) + 1]
