"""Expectation values against closed formulas, and their standard errors against the spread."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

import numpy as np
import pytest
from msgspec.structs import replace

from qwicket.circuits import estimation
from qwicket.circuits.analysis import summarise
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import EVS, STDS, Outcome
from qwicket.circuits.qubit import (
    Estimation,
    Gate,
    Measure,
    Op,
    Pauli,
    QubitCircuit,
    Register,
    pack,
    unpack,
)
from qwicket.engines import qubit
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import estimates
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.state_vectors import StateVectorEngine
from qwicket.engines.qubit.tasks import EngineResult
from support import qubit_math
from support.for_each import for_each


def asked(*sums: dict[str, float], is_exact: bool = False) -> Estimation:
    """Return an estimation of sums of words, whose rightmost letter is qubit 0."""
    places: dict[Pauli, int] = {}
    found = []
    for words in sums:
        terms = []
        for word, factor in words.items():
            acting = [(q, each) for q, each in enumerate(reversed(word)) if each != "I"]
            pauli = Pauli("".join(each for _, each in acting), tuple(q for q, _ in acting))
            terms.append((places.setdefault(pauli, len(places)), factor))
        found.append(tuple(terms))
    paulis = tuple(places)
    groups = estimation.group_paulis(paulis, 1000, is_exact=is_exact)
    return Estimation(paulis, groups, tuple(found), is_exact)


def run(circuit: QubitCircuit, *, part: int = 0, seed: int = 5, **options: object) -> Outcome:
    chosen = replace(RunOptions(shots=4096, seed=seed, outputs=("counts",)), **options)
    return qubit.run(circuit, chosen, part)


def of(n_qubits: int, ops: list[Op], *sums: dict[str, float], **options: bool) -> QubitCircuit:
    return QubitCircuit(n_qubits, tuple(ops), (), estimation=asked(*sums, **options))


def ghz(n: int) -> list[Op]:
    return [Gate("h", (0,)), *[Gate("x", (k + 1,), (), (k,)) for k in range(n - 1)]]


@for_each("theta", [0.0, 0.4, pi / 2, 2.5, pi, 5.0])
def test_a_turned_qubit_points_where_its_angle_says(theta: float) -> None:
    words = [{"Z": 1.0}, {"Y": 1.0}, {"X": 1.0}, {"I": 0.5, "Z": 2.0, "Y": -1.0}]
    exact = [cos(theta), -sin(theta), 0.0, 0.5 + 2 * cos(theta) + sin(theta)]
    sharp = run(of(1, [Gate("rx", (0,), (theta,))], *words, is_exact=True))
    assert sharp.evs() == pytest.approx(exact, abs=1e-12)
    assert sharp.stds() == [0.0] * 4
    found = run(of(1, [Gate("rx", (0,), (theta,))], *words))
    for value, std, wanted in zip(found.evs(), found.stds(), exact, strict=True):
        assert abs(value - wanted) <= 5 * std + 0.01
    assert found.stds()[0] == pytest.approx(abs(sin(theta)) / 64, abs=2e-3)


@for_each("shots", [4096, 999, 2500])
@for_each("n", [2, 5, 12])
def test_stabilisers_of_a_ghz_state_are_one_in_every_shot(n: int, shots: int) -> None:
    words = ["X" * n] + ["I" * (n - 2 - k) + "ZZ" + "I" * k for k in range(n - 1)]
    found = run(of(n, ghz(n), *[{word: 1.0} for word in words]), shots=shots)
    assert found.evs() == [1.0] * n
    assert found.stds() == [0.0] * n


@pytest.mark.parametrize("shots", [2, 3, 10])
def test_few_shots_of_one_pauli_err_by_the_formula(shots: int) -> None:
    """Of ±1 with mean e the variance over N shots is 1 - e²; `stds` is √((1 - e²)/N)."""
    circuit = of(1, [Gate("h", (0,))], {"Z": 1.0}, {"Z": -2.5, "I": 1.0})
    spread = set()
    for seed in range(20):
        found = run(circuit, shots=shots, seed=seed)
        (e, scaled), stds = found.evs(), found.stds()
        assert scaled == pytest.approx(1 - 2.5 * e)
        error = sqrt((1 - e**2) / shots)
        assert stds == pytest.approx([error, 2.5 * error], abs=1e-12)
        spread.add(round(e * shots))
    assert len(spread) > 1


def test_many_outcomes_are_averaged_some_at_a_time() -> None:
    """H on each of 5 qubits, then RY: ⟨Z⟩ = -sin θ of each, and products of these."""

    def run_once(circuit: QubitCircuit, outputs: tuple[str, ...], _: int) -> EngineResult:
        return StateVectorEngine(NumpySimulator()).run(qubit_math.task(circuit, outputs=outputs))

    ops = [gate for q in range(5) for gate in (Gate("h", (q,)), Gate("ry", (q,), (0.2 * q,)))]
    words = [{"IIIIZ": 1.0}, {"ZIIII": 1.0}, {"ZZIII": 2.0, "IIZII": 1.0}]
    z = [-sin(0.2 * q) for q in range(5)]
    circuit = of(5, list(ops), *words, is_exact=True)
    found = qubit_math.outcome(circuit, estimates.run(circuit, 1, run_once, max_values=16))
    assert found.evs() == pytest.approx([z[0], z[4], 2 * z[4] * z[3] + z[2]], abs=1e-12)


def test_standard_errors_are_the_spread_of_repeated_estimates() -> None:
    ops: list[Op] = [Gate("ry", (0,), (0.7,)), Gate("x", (1,), (), (0,)), Gate("ry", (1,), (0.4,))]
    # terms of one group go together: their covariance counts
    circuit = of(2, ops, {"ZI": 1.0, "IZ": 1.0, "ZZ": -0.5, "XX": 0.3, "II": 2.0})
    (exact,) = run(
        of(2, ops, {"ZI": 1.0, "IZ": 1.0, "ZZ": -0.5, "XX": 0.3, "II": 2.0}, is_exact=True)
    ).evs()
    runs = [run(circuit, seed=seed, shots=400) for seed in range(300)]
    values = np.array([found.evs()[0] for found in runs])
    stds = np.array([found.stds()[0] for found in runs])
    # the standard deviation of 300 values is known to 1/√600, four times that is allowed
    assert values.std() == pytest.approx(stds.mean(), rel=4 / sqrt(600))
    assert abs(values.mean() - exact) < 5 * stds.mean() / sqrt(300)


def test_parts_and_groups_draw_numbers_of_their_own() -> None:
    circuit = of(1, [Gate("ry", (0,), (pi / 4,))], {"Z": 1.0}, {"X": 1.0})
    first, again, other = run(circuit), run(circuit), run(circuit, part=1)
    assert first.evs() == again.evs() != other.evs()
    assert first.evs()[0] != first.evs()[1]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *(("0", 0.25), ("1", 0.75), ("r", 0.5), ("l", 0.5)),
        *(("+", 0.5 + sqrt(3) / 4), ("-", 0.5 - sqrt(3) / 4)),
    ],
)
def test_letters_that_project_give_probabilities(word: str, value: float) -> None:
    ops: list[Op] = [Gate("ry", (0,), (2 * pi / 3,))]
    assert run(of(1, ops, {word: 1.0}, is_exact=True)).evs() == pytest.approx([value])
    (turned,) = run(of(1, [Gate("rx", (0,), (-pi / 2,))], {"r": 1.0}, is_exact=True)).evs()
    assert turned == pytest.approx(1.0)


def test_readout_errors_shrink_what_is_read() -> None:
    noise = NoiseModel(
        name="",
        source="",
        readout=ReadoutError(one_for_zero=0.1, zero_for_one=0.1),
    )
    found = run(of(2, [Gate("x", (0,))], {"IZ": 1.0}, {"ZZ": 1.0}), noise=noise, shots=100_000)
    assert found.evs() == pytest.approx([-0.8, -0.64], abs=0.02)


def test_depolarizing_shrinks_a_stabiliser_by_its_formula() -> None:
    p = 0.08
    noise = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=p))
    found = run(of(2, ghz(2), {"XX": 1.0}, {"ZZ": 1.0}), noise=noise, shots=100_000)
    # of 15 Paulis, each as likely, 8 anticommute with a given one
    assert found.evs() == pytest.approx([1 - 2 * p * 8 / 15] * 2, abs=0.01)


def test_what_is_on_no_qubit_needs_no_run() -> None:
    found = run(of(1, [], {"I": 1.5}))
    assert (found.evs(), found.stds(), found.engine) == ([1.5], [0.0], "none")


def test_a_circuit_may_measure_on_its_way() -> None:
    ops: tuple[Op, ...] = (Gate("h", (0,)), Measure(0, 0), Gate("h", (0,)))
    circuit = QubitCircuit(1, ops, (Register("c", 9),), estimation=asked({"X": 1.0}))
    assert abs(run(circuit).evs()[0]) < 5 / 64


def test_exact_values_of_too_many_outcomes_are_refused() -> None:
    ops: list[Op] = [Gate("h", (k,)) for k in range(21)]
    with pytest.raises(CannotRun, match="ask for a precision"):
        run(of(21, ops, {"Z" * 21: 1.0}, is_exact=True))


def test_exact_runs_stay_narrow() -> None:
    words = {"I" * (39 - k) + "Z" + "I" * k: 1.0 for k in range(40)}
    assert [len(group) for group in asked(words, is_exact=True).groups] == [16, 16, 8]
    assert [len(group) for group in asked(words).groups] == [40]


def test_shots_of_a_circuit_win_over_those_of_the_job() -> None:
    circuit = QubitCircuit(1, (Measure(0, 0),), (Register("c", 1),), shots=7)
    assert run(circuit, shots=100).counts() == {0: 7}


def test_a_summary_counts_runs_and_parts() -> None:
    circuits = (of(2, ghz(2), {"XX": 1.0, "ZZ": 1.0}), of(2, ghz(2), {"ZI": 1.0}))
    found = summarise(circuits)
    assert (found.n_circuits, found.n_parts, found.n_terms) == (3, 2, 3)
    assert found.is_clifford
    assert unpack(pack(circuits)) == circuits


def test_an_outcome_holds_nothing_else() -> None:
    assert run(of(1, [], {"Z": 1.0})).arrays.keys() == {EVS, STDS}
