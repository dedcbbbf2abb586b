"""Exact probabilities of Clifford circuits, against brute force and state vectors."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register
from qwicket.engines.qubit.clifford import stabilizers
from qwicket.engines.qubit.cost import max_listed
from qwicket.engines.qubit.support import reduce_basis, span, support
from support import qubit_math


def outcomes(circuit: QubitCircuit, maximum: int = 1 << 20) -> list[int] | None:
    task = qubit_math.task(circuit)
    return support(stabilizers(task.program, None), circuit.n_clbits, maximum)


def random_cliffords(n_qubits: int, n_gates: int, rng: Generator) -> list[Gate]:
    made = []
    for _ in range(n_gates):
        name = str(rng.choice(["h", "s", "sx", "y", "cx", "cz", "swap"]))
        one, other = (int(qubit) for qubit in rng.permutation(n_qubits)[:2])
        if name in ("cx", "cz"):
            made.append(Gate(name[1], (one,), (), (other,)))
        else:
            made.append(Gate(name, (one, other) if name == "swap" else (one,)))
    return made


@given(st.lists(st.integers(0, 63), max_size=8), st.integers(0, 63))
def test_span_is_all_sums(vectors: list[int], one: int) -> None:
    expected = {one}
    for size in range(len(vectors) + 1):
        for chosen in combinations(vectors, size):
            total = one
            for vector in chosen:
                total ^= vector
            expected.add(total)
    basis = reduce_basis(vectors, 6)
    assert basis is not None
    assert span(one, basis) == sorted(expected)


def test_basis_stops_where_it_is_too_large() -> None:
    assert reduce_basis([1, 2, 3, 4], 3) == [1, 2, 4]
    assert reduce_basis([1, 2, 3, 4], 2) is None


@given(st.integers(2, 6), st.integers(0, 40), st.integers(0, 10_000))
@settings(max_examples=80)
def test_outcomes_are_those_of_the_state(n_qubits: int, n_gates: int, seed: int) -> None:
    rng = default_rng(seed)
    gates = random_cliffords(n_qubits, n_gates, rng)
    written = [Measure(int(qubit), bit) for bit, qubit in enumerate(rng.integers(0, n_qubits, 4))]
    circuit = QubitCircuit(n_qubits, (*gates, *written), (Register("c", 6),))
    expected = qubit_math.exact(circuit)
    found = outcomes(circuit)
    assert found == sorted(expected)
    assert all(p == pytest.approx(1 / len(found)) for p in expected.values())


def test_wide_ghz_has_two_outcomes() -> None:
    n = 300
    gates = [Gate("h", (0,)), *(Gate("x", (q + 1,), (), (q,)) for q in range(n - 1))]
    assert outcomes(qubit_math.measured(n, gates)) == [0, (1 << n) - 1]


def test_too_many_outcomes_are_none() -> None:
    circuit = qubit_math.measured(5, [Gate("h", (qubit,)) for qubit in range(5)])
    assert outcomes(circuit, 1 << 4) is None
    assert outcomes(circuit, 1 << 5) == list(range(32))


def test_wide_outcomes_are_fewer() -> None:
    """2^20 of one byte, but not of 625."""
    assert max_listed(8, 1 << 20) == 1 << 20
    assert max_listed(8, 7) == 7
    assert max_listed(5_000, 1 << 20) * 625 <= 64 << 20
    assert max_listed(5_000, 1 << 20) >= 1 << 16
    gates = [Gate("h", (qubit,)) for qubit in range(18)]
    assert outcomes(qubit_math.measured(5_000, gates)) is None
    assert outcomes(qubit_math.measured(18, gates)) == list(range(1 << 18))


def test_gates_without_letters_leave_qubits_out() -> None:
    """Qubit 3 is touched by an `id` alone: Stim never hears of it."""
    gates = [Gate("x", (0,)), Gate("id", (3,))]
    assert outcomes(qubit_math.measured(4, gates)) == [1]
    assert outcomes(qubit_math.measured(1, [Gate("id", (0,))])) == [0]
