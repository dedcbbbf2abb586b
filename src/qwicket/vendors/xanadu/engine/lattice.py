"""Photon counts of any Gaussian state, mode by mode, without a cutoff.

By Williamson's theorem the state is a pure one, displaced at random. All modes of the pure state
are first measured by heterodyne. Then, mode by mode, the outcome is replaced by a count.
This needs only the distribution of one count, given the counts of the modes before and the
heterodyne outcomes of those after (the chain rule of Quesada et al., PRX Quantum 3, 010306, 2022).
Its amplitudes follow from a recurrence over the lattice of patterns below the counts drawn so far:
√(n_i+1) ψ(n+e_i) = γ_i ψ(n) + Σ_j B_ij √n_j ψ(n-e_j).

The amplitudes of all counts of one mode have the generating function Σ_m ψ_m z^m/√m! =
P(z) exp(½ B z² + γ z), where P has a degree of at most the photons drawn so far. With few photons P
comes from the recurrence, and the amplitudes from P; else they come from the lattice, one layer
for each count.

Weights of a mode's counts 0, 1, … are computed until each of the last four is below 1e-10 of their
sum, so the range adapts to the state. Counts beyond are too rare to matter in any number of shots.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from itertools import count as numbers
from math import isfinite, sqrt
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from qwicket.engines.failures import CannotRun
from qwicket.vendors.xanadu.engine.gates import Complex, Real, omega
from qwicket.vendors.xanadu.engine.moments import gaussian_noise, pure_amplitudes

_NEGLIGIBLE: Final = 1e-10
_TAIL: Final = 4
_EPSILON: Final = float(np.finfo(float).eps)
_MAX_DEGREE: Final = 20
"""Most photons for which P is used. With more, layers are quicker: the weights, and so the layers,
often end before the degree of P."""
_FIRST_COUNTS: Final = 16
"""Counts whose weights are computed from P at first; the number doubles until they suffice."""
_ROOTS_OF_FACTORIALS: Final = np.sqrt(np.cumprod(np.maximum(np.arange(129.0), 1)))


def draw(
    cov: Real, means: Real, order: list[int], shots: int, rng: Generator, maximum: int
) -> NDArray[np.int64]:
    """Draw counts, shots × modes.

    Args:
        cov: Covariances of (x…, p…).
        means: Means, one row or one per shot.
        order: All modes, those with small counts first.
        shots: Number of shots.
        rng: Source of randomness.
        maximum: Maximum number of amplitudes in memory.
    """
    n = len(cov) // 2
    pure = purest(cov)
    centres = means + gaussian_noise(cov - pure, shots, rng)
    found = centres + gaussian_noise(pure + np.eye(2 * n), shots, rng)
    alpha = (centres[:, order] + 1j * centres[:, [mode + n for mode in order]]) / 2
    beta = (found[:, order] + 1j * found[:, [mode + n for mode in order]]) / 2
    b = pure_amplitudes(pure)[np.ix_(order, order)]
    linear = alpha + (beta - alpha).conj() @ b
    counts = np.zeros((shots, n), np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        for shot in range(shots):
            try:
                counts[shot, order] = _counts(b, linear[shot], beta[shot].conj(), rng, maximum)
            except _TooManyPhotons as reason:
                # Samples without such shots would have too few photons on average.
                raise CannotRun(
                    "unsupported",
                    f"Shot {shot + 1:,} of {shots:,} has too many photons: {reason}. A job with"
                    " fewer shots or less squeezing may run.",
                ) from None
    return counts


def purest(cov: Real) -> Real:
    """Return the covariances of a pure state whose random displacements make up the state."""
    n = len(cov) // 2
    values, vectors = np.linalg.eigh(cov)
    root = (vectors * np.sqrt(values)) @ vectors.T
    spectrum, found = np.linalg.eigh(1j * root @ omega(n) @ root)
    chosen = found[:, n:]
    basis = np.sqrt(2) * np.hstack([chosen.imag, chosen.real])
    symplectic = root @ basis / np.sqrt(np.tile(spectrum[n:], 2))
    squeezed: Real = symplectic @ symplectic.T
    return squeezed


def _counts(
    b: Complex, linear: Complex, outcomes: Complex, rng: Generator, maximum: int
) -> list[int]:
    """Draw the counts of one shot; `linear` is γ while every mode is measured by heterodyne."""
    lattice = _Lattice(b, maximum)
    gamma = linear.copy()
    quantiles = rng.random(len(b)).tolist()
    counts = []
    for mode in range(len(b)):
        gamma -= b[:, mode] * outcomes[mode]
        count = lattice.draw(mode, gamma, quantiles[mode])
        counts.append(count)
    return counts


class _TooManyPhotons(Exception):
    """One shot needs more memory, or a greater range of floats; the text says which."""


class _Lattice:
    """All patterns up to the counts drawn so far, whose amplitudes are computed for each mode anew.

    Modes without photons need no axis.
    """

    def __init__(self, b: Complex, maximum: int) -> None:
        self._b = b
        self._maximum = maximum
        self._modes: list[int] = []
        self._counts: list[int] = []
        self._sizes: list[int] = []
        self._roots: list[Real] = []
        self._couplings: list[list[tuple[int, Complex]]] = []
        self._size = 1

    def draw(self, mode: int, gamma: Complex, quantile: float) -> int:
        """Return a mode's count at a quantile (0 to 1), given the counts before; keep it."""
        weights = self._weights(mode, gamma)
        sums = list(accumulate(weights))
        if not isfinite(sums[-1]):
            raise _TooManyPhotons("its amplitudes leave the range of floats")
        drawn = min(bisect_right(sums, quantile * sums[-1]), len(weights) - 1)
        if drawn:
            self._keep(mode, drawn)
        return drawn

    def _weights(self, mode: int, gamma: Complex) -> list[float]:
        """Return the weights of a mode's counts 0, 1, … until they are negligible."""
        if not self._modes:
            return self._until_negligible(
                _alone(complex(gamma[mode]), complex(self._b[mode, mode]))
            )
        photons = sum(self._counts)
        if photons <= _MAX_DEGREE and (photons + 1) * self._size <= self._maximum:
            own = complex(self._b[mode, mode])
            found = _weights_of(self._polynomial(mode, gamma), complex(gamma[mode]), own)
            if found is not None:
                return found
        return self._until_negligible(self._layers(mode, gamma))

    def _until_negligible(self, steps: Iterator[float]) -> list[float]:
        weights = [next(steps)]
        total = weights[0]
        while total <= 0 or max(weights[-_TAIL:]) > _NEGLIGIBLE * total or len(weights) < _TAIL:
            self._check(len(weights) + 1)
            weights.append(next(steps))
            total += weights[-1]
        return weights

    def _polynomial(self, mode: int, gamma: Complex) -> Complex:
        """Return the coefficients of P for a mode.

        The recurrence is that of the lattice, with γ_i + B_ij z in place of γ_i; j is the mode.
        """
        row = self._b[mode].tolist()
        linear = gamma.tolist()
        psi = np.zeros((sum(self._counts) + 1, self._size), complex)
        psi[0, 0] = 1
        degree = 0
        for each, count, size, couplings in zip(
            self._modes, self._counts, self._sizes, self._couplings, strict=True
        ):
            own, below, layer = complex(self._b[each, each]), None, psi[: degree + 1, :size]
            for done in range(count):
                degree += 1
                made = psi[: degree + 1, (done + 1) * size : (done + 2) * size]
                np.multiply(layer, linear[each], out=made[:-1])
                made[1:] += row[each] * layer
                if below is not None:
                    made[:-2] += own * sqrt(done) * below
                for stride, coupling in couplings:
                    made[:-1, stride:] += coupling * layer[:, :-stride]
                if done:
                    made /= sqrt(done + 1)
                below, layer = layer, made
        return psi[:, -1]

    def _layers(self, mode: int, gamma: Complex) -> Iterator[float]:
        """Yield the weights of a mode's counts 0, 1, …, each from all amplitudes below it."""
        couplings = self._couplings_of(mode)
        below, layer = None, self._amplitudes(gamma)
        for done in numbers():
            yield float(abs(layer[-1]) ** 2)
            layer, below = self._next(mode, couplings, done, gamma[mode], layer, below), layer

    def _amplitudes(self, gamma: Complex) -> Complex:
        psi = np.empty(self._size, complex)
        psi[0] = 1
        for mode, count, size, couplings in zip(
            self._modes, self._counts, self._sizes, self._couplings, strict=True
        ):
            below, layer = None, psi[:size]
            for done in range(count):
                made = self._next(mode, couplings, done, gamma[mode], layer, below)
                psi[(done + 1) * size : (done + 2) * size] = made
                below, layer = layer, made
        return psi

    def _next(
        self,
        mode: int,
        couplings: list[tuple[int, Complex]],
        done: int,
        gamma: complex,
        layer: Complex,
        below: Complex | None,
    ) -> Complex:
        """Return the amplitudes with one photon more in a mode that has `done`."""
        made: Complex = gamma * layer
        if below is not None:
            made += self._b[mode, mode] * sqrt(done) * below
        for stride, coupling in couplings:
            made[stride:] += coupling * layer[:-stride]
        made /= sqrt(done + 1)
        return made

    def _couplings_of(self, mode: int) -> list[tuple[int, Complex]]:
        """Return √n_j B_ij of all patterns with photons in j, for each mode j that has an axis."""
        row = self._b[mode]
        return [
            (size, row[other] * root[size:])
            for other, size, root in zip(self._modes, self._sizes, self._roots, strict=True)
        ]

    def _keep(self, mode: int, count: int) -> None:
        self._couplings.append(self._couplings_of(mode))
        self._roots = [np.tile(root, count + 1) for root in self._roots]
        self._roots.append(np.repeat(np.sqrt(np.arange(count + 1)), self._size))
        self._sizes.append(self._size)
        self._modes.append(mode)
        self._counts.append(count)
        self._size *= count + 1

    def _check(self, layers: int) -> None:
        if self._size * layers > self._maximum:
            raise _TooManyPhotons(
                f"it needs {self._size * layers:,} amplitudes; the limit 'amplitudes' is"
                f" {self._maximum:,}"
            )


def _alone(linear: complex, own: complex) -> Iterator[float]:
    """Yield the weights of a mode's counts while no other mode has photons: without arrays."""
    below, psi = 0j, 1 + 0j
    for done in numbers():
        yield psi.real * psi.real + psi.imag * psi.imag
        below, psi = psi, (linear * psi + own * sqrt(done) * below) / sqrt(done + 1)


def _weights_of(polynomial: Complex, linear: complex, own: complex) -> list[float] | None:
    """Return the weights of a mode's counts from P, γ and B, until they are negligible.

    Return None if that takes more counts than there are factorials, or if terms cancel each other
    so far that rounding shows.
    """
    series = [0j, 1 + 0j]  # of the exponential, whose derivative is (γ + B z) times itself
    n_counts = max(_FIRST_COUNTS, len(polynomial) + _TAIL)
    while n_counts <= len(_ROOTS_OF_FACTORIALS):
        for done in range(len(series) - 2, n_counts - 1):
            series.append((linear * series[-1] + own * series[-2]) / (done + 1))
        exponential, roots = np.array(series[1:]), _ROOTS_OF_FACTORIALS[:n_counts]
        amplitudes = np.convolve(exponential, polynomial)[:n_counts] * roots
        weights = amplitudes.real**2 + amplitudes.imag**2
        total = float(weights.sum())
        if total > 0 and weights[-_TAIL:].max() <= _NEGLIGIBLE * total:
            terms = np.convolve(np.abs(exponential), np.abs(polynomial))[:n_counts] * roots
            rounding = _EPSILON * len(polynomial) * float(np.linalg.norm(terms))
            return weights.tolist() if rounding <= _NEGLIGIBLE * sqrt(total) else None
        n_counts *= 2
    return None
