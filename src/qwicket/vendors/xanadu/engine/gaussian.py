"""Gaussian states of many shots at once: one covariance matrix, and a vector of means per shot.

The values of outcomes change only the means, so all shots share the covariances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.random import Generator

from qwicket.engines.failures import CannotRun
from qwicket.vendors.xanadu.engine.gates import Complex, Real, omega

_TOLERANCE: Final = 1e-6
"""Relative error of a covariance matrix: those in programs are rounded."""
_MAX_PHOTONS: Final = 1e6
"""Mean photons of all modes, without displacements. Above this, covariances lose accuracy."""


class Gaussian:
    """Gaussian state of some modes, which start in vacuum.

    Args:
        n_modes: Number of modes.

    Attributes:
        cov: Covariances of (x…, p…), ħ = 2.
        means: Means of the same, a row per shot; one row while all shots have the same means.
    """

    def __init__(self, n_modes: int) -> None:
        self.n_modes = n_modes
        self.cov: Real = np.eye(2 * n_modes)
        self.means: Real = np.zeros((1, 2 * n_modes))

    def places(self, modes: Sequence[int]) -> list[int]:
        """Return the indices of some modes' quadratures, all x before all p."""
        return [*modes, *(mode + self.n_modes for mode in modes)]

    def transform(self, matrix: Real, modes: Sequence[int]) -> None:
        """Replace the quadratures r of k modes by S r; `matrix` is S, 2k × 2k."""
        at = self.places(modes)
        self.cov[at] = matrix @ self.cov[at]
        self.cov[:, at] = self.cov[:, at] @ matrix.T
        self.means[:, at] = self.means[:, at] @ matrix.T
        self._check_photons()

    def displace(self, mode: int, by: Complex) -> None:
        """Add an amplitude to a mode; `by` has one for all shots, or one for each."""
        if len(by) > len(self.means):
            self.means = np.repeat(self.means, len(by), axis=0)
        self.means[:, mode] += 2 * by.real
        self.means[:, mode + self.n_modes] += 2 * by.imag

    def lose(self, mode: int, transmission: float, n_thermal: float = 0.0) -> None:
        """Mix a mode with a thermal environment of `n_thermal` mean photons.

        The share `transmission` of the mode's own energy remains.
        """
        noise = (1 - transmission) * (2 * n_thermal + 1)
        self.transform(np.eye(2) * transmission**0.5, (mode,))
        at = self.places((mode,))
        self.cov[at, at] += noise
        self._check_photons()

    def prepare(self, modes: Sequence[int], cov: Real, means: Real) -> None:
        """Put k modes into a state with covariances 2k × 2k and 2k means (ħ = 2).

        Raises:
            CannotRun: `cov` is no state's covariance matrix, or the modes together have too many
                photons.
        """
        n = len(modes)
        largest = max(1.0, float(np.linalg.eigvalsh(cov)[-1]))
        # A state whose largest variance is `largest` has none below 1 / `largest`. A tenth of that
        # as tolerance still refuses a variance of 0.
        tolerance = min(_TOLERANCE * largest, 0.1 / largest)
        bona_fide = np.linalg.eigvalsh(cov + 1j * omega(n))[0] >= -tolerance
        if not np.allclose(cov, cov.T, rtol=_TOLERANCE, atol=_TOLERANCE) or not bona_fide:
            text = "Gaussian: V is not a state's covariance matrix (ħ = 2: the vacuum has V = 1)"
            raise CannotRun("invalid_circuit", text)
        at = self.places(modes)
        self.cov[at] = 0
        self.cov[:, at] = 0
        self.cov[np.ix_(at, at)] = (cov + cov.T) / 2
        self.means[:, at] = means
        self._check_photons()

    def _check_photons(self) -> None:
        photons = (np.trace(self.cov) - 2 * self.n_modes) / 4
        if photons > _MAX_PHOTONS:
            text = f"{photons:.3g} photons are too many: the engine takes at most {_MAX_PHOTONS:g}"
            raise CannotRun("unsupported", text)

    def homodyne(self, mode: int, angle: float, shots: int, rng: Generator) -> Real:
        """Measure x cos φ + p sin φ of a mode, once per shot, and condition the other modes."""
        row = np.zeros((1, 2 * self.n_modes))
        row[0, self.places((mode,))] = np.cos(angle), np.sin(angle)
        return self._measure(row, np.zeros((1, 1)), shots, rng)[:, 0]

    def heterodyne(self, mode: int, shots: int, rng: Generator) -> Complex:
        """Project a mode onto coherent states, and condition the other modes on the result.

        Returns an amplitude per shot.
        """
        rows = np.eye(2 * self.n_modes)[self.places((mode,))]
        found = self._measure(rows, np.eye(2), shots, rng)
        amplitudes = np.empty(shots, complex)
        amplitudes.real, amplitudes.imag = found.T / 2
        return amplitudes

    def _measure(self, rows: Real, noise: Real, shots: int, rng: Generator) -> Real:
        """Draw rows · r plus noise for each shot; condition the state on it (a Kalman update)."""
        spread = rows @ self.cov @ rows.T + noise
        shared = self.cov @ rows.T
        errors = rng.standard_normal((shots, len(rows))) @ np.linalg.cholesky(spread).T
        found = self.means @ rows.T + errors
        gain = np.linalg.solve(spread, shared.T)
        self.means = self.means + errors @ gain
        self.cov = self.cov - shared @ gain
        self.cov = (self.cov + self.cov.T) / 2
        return found

    def reduced(self, modes: Sequence[int]) -> tuple[Real, Real]:
        """Return the covariances (2k × 2k) and means (a row per shot) of k modes."""
        at = self.places(modes)
        return self.cov[np.ix_(at, at)], self.means[:, at]
