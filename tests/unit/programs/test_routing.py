"""Routing to the pairs that a device connects, checked with classical gates and with matrices."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest

from qwicket.circuits.qubit import (
    Branch,
    Estimation,
    Gate,
    Measure,
    Op,
    Pauli,
    QubitCircuit,
    Readouts,
    Register,
    Reset,
)
from qwicket.programs.routing import route
from support.for_each import for_each

LINE = ((0, 1), (1, 2), (2, 3), (3, 4))
TREE = ((4, 2), (2, 7), (7, 3), (2, 5))
FAR = (Gate("x", (0,)), Gate("x", (2,), (), (0,)))


def circuit(ops: Sequence[Op], n_qubits: int = 3) -> QubitCircuit:
    measured = [Measure(qubit, qubit) for qubit in range(n_qubits)]
    return QubitCircuit(n_qubits, (*ops, *measured), (Register("c", n_qubits),))


def bits_of(circuit: QubitCircuit) -> dict[int, int]:
    """Return the bits of a circuit of classical gates."""
    state, bits = [0] * circuit.n_qubits, {}
    for op in circuit.ops:
        match op:
            case Gate("x", (target,)):
                state[target] ^= all(state[qubit] for qubit in op.controls)
            case Gate("swap", (a, b)):
                state[a], state[b] = state[b], state[a]
            case Measure():
                bits[op.clbit] = state[op.qubit]
            case Reset():
                state[op.qubit] = 0
    return bits


def random_op(dice: Random) -> Op:
    a, b = dice.sample(range(5), 2)
    gates = Gate("x", (a,)), Gate("x", (a,), (), (b,)), Gate("swap", (a, b))
    return dice.choice((*gates, gates[1], Reset(a), Measure(a, b)))


@for_each("pairs", [LINE, TREE])
def test_a_routed_circuit_acts_on_pairs_and_does_the_same(
    pairs: tuple[tuple[int, int], ...],
) -> None:
    dice = Random(5)
    connected = {frozenset(pair) for pair in pairs}
    for _ in range(20):
        given = circuit([random_op(dice) for _ in range(25)], 5)
        (found,) = route([given], pairs) or ()
        acts_on = [{*op.controls, *op.targets} for op in found.ops if isinstance(op, Gate)]
        assert all(qubits in connected for qubits in acts_on if len(qubits) == 2)
        assert found.n_qubits <= 8
        assert (found.registers, bits_of(found)) == (given.registers, bits_of(given))


def test_circuits_that_fit_stay_as_they_are() -> None:
    fitting = circuit((Gate("x", (1,), (), (0,)),))
    assert route([fitting], LINE) is None
    routed = route([fitting, circuit(FAR)], LINE)
    assert routed is not None
    assert routed[0] == fitting
    assert routed == route([fitting, circuit(FAR)], LINE)


@for_each(
    "ops, n_qubits",
    [
        ((*FAR, Branch((0,), "==", "1", 1), Gate("x", (1,))), 3),
        ((*FAR, Gate("x", (0,), (), (1, 2))), 3),
        (FAR, 6),
    ],
)
def test_what_cannot_be_routed_is_left_to_the_check(ops: tuple[Op, ...], n_qubits: int) -> None:
    assert route([circuit(ops, n_qubits)], LINE) is None


def test_nothing_is_routed_without_qiskit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qiskit.transpiler", None)
    assert route([circuit(FAR)], LINE) is None


MATRICES = {"h": [[0.5**0.5, 0.5**0.5], [0.5**0.5, -(0.5**0.5)]], "y": [[0, -1j], [1j, 0]]}
MATRICES |= {"x": [[0, 1], [1, 0]], "z": [[1, 0], [0, -1]], "s": [[1, 0], [0, 1j]]}
MATRICES["t"] = [[1, 0], [0, 1j**0.5]]
SWAP = np.eye(4)[[0, 2, 1, 3]].reshape(2, 2, 2, 2)


def turned(state: Any, matrix: Any, qubits: Sequence[int]) -> Any:
    """Return a state, an axis for each qubit, after a matrix that acts on some qubits."""
    n = len(qubits)
    found = np.tensordot(np.reshape(matrix, (2,) * 2 * n), state, (range(n, 2 * n), qubits))
    return np.moveaxis(found, range(n), qubits)


def values_of(circuit: QubitCircuit) -> list[float]:
    """Return the expectation value of each Pauli of an estimation, from the circuit's matrices."""
    state = np.zeros((2,) * circuit.n_qubits, complex)
    state[(0,) * circuit.n_qubits] = 1
    for op in circuit.ops:
        assert isinstance(op, Gate)
        matrix = SWAP if op.name == "swap" else np.array(MATRICES[op.name])
        if op.controls:
            controlled = np.eye(4, dtype=complex)
            controlled[2:, 2:] = matrix
            matrix = controlled
        state = turned(state, matrix, op.controls + op.targets)
    values = []
    assert circuit.estimation is not None
    for pauli in circuit.estimation.paulis:
        other = state
        for letter, qubit in zip(pauli.letters, pauli.qubits, strict=True):
            other = turned(other, MATRICES[letter.lower()], (qubit,))
        values.append(float(np.vdot(state, other).real))
    return values


@for_each("pairs", [LINE, TREE])
def test_observables_follow_the_qubits(pairs: tuple[tuple[int, int], ...]) -> None:
    dice = Random(7)
    connected = {frozenset(pair) for pair in pairs}
    for _ in range(10):
        given = QubitCircuit(5, tuple(random_turn(dice) for _ in range(30)), ())
        words = ["".join(dice.choices("IXYZ", k=5)) for _ in range(40)] + ["IIIII"]
        paulis = tuple(
            Pauli(word.replace("I", ""), tuple(q for q, letter in enumerate(word) if letter != "I"))
            for word in words
        )
        estimation = Estimation(paulis, ((0,),), (((0, 1.0),),))
        given = msgspec.structs.replace(given, estimation=estimation)
        (found,) = route([given], pairs) or ()
        acts_on = [{*op.controls, *op.targets} for op in found.ops if isinstance(op, Gate)]
        assert all(qubits in connected for qubits in acts_on if len(qubits) == 2)
        assert values_of(found) == pytest.approx(values_of(given), abs=1e-9)


def random_turn(dice: Random) -> Gate:
    a, b = dice.sample(range(5), 2)
    one = Gate(dice.choice("hst"), (a,))
    return dice.choice((one, one, Gate("x", (a,), (), (b,)), Gate("swap", (a, b))))


def test_an_observable_may_be_on_a_qubit_without_gates() -> None:
    """It is a qubit of its own, which no gate touches, and counts for the width."""
    ops = tuple(Gate("x", (b,), (), (a,)) for a, b in ((0, 8), (0, 1), (1, 8)))
    paulis = tuple(Pauli("Z", (qubit,)) for qubit in (0, 1, 8, 3))
    given = QubitCircuit(9, (Gate("x", (0,)), *ops), (), estimation=Estimation(paulis, (), ()))
    for last in range(4):
        line = [((a + last) % 4, (b + last) % 4) for a, b in LINE[:3]]
        (found,) = route([given], line) or ()
        assert values_of(found) == pytest.approx([-1, -1, 1, 1])
        assert found.estimation is not None
        assert {pauli.qubits for pauli in found.estimation.paulis} == {(0,), (1,), (2,), (3,)}


def test_the_largest_part_of_a_device_is_used() -> None:
    """Qiskit's routing panics where a device has parts and a circuit idle qubits."""
    ops = tuple(Gate("x", (b,), (), (a,)) for a, b in ((0, 2), (0, 1), (1, 2)))
    paulis = tuple(Pauli("Z", (qubit,)) for qubit in range(4))
    given = QubitCircuit(4, (Gate("x", (0,)), *ops), (), estimation=Estimation(paulis, (), ()))
    (found,) = route([given], ((6, 7), (0, 1), (3, 5), (2, 3), (1, 2))) or ()
    assert values_of(found) == pytest.approx([-1, -1, 1, 1])
    assert found.n_qubits <= 6
    wider = msgspec.structs.replace(given, ops=(*given.ops, Gate("x", (9,)), Gate("x", (8,))))
    assert route([wider], ((6, 7), (0, 1), (3, 5), (2, 3), (1, 2))) is None


def test_quantities_of_the_final_state_are_not_moved_to_other_qubits() -> None:
    moved = circuit(FAR)
    assert route([moved], LINE)
    assert route([msgspec.structs.replace(moved, readouts=Readouts(10, ()))], LINE) is None
