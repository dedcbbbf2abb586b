"""The matrix of every gate of the flat form. Simulators' own gates are used where they agree.

Matrices act on targets in the order given, the first target being the most significant index.
"""

from __future__ import annotations

from cmath import exp
from collections.abc import Callable, Mapping
from math import cos, isqrt, pi, sin, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits.qubit import DELAY, Gate
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import pauli

Matrix = NDArray[np.complex128]


def matrix(name: str, params: tuple[float, ...] = ()) -> Matrix:
    """Return the exact unitary of a gate, global phase included.

    Args:
        name: A name of the flat form other than `pauliexp`, which is a sum and no fixed matrix.
        params: Its parameters, in radians.

    Returns:
        2^t × 2^t complex128 for a gate on t targets. Callers must not change it.

    Raises:
        CannotRun: No such gate.
    """
    fixed = _FIXED.get(name)
    if fixed is not None:
        return fixed
    if name not in _MADE:
        raise CannotRun("unsupported", f"no engine here knows the gate {name!r}")
    return _MADE[name](*params)


def dense(gate: Gate) -> tuple[Matrix, tuple[int, ...]]:
    """Return the unitary of a gate with its controls, and the qubits that it acts on.

    It has 4^n entries for n qubits; the first qubit is the most significant.

    Raises:
        CannotRun: No such gate.
    """
    if gate.name == "pauliexp":
        inner = pauli.exponential(
            pauli.sum_of(gate), np.eye(1 << len(gate.targets), dtype=np.complex128)
        )
        targets = gate.targets[::-1]
    else:
        inner, targets = matrix(gate.name, gate.params), gate.targets
    if not gate.controls:
        return inner, targets
    whole = np.eye(len(inner) << len(gate.controls), dtype=np.complex128)
    whole[-len(inner) :, -len(inner) :] = inner
    return whole, gate.controls + targets


def _array(rows: list[list[complex]]) -> Matrix:
    """Return rows as complex128."""
    return np.array(rows, dtype=np.complex128)


def _constant(rows: list[list[complex]]) -> Matrix:
    """Return rows as complex128, read-only, because callers share them."""
    made = _array(rows)
    made.flags.writeable = False
    return made


def _diagonal(phase: complex) -> Matrix:
    """Return diag(1, phase)."""
    return _array([[1, 0], [0, phase]])


_PAULI: Final[Mapping[str, Matrix]] = {
    "x": _constant([[0, 1], [1, 0]]),
    "y": _constant([[0, -1j], [1j, 0]]),
    "z": _constant([[1, 0], [0, -1]]),
}
_PAIRS: Final[Mapping[str, Matrix]] = {
    name: np.kron(pauli, pauli).astype(np.complex128) for name, pauli in _PAULI.items()
}
_FIXED: Final[Mapping[str, Matrix]] = {
    **_PAULI,
    "id": _constant([[1, 0], [0, 1]]),
    "h": _constant([[sqrt(0.5), sqrt(0.5)], [sqrt(0.5), -sqrt(0.5)]]),
    "s": _constant([[1, 0], [0, 1j]]),
    "sdg": _constant([[1, 0], [0, -1j]]),
    "t": _constant([[1, 0], [0, exp(1j * pi / 4)]]),
    "tdg": _constant([[1, 0], [0, exp(-1j * pi / 4)]]),
    "sx": _constant([[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]]),
    "sxdg": _constant([[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]]),
    "swap": _constant([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
}


def _rx(theta: float) -> Matrix:
    """Return exp(-iθX/2)."""
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return _array([[c, s], [s, c]])


def _ry(theta: float) -> Matrix:
    """Return exp(-iθY/2)."""
    c, s = cos(theta / 2), sin(theta / 2)
    return _array([[c, -s], [s, c]])


def _rz(theta: float) -> Matrix:
    """Return exp(-iθZ/2)."""
    return _array([[exp(-0.5j * theta), 0], [0, exp(0.5j * theta)]])


def _p(lam: float) -> Matrix:
    """Return diag(1, e^{iλ})."""
    return _diagonal(exp(1j * lam))


def _u(theta: float, phi: float, lam: float) -> Matrix:
    """Return e^{i(φ+λ)/2} Rz(φ) Ry(θ) Rz(λ)."""
    c, s = cos(theta / 2), sin(theta / 2)
    return _array([[c, -exp(1j * lam) * s], [exp(1j * phi) * s, exp(1j * (phi + lam)) * c]])


def _gphase(gamma: float) -> Matrix:
    """Return the phase e^{iγ}, 1 × 1: the gate has no target."""
    return _array([[exp(1j * gamma)]])


def _rotation(generator: Matrix, theta: float) -> Matrix:
    """Return exp(-iθG/2) for G² = 1."""
    unit = np.eye(len(generator), dtype=np.complex128)
    return cos(theta / 2) * unit - 1j * sin(theta / 2) * generator


def _rxx(theta: float) -> Matrix:
    """Return exp(-iθXX/2), 4 × 4."""
    return _rotation(_PAIRS["x"], theta)


def _ryy(theta: float) -> Matrix:
    """Return exp(-iθYY/2), 4 × 4."""
    return _rotation(_PAIRS["y"], theta)


def _rzz(theta: float) -> Matrix:
    """Return exp(-iθZZ/2), 4 × 4."""
    return _rotation(_PAIRS["z"], theta)


def _gpi(phi: float) -> Matrix:
    """Return cos φ X + sin φ Y."""
    return _array([[0, exp(-1j * phi)], [exp(1j * phi), 0]])


def _gpi2(phi: float) -> Matrix:
    """Return a quarter turn, exp(-iπG/4), about the axis G = cos φ X + sin φ Y."""
    r = sqrt(0.5)
    return _array([[r, -1j * r * exp(-1j * phi)], [-1j * r * exp(1j * phi), r]])


def _unitary(*numbers: float) -> Matrix:
    """Return a matrix from its entries, row by row: real and imaginary parts alternate."""
    entries = np.array(numbers, dtype=np.float64).view(np.complex128)
    size = isqrt(len(entries))
    return entries.reshape(size, size)


def _ms(phi0: float, phi1: float, theta: float) -> Matrix:
    """Return exp(-iθG/2) for G = gpi(φ₀) ⊗ gpi(φ₁), 4 × 4."""
    return _rotation(np.kron(_gpi(phi0), _gpi(phi1)).astype(np.complex128), theta)


_MADE: Final[Mapping[str, Callable[..., Matrix]]] = {
    "rx": _rx,
    "ry": _ry,
    "rz": _rz,
    "p": _p,
    "u": _u,
    "gphase": _gphase,
    "rxx": _rxx,
    "ryy": _ryy,
    "rzz": _rzz,
    "zz": _rzz,
    "gpi": _gpi,
    "gpi2": _gpi2,
    "ms": _ms,
    "unitary": _unitary,
    DELAY: lambda _seconds: _FIXED["id"],
}
