"""Moments of the mode operators, amplitudes of pure states, and counts of classical states.

For n modes, `cov` has the shape 2n × 2n, in the order (x_1 … x_n, p_1 … p_n), with ħ = 2: vacuum
is the identity. `means` has a row of 2n values for each shot, or one row for all.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from qwicket.vendors.xanadu.engine.gates import Complex, Real

_CLASSICAL: Final = -1e-9
"""Smallest eigenvalue of `cov` - 1 of a classical state: 0 but for rounding."""


def moments(cov: Real) -> tuple[Complex, Complex]:
    """Return ⟨a_i† a_j⟩ and ⟨a_i a_j⟩ about the means, n × n each."""
    n = len(cov) // 2
    xx, xp, pp = cov[:n, :n] / 4, cov[:n, n:] / 4, cov[n:, n:] / 4
    within, across = np.empty((2, n, n), complex)
    within.real, within.imag = xx + pp - np.eye(n) / 2, xp - xp.T
    across.real, across.imag = xx - pp, xp + xp.T
    return within, across


def mean_photons(cov: Real, means: Real) -> Real:
    """Return the n mean photon numbers of the modes, averaged over the shots."""
    n = len(cov) // 2
    light = (means[:, :n] ** 2 + means[:, n:] ** 2).mean(axis=0) / 4
    photons: Real = (np.diag(cov)[:n] + np.diag(cov)[n:]) / 4 - 0.5 + light
    return photons


def pure_amplitudes(cov: Real) -> Complex:
    """Return B (n × n) of the pure state exp(½ Σ B_ij a_i† a_j†)|0⟩, up to its displacement."""
    n = len(cov) // 2
    within, across = moments(cov)
    # Q holds ⟨a a†⟩ and ⟨a a⟩; -B is the upper right block of its inverse.
    q = np.block([[within.T + np.eye(n), across], [across.conj(), within + np.eye(n)]])
    made: Complex = -np.linalg.inv(q)[:n, n:]
    symmetric: Complex = (made + made.T) / 2
    return symmetric


def is_classical(cov: Real) -> bool:
    """Return whether a state is a mixture of coherent states."""
    return bool(np.linalg.eigvalsh(cov - np.eye(len(cov)))[0] >= _CLASSICAL)


def classical_counts(cov: Real, means: Real, shots: int, rng: Generator) -> NDArray[np.int64]:
    """Draw counts of a classical state, shots × n.

    They are Poisson counts of coherent states that are drawn at random.
    """
    n = len(cov) // 2
    found = means + gaussian_noise(cov - np.eye(2 * n), shots, rng)
    return rng.poisson((found[:, :n] ** 2 + found[:, n:] ** 2) / 4)


def gaussian_noise(cov: Real, shots: int, rng: Generator) -> Real:
    """Draw normal vectors of a covariance matrix, shots × its size.

    Negative eigenvalues are rounding errors, and taken for 0.
    """
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0))
    noise: Real = rng.standard_normal((shots, len(cov))) @ root.T
    return noise
