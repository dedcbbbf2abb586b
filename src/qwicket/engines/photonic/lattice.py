"""Photon counts of any Gaussian state, mode by mode, without a cutoff.

By Williamson's theorem the state is a pure one, displaced at random. All modes of the pure state
are first measured by heterodyne. Then, mode by mode, the outcome is replaced by a count.
This needs only the distribution of one count, given the counts before and the heterodyne outcomes
after (the chain rule of Quesada et al., PRX Quantum 3, 010306, 2022). Its amplitudes follow from a
recurrence over the lattice of patterns below the counts drawn so far:
√(n_i+1) ψ(n+e_i) = γ_i ψ(n) + Σ_j B_ij √n_j ψ(n-e_j).

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
from qwicket.engines.photonic.gates import Complex, Real, omega
from qwicket.engines.photonic.moments import gaussian_noise, pure_amplitudes

_NEGLIGIBLE: Final = 1e-10
_TAIL: Final = 4


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
    counts = []
    for mode in range(len(b)):
        gamma -= b[:, mode] * outcomes[mode]
        count = lattice.draw(mode, gamma, rng)
        counts.append(count)
    return counts


class _TooManyPhotons(Exception):
    """One shot needs more memory or a greater range than there is; the text says which."""


class _Lattice:
    """Amplitudes of all patterns below the counts so far; modes without photons need no axis."""

    def __init__(self, b: Complex, maximum: int) -> None:
        self._b = b
        self._maximum = maximum
        self._modes: list[int] = []
        self._counts: list[int] = []
        self._strides: list[int] = []
        self._roots: list[Real] = []
        self._size = 1

    def draw(self, mode: int, gamma: Complex, rng: Generator) -> int:
        """Draw a mode's count given those before, and keep it."""
        steps = self._layers(mode, gamma) if self._modes else self._alone(mode, gamma)
        threshold = rng.random()
        weights = [next(steps)]
        total = weights[0]
        while total <= 0 or max(weights[-_TAIL:]) > _NEGLIGIBLE * total or len(weights) < _TAIL:
            self._check(len(weights) + 1)
            weights.append(next(steps))
            total += weights[-1]
        if not isfinite(total):
            raise _TooManyPhotons("its amplitudes leave the range of floats")
        sums = list(accumulate(weights))
        drawn = min(bisect_right(sums, threshold * sums[-1]), len(weights) - 1)
        if drawn:
            self._keep(mode, drawn)
        return drawn

    def _alone(self, mode: int, gamma: Complex) -> Iterator[float]:
        """Yield the weights of a mode's counts while no other mode has photons: without arrays."""
        linear, own = complex(gamma[mode]), complex(self._b[mode, mode])
        below, psi = 0j, 1 + 0j
        for done in numbers():
            yield psi.real * psi.real + psi.imag * psi.imag
            below, psi = psi, (linear * psi + own * sqrt(done) * below) / sqrt(done + 1)

    def _layers(self, mode: int, gamma: Complex) -> Iterator[float]:
        """Yield the weights of a mode's counts 0, 1, …, each from all amplitudes below it."""
        axis, below, layer = len(self._modes), None, self._amplitudes(gamma)
        for done in numbers():
            yield float(abs(layer[-1]) ** 2)
            layer, below = self._next(axis, mode, done, gamma[mode], layer, below), layer

    def _amplitudes(self, gamma: Complex) -> Complex:
        psi = np.empty(self._size, complex)
        psi[0] = 1
        for axis, (mode, count, size) in enumerate(
            zip(self._modes, self._counts, self._strides, strict=True)
        ):
            below, layer = None, psi[:size]
            for done in range(count):
                made = self._next(axis, mode, done, gamma[mode], layer, below)
                psi[(done + 1) * size : (done + 2) * size] = made
                below, layer = layer, made
        return psi

    def _next(
        self,
        axis: int,
        mode: int,
        done: int,
        gamma: complex,
        layer: Complex,
        below: Complex | None,
    ) -> Complex:
        """Return the amplitudes with one photon more in a mode that has `done`."""
        row, size = self._b[mode], len(layer)
        made: Complex = gamma * layer
        if below is not None:
            made += row[mode] * done**0.5 * below
        for other, stride, root in zip(
            self._modes[:axis], self._strides[:axis], self._roots[:axis], strict=True
        ):
            made[stride:] += row[other] * (root[stride:size] * layer[: size - stride])
        made /= (done + 1) ** 0.5
        return made

    def _keep(self, mode: int, count: int) -> None:
        self._roots = [np.tile(root, count + 1) for root in self._roots]
        self._roots.append(np.repeat(np.sqrt(np.arange(count + 1)), self._size))
        self._strides.append(self._size)
        self._modes.append(mode)
        self._counts.append(count)
        self._size *= count + 1

    def _check(self, layers: int) -> None:
        if self._size * layers > self._maximum:
            raise _TooManyPhotons(
                f"it needs {self._size * layers:,} amplitudes; the limit 'amplitudes' is"
                f" {self._maximum:,}"
            )
