"""Which circuits are taken, what of them is measured last, and that idle qubits cost nothing."""

from __future__ import annotations

import pytest

from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Register, Reset
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import program
from support.for_each import for_each

H0, H1, X0, X1 = (Gate(name, (qubit,)) for name in "hx" for qubit in (0, 1))
CX = Gate("x", (1,), (), (0,))


def circuit(*ops: Op, n_qubits: int = 2, n_bits: int = 2) -> QubitCircuit:
    return QubitCircuit(n_qubits, ops, (Register("c", n_bits),))


# --- refusals -------------------------------------------------------------------------------------


@for_each(
    "op, text",
    [
        (Gate("x", (2,)), "a qubit is named that is outside 0..1"),
        (Gate("x", (-1,)), "a qubit is named that is outside 0..1"),
        (Gate("x", (0,), (), (25,)), "a qubit is named that is outside 0..1"),
        (Measure(2, 0), "a qubit is named that is outside 0..1"),
        (Measure(-1, 0), "a qubit is named that is outside 0..1"),
        (Reset(2), "a qubit is named that is outside 0..1"),
        (Reset(-1), "a qubit is named that is outside 0..1"),
        (Measure(0, 2), "a classical bit is named that is outside 0..1"),
        (Measure(0, -1), "a classical bit is named that is outside 0..1"),
        (Branch((0, 2), "==", "1", 0), "a classical bit is named that is outside 0..1"),
        (Branch((-1,), "==", "1", 0), "a classical bit is named that is outside 0..1"),
        (Gate("swap", (1, 1)), "operation 1 names a qubit twice"),
        (Gate("x", (1,), (), (1,)), "operation 1 names a qubit twice"),
        (Jump(2), "operation 1 leads out of the circuit"),
        (Jump(-1), "operation 1 leads out of the circuit"),
        (Branch((0,), "==", "1", 2), "operation 1 leads out of the circuit"),
        (Branch((0,), "==", "one", 0), "operation 1 compares with a value that is not a number"),
        (Branch((0,), "==", "-1", 0), "operation 1 compares with a value that is not a number"),
        (Branch((0,), "==", "", 0), "operation 1 compares with a value that is not a number"),
        (Branch((0,), "==", "²", 0), "operation 1 compares with a value that is not a number"),
        (
            Branch((0,), "==", "1" * 4_001, 0),
            "operation 1 compares with a value that is not a number",
        ),
    ],
)
def test_what_a_simulator_would_crash_on_is_refused(op: Op, text: str) -> None:
    with pytest.raises(CannotRun) as caught:
        program.read(circuit(H0, op, H1))
    assert (caught.value.code, caught.value.message) == ("invalid_circuit", text)


def test_jump_may_lead_to_the_end() -> None:
    assert program.read(circuit(H0, Jump(1), H1)).ops == [H0, Jump(1), H1]


# --- what is measured last ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ops", "kept", "measurements"),
    [
        ((H0, Measure(0, 0)), [H0], {0: 0}),
        ((H0, Measure(0, 0), H1, Measure(1, 1)), [H0, H1], {0: 0, 1: 1}),
        ((H0, Reset(0), H1, Measure(0, 0)), [H0, Reset(0), H1], {0: 0}),
        ((H0, Measure(0, 0), X0), [H0, Measure(0, 0), X0], {}),
        ((H0, Measure(0, 0), CX), [H0, Measure(0, 0), CX], {}),
        ((H0, Measure(0, 0), X0, Measure(0, 1)), [H0, Measure(0, 0), X0], {1: 0}),
        ((H0, Measure(1, 1), Measure(0, 0), X0), [H0, Measure(1, 1), Measure(0, 0), X0], {}),
        ((H0, H1, Measure(0, 0), X0, Measure(1, 1)), [H0, H1, Measure(0, 0), X0], {1: 1}),
        ((H0, Measure(0, 0), Measure(0, 1)), [H0], {0: 0, 1: 0}),
        ((H0, Measure(0, 0), Reset(0)), [H0], {0: 0}),
        ((H0, Measure(0, 0), Reset(0), Measure(0, 1)), [H0, Measure(0, 0), Reset(0)], {1: 0}),
    ],
)
def test_last_measurements_are_set_apart(
    ops: tuple[Op, ...], kept: list[Op], measurements: dict[int, int]
) -> None:
    read = program.read(circuit(H1, *ops))
    assert list(read.ops) == [H1, *kept]
    assert read.measurements == measurements
    assert read.is_straight == all(isinstance(op, Gate) for op in kept)


def test_tail_begins_where_the_last_jump_enters() -> None:
    """The first measurement depends on the branch, so it is not one of the final ones."""
    ops = (H0, Measure(0, 0), Branch((0,), "==", "1", 2), H1, Measure(1, 0), Measure(1, 1))
    read = program.read(circuit(*ops))
    assert list(read.ops) == list(ops[:5])
    assert read.measurements == {1: 1}


def test_measurement_that_a_jump_skips_is_not_a_final_one() -> None:
    ops = (H0, Jump(1), Measure(0, 0))
    read = program.read(circuit(*ops, n_qubits=1))
    assert list(read.ops) == list(ops)
    assert read.measurements == {}


def test_resets_of_fresh_qubits_cost_nothing() -> None:
    """Many programs begin so; they stay circuits that measure at their end."""
    read = program.read(circuit(Reset(0), Reset(1), H0, CX, Measure(0, 0), Measure(1, 1)))
    assert read.is_straight
    assert list(read.ops) == [H0, CX]


def test_last_measurement_into_a_bit_wins() -> None:
    read = program.read(circuit(H0, H1, Measure(0, 0), Measure(1, 0)))
    assert read.reads().qubits == (1,)
    assert read.reads().bits == ((0, 0),)


def test_one_qubit_may_fill_several_bits() -> None:
    read = program.read(circuit(H0, Measure(0, 0), Measure(0, 1), n_qubits=1))
    assert read.reads().qubits == (0,)
    assert read.reads().bits == ((0, 0), (1, 0))


# --- idle qubits ----------------------------------------------------------------------------------


def test_idle_qubits_are_left_out() -> None:
    ops = (Gate("h", (70,)), Gate("rx", (3,), (0.5,), (70,)))
    measures = tuple(Measure(qubit, qubit) for qubit in range(100))
    read = program.read(circuit(*ops, *measures, n_qubits=100, n_bits=100))
    assert read.n_qubits == 2
    assert read.ops == [Gate("h", (1,)), Gate("rx", (0,), (0.5,), (1,))]
    assert sorted(read.reads().bits) == [(3, 0), (70, 1)]
    assert read.n_bits == 100


def test_idle_qubits_keep_their_numbers_for_errors() -> None:
    read = program.read(circuit(Gate("h", (7,)), Measure(7, 0), Measure(9, 1), n_qubits=10))
    assert {bit: read.original(qubit) for bit, qubit in read.measurements.items()} == {0: 7, 1: 9}


def test_idle_qubits_are_left_out_of_what_happens_on_the_way() -> None:
    ops = (Gate("h", (5,)), Measure(2, 1), Reset(2), Measure(5, 0), Jump(0), Gate("x", (5,)))
    read = program.read(circuit(*ops, n_qubits=9))
    assert read.n_qubits == 1
    moved = [H0, Measure(~2, 1), Reset(~2), Measure(0, 0), Jump(0), X0]
    assert list(read.ops) == moved
    assert [read.original(op.qubit) for op in read.ops if isinstance(op, Measure)] == [2, 5]


def test_circuit_without_gates_has_one_qubit_left() -> None:
    read = program.read(circuit(Measure(0, 0), Measure(1, 1)))
    assert (read.n_qubits, list(read.ops), read.reads().bits) == (1, [], ())
