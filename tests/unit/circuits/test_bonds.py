"""Bounds on what a circuit entangles, against the ranks of states."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.random import Generator, default_rng
from scipy.stats import unitary_group

from qwicket.circuits.bonds import MAX_OPERANDS, bonds, neighbourly
from qwicket.circuits.qubit import Gate
from qwicket.engines.qubit import states
from qwicket.engines.qubit.numpy_engine import NumpySimulator, NumpyState
from support import qubit_math


def largest_bond(state: NumpyState) -> int:
    """The largest rank of a state across a cut of the row."""
    n = state.n_qubits
    vector = state.amplitudes()
    return max(
        int(np.linalg.matrix_rank(vector.reshape(-1, 1 << cut), tol=1e-9)) for cut in range(1, n)
    )


def evolve(state: NumpyState, gate: Gate) -> None:
    states.evolve(NumpySimulator(), state, (gate,))


def cx(control: int, target: int) -> Gate:
    return Gate("x", (target,), (), (control,))


def random_gate(n_qubits: int, rng: Generator) -> Gate:
    a, b, c, d = (int(qubit) for qubit in rng.permutation(n_qubits)[:4])
    angle = float(rng.uniform(0.3, 2.8))
    choices = [
        Gate("u", (a,), (angle, 1.1, -0.4)),
        Gate("u", (a,), (angle, 0.3, 0.8)),
        cx(a, b),
        cx(a, c),
        Gate("u", (b,), (angle, 1.0, 2.0), (a,)),
        Gate("swap", (a, b)),
        Gate("ms", (a, b), (0.4, -1.3, angle)),
        Gate("zz", (a, b), (angle,)),
        qubit_math.dense(unitary_group.rvs(8, random_state=rng), (a, b, c)),
        Gate("x", (c,), (), (a, b)),
        Gate("swap", (b, c), (), (a,)),
        Gate("gphase", (), (angle,), (a, b, c)),
        Gate("pauliexp", (a, b, c, d), (angle, 0.7), (), ("XYZX", "ZZXY")),
    ]
    return choices[int(rng.integers(len(choices)))]


def test_no_bond_on_the_way_is_larger_than_the_bound(subtests: pytest.Subtests) -> None:
    for seed in range(60):
        with subtests.test(seed=seed):
            rng = default_rng(seed)
            n = 8
            gates = [random_gate(n, rng) for _ in range(int(rng.integers(2, 12)))]
            bound = 1 << bonds(gates).bits
            state, plain = NumpySimulator().zero_state(n), NumpySimulator().zero_state(n)
            for gate in gates:
                for step in neighbourly(gate):
                    evolve(state, step)
                    assert largest_bond(state) <= bound
                evolve(plain, gate)
            assert state.amplitudes() == pytest.approx(plain.amplitudes())


@pytest.mark.parametrize("gate", [Gate("swap", (1, 6)), Gate("x", (4,), (), (7, 0, 2)), cx(5, 1)])
def test_moved_gates_are_on_neighbours(gate: Gate) -> None:
    moved = list(neighbourly(gate))
    for step in moved:
        operands = sorted(step.targets + step.controls)
        assert operands == list(range(operands[0], operands[0] + len(operands)))
    assert bonds([gate]).steps == 4 ** (len(gate.targets + gate.controls) - 2) + len(moved) - 1


def test_a_chain_and_a_star_of_cx_have_a_small_bond() -> None:
    chain = [Gate("h", (0,)), *(cx(q, q + 1) for q in range(59))]
    star = [Gate("h", (0,)), *(cx(0, q) for q in range(1, 60))]
    assert bonds(chain) == (1, 59)
    assert bonds(star).bits == 2


def test_layers_of_a_brickwork_add_a_bit_each_second_time() -> None:
    def brickwork(depth: int) -> list[Gate]:
        turns = [Gate("ry", (q,), (0.3,)) for q in range(50)]
        layers = ([*turns, *(cx(q, q + 1) for q in range(d % 2, 49, 2))] for d in range(depth))
        return [gate for layer in layers for gate in layer]

    assert [bonds(brickwork(depth)).bits for depth in (1, 2, 4, 8, 12)] == [1, 1, 2, 4, 6]


def test_a_gate_on_the_control_ends_what_counts_once() -> None:
    assert bonds([cx(0, 5), cx(0, 6)]).bits <= bonds([cx(0, 5), Gate("h", (0,)), cx(0, 6)]).bits
    wide = [Gate("h", (q,)) for q in range(12)]
    once = bonds([*wide, *(cx(0, q) for q in range(6, 12))]).bits
    often = bonds([*wide, *(g for q in range(6, 12) for g in (Gate("h", (0,)), cx(0, q)))]).bits
    assert (once, often) == (2, 3)  # half of the seven qubits in use


def test_no_state_has_larger_bonds_than_half_its_qubits() -> None:
    gates = [Gate("swap", (a, b)) for a in range(10) for b in range(a)]
    assert bonds(gates).bits == 5


def test_wide_gates_have_no_bound() -> None:
    sums = Gate("pauliexp", tuple(range(MAX_OPERANDS + 1)), (0.1,), (), ("Z" * 6,))
    assert bonds([sums]).bits > 1_000
    assert bonds([Gate("x", (5,), (), (0, 1, 2, 3))]).bits < 5


def test_gates_without_neighbours_cost_nothing() -> None:
    assert bonds([Gate("gphase", (), (0.3,)), Gate("h", (3,))]) == (0, 0)
    assert bonds(qubit_math.measured(3, []).ops) == (0, 0)


def test_gates_on_qubits_far_apart_are_counted_quickly() -> None:
    began = time.thread_time()
    found = bonds([Gate("x", (4_999,), (), (0,))] * 50_000)
    assert found.steps == 50_000 * (1 + 2 * 4_998)
    assert time.thread_time() - began < 3.0
