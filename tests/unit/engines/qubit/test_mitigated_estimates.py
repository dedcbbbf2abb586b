"""Mitigated values against what noiseless ones are, and their errors against the spread."""

from __future__ import annotations

from math import cos, sqrt

import numpy as np
import pytest
from benchmarks.mitigation import LEVELS, TWINS, errors
from msgspec.structs import replace

from qwicket.circuits import estimation
from qwicket.circuits.analysis import summarise
from qwicket.circuits.mitigation.runs import EVS_EXTRAPOLATED, EVS_NOISE_FACTORS, RUNS, all_shots
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import Estimation, Gate, Mitigation, Op, Pauli, QubitCircuit, Register
from qwicket.engines import qubit
from qwicket.engines.failures import CannotRun
from support.for_each import for_each

READOUT = NoiseModel(name="", source="", readout=ReadoutError(one_for_zero=0.02, zero_for_one=0.12))
DEPOLARIZING = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.03))
TREX = Mitigation(randomizations=8, calibrations=8, calibration_shots=500)
ZNE = Mitigation(noise_factors=(1.0, 3.0, 5.0), extrapolators=("exponential", "linear"))


def of(
    ops: list[Op], mitigation: Mitigation | None, *sums: dict[str, float], n_clbits: int = 0
) -> QubitCircuit:
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
    groups = estimation.group_paulis(paulis, 1000)
    asked = Estimation(paulis, groups, tuple(found), False, mitigation)
    registers = (Register("c", n_clbits),) if n_clbits else ()
    return QubitCircuit(3, tuple(ops), registers, 500, asked)


def run(circuit: QubitCircuit, noise: NoiseModel | None, *, seed: int = 5) -> Outcome:
    options = RunOptions(shots=circuit.shots, seed=seed, outputs=("counts",), noise=noise)
    return qubit.run(circuit, options, 0)


def array(outcome: Outcome, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    found = outcome.arrays[name]
    return np.frombuffer(found.data, found.dtype).reshape(found.shape)


OPS: list[Op] = [Gate("ry", (0,), (0.7,)), Gate("x", (1,)), Gate("ry", (2,), (2.0,))]
WORDS = {"IIZ": cos(0.7), "IZI": -1.0, "ZIZ": cos(0.7) * cos(2.0), "XII": np.sin(2.0)}


def test_readout_errors_are_mitigated_without_bias() -> None:
    """Each word alone, and a sum whose terms are in two groups and partly constant."""
    total = {"III": 0.5, "IIZ": 2.0, "IZI": -1.0, "XII": 0.3}
    wanted = [*WORDS.values(), 0.5 + 2 * cos(0.7) + 1 + 0.3 * np.sin(2.0)]
    sums = [*[{word: 1.0} for word in WORDS], total]
    # Another register of bits before those that are measured must not change anything.
    circuit = of(OPS, TREX, *sums, n_clbits=9)
    found = [run(circuit, READOUT, seed=seed) for seed in range(20)]
    values = np.array([each.evs() for each in found])
    stds = np.array([each.stds() for each in found])
    assert np.abs(values.mean(axis=0) - wanted) == pytest.approx(
        np.zeros(5), abs=float(4 * stds.max() / sqrt(20))
    )
    assert values.std(axis=0) == pytest.approx(stds.mean(axis=0), rel=4 / sqrt(40))
    # Without mitigation ⟨Z⟩ of a 1 would be read as -0.76, and that of a 0 as 0.96.
    bare = run(of(OPS, None, *sums), READOUT).evs()
    assert bare[1] == pytest.approx(-0.76, abs=0.1)


def test_runs_and_shots_are_those_that_the_summary_counts() -> None:
    for mitigation, runs, shots in (
        (TREX, 8 + 2 * 8, 12_000),
        (ZNE, 2 * 3, 3_000),
        (replace(ZNE, randomizations=4, calibrations=6, calibration_shots=100), 30, 12_600),
    ):
        circuit = of([*OPS, Gate("x", (1,), (), (0,))], mitigation, *[{w: 1.0} for w in WORDS])
        outcome = run(circuit, None)
        assert array(outcome, RUNS).tolist() == [runs, shots]
        assert all_shots(circuit) == shots
        summary = summarise((circuit,))
        assert (summary.n_circuits, summary.n_parts, summary.mitigated_shots) == (runs, 1, shots)


def test_noise_grows_with_the_factor_and_is_extrapolated_away() -> None:
    """Of 15 Paulis on two qubits, 8 anticommute with ZZ: each gate leaves 1 - 16p/15 of it.

    CX maps ZZ to IZ, of which it leaves as much, and back.
    """
    ops: list[Op] = [Gate("x", (1,), (), (0,))]
    circuit = replace(of(ops, ZNE, {"IZZ": 1.0, "III": 0.5}), shots=200_000)
    outcome = run(circuit, DEPOLARIZING)
    wanted = [0.5 + (1 - 16 * 0.03 / 15) ** n for n in (1, 3, 5)]
    assert array(outcome, EVS_NOISE_FACTORS)[0] == pytest.approx(wanted, abs=0.01)
    assert outcome.evs() == pytest.approx([1.5], abs=0.01)
    assert array(outcome, EVS_EXTRAPOLATED).shape == (1, 2, 1)


def test_a_value_that_no_fit_suits_is_that_of_the_least_noise() -> None:
    only = replace(ZNE, extrapolators=("exponential",))
    found = run(of([Gate("h", (0,))], only, {"IIZ": 1.0}), DEPOLARIZING, seed=1)
    assert np.isnan(array(found, EVS_EXTRAPOLATED)).all()
    assert found.evs() == [array(found, EVS_NOISE_FACTORS)[0, 0]]


def test_constants_are_neither_run_nor_changed() -> None:
    both = replace(ZNE, randomizations=4, calibrations=4, calibration_shots=10)
    found = run(of([], both, {"III": 1.5}), READOUT)
    assert (found.evs(), found.stds(), found.engine) == ([1.5], [0.0], "none")
    mixed = run(of([], both, {"III": 1.5}, {"IIZ": 1.0}), READOUT)
    assert mixed.evs()[0] == 1.5


def test_readout_that_is_pure_chance_is_refused() -> None:
    blind = NoiseModel(name="", source="", readout=ReadoutError(one_for_zero=0.5, zero_for_one=0.5))
    with pytest.raises(CannotRun, match="readout errors are too large"):
        run(of([], TREX, {"IIZ": 1.0}), blind)


@pytest.mark.extended
@for_each("twin", TWINS)
def test_the_mean_error_on_a_twin_falls_to_half_or_less(twin: str) -> None:
    """20 circuits with fixed seeds, and a quarter of the runs of level 2."""
    both = LEVELS[2]
    assert both is not None
    mitigated = errors(twin, replace(both, randomizations=8, calibrations=8), 20)
    assert mitigated.mean < errors(twin, None, 20).mean / 2
