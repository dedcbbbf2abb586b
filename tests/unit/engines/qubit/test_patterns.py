"""Which Paulis strike: how often, how evenly, and in which order patterns come."""

from __future__ import annotations

from collections import Counter
from math import sqrt

from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from qwicket.circuits.noise import GateNoise, NoiseModel
from qwicket.circuits.qubit import Gate, QubitCircuit
from qwicket.engines.qubit import program
from qwicket.engines.qubit.noise import Noise
from qwicket.engines.qubit.patterns import ErrorPattern, ErrorSites, SampledError, successes
from support.for_each import for_each

CX = Gate("x", (1,), (), (0,))
CCX = Gate("x", (2,), (), (0, 1))
CLEAN = GateNoise()


def patterns(
    *gates: Gate,
    shots: int = 100_000,
    seed: int = 1,
    one_qubit: GateNoise = CLEAN,
    two_qubit: GateNoise = CLEAN,
) -> list[ErrorPattern]:
    model = NoiseModel(name="", source="", one_qubit=one_qubit, two_qubit=two_qubit)
    read = program.read(QubitCircuit(3, gates, ()))
    return list(ErrorSites(read, Noise(model, read)).patterns(shots, default_rng(seed)))


def by_error(found: list[ErrorPattern]) -> Counter[SampledError | None]:
    """Shots by what strikes first; None where nothing does."""
    counted: Counter[SampledError | None] = Counter()
    for errors, shots in found:
        counted[errors[0] if errors else None] += shots
    return counted


def close(count: int, p: float, shots: int = 100_000) -> bool:
    return abs(count - p * shots) < 6.5 * sqrt(p * (1 - p) * shots) + 1


def test_one_qubit_has_three_paulis() -> None:
    found = by_error(patterns(Gate("h", (2,)), one_qubit=GateNoise(depolarizing=0.3)))
    gates = [error.gates for error in found if error]
    assert sorted(gate.name for (gate,) in gates) == ["x", "y", "z"]
    assert {gate.targets for (gate,) in gates} == {(0,)}
    assert all(close(n, 0.1 if error else 0.7) for error, n in found.items())


def test_two_qubits_have_fifteen_paulis() -> None:
    found = by_error(patterns(CX, two_qubit=GateNoise(depolarizing=0.6)))
    assert len(found) == 16
    assert all(close(n, 0.04 if error else 0.4) for error, n in found.items())
    pairs = {tuple((g.name, g.targets) for g in error.gates) for error in found if error}
    assert len(pairs) == 15


def test_three_qubits_are_three_pairs() -> None:
    """Nothing strikes with probability (1-p)³."""
    found = by_error(patterns(CCX, two_qubit=GateNoise(depolarizing=0.2)))
    assert close(found[None], 0.8**3)
    touched = {
        frozenset(qubit for gate in error.gates for qubit in gate.targets)
        for error in found
        if error is not None and len(error.gates) == 2
    }
    assert touched == {frozenset({0, 1}), frozenset({0, 2}), frozenset({1, 2})}


def test_phase_damping_is_a_z_now_and_then() -> None:
    """(1 - √(1-λ))/2 = 0.1 for λ = 0.36."""
    found = by_error(patterns(Gate("h", (0,)), one_qubit=GateNoise(phase_damping=0.36)))
    assert close(found[None], 0.9)
    assert [error.gates for error in found if error] == [(Gate("z", (0,)),)]


def test_patterns_are_distinct_and_hold_all_shots() -> None:
    noise = GateNoise(depolarizing=0.1)
    found = patterns(*[Gate("h", (0,)), CX] * 6, one_qubit=noise, two_qubit=noise)
    assert len({errors for errors, _ in found}) == len(found)
    assert sum(shots for _, shots in found) == 100_000


def test_patterns_come_by_their_first_strike_and_the_undisturbed_last() -> None:
    noise = GateNoise(depolarizing=0.05)
    found = patterns(*[Gate("h", (0,)), CX] * 6, shots=500, one_qubit=noise, two_qubit=noise)
    firsts = [errors[0].op_index for errors, _ in found[:-1]]
    assert firsts == sorted(firsts)
    assert found[-1].errors == ()
    for errors, _ in found:
        places = [error.op_index for error in errors]
        assert places == sorted(places)


def test_mean_number_of_strikes_is_that_of_the_rates() -> None:
    found = patterns(
        *[Gate("h", (0,)), CX] * 20,
        one_qubit=GateNoise(depolarizing=0.01),
        two_qubit=GateNoise(depolarizing=0.03),
    )
    total = sum(len(errors) * shots for errors, shots in found)
    variance = 20 * (0.01 * 0.99 + 0.03 * 0.97) * 100_000
    assert abs(total - 20 * 0.04 * 100_000) < 6.5 * sqrt(variance)


def test_no_sites_leave_all_shots_undisturbed() -> None:
    assert patterns(Gate("h", (0,)), shots=7) == [ErrorPattern((), 7)]


@for_each("p", [1e-300, 1e-18, 1e-9, 1e-3, 0.5, 0.97, 1.0])
def test_hits_are_as_many_as_their_probability_says(p: float) -> None:
    n_cells = 200_000
    found = successes(n_cells, p, default_rng(2))
    assert close(len(found), p, n_cells)
    assert len(set(found.tolist())) == len(found)
    assert found.tolist() == sorted(found.tolist())


@given(st.integers(1, 50), st.floats(1e-6, 1), st.integers(0, 1_000))
@settings(max_examples=100)
def test_hits_stay_within_their_cells(n_cells: int, p: float, seed: int) -> None:
    found = successes(n_cells, p, default_rng(seed)).tolist()
    assert all(0 <= cell < n_cells for cell in found)
    assert found == sorted(set(found))


def test_every_cell_is_as_likely_to_be_hit() -> None:
    counted = Counter(
        cell for seed in range(20_000) for cell in successes(5, 0.3, default_rng(seed)).tolist()
    )
    assert all(close(counted[cell], 0.3, 20_000) for cell in range(5))
