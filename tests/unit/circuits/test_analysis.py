"""Summaries of circuits for estimates, and rules that the engines rely on."""

from __future__ import annotations

import pytest

from qwicket.circuits.analysis import all_commute, final_part_start, pauli_masks, summarise
from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Register, Reset

H, X1 = Gate("h", (0,)), Gate("x", (1,))
CX = Gate("x", (1,), (), (0,))


def circuit(*ops: Op, n_qubits: int = 9, n_bits: int = 4) -> QubitCircuit:
    return QubitCircuit(n_qubits, ops, (Register("a", 1), Register("b", n_bits - 1)))


def test_active_qubits_are_those_that_gates_touch() -> None:
    ops = (H, Gate("x", (7,), (), (3,)), Measure(5, 0), Reset(6))
    assert summarise((circuit(H), circuit(*ops))).n_active == 3
    assert summarise((circuit(Measure(0, 0)),)).n_active == 1


def test_operands_are_those_of_the_gate_on_most_qubits() -> None:
    wide = Gate("swap", (0, 3), (), (5, 7))
    for ops, n_operands in (((H,), 1), ((CX, H), 2), ((wide, CX), 4)):
        assert summarise((circuit(*ops), circuit(H))).n_operands == n_operands


def test_widest_and_longest_circuit_counts() -> None:
    summary = summarise((circuit(H, n_bits=2), circuit(n_bits=7), circuit(Measure(0, 0))))
    assert (summary.n_clbits, summary.n_splits, summary.n_branches) == (7, 0, 0)


@pytest.mark.parametrize(
    ("ops", "n_splits"),
    [
        ((H, CX, Measure(0, 0), Measure(1, 1)), 0),
        ((H, Measure(0, 0), X1, Measure(1, 1)), 0),
        ((H, Measure(0, 0), H), 1),
        ((H, Measure(0, 0), Reset(0), H), 2),
        ((Reset(0), H, Measure(0, 0)), 0),
        ((H, Measure(0, 0), Reset(0)), 0),
        ((H, Measure(0, 0), Branch((0,), "==", "1", 1), X1, Measure(1, 1)), 1),
        ((Measure(0, 0), H, Measure(0, 0)), 0),
        ((H, Measure(0, 0), Measure(5, 1), Jump(0), H), 1),
    ],
)
def test_splits_are_what_may_part_the_shots(ops: tuple[Op, ...], n_splits: int) -> None:
    assert summarise((circuit(*ops), circuit(H))).n_splits == n_splits


def test_branches_and_jumps_add_up() -> None:
    ops = (H, Measure(0, 0), Branch((0,), "==", "1", 2), X1, Jump(1), X1)
    assert summarise((circuit(*ops), circuit(*ops))).n_branches == 4


def test_final_part_of_an_empty_circuit_starts_at_0() -> None:
    assert final_part_start(()) == 0


def test_every_circuit_must_be_clifford() -> None:
    assert summarise((circuit(H), circuit(CX))).is_clifford
    assert not summarise((circuit(H), circuit(Gate("t", (0,))))).is_clifford


@pytest.mark.parametrize(
    ("terms", "params", "controls", "cost"),
    [
        (("XX",), (0.5,), (), 1),
        (("XX", "YY", "ZZ"), (0.5, 0.5, 0.5), (), 3),
        (("XX", "YY", "ZZ"), (0.5, 0.5, 0.5), (5,), 75),
        (("XI", "ZI"), (0.5, 0.5), (), 2 * 21 * 25),
        (("XI", "ZI"), (400.0, -400.0), (), 2 * 820 * 25),
        (("XI", "ZI"), (1e308, 1e308), (), 2 * 100_000 * 25),
    ],
)
def test_sums_of_paulis_cost_terms_times_orders(
    terms: tuple[str, ...], params: tuple[float, ...], controls: tuple[int, ...], cost: int
) -> None:
    """Terms that do not commute take about 20 orders and one more for each radian."""
    gate = Gate("pauliexp", (0, 1), params, controls, terms)
    assert summarise((circuit(gate),)).n_extra_ops == cost


def test_matrix_costs_about_as_many_gates_as_it_has_rows_and_is_no_clifford() -> None:
    """Measured with Qulacs: 1, 2, 6, 11, 21, 41, 81 and 171 gates on 1 to 8 qubits."""
    for n_qubits, measured in ((2, 2), (3, 6), (5, 21), (8, 171)):
        matrix = tuple(float(k % (2**n_qubits + 1) == 0) for k in range(4**n_qubits))
        gate = Gate("unitary", tuple(range(n_qubits)), tuple(x for p in matrix for x in (p, 0.0)))
        summary = summarise((circuit(gate),))
        assert measured / 2 <= 1 + summary.n_extra_ops <= 2 * measured
        assert not summary.is_clifford


def test_masks_have_the_rightmost_letter_lowest() -> None:
    assert pauli_masks("XYZI") == (0b1100, 0b0110)
    assert pauli_masks("") == (0, 0)
    assert all_commute([pauli_masks("XX"), pauli_masks("ZZ")])
    assert not all_commute([pauli_masks("XX"), pauli_masks("ZI")])
