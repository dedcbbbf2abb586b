"""Gates, and the noise after them, as Pauli transfer matrices.

A mixed state ρ of k qubits is the 4^k expectation values Tr(Pρ) of the Pauli strings P: I, X, Y or
Z on each qubit, the first qubit most significant. Every channel is a real 4^k × 4^k matrix on them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache, reduce
from math import sqrt
from typing import Final

import numpy as np

from qwicket.circuits.qubit import Gate
from qwicket.engines.qubit.gates import Matrix, dense, matrix
from qwicket.engines.qubit.noise import GateErrors, Noise, PauliError
from qwicket.engines.qubit.sampling import Floats

_ANTICOMMUTE: Final = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]])
"""Which of I, X, Y and Z anticommute."""


def channels(gates: Sequence[Gate], noise: Noise) -> Iterator[tuple[tuple[int, ...], Floats]]:
    """Yield the qubits of each gate, and the matrix of the gate with the noise after it.

    The qubits are in the order of `gates.dense`. All gates are prepared together: alone, each would
    take several times as long. Temporary arrays take 50 · 16^k bytes for each gate on k qubits.
    Global phases are left out.
    """
    gates = [gate for gate in gates if gate.targets or gate.controls]
    found = [dense(gate) for gate in gates]
    by_width: defaultdict[int, list[int]] = defaultdict(list)
    for index, (_, qubits) in enumerate(found):
        by_width[len(qubits)].append(index)
    matrices: dict[int, Floats] = {}
    for indices in by_width.values():
        errors = np.array([_errors_after(gates[index], noise) for index in indices])
        ideal = transfer_matrices(np.array([found[index][0] for index in indices]))
        matrices.update(zip(indices, errors @ ideal, strict=True))
    for index, (_, qubits) in enumerate(found):
        yield qubits, matrices[index]


def transfer_matrices(unitaries: Matrix) -> Floats:
    """Return Tr(P U Q U†) / 2^k, g × 4^k × 4^k, of unitaries U, g × 2^k × 2^k."""
    number, size, _ = unitaries.shape
    strings = _strings(size)
    both = np.einsum("gab,gcd->gacbd", unitaries, unitaries.conj())
    found = strings.conj() @ both.reshape(number, size**2, size**2) @ strings.T
    real: Floats = found.real / size
    return real


@lru_cache(maxsize=256)
def error_matrix(errors: GateErrors, width: int) -> Floats:
    """Return errors after a gate as a matrix; `errors` number the gate's qubits from 0."""
    factors = np.ones((4,) * width)
    for error in errors.pauli_errors:
        factors = factors * _factors(error, width)
    gammas = dict(errors.damping)
    # Factors of columns: the Pauli errors come before the damping.
    return kron([_damping(gammas.get(qubit, 0.0)) for qubit in range(width)]) * factors.reshape(-1)


def kron(parts: Sequence[Floats]) -> Floats:
    """Return the Kronecker product of matrices. `np.kron` takes four times as long."""
    return reduce(_kron, parts)


def _kron(one: Floats, other: Floats) -> Floats:
    """Return the Kronecker product of an a × c and a b × d matrix: ab × cd."""
    outer = one[:, np.newaxis, :, np.newaxis] * other[:, np.newaxis, :]
    return outer.reshape(len(one) * len(other), -1)


def _errors_after(gate: Gate, noise: Noise) -> Floats:
    """Return the errors after a gate as a matrix, with the qubits in the order of `gates.dense`.

    These are the controls, then the targets; those of `pauliexp` in reverse.
    """
    errors = noise.of_gate(gate)
    n_controls, n_targets = len(gate.controls), len(gate.targets)
    if n_controls + n_targets == 1:
        return error_matrix(errors, 1)
    return _reordered(errors, n_controls, n_targets, gate.name == "pauliexp")


@lru_cache(maxsize=256)
def _reordered(errors: GateErrors, n_controls: int, n_targets: int, is_reversed: bool) -> Floats:
    targets = range(n_controls, n_controls + n_targets)
    in_order = reversed(targets) if is_reversed else targets
    return error_matrix(errors.on((*in_order, *range(n_controls))), n_controls + n_targets)


@cache
def _strings(size: int) -> Matrix:
    """Return all Pauli strings on states of this size, a row each."""
    letters = np.array([matrix(name) for name in ("id", "x", "y", "z")])
    made = np.ones((1, 1, 1), dtype=np.complex128)
    while made.shape[1] < size:
        longer = np.einsum("iab,jcd->ijacbd", made, letters)
        made = longer.reshape(4 * len(made), 2 * made.shape[1], -1)
    return made.reshape(len(made), -1)


def _factors(error: PauliError, width: int) -> Floats:
    """Return the factor of each expectation value.

    It is 1 - 2ps, where s is the share of the error's Paulis that anticommute with the string, so
    flip its sign. The array has one axis for each qubit, of length 1 where no error occurs.
    """
    # A code has two bits for each qubit, the first qubit lowest: 0 is I, 1 X, 2 Y, 3 Z.
    codes = np.arange(error.low, error.high)
    is_odd = np.zeros((codes.size, *(1,) * width), dtype=np.int64)
    for digit, qubit in enumerate(error.qubits):
        clashes = _ANTICOMMUTE[(codes >> 2 * digit) & 3]
        is_odd = is_odd ^ np.expand_dims(clashes, [1 + q for q in range(width) if q != qubit])
    factors: Floats = 1 - 2 * error.probability * is_odd.mean(axis=0)
    return factors


def _damping(gamma: float) -> Floats:
    """Return amplitude damping with probability gamma, a 4 × 4 matrix."""
    kept = sqrt(1 - gamma)
    made = np.diag([1.0, kept, kept, 1 - gamma])
    made[3, 0] = gamma
    return made
