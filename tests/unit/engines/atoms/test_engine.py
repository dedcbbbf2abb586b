"""The fifteen reference circuits, exactly and by sampling; shots, seeds and columns."""

from __future__ import annotations

from math import pi, sqrt

import msgspec
import numpy as np
import pytest
from numpy.random import SeedSequence

from qwicket import engines
from qwicket.circuits.atoms import AtomCircuit, pack
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, Outcome, decode
from qwicket.engines.atoms import engine
from qwicket.model.failures import Failure
from unit.engines.atoms.circuits import dense, fermions, marginal, spins

HOP = [0, 1, 2, 3]
SECOND = [2, 3, 4, 5]
ALL = list(range(8))
SITES_3 = tuple(range(6))
REFERENCES: dict[str, tuple[AtomCircuit, dict[str, float]]] = {
    "S1": (
        spins([3], ("rlx", [0], [1.0])),
        {"0": 0.456802, "1": 0.408993, "2": 0.122062, "3": 0.012143},
    ),
    "S2": (
        spins([4], ("rlx", [0], [pi / 2]), ("rlz", [0], [0.7]), ("rlx", [0], [pi / 2])),
        {"0": 0.000191, "1": 0.005738, "2": 0.064589, "3": 0.323160, "4": 0.606322},
    ),
    "S3": (
        spins(
            [4],
            ("rlx", [0], [pi / 2]),
            ("rlz2", [0], [0.3]),
            ("rlz", [0], [0.4]),
            ("rlx", [0], [1.2]),
        ),
        {"0": 0.013572, "1": 0.035325, "2": 0.134234, "3": 0.074270, "4": 0.742599},
    ),
    "S4": (
        spins([3], ("sq_full", [0], [1.5, 0.7, 0.4])),
        {"0": 0.252920, "1": 0.382146, "2": 0.279490, "3": 0.085444},
    ),
    "M1": (
        spins([1, 1], ("rlx", [0], [1.0]), ("rlxly", [0, 1], [0.4])),
        {"0 0": 0.770151, "0 1": 0.034856, "1 0": 0.194993},
    ),
    "M2": (
        spins(
            [2, 1],
            ("rlx", [0], [1.1]),
            ("rlx", [1], [0.6]),
            ("rlxly", [0, 1], [0.35]),
            ("rlzlz", [0, 1], [0.9]),
            ("rlx", [0], [0.8]),
        ),
        {
            "0 0": 0.129882,
            "0 1": 0.039922,
            "1 0": 0.370649,
            "1 1": 0.076203,
            "2 0": 0.333221,
            "2 1": 0.050124,
        },
    ),
    "M3": (
        spins([1, 1, 1], ("rlx", [0], [1.3]), ("rlxly", [0, 1, 2], [0.5])),
        {"0 0 0": 0.633749, "0 0 1": 0.005263, "0 1 0": 0.077284, "1 0 0": 0.283703},
    ),
    "M4": (
        spins([2, 1], ("multiqudit_full", [0, 1], [0.9, 0.5, 0.3, 0.4, 0.6])),
        {
            "0 0": 0.544248,
            "0 1": 0.140540,
            "1 0": 0.226222,
            "1 1": 0.054443,
            "2 0": 0.028227,
            "2 1": 0.006320,
        },
    ),
    "R1": (
        spins([1, 1], ("rydberg_full", [0, 1], [2.0, 0.0, 3.0])),
        {"0 0": 0.070156, "0 1": 0.320727, "1 0": 0.320727, "1 1": 0.288390},
    ),
    "R2": (
        spins([1, 1, 1], ("rydberg_full", [0, 1, 2], [2.0, 0.7, 25.0])),
        {
            "0 0 0": 0.049943,
            "0 0 1": 0.113512,
            "0 1 0": 0.329323,
            "0 1 1": 0.001714,
            "1 0 0": 0.113512,
            "1 0 1": 0.390131,
            "1 1 0": 0.001714,
            "1 1 1": 0.000150,
        },
    ),
    "R3": (
        spins(
            [1, 1],
            ("rlx", [0], [pi / 2]),
            ("rlx", [1], [pi / 2]),
            ("rydberg_block", [0, 1], [1.0]),
            ("rlz", [0], [0.4]),
            ("rlx", [0], [pi / 2]),
        ),
        {"0 0": 0.019735, "0 1": 0.043666, "1 0": 0.480265, "1 1": 0.456334},
    ),
    "F1": (
        fermions(("load", [0], []), ("fhop", HOP, [0.3]), measured=(0, 2)),
        {"0 1": 0.087332, "1 0": 0.912668},
    ),
    "F2": (
        fermions(
            ("load", [0], []),
            ("load", [1], []),
            ("fhop", HOP, [0.7]),
            ("fint", ALL, [2.0]),
            ("fhop", HOP, [0.5]),
            measured=(0, 1, 2, 3),
        ),
        {"0 0 1 1": 0.221401, "0 1 1 0": 0.060142, "1 0 0 1": 0.060142, "1 1 0 0": 0.658315},
    ),
    "F3": (
        fermions(
            ("load", [0], []),
            ("load", [3], []),
            ("fhop", HOP, [0.8]),
            ("fhop", SECOND, [1.1]),
            ("fint", ALL, [1.5]),
            ("fphase", [2, 3], [0.9]),
            ("fhop", HOP, [0.6]),
            measured=SITES_3,
        ),
        {
            "0 0 0 0 1 1": 0.157574,
            "0 0 0 1 1 0": 0.041180,
            "0 0 1 0 0 1": 0.138105,
            "0 0 1 1 0 0": 0.037667,
            "0 1 0 0 1 0": 0.209967,
            "0 1 1 0 0 0": 0.175922,
            "1 0 0 0 0 1": 0.089851,
            "1 0 0 1 0 0": 0.031414,
            "1 1 0 0 0 0": 0.118320,
        },
    ),
    "F4": (
        fermions(
            ("load", [0], []),
            ("load", [2], []),
            ("load", [1], []),
            ("fhop", SECOND, [0.7]),
            ("fint", ALL, [1.0]),
            ("fhop", HOP, [0.9]),
            ("fhop", SECOND, [0.4]),
            measured=SITES_3,
        ),
        {
            "0 0 1 0 1 1": 0.023696,
            "0 0 1 1 1 0": 0.132561,
            "0 1 1 0 1 0": 0.098398,
            "1 0 0 0 1 1": 0.041358,
            "1 0 0 1 1 0": 0.231368,
            "1 0 1 0 0 1": 0.027997,
            "1 0 1 1 0 0": 0.156622,
            "1 1 0 0 1 0": 0.171742,
            "1 1 1 0 0 0": 0.116259,
        },
    ),
}
"""Numbers on which two public simulators of the four machines (sqooler-example, qiskit-cold-atom)
and a dense computation agree; 0 where there is no entry."""


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_circuit_is_exact(name: str) -> None:
    circuit, expected = REFERENCES[name]
    exact = engine.probabilities(circuit)
    np.testing.assert_allclose(exact, dense(circuit), atol=1e-9, rtol=0)
    found = marginal(circuit, exact)
    assert {key: p for key, p in found.items() if p > 1e-6} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_circuit_is_sampled_within_five_deviations(name: str) -> None:
    circuit, expected = REFERENCES[name]
    shots = 20_000
    drawn = msgspec.structs.replace(circuit, shots=shots, seed=11)
    rows = outcome(drawn).samples()
    assert len(rows) == shots
    keys = [" ".join(map(str, row)) for row in rows]
    assert set(keys) <= set(expected)
    for key, p in expected.items():
        assert abs(keys.count(key) / shots - p) < 5 * sqrt(p * (1 - p) / shots) + 1e-6


def outcome(circuit: AtomCircuit, seed: int = 1, part: int = 0) -> Outcome:
    return engine.run(circuit, RunOptions(shots=7, seed=seed, outputs=()), part)


def test_columns_come_in_the_order_of_the_measurements() -> None:
    flipped = spins([2, 3, 4], ("rlx", [1], [pi]), ("rlx", [2], [pi]))
    chosen = msgspec.structs.replace(flipped, measured=(2, 0, 1, 2), shots=3)
    assert outcome(chosen).samples() == [[4, 0, 3, 4]] * 3


def test_circuit_that_measures_nothing_gives_rows_of_nothing() -> None:
    silent = msgspec.structs.replace(spins([2]), measured=(), shots=3)
    assert outcome(silent).samples() == [[], [], []]


FAIR = msgspec.structs.replace(spins([9], ("rlx", [0], [pi / 2])), shots=50)


def test_job_seed_draws_other_shots_for_each_part() -> None:
    assert outcome(FAIR).samples() == outcome(FAIR).samples()
    assert outcome(FAIR).samples() != outcome(FAIR, part=1).samples()
    assert outcome(FAIR).samples() != outcome(FAIR, seed=2).samples()


def test_seed_of_a_circuit_draws_the_same_shots_in_every_job_and_part() -> None:
    seeded = msgspec.structs.replace(FAIR, seed=5)
    assert outcome(seeded).samples() == outcome(seeded, seed=2, part=3).samples()
    assert outcome(seeded).seed == 5


def test_joint_levels_are_drawn_together() -> None:
    """M1's two atoms are never both excited."""
    shots = engine.samples(
        msgspec.structs.replace(REFERENCES["M1"][0], shots=5_000), SeedSequence(3)
    )
    assert shots.dtype == np.int16
    assert shots.sum(axis=1).max() == 1


def test_the_family_runs_packed_circuits_and_fails_one_part_alone() -> None:
    twice = fermions(("load", [3], []), ("load", [3], []))
    options = msgspec.msgpack.encode(RunOptions(shots=1, seed=0, outputs=()))
    good, bad = engines.run("atoms", pack((FAIR, twice)), options)
    assert isinstance(good, Encoded)
    assert len(decode(good).samples()) == 50
    text = "load: wire 3 holds an atom already, with probability 1"
    assert bad == Failure("invalid_circuit", text)
