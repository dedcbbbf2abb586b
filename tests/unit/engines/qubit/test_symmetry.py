"""Symmetrised runs: exact where nothing is noisy, without readout bias where something is."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from math import sqrt

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.random import default_rng

from qwicket.circuits import twins
from qwicket.circuits.calibrations import Calibration, GateFigures, QubitFigures
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError, SiteNoise
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import COUNTS, MEMORY, PROBABILITIES, Outcome
from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register
from qwicket.engines.qubit import run, symmetry

SHOTS = 40_000
SKEWED = NoiseModel(
    name="skewed", source="test", readout=ReadoutError(one_for_zero=0.02, zero_for_one=0.12)
)

ASYMMETRIC_TWIN = twins.noise(
    Calibration(
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        source="test",
        qubit=QubitFigures(t1_s=100, t2_s=1, one_for_zero=0.02, zero_for_one=0.12),
        one_qubit=GateFigures(error=1e-6, duration_s=1e-6),
        two_qubit=GateFigures(error=1e-5, duration_s=1e-6),
    ),
    2,
    ("gpi", "gpi2", "ms"),
    "asymmetric",
)


def circuit(*gates: Gate, n: int = 2) -> QubitCircuit:
    return QubitCircuit(n, (*gates, *(Measure(q, q) for q in range(n))), (Register("c", n),))


def options(noise: NoiseModel | None, **changes: object) -> RunOptions:
    usual = RunOptions(shots=SHOTS, seed=7, outputs=(COUNTS,), noise=noise, variants=20)
    return replace(usual, **changes)


def mean_z(outcome: Outcome, qubit: int) -> float:
    return sum((1 - 2 * (key >> qubit & 1)) * n for key, n in outcome.counts().items()) / SHOTS


UNEVEN = circuit(Gate("ry", (0,), (1.1,)), Gate("x", (1,), (), (0,)), Gate("rx", (1,), (0.4,)))


def test_an_ideal_circuit_keeps_its_exact_probabilities() -> None:
    asked = options(None, outputs=(COUNTS, PROBABILITIES))
    plain = run(UNEVEN, options(None, outputs=(COUNTS, PROBABILITIES), variants=1), 0)
    assert run(UNEVEN, asked, 0).probabilities() == plain.probabilities()


@pytest.mark.parametrize("model", [SKEWED, ASYMMETRIC_TWIN], ids=["model", "twin"])
@pytest.mark.parametrize("name", ["x", "h"])
def test_a_read_out_bias_is_gone(name: str, model: NoiseModel) -> None:
    """P(1|0) = a and P(0|1) = b: a qubit of mean z is read (1-a-b) z + b - a; symmetrised, without
    the constant. `h` has z = 0, and is read by Stim or a state vector alike."""
    one = circuit(Gate(name, (0,)), n=1)
    z = {"x": -1.0, "h": 0.0}[name]
    plain = mean_z(run(one, options(model, variants=1), 0), 0)
    symmetrised = mean_z(run(one, options(model), 0), 0)
    error = 5 / sqrt(SHOTS)
    assert plain == pytest.approx(0.86 * z + 0.10, abs=error)
    assert symmetrised == pytest.approx(0.86 * z, abs=error)


def test_all_shots_are_run_once() -> None:
    for shots in (500, 503, 7):
        outcome = run(UNEVEN, options(SKEWED, shots=shots, outputs=(COUNTS, MEMORY)), 0)
        assert sum(outcome.counts().values()) == len(outcome.memory()) == shots


def test_equal_seeds_give_equal_counts() -> None:
    counts = [run(UNEVEN, options(SKEWED), 0).counts() for _ in range(2)]
    assert counts[0] == counts[1]
    assert run(UNEVEN, options(SKEWED, seed=8), 0).counts() != counts[0]


def test_exchanging_the_errors_is_what_an_exact_flip_before_reading_does() -> None:
    """A variant against its original circuit: `x` before the readout, undone after."""
    exact_x = NoiseModel(
        name="",
        source="",
        gates={"x": GateNoise()},
        two_qubit=GateNoise(depolarizing=0.05),
        readout=SKEWED.readout,
    )
    entangled = (Gate("ry", (0,), (1.1,)), Gate("x", (1,), (), (0,)))
    for flips in product((False, True), repeat=2):
        masked = sum(flip << q for q, flip in enumerate(flips))
        gates = [Gate("x", (q,)) for q, flip in enumerate(flips) if flip]
        plain = options(exact_x, variants=1)
        real = run(circuit(*entangled, *gates), plain, 0).counts()
        model = symmetry._exchanged(exact_x, flips)
        stands_for = run(circuit(*entangled), options(model, variants=1), 1).counts()
        for key in range(4):
            p, q = stands_for.get(key, 0) / SHOTS, real.get(key ^ masked, 0) / SHOTS
            assert abs(p - q) < 5 * sqrt((p + 1 / SHOTS) / SHOTS * 2)


def test_each_qubit_is_exchanged_in_half_of_the_variants() -> None:
    models = [*symmetry.variants(SKEWED, 6, options(SKEWED), default_rng(3))]
    assert len(models) == 20
    for qubit in range(6):
        exchanged = [qubit in model.readout_of for model in models]
        assert sum(exchanged) == 10


def test_a_qubit_of_its_own_figures_serves_every_qubit_of_the_circuit() -> None:
    """Qubit 0 of four is read at random; laid anywhere, a circuit on qubit 0 meets it one in four
    times."""
    bad = ReadoutError(one_for_zero=0.5, zero_for_one=0.5)
    model = NoiseModel(name="", source="", readout_of={0: bad})
    idle = circuit(Gate("id", (0,)), n=1)
    fixed = run(idle, options(model), 0).counts().get(1, 0) / SHOTS
    spread = run(idle, options(model, alike=4, variants=400), 0).counts().get(1, 0) / SHOTS
    assert fixed == pytest.approx(0.5, abs=5 * 0.5 / sqrt(SHOTS))
    assert spread == pytest.approx(0.125, abs=0.06)  # 200 layouts, sd 0.5 · √(3/16/200)


def test_sites_move_with_the_layout() -> None:
    site = SiteNoise(qubits=(0, 1), default=GateNoise(depolarizing=0.1))
    model = NoiseModel(name="", source="", sites=(site,))
    (moved,) = symmetry._moved(model, [2, 0, 1]).sites  # circuit 1 on device 0, 2 on 1
    assert moved.qubits == (1, 2)


def test_the_vote_is_for_the_most_frequent_of_each_variant() -> None:
    a, b, c = b"\0", b"\1", b"\2"
    shares = symmetry.plurality([{a: 9, b: 1}, {a: 5, c: 5}, {b: 3}, {a: 2, c: 1}])
    assert shares == {a: (1 + 0.5 + 1) / 4, c: 0.5 / 4, b: 1 / 4}


def test_sharpening_drops_what_never_was_most_frequent() -> None:
    flip = circuit(Gate("x", (0,)), Gate("x", (1,)))
    outcome = run(flip, options(SKEWED), 0)
    assert set(outcome.counts()) == {0, 1, 2, 3}
    assert dict(outcome.each_share()) == {3: pytest.approx(1.0)}
    assert np.isclose(sum(share for _, share in outcome.each_share()), 1)
