"""Qubit physics written a second time, from Pauli algebra, for tests to compare engines with."""

from __future__ import annotations

import cmath
from collections.abc import Sequence
from functools import cache, reduce
from math import cos, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from qwicket.model.circuits import Gate, Measure, Op, QubitCircuit, Register

Matrix = NDArray[np.complex128]

PAULI: dict[str, Matrix] = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=complex),
    "Z": np.array([[1, 0], [0, -1]], dtype=complex),
}
X, Y, Z = PAULI["X"], PAULI["Y"], PAULI["Z"]

EXAMPLES: tuple[tuple[str, int, tuple[float, ...]], ...] = (
    *((name, 1, ()) for name in ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg")),
    *((name, 1, (0.7,)) for name in ("rx", "ry", "rz", "p", "gpi", "gpi2")),
    ("u", 1, (0.7, -1.1, 2.3)),
    ("gphase", 0, (0.7,)),
    ("swap", 2, ()),
    *((name, 2, (0.7,)) for name in ("rxx", "ryy", "rzz")),
    ("ms", 2, (0.4, -1.3, 0.7)),
)
"""Every gate of the flat form but `pauliexp`: name, number of targets, parameters."""


def string(letters: str) -> Matrix:
    """The matrix of a Pauli string, leftmost letter most significant."""
    return reduce(np.kron, (PAULI[letter] for letter in letters))


def exponential(generator: Matrix, angle: float) -> Matrix:
    return expm(-1j * angle * generator)


def on_equator(phi: float) -> Matrix:
    return cos(phi) * X + sin(phi) * Y


def unitary(name: str, params: Sequence[float]) -> Matrix:
    """A gate's matrix from its definition in Pauli operators, first target most significant."""
    half = [p / 2 for p in params]
    match name:
        case "id" | "x" | "y" | "z":
            return {"id": PAULI["I"], "x": X, "y": Y, "z": Z}[name]
        case "h":
            return (X + Z) / sqrt(2)
        case "s" | "sdg" | "t" | "tdg":
            angle = {"s": pi / 2, "sdg": -pi / 2, "t": pi / 4, "tdg": -pi / 4}[name]
            return cmath.exp(0.5j * angle) * exponential(Z, angle / 2)
        case "sx" | "sxdg":
            angle = pi / 2 if name == "sx" else -pi / 2
            return cmath.exp(0.5j * angle) * exponential(X, angle / 2)
        case "rx" | "ry" | "rz":
            return exponential({"rx": X, "ry": Y, "rz": Z}[name], half[0])
        case "p":
            return cmath.exp(1j * half[0]) * exponential(Z, half[0])
        case "u":
            turned = exponential(Z, half[1]) @ exponential(Y, half[0]) @ exponential(Z, half[2])
            return cmath.exp(1j * (half[1] + half[2])) * turned
        case "gphase":
            return np.array([[cmath.exp(1j * params[0])]])
        case "swap":
            return sum(string(pair) for pair in ("II", "XX", "YY", "ZZ")) / 2
        case "rxx" | "ryy" | "rzz":
            return exponential(string(name[1:].upper()), half[0])
        case "gpi":
            return on_equator(params[0])
        case "gpi2":
            return exponential(on_equator(params[0]), pi / 4)
        case "ms":
            pair = np.kron(on_equator(params[0]), on_equator(params[1]))
            return exponential(pair, half[2])
    raise AssertionError(name)


def gate_unitary(gate: Gate) -> Matrix:
    """The matrix of a gate without its controls, first target most significant."""
    if gate.name != "pauliexp":
        return unitary(gate.name, gate.params)
    size = 1 << len(gate.targets)
    total = np.zeros((size, size), dtype=complex)
    for term, angle in zip(gate.terms, gate.params, strict=True):
        total += angle * string(term[::-1])
    return expm(-1j * total)


def embedded(matrix: Matrix, gate: Gate, n_qubits: int) -> Matrix:
    """The matrix on n qubits, entry by entry; bit q of an index is qubit q."""
    full = np.zeros((1 << n_qubits,) * 2, dtype=complex)
    places = list(reversed(gate.targets))
    mask = sum(1 << target for target in places)
    for column in range(1 << n_qubits):
        if not all(column >> control & 1 for control in gate.controls):
            full[column, column] = 1
            continue
        inner = sum((column >> target & 1) << i for i, target in enumerate(places))
        for outer in range(len(matrix)):
            row = column & ~mask | sum(
                (outer >> i & 1) << target for i, target in enumerate(places)
            )
            full[row, column] = matrix[outer, inner]
    return full


def amplitudes(n_qubits: int, gates: Sequence[Gate]) -> Matrix:
    """The state that gates make of |0…0⟩, by products of full matrices."""
    if not gates:
        return np.eye(1, 1 << n_qubits, dtype=complex)[0]
    *earlier, last = gates
    return embedded(gate_unitary(last), last, n_qubits) @ _kept(n_qubits, tuple(earlier))


@cache
def _kept(n_qubits: int, gates: tuple[Gate, ...]) -> Matrix:
    return amplitudes(n_qubits, gates)


def measured(n_qubits: int, ops: Sequence[Op]) -> QubitCircuit:
    """A circuit that ends by measuring qubit q into bit q of the one register."""
    measures = (Measure(qubit, qubit) for qubit in range(n_qubits))
    return QubitCircuit(n_qubits, (*ops, *measures), (Register("c", n_qubits),))


def scrambling(n_qubits: int) -> list[Gate]:
    """Gates after which no two amplitudes are alike, so that every misplaced bit shows."""
    gates = []
    for qubit in range(n_qubits):
        gates.append(Gate("ry", (qubit,), (0.5 + 0.3 * qubit,)))
        gates.append(Gate("rz", (qubit,), (0.4 + 0.7 * qubit,)))
        gates.append(Gate("rx", (qubit,), (1.1 - 0.2 * qubit,)))
    return gates
