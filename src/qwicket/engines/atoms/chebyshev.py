"""exp(-iH) of a state by Chebyshev polynomials, for a real symmetric H too large to diagonalise.

Tal-Ezer and Kosloff, J. Chem. Phys. 81, 3967 (1984): with H = c + R X and all levels of X in
[-1, 1], exp(-iH) = e^{-ic} Σ_k (2 - δ_k0) (-i)^k J_k(R) T_k(X).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from qwicket.circuits.atom_costs import Spectrum


def evolve(
    hamiltonian: Any, bounds: Spectrum, amplitudes: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """Return exp(-iH) of the amplitudes.

    Args:
        hamiltonian: Real symmetric sparse matrix.
        bounds: Bounds of its energy levels.
        amplitudes: The state, one-dimensional.
    """
    radius = max(bounds.radius, 1e-300)  # H may be zero; its only weight is then that of T_0
    size = amplitudes.size
    scaled = (hamiltonian - bounds.centre * sparse.eye_array(size)).tocsr() / radius
    weights = 2 * special.jv(np.arange(bounds.n_terms), bounds.radius)
    weights[0] /= 2
    # H is real, so real and imaginary parts are two columns: twice as fast as complex numbers.
    now = np.ascontiguousarray(amplitudes).view(float).reshape(size, 2)
    then = scaled @ now  # T_1
    sums = np.zeros((2, size, 2))
    for k, weight in enumerate(weights):  # (-i)^k: even terms are real, odd ones imaginary
        sums[k % 2] += (-weight if k // 2 % 2 else weight) * now
        now, then = then, 2 * (scaled @ then) - now
    even, odd = (np.ascontiguousarray(each).view(complex).reshape(-1) for each in sums)
    turned: NDArray[np.complex128] = np.exp(-1j * bounds.centre) * (even - 1j * odd)
    return turned
