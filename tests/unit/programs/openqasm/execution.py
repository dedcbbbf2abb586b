"""A tiny numpy interpreter of flat circuits, written from the table in `circuits/qubit.py` alone.

Qubit 0 is the least significant bit of a basis state's index.
"""

from __future__ import annotations

import cmath
import math
import operator
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, QubitCircuit, Reset

Matrix = NDArray[np.complex128]

I2: Matrix = np.eye(2, dtype=complex)
X: Matrix = np.array([[0, 1], [1, 0]], dtype=complex)
Y: Matrix = np.array([[0, -1j], [1j, 0]])
Z: Matrix = np.diag([1, -1]).astype(complex)
H: Matrix = (X + Z) / math.sqrt(2)
SX: Matrix = np.array([[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]])
SWAP: Matrix = np.eye(4, dtype=complex)[[0, 2, 1, 3]]


def phase(angle: float) -> Matrix:
    return np.diag([1, cmath.exp(1j * angle)])


def rotation(pauli: Matrix, angle: float) -> Matrix:
    """exp(-i angle pauli / 2) for a pauli that squares to one."""
    return cos(angle / 2) * np.eye(len(pauli)) - 1j * sin(angle / 2) * pauli


def u(theta: float, phi: float, lam: float) -> Matrix:
    low, high = cos(theta / 2), sin(theta / 2)
    return np.array(
        [
            [low, -cmath.exp(1j * lam) * high],
            [cmath.exp(1j * phi) * high, cmath.exp(1j * (phi + lam)) * low],
        ]
    )


def pair(pauli: Matrix) -> Matrix:
    """The same on each of two qubits."""
    return np.kron(pauli, pauli).astype(complex)


FIXED: Mapping[str, Matrix] = {
    "id": I2,
    "x": X,
    "y": Y,
    "z": Z,
    "h": H,
    "s": phase(pi / 2),
    "sdg": phase(-pi / 2),
    "t": phase(pi / 4),
    "tdg": phase(-pi / 4),
    "sx": SX,
    "sxdg": SX.conj().T,
    "swap": SWAP,
}
ROTATIONS: Mapping[str, Matrix] = {
    "rx": X,
    "ry": Y,
    "rz": Z,
    "rxx": pair(X),
    "ryy": pair(Y),
    "rzz": pair(Z),
}


def base_matrix(gate: Gate) -> Matrix:
    """The matrix on the gate's targets alone; targets[0] is the least significant bit."""
    if gate.name in FIXED:
        assert not gate.params
        return FIXED[gate.name]
    if gate.name in ROTATIONS:
        return rotation(ROTATIONS[gate.name], *gate.params)
    if gate.name == "p":
        return phase(*gate.params)
    if gate.name == "gphase":
        return np.array([[cmath.exp(1j * gate.params[0])]])
    assert gate.name == "u", gate
    return u(*gate.params)


def controlled(matrix: Matrix, n_controls: int = 1) -> Matrix:
    """The matrix with controls as its least significant qubits."""
    size = len(matrix)
    full = np.eye(size << n_controls, dtype=complex)
    where = [(state << n_controls) | ((1 << n_controls) - 1) for state in range(size)]
    full[np.ix_(where, where)] = matrix
    return full


def apply(gate: Gate, state: Matrix, n_qubits: int) -> Matrix:
    """Apply a gate to the first axis of an array."""
    qubits = (*gate.controls, *gate.targets)
    assert len(set(qubits)) == len(qubits), gate
    matrix = controlled(base_matrix(gate), len(gate.controls))
    result = np.zeros_like(state)
    places = np.arange(1 << n_qubits)
    local = sum(((places >> qubit) & 1) << k for k, qubit in enumerate(qubits))
    rest = places.copy()
    for qubit in qubits:
        rest &= ~(1 << qubit)
    for row in range(len(matrix)):
        spread = sum(((row >> k) & 1) << qubit for k, qubit in enumerate(qubits))
        weights = matrix[row, local]
        np.add.at(result, rest | spread, weights.reshape(-1, *[1] * (state.ndim - 1)) * state)
    return result


def unitary(circuit: QubitCircuit) -> Matrix:
    """The matrix of a circuit of gates, with its global phase."""
    matrix: Matrix = np.eye(1 << circuit.n_qubits, dtype=complex)
    for op in circuit.ops:
        assert isinstance(op, Gate), op
        matrix = apply(op, matrix, circuit.n_qubits)
    return matrix


_RELATIONS: Mapping[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TOO_SMALL = 1e-12


def distribution(
    circuit: QubitCircuit, start: Sequence[int] | None = None
) -> dict[tuple[int, ...], float]:
    """Exact probabilities of all classical outcomes; `start` are the bits to begin with."""
    state = np.zeros(1 << circuit.n_qubits, dtype=complex)
    state[0] = 1
    bits = tuple(start or [0] * circuit.n_clbits)
    paths = [(0, bits, state)]
    outcomes: defaultdict[tuple[int, ...], float] = defaultdict(float)
    while paths:
        place, bits, state = paths.pop()
        if place == len(circuit.ops):
            outcomes[bits] += float(np.vdot(state, state).real)
            continue
        op = circuit.ops[place]
        match op:
            case Gate():
                paths.append((place + 1, bits, apply(op, state, circuit.n_qubits)))
            case Measure(qubit, clbit):
                for value, part in enumerate(_halves(state, qubit)):
                    if np.vdot(part, part).real > _TOO_SMALL:
                        read = (*bits[:clbit], value, *bits[clbit + 1 :])
                        paths.append((place + 1, read, part))
            case Reset(qubit):
                zero, one = _halves(state, qubit)
                flipped = apply(Gate("x", (qubit,)), one, circuit.n_qubits)
                paths += [
                    (place + 1, bits, part)
                    for part in (zero, flipped)
                    if np.vdot(part, part).real > _TOO_SMALL
                ]
            case Branch(clbits, relation, text, skip):
                number = sum(bits[clbit] << k for k, clbit in enumerate(clbits))
                holds = _RELATIONS[relation](number, int(text))
                paths.append((place + 1 + (0 if holds else skip), bits, state))
            case Jump(skip):
                paths.append((place + 1 + skip, bits, state))
            case _:
                raise AssertionError(op)
        assert paths[-1][0] <= len(circuit.ops)
    return dict(outcomes)


def path(circuit: QubitCircuit, bits: Sequence[int]) -> list[str]:
    """Names of the gates that run when the classical bits have these values; no measurements."""
    names = []
    place = 0
    while place < len(circuit.ops):
        op = circuit.ops[place]
        place += 1
        match op:
            case Gate():
                names.append(op.name)
            case Branch(clbits, relation, text, skip):
                number = sum(bits[clbit] << k for k, clbit in enumerate(clbits))
                place += 0 if _RELATIONS[relation](number, int(text)) else skip
            case Jump(skip):
                place += skip
    assert place == len(circuit.ops)
    return names


def _halves(state: Matrix, qubit: int) -> tuple[Matrix, Matrix]:
    ones = (np.arange(len(state)) >> qubit & 1).astype(bool)
    return np.where(ones, 0, state), np.where(ones, state, 0)
