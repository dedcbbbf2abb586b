"""The circuits that are measured, drawn with a fixed seed."""

from __future__ import annotations

import random
from math import tau

from qwicket.circuits.qubit import Branch, Gate, Measure, Op, QubitCircuit, Register, Reset


def ghz(n_qubits: int) -> QubitCircuit:
    chain = [Gate("x", (qubit + 1,), (), (qubit,)) for qubit in range(n_qubits - 1)]
    return _measured(n_qubits, [Gate("h", (0,)), *chain])


def turning(n_qubits: int, n_gates: int, seed: int = 1) -> QubitCircuit:
    """Return repetitions of two rotations by random angles and a CX."""
    draw = random.Random(seed)
    ops: list[Op] = []
    for number in range(n_gates):
        one, other = draw.sample(range(n_qubits), 2)
        if number % 3 == 2:
            ops.append(Gate("x", (other,), (), (one,)))
        else:
            ops.append(Gate(draw.choice(("rx", "ry", "rz")), (one,), (tau * draw.random(),)))
    return _measured(n_qubits, ops)


def ansatz(n_qubits: int, seed: int) -> QubitCircuit:
    """Return two layers of rotations and a chain of CX, as in a variational job."""
    draw = random.Random(seed)
    ops: list[Op] = []
    for _ in range(2):
        ops += [Gate("ry", (qubit,), (tau * draw.random(),)) for qubit in range(n_qubits)]
        ops += [Gate("rz", (qubit,), (tau * draw.random(),)) for qubit in range(n_qubits)]
        ops += [Gate("x", (qubit + 1,), (), (qubit,)) for qubit in range(n_qubits - 1)]
    return _measured(n_qubits, ops)


def layers(n_qubits: int, n_layers: int) -> QubitCircuit:
    """Return layers of a random Clifford gate on every qubit and CX on random pairs."""
    draw = random.Random(1)
    ops: list[Op] = []
    for _ in range(n_layers):
        ops += [Gate(draw.choice(("h", "s", "sx")), (qubit,)) for qubit in range(n_qubits)]
        order = draw.sample(range(n_qubits), n_qubits)
        pairs = zip(order[::2], order[1::2], strict=True)
        ops += [Gate("x", (other,), (), (one,)) for one, other in pairs]
    return _measured(n_qubits, ops)


def rounds(n_rounds: int) -> QubitCircuit:
    ops: list[Op] = []
    for number in range(n_rounds):
        ops += [Gate("ry", (0,), (0.7,)), Gate("x", (1,), (), (0,)), Measure(1, number)]
        ops += [Branch((number,), "==", "1", 1), Gate("rx", (0,), (0.3,)), Reset(1)]
    return QubitCircuit(2, tuple(ops), (Register("c", n_rounds),))


def _measured(n_qubits: int, ops: list[Op]) -> QubitCircuit:
    measures = (Measure(qubit, qubit) for qubit in range(n_qubits))
    return QubitCircuit(n_qubits, (*ops, *measures), (Register("c", n_qubits),))
