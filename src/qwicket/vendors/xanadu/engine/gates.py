"""Gates as real symplectic matrices, by the table in `circuits.photonic`.

A matrix on n modes is 2n × 2n, float64, on the quadratures x₁…xₙ, p₁…pₙ with ħ = 2. Angles are in
radians.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import cos, cosh, log, pi, sin, sinh
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qwicket.engines.failures import CannotRun

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

_TOLERANCE: Final = 1e-6
"""Largest error of an entry of U U† or S Ω Sᵀ: the matrices in programs are rounded."""


def bogoliubov(u: Complex | Real, v: Complex | None = None) -> Real:
    """Return the 2n × 2n matrix on quadratures of a → U a + V a†, where U and V are n × n."""
    plus, minus = (u, u) if v is None else (u + v, u - v)
    return np.block([[plus.real, -minus.imag], [plus.imag, minus.real]])


def _bounded(r: float, maximum: float) -> float:
    """Return r; raise CannotRun if |r| is above the maximum."""
    if abs(r) > maximum:
        text = f"squeezing by {r:g} is too strong; the limit 'squeezing' is {maximum:g}"
        raise CannotRun("unsupported", text)
    return r


def squeezing(r: float, phi: float, maximum: float) -> Real:
    """Return the 2 × 2 matrix of squeezing by |r| ≤ maximum, along the angle phi / 2."""
    u = np.array([[cosh(_bounded(r, maximum))]], complex)
    return bogoliubov(u, np.array([[-np.exp(1j * phi) * sinh(r)]]))


def check_covariances(cov: Real, maximum: float) -> None:
    """Check the squeezing of a state, by its smallest variance.

    Raises:
        CannotRun: It is above `maximum`.
    """
    smallest = float(np.linalg.eigvalsh(cov)[0])
    if smallest > 0:  # else `cov` is no state's
        _bounded(max(0.0, -log(smallest) / 2 - _TOLERANCE), maximum)


def _pair_squeezing(r: float, phi: float, maximum: float) -> Real:
    """Return the 4 × 4 matrix of two-mode squeezing."""
    u = np.eye(2, dtype=complex) * cosh(_bounded(r, maximum))
    return bogoliubov(u, np.array([[0, 1], [1, 0]]) * np.exp(1j * phi) * sinh(r))


def _rotation(theta: float) -> Real:
    """Return the 2 × 2 matrix of a phase shift."""
    return bogoliubov(np.array([[np.exp(1j * theta)]]))


def beam_splitter(theta: float, phi: float) -> Real:
    """Return the 4 × 4 matrix of a beam splitter with transmittivity cos² theta."""
    phase = np.exp(1j * phi) * sin(theta)
    return bogoliubov(np.array([[cos(theta), -np.conj(phase)], [phase, cos(theta)]]))


def _mach_zehnder(phi_in: float, phi_ex: float) -> Real:
    """Return the 4 × 4 matrix of an interferometer with phases inside and before it."""
    i, e = np.exp(1j * phi_in), np.exp(1j * phi_ex)
    return bogoliubov(np.array([[(i - 1) * e, 1j * (1 + i)], [1j * (1 + i) * e, 1 - i]]) / 2)


def _symmetric_mach_zehnder(phi_in: float, phi_ex: float) -> Real:
    """Return the 4 × 4 matrix of an interferometer with a phase in each arm."""
    half = beam_splitter(pi / 4, pi / 2)
    phases = np.exp(1j * (np.array([phi_in, phi_ex]) - pi / 2))
    return half @ bogoliubov(np.diag(phases)) @ half


def _shears(entries: Mapping[tuple[int, int], float], n_modes: int, maximum: float) -> Real:
    """Return the identity, 2n × 2n, with shears as entries: values by row and column."""
    matrix = np.eye(2 * n_modes)
    for row_and_column, value in entries.items():
        # A shear by s squeezes by arsinh(s/2).
        _bounded(float(np.arcsinh(value / 2)), maximum)
        matrix[row_and_column] = value
    return matrix


_PASSIVE: Final[Mapping[str, Callable[..., Real]]] = {
    "Rgate": _rotation,
    "Fouriergate": lambda: _rotation(pi / 2),
    "BSgate": beam_splitter,
    "MZgate": _mach_zehnder,
    "sMZgate": _symmetric_mach_zehnder,
}
_ACTIVE: Final[Mapping[str, Callable[..., Real]]] = {
    "Sgate": squeezing,
    "S2gate": _pair_squeezing,
    "Pgate": lambda s, maximum: _shears({(1, 0): s}, 1, maximum),
    "CXgate": lambda s, maximum: _shears({(1, 0): s, (2, 3): -s}, 2, maximum),
    "CZgate": lambda s, maximum: _shears({(2, 1): s, (3, 0): s}, 2, maximum),
}
"""Gates that squeeze; their last argument is the maximum of |r|."""


def symplectic(name: str, params: Sequence[float], n_modes: int, maximum: float) -> Real | None:
    """Return the symplectic matrix of a gate; None for any other operation.

    Raises:
        CannotRun: The gate squeezes by more than `maximum`, the matrix of an `Interferometer` is
            not unitary, or that of a `GaussianTransform` not symplectic.
    """
    if name == "Interferometer":
        return _interferometer(params, n_modes)
    if name == "GaussianTransform":
        return _transform(params, n_modes, maximum)
    if name in _ACTIVE:
        return _ACTIVE[name](*params, maximum)
    return _PASSIVE[name](*params) if name in _PASSIVE else None


def omega(n_modes: int) -> Real:
    """Return Ω: a matrix S is symplectic if SΩSᵀ = Ω."""
    zero, one = np.zeros((n_modes, n_modes)), np.eye(n_modes)
    return np.block([[zero, one], [-one, zero]])


def _interferometer(params: Sequence[float], n_modes: int) -> Real:
    """Return the matrix of a unitary, given row by row as real and imaginary parts."""
    unitary = np.array(params).view(complex).reshape(n_modes, n_modes)
    if not np.allclose(unitary @ unitary.conj().T, np.eye(n_modes), rtol=0, atol=_TOLERANCE):
        raise CannotRun("invalid_circuit", "Interferometer: the matrix is not unitary")
    return bogoliubov(unitary)


def _transform(params: Sequence[float], n_modes: int, maximum: float) -> Real:
    """Return the symplectic matrix whose 4n² entries are given row by row."""
    matrix = np.array(params).reshape(2 * n_modes, 2 * n_modes)
    form = omega(n_modes)
    with np.errstate(all="ignore"):
        if not np.allclose(matrix @ form @ matrix.T, form, rtol=0, atol=_TOLERANCE):
            raise CannotRun("invalid_circuit", "GaussianTransform: the matrix is not symplectic")
    _bounded(float(np.log(np.linalg.norm(matrix, 2))), maximum)
    return matrix
