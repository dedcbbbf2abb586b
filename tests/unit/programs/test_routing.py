"""Routing to the pairs that a device connects, checked with circuits of classical gates."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import Random

import msgspec
import pytest

from qwicket.circuits.qubit import (
    Branch,
    Estimation,
    Gate,
    Measure,
    Op,
    QubitCircuit,
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


def test_an_estimation_is_not_moved_to_other_qubits() -> None:
    moved = circuit(FAR)
    assert route([moved], LINE)
    assert route([msgspec.structs.replace(moved, estimation=Estimation((), (), ()))], LINE) is None
