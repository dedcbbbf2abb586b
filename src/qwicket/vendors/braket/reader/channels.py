"""Noise channels that Braket's pragmas name, as Kraus matrices.

In a matrix the first qubit is the most significant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import sqrt
from operator import mul
from typing import Final, NamedTuple

Matrix = Sequence[Sequence[complex]]

_I: Final[Matrix] = ((1, 0), (0, 1))
_X: Final[Matrix] = ((0, 1), (1, 0))
_Y: Final[Matrix] = ((0, -1j), (1j, 0))
_Z: Final[Matrix] = ((1, 0), (0, -1))
_PAULIS: Final = (_I, _X, _Y, _Z)


class Channel(NamedTuple):
    """A channel by name.

    Attributes:
        n_parameters: Number of its parameters, each from 0 to 1.
        n_qubits: Number of qubits.
        kraus: Returns the Kraus matrices for some parameters.
        max_sum: Maximum sum of its parameters: 1 where they are probabilities of exclusive errors.
    """

    n_parameters: int
    n_qubits: int
    kraus: Callable[..., list[Matrix]]
    max_sum: float = 1.0


def _scaled(factor: float, matrix: Matrix) -> Matrix:
    return [[factor * entry for entry in row] for row in matrix]


def _kron(a: Matrix, b: Matrix) -> Matrix:
    return [[x * y for x in row for y in other] for row, other in product(a, b)]


def _mixture(*terms: tuple[float, Matrix]) -> list[Matrix]:
    """Return the Kraus matrices of unitaries that occur with some probabilities."""
    # Rounding can make the first probability slightly negative.
    return [_scaled(sqrt(max(0.0, p)), matrix) for p, matrix in terms]


def _pauli(px: float, py: float, pz: float) -> list[Matrix]:
    return _mixture((1 - px - py - pz, _I), (px, _X), (py, _Y), (pz, _Z))


def _two_qubit_depolarizing(p: float) -> list[Matrix]:
    pairs = [_kron(a, b) for a, b in product(_PAULIS, repeat=2)]
    return _mixture((1 - p, pairs[0]), *((p / 15, pair) for pair in pairs[1:]))


def _two_qubit_dephasing(p: float) -> list[Matrix]:
    errors = (_kron(_I, _Z), _kron(_Z, _I), _kron(_Z, _Z))
    return _mixture((1 - p, _kron(_I, _I)), *((p / 3, error) for error in errors))


def _amplitude_damping(gamma: float) -> list[Matrix]:
    return [((1, 0), (0, sqrt(1 - gamma))), ((0, sqrt(gamma)), (0, 0))]


def _generalized_amplitude_damping(gamma: float, p: float) -> list[Matrix]:
    """Return damping towards |0⟩ with weight p, towards |1⟩ with weight 1 - p."""
    down = [_scaled(sqrt(p), matrix) for matrix in _amplitude_damping(gamma)]
    rise: list[Matrix] = [((sqrt(1 - gamma), 0), (0, 1)), ((0, 0), (sqrt(gamma), 0))]
    return down + [_scaled(sqrt(1 - p), matrix) for matrix in rise]


def _phase_damping(gamma: float) -> list[Matrix]:
    return [((1, 0), (0, sqrt(1 - gamma))), ((0, 0), (0, sqrt(gamma)))]


CHANNELS: Final[Mapping[str, Channel]] = {
    "bit_flip": Channel(1, 1, lambda p: _pauli(p, 0, 0)),
    "phase_flip": Channel(1, 1, lambda p: _pauli(0, 0, p)),
    "pauli_channel": Channel(3, 1, _pauli),
    "depolarizing": Channel(1, 1, lambda p: _pauli(p / 3, p / 3, p / 3)),
    "two_qubit_depolarizing": Channel(1, 2, _two_qubit_depolarizing),
    "two_qubit_dephasing": Channel(1, 2, _two_qubit_dephasing),
    "amplitude_damping": Channel(1, 1, _amplitude_damping),
    "generalized_amplitude_damping": Channel(2, 1, _generalized_amplitude_damping, 2.0),
    "phase_damping": Channel(1, 1, _phase_damping),
}
"""Channels by name, as in Braket's documentation and Nielsen and Chuang, section 8.3."""


def flat(matrices: Sequence[Matrix]) -> tuple[float, ...]:
    """Return matrices as the parameters of a flat gate: re, im, re, … row by row."""
    entries = (complex(entry) for matrix in matrices for row in matrix for entry in row)
    return tuple(part for entry in entries for part in (entry.real, entry.imag))


def deviation(matrices: Sequence[Matrix]) -> float:
    """Return how far Σ K†K is from the identity: the largest difference of an entry."""
    rows = [row for matrix in matrices for row in matrix]
    columns = [[complex(row[place]) for row in rows] for place in range(len(matrices[0]))]
    largest = 0.0
    for place, column in enumerate(columns):
        conjugated = [entry.conjugate() for entry in column]
        # The sum is Hermitian, so its lower half is enough.
        for other in range(place + 1):
            total = sum(map(mul, conjugated, columns[other]))
            largest = max(largest, abs(total - (place == other)))
    return largest
