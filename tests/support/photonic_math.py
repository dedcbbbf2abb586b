"""Exact probabilities of Gaussian states by loop hafnians, random states, and a χ² test."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from math import factorial, pi, prod

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from qwicket.circuits.photonic import Gate, Measure, Op, PhotonicCircuit
from qwicket.model.limits import PhotonicLimits
from qwicket.vendors.xanadu.engine.engine import sample

Floats = NDArray[np.float64]

USUAL = PhotonicLimits()


def unitary(n: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    matrix = rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))
    return np.linalg.qr(matrix)[0]


def interferometer(matrix: NDArray[np.complex128], modes: Sequence[int]) -> Gate:
    return Gate("Interferometer", tuple(modes), tuple(matrix.ravel().view(float).tolist()))


def entangled(n: int, rng: np.random.Generator) -> list[Op]:
    """Return gates that make a displaced, squeezed and entangled state of n modes."""
    ops: list[Op] = []
    for mode in range(n):
        ops.append(Gate("Sgate", (mode,), (rng.uniform(0.2, 0.6), rng.uniform(0, 2 * pi))))
        ops.append(Gate("Dgate", (mode,), (rng.uniform(0.1, 0.5), rng.uniform(0, 2 * pi))))
    return [*ops, interferometer(unitary(n, rng), range(n))]


def run(
    ops: Sequence[Op],
    n_modes: int,
    shots: int,
    seed: int,
    bounds: PhotonicLimits = USUAL,
) -> NDArray[np.generic]:
    circuit = PhotonicCircuit(n_modes, tuple(ops))
    return sample(circuit, shots, np.random.default_rng(seed), bounds)


def counts_of(
    ops: Sequence[Op],
    n_modes: int,
    shots: int,
    seed: int,
    bounds: PhotonicLimits = USUAL,
) -> NDArray[np.int64]:
    drawn = run([*ops, Measure("fock", tuple(range(n_modes)))], n_modes, shots, seed, bounds)
    assert drawn.dtype == np.int64
    return drawn.astype(np.int64)


def quadratures_of(ops: Sequence[Op], n_modes: int, shots: int, seed: int) -> Floats:
    """Return what homodyne measurements read."""
    drawn = run(ops, n_modes, shots, seed)
    assert drawn.dtype == np.float64
    return drawn.astype(np.float64)


def probability(cov: Floats, means: Floats, pattern: Sequence[int]) -> float:
    """Return the probability of a pattern of counts (ħ = 2).

    Source: Hamilton et al., PRL 119, 170501 (2017); with displacement Björklund et al., ACM JEA
    24, 1.11 (2019): P(n) = P(0) lhaf(A_n) / Π n_i!, A = X(1 - Q⁻¹), diagonal d†Q⁻¹.
    """
    n = len(cov) // 2
    to_modes = np.block([[np.eye(n), 1j * np.eye(n)], [np.eye(n), -1j * np.eye(n)]]) / 2
    q = to_modes @ cov @ to_modes.conj().T + np.eye(2 * n) / 2
    inverse = np.linalg.inv(q)
    d = to_modes @ means
    a = np.roll(np.eye(2 * n) - inverse, n, axis=0)
    gamma = d.conj() @ inverse
    vacuum = np.exp(-0.5 * (d.conj() @ inverse @ d).real) / np.sqrt(np.linalg.det(q).real)
    once = [mode for mode, count in enumerate(pattern) for _ in range(count)]
    at = [*once, *(mode + n for mode in once)]
    value = loop_hafnian(a[np.ix_(at, at)], gamma[at])
    return float(vacuum * value.real / prod(map(factorial, pattern)))


def loop_hafnian(a: NDArray[np.complex128], loops: NDArray[np.complex128]) -> complex:
    @cache
    def rest(mask: int) -> complex:
        if not mask:
            return 1
        first = mask.bit_length() - 1
        mask ^= 1 << first
        total = complex(loops[first]) * rest(mask)
        for other in range(first):
            if mask >> other & 1:
                total += complex(a[first, other]) * rest(mask ^ (1 << other))
        return total

    return rest((1 << len(a)) - 1)


def p_value(drawn: NDArray[np.generic], cov: Floats, means: Floats, maximum: int) -> float:
    """Return the χ² test's p of counts against exact probabilities of up to `maximum` photons."""
    shots, n = drawn.shape
    seen: dict[tuple[int, ...], int] = {}
    for row in drawn.tolist():
        seen[tuple(row)] = seen.get(tuple(row), 0) + 1
    statistic, bins, rest, rest_seen = 0.0, 0, 1.0, shots
    for pattern in product(range(maximum + 1), repeat=n):
        if sum(pattern) > maximum:
            continue
        expected = shots * probability(cov, means, pattern)
        if expected < 8:
            continue
        observed = seen.get(pattern, 0)
        statistic += (observed - expected) ** 2 / expected
        bins += 1
        rest -= expected / shots
        rest_seen -= observed
    assert bins > 3
    if rest * shots > 8:
        statistic += (rest_seen - rest * shots) ** 2 / (rest * shots)
        bins += 1
    return float(chi2.sf(statistic, bins - 1))
