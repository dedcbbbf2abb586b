"""Matrices and states: what they do, exactly, and which are none."""

from __future__ import annotations

import random
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import unitary_group

from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register, Reset
from qwicket.model.limits import Limits
from qwicket.vendors.ibm.qobj.matrices import prepare_state
from support import qubit_math
from vendors.ibm.unit.qobj.documents import (
    Json,
    circuit,
    excess,
    experiment,
    fault,
    measure,
    outcomes,
    source,
)


def unitary(matrix: np.ndarray, *qubits: int) -> Json:
    rows = [[[entry.real, entry.imag] for entry in row] for row in matrix.tolist()]
    return {"name": "unitary", "qubits": list(qubits), "params": [rows]}


def initialize(params: object, *qubits: int) -> Json:
    return {"name": "initialize", "qubits": list(qubits), "params": params}


def amplitudes_of(*instructions: Json, n_qubits: int) -> np.ndarray:
    gates = [op for op in circuit(*instructions, n_qubits=n_qubits).ops if isinstance(op, Gate)]
    return qubit_math.amplitudes(n_qubits, gates)


# --- unitary --------------------------------------------------------------------------------------


def test_a_matrix_acts_with_its_first_qubit_least_significant() -> None:
    flip = np.eye(4)[[0, 3, 2, 1]]  # exchanges 01 and 11: flips the second where the first is 1
    state = amplitudes_of(
        {"name": "x", "qubits": [2]}, unitary(flip.astype(complex), 2, 0), n_qubits=3
    )
    assert state[0b101] == 1


@pytest.mark.parametrize("n_qubits", [1, 2, 3, 5])
def test_a_matrix_keeps_every_digit(n_qubits: int) -> None:
    matrix = unitary_group.rvs(1 << n_qubits, random_state=n_qubits)
    (gate,) = circuit(unitary(matrix, *range(n_qubits)), n_qubits=n_qubits).ops
    assert gate == qubit_math.dense(matrix, tuple(reversed(range(n_qubits))))


def test_a_matrix_may_have_plain_real_numbers() -> None:
    instruction = {"name": "unitary", "qubits": [0], "params": [[[0, 1], [1, [0, 0]]]]}
    assert circuit(instruction).ops == (Gate("unitary", (0,), (0, 0, 1, 0, 1, 0, 0, 0)),)


S = sqrt(0.5)


@pytest.mark.parametrize(
    ("params", "text", "field"),
    [
        ([], "takes at least one qubit and one matrix", "params"),
        ([1], "takes at least one qubit and one matrix", "params"),
        (["x"], "takes at least one qubit and one matrix", "params"),
        ([[[1, 0], [0, 1]]] * 2, "takes at least one qubit and one matrix", "params"),
        ([[[1, 0]]], "params[0] must be 2 rows of 2 numbers", "params[0]"),
        ([[[1, 0], [0]]], "params[0] must be 2 rows of 2 numbers", "params[0]"),
        ([[[1, 0, 0], [0, 1, 0]]], "params[0] must be 2 rows of 2 numbers", "params[0]"),
        ([[[1, 0], 1]], "params[0] must be 2 rows of 2 numbers", "params[0]"),
        (
            [[[1, [0, 0, 0]], [0, 1]]],
            "params must be numbers, or pairs of them",
            "params[0][0][1]",
        ),
        ([[[1, 0], [0, 1.0001]]], "params[0] is not a unitary matrix", "params[0]"),
        ([[[S, S], [S, S]]], "params[0] is not a unitary matrix", "params[0]"),
        ([[[1e200, 0], [0, 1]]], "params[0] is not a unitary matrix", "params[0]"),
        ([[[[0, 1e308], 0], [0, 1]]], "params[0] is not a unitary matrix", "params[0]"),
    ],
)
def test_what_is_no_unitary_matrix_is_refused(params: object, text: str, field: str) -> None:
    assert fault({"name": "unitary", "qubits": [0], "params": params}) == (text, field)


def test_matrices_are_limited_in_qubits() -> None:
    program = source(experiment(unitary(np.eye(4, dtype=complex), 0, 1)))
    assert (
        excess(program, Limits.from_names(matrix_qubits=1))
        == "matrix_qubits: 2 is above the limit of 1"
    )


def test_entries_of_a_matrix_count_as_operations() -> None:
    program = source(experiment(unitary(np.eye(4, dtype=complex), 0, 1)))
    assert excess(program, Limits.from_names(operations=16)).startswith("operations: 17 or more")


# --- initialize -----------------------------------------------------------------------------------


def test_a_state_is_prepared_on_qubits_that_were_reset() -> None:
    ops = circuit(initialize([[0.6, 0], [0, 0.8]], 1)).ops
    assert ops[0] == Reset(1)
    state = qubit_math.amplitudes(2, [op for op in ops if isinstance(op, Gate)])
    assert abs(np.vdot(state, [0.6, 0, 0.8j, 0])) == pytest.approx(1, abs=1e-15)


def test_a_state_in_the_middle_of_an_entangled_circuit_leaves_the_rest_mixed() -> None:
    bell = ({"name": "h", "qubits": [0]}, {"name": "cx", "qubits": [0, 1]})
    found = outcomes(*bell, initialize([0.6, 0.8], 0), measure(0, 0), measure(1, 1))
    assert found == pytest.approx({0b00: 0.18, 0b01: 0.32, 0b10: 0.18, 0b11: 0.32}, abs=1e-12)


parts = st.floats(-1, 1, allow_nan=False)
states = st.integers(1, 4).flatmap(
    lambda n: st.lists(
        st.tuples(parts, parts) | st.just((0.0, 0.0)), min_size=1 << n, max_size=1 << n
    )
)


@given(states, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_any_state_is_prepared_exactly_whatever_the_order_of_its_qubits(
    values: list[tuple[float, float]], rng: random.Random
) -> None:
    vector = np.array([complex(*value) for value in values])
    if np.linalg.norm(vector) < 1e-3:
        vector[-1] = 1
    vector /= np.linalg.norm(vector)
    n_qubits = len(vector).bit_length() - 1
    qubits = list(range(n_qubits))
    rng.shuffle(qubits)
    gates = list(prepare_state(vector.tolist(), qubits))
    found = qubit_math.amplitudes(n_qubits, gates)
    index = [sum((k >> i & 1) << q for i, q in enumerate(qubits)) for k in range(len(vector))]
    assert abs(np.vdot(found[index], vector)) == pytest.approx(1, abs=1e-13)
    assert len(gates) <= 3 * len(vector)


def test_a_label_has_the_last_letter_for_the_first_qubit() -> None:
    found = amplitudes_of(initialize(list("1+rl-0"), 0, 1, 2, 3, 4, 5), n_qubits=6)
    plus, minus = np.array([S, S]), np.array([S, -S])
    right, left = np.array([S, S * 1j]), np.array([S, -S * 1j])
    expected = np.array([1.0])
    for state in (np.array([0, 1]), plus, right, left, minus, np.array([1, 0])):
        expected = np.kron(expected, state)
    assert abs(np.vdot(found, expected)) == pytest.approx(1, abs=1e-14)


def test_a_whole_number_is_a_basis_state() -> None:
    assert amplitudes_of(initialize([[5, 0]], 0, 1, 2), n_qubits=3)[0b101] == 1


@pytest.mark.parametrize(
    ("params", "text", "field"),
    [
        ([], "takes 2^2 amplitudes, not 0", "params"),
        ([0.6, 0.8], "takes 2^2 amplitudes, not 2", "params"),
        ([1, 0, 0, 1], "the squares of the amplitudes do not add up to 1", "params"),
        ([0, 0, 0, 0], "the squares of the amplitudes do not add up to 1", "params"),
        ([1e200, 0, 0, 0], "the squares of the amplitudes do not add up to 1", "params"),
        ([1, 0, 0, "0"], "params must be numbers, or pairs of them", "params[3]"),
        ([1, 0, [0], 0], "params must be numbers, or pairs of them", "params[2]"),
        (["0"], "takes a label of 2 letters out of 0 1 + - r l", "params"),
        (["0", "2"], "takes a label of 2 letters out of 0 1 + - r l", "params"),
        ([0.5], "takes amplitudes, a whole number or a label", "params[0]"),
        ([[1, 1]], "takes amplitudes, a whole number or a label", "params[0]"),
        ([-1], "takes amplitudes, a whole number or a label", "params[0]"),
        ([4], "the state 4 does not fit 2 qubits", "params[0]"),
    ],
)
def test_what_is_no_state_is_refused(params: object, text: str, field: str) -> None:
    assert fault(initialize(params, 0, 1)) == (text, field)


def test_a_state_of_no_qubits_is_refused() -> None:
    assert fault(initialize([1])) == ("takes at least one qubit", "qubits")


def test_operations_of_a_state_are_limited_before_they_are_made() -> None:
    program = source(experiment(initialize([0.5] * 4, 0, 1)))
    assert (
        excess(program, Limits.from_names(operations=3))
        == "operations: 4 or more is above the limit of 3"
    )
    assert excess(program, Limits.from_names(operations=5)).startswith("operations: ")


def test_a_prepared_state_runs_as_any_circuit() -> None:
    made = circuit(initialize([0.6, 0.8], 2), measure(2, 0))
    assert isinstance(made, QubitCircuit)
    assert made.registers == (Register("c", 3),)
    assert made.ops[-1] == Measure(2, 0)
    assert qubit_math.exact(made) == pytest.approx({0: 0.36, 1: 0.64})
