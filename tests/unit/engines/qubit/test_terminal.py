"""Which circuits the plan takes, and that idle qubits cost nothing."""

from __future__ import annotations

import pytest

from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import terminal
from qwicket.model.circuits import Branch, Gate, Jump, Measure, Op, QubitCircuit, Register, Reset


def circuit(*ops: Op, n_qubits: int = 2, n_bits: int = 2) -> QubitCircuit:
    return QubitCircuit(n_qubits, ops, (Register("c", n_bits),))


@pytest.mark.parametrize(
    ("op", "what"),
    [
        (Gate("x", (0,)), "gate x on a measured qubit"),
        (Gate("x", (1,), (), (0,)), "gate x on a measured qubit"),
        (Reset(0), "reset"),
        (Branch((0,), "==", "1", 1), "branch"),
        (Jump(1), "jump"),
    ],
    ids=["gate", "control", "reset", "branch", "jump"],
)
def test_nothing_may_follow_a_measurement_yet(op: Op, what: str) -> None:
    with pytest.raises(CannotRun) as caught:
        terminal.plan(circuit(Measure(0, 0), op))
    assert caught.value.code == "unsupported"
    text = f"operation 1 ({what}): only circuits that measure at their end can run yet"
    assert caught.value.message == text


def test_gates_may_follow_measurements_of_other_qubits() -> None:
    plan = terminal.plan(circuit(Measure(0, 0), Gate("x", (1,)), Measure(1, 1)))
    assert plan.gates == [Gate("x", (0,))]
    assert plan.reads.bits == ((1, 0),)


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (Gate("x", (2,)), "a qubit is named that is outside 0..1"),
        (Gate("x", (-1,)), "a qubit is named that is outside 0..1"),
        (Gate("x", (0,), (), (25,)), "a qubit is named that is outside 0..1"),
        (Measure(2, 0), "a qubit is named that is outside 0..1"),
        (Measure(0, 2), "a classical bit is named that is outside 0..1"),
        (Measure(0, -1), "a classical bit is named that is outside 0..1"),
        (Gate("swap", (1, 1)), "operation 0 names a qubit twice"),
        (Gate("x", (1,), (), (1,)), "operation 0 names a qubit twice"),
    ],
)
def test_operands_that_a_simulator_would_crash_on_are_refused(op: Op, text: str) -> None:
    with pytest.raises(CannotRun) as caught:
        terminal.plan(circuit(op))
    assert (caught.value.code, caught.value.message) == ("invalid_circuit", text)


def test_idle_qubits_are_left_out() -> None:
    ops = (Gate("h", (70,)), Gate("rx", (3,), (0.5,), (70,)))
    measures = tuple(Measure(qubit, qubit) for qubit in range(100))
    plan = terminal.plan(circuit(*ops, *measures, n_qubits=100, n_bits=100))
    assert plan.n_qubits == 2
    assert plan.gates == [Gate("h", (1,)), Gate("rx", (0,), (0.5,), (1,))]
    assert sorted(plan.reads.bits) == [(3, 0), (70, 1)]
    assert plan.reads.n_bits == 100


def test_circuit_without_gates_has_one_qubit_left() -> None:
    plan = terminal.plan(circuit(Measure(0, 0), Measure(1, 1)))
    assert (plan.n_qubits, plan.gates, plan.reads.bits) == (1, [], ())


def test_last_measurement_into_a_bit_wins() -> None:
    gates = (Gate("h", (0,)), Gate("h", (1,)))
    plan = terminal.plan(circuit(*gates, Measure(0, 0), Measure(1, 0)))
    assert plan.reads.qubits == (1,)
    assert plan.reads.bits == ((0, 0),)


def test_one_qubit_may_fill_several_bits() -> None:
    plan = terminal.plan(circuit(Gate("h", (0,)), Measure(0, 0), Measure(0, 1), n_qubits=1))
    assert plan.reads.qubits == (0,)
    assert plan.reads.bits == ((0, 0), (1, 0))
