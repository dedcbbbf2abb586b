"""Shots of narrow noisy circuits, and when they are drawn so."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version

import pytest

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.qubit import Gate, Measure, Op, QubitCircuit, Register
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import engine
from qwicket.engines.qubit.density_engine import DensityEngine
from support import qubit_math
from support.for_each import for_each
from support.noise_examples import GATES, MIXED, PAULIS, cx, model

CIRCUIT = qubit_math.measured(3, GATES)
WEAK = model(GateNoise(depolarizing=1e-6), GateNoise(depolarizing=1e-6))
READ_OUT = model(readout=ReadoutError(one_for_zero=0.1))


def chosen(circuit: QubitCircuit, noise: NoiseModel | None = PAULIS, shots: int = 1_000) -> str:
    return engine.choose(qubit_math.task(circuit, shots, noise=noise)).name


def turned(n_qubits: int, n_layers: int = 3) -> QubitCircuit:
    layer = [*qubit_math.scrambling(n_qubits), *(cx(q, q + 1) for q in range(n_qubits - 1))]
    return qubit_math.measured(n_qubits, layer * n_layers)


def test_outcome_says_which_engine_ran() -> None:
    outcome = qubit_math.run(CIRCUIT, noise=PAULIS)
    assert outcome.engine == "density"
    assert f"numpy {version('numpy')}" in outcome.engine_version


@for_each("n_qubits", [2, 5, 8, 9, 10])
def test_narrow_noisy_circuits_are_followed_exactly(n_qubits: int) -> None:
    assert chosen(turned(n_qubits)) == chosen(turned(n_qubits), MIXED) == "density"


@pytest.mark.parametrize(
    ("circuit", "noise", "shots"),
    [
        (turned(11), PAULIS, 1_000),
        (turned(9), WEAK, 1_000),
        (turned(9), PAULIS, 10),
        (turned(9), READ_OUT, 1_000),
        (CIRCUIT, None, 1_000),
        (qubit_math.measured(4, [*GATES, Gate("x", (3,), (), (0, 1, 2))]), PAULIS, 1_000),
        (qubit_math.measured(3, [*GATES, Measure(0, 0), Gate("h", (0,))]), PAULIS, 1_000),
    ],
    ids=["wide", "weak", "few shots", "readout alone", "ideal", "wide gate", "on the way"],
)
def test_others_run_on_state_vectors(
    circuit: QubitCircuit, noise: NoiseModel | None, shots: int
) -> None:
    assert chosen(circuit, noise, shots) == "qulacs"


def test_who_names_state_vectors_gets_them() -> None:
    assert qubit_math.run(CIRCUIT, noise=PAULIS, engine="statevector").engine == "qulacs"


def test_clifford_circuits_stay_on_stabilizers() -> None:
    assert chosen(qubit_math.measured(2, [Gate("h", (0,)), cx(0, 1)])) == "stim"


def test_a_million_shots_cost_what_a_thousand_do_and_follow_the_same() -> None:
    found = qubit_math.run(CIRCUIT, 1_000_000, noise=MIXED, outputs=("counts",))
    qubit_math.assert_follows(found.counts(), qubit_math.exact(CIRCUIT, MIXED), 1_000_000)


def test_one_qubit_in_two_bits_is_misread_in_each_alone() -> None:
    ops: tuple[Op, ...] = (*GATES, Measure(0, 0), Measure(0, 3))
    circuit = QubitCircuit(3, ops, (Register("c", 5),))
    noise = model(GateNoise(depolarizing=0.5), readout=ReadoutError(one_for_zero=0.2))
    outcome = qubit_math.run_with(DensityEngine(), circuit, 100_000, noise=noise)
    zero = qubit_math.exact(qubit_math.measured(3, GATES), model(GateNoise(depolarizing=0.5)))
    p = sum(each for key, each in zero.items() if not key & 1)
    expected = {0: 0.64 * p, 1: 0.16 * p, 8: 0.16 * p, 9: 0.04 * p + 1 - p}
    qubit_math.assert_follows(outcome.counts(), expected, 100_000)


def test_shots_in_order_are_those_that_were_counted() -> None:
    outcome = qubit_math.run(CIRCUIT, noise=MIXED)
    assert Counter(outcome.memory()) == outcome.counts()
    assert outcome.memory() != sorted(outcome.memory())
    assert outcome.notes == ("sampled_only",)


def test_nothing_measured_is_one_empty_outcome() -> None:
    circuit = QubitCircuit(3, GATES, ())
    outcome = qubit_math.run_with(DensityEngine(), circuit, 7, noise=PAULIS)
    assert outcome.counts() == {0: 7}


def test_what_it_cannot_run_is_refused() -> None:
    on_the_way = qubit_math.measured(3, [*GATES, Measure(0, 0), Gate("h", (0,))])
    for circuit, noise in ((CIRCUIT, None), (on_the_way, PAULIS)):
        with pytest.raises(CannotRun, match="measured at the end"):
            qubit_math.run_with(DensityEngine(), circuit, noise=noise)


def test_circuits_longer_than_one_chunk_end_mixed() -> None:
    """20,000 gates on two qubits: nothing but the readout errors is left to see."""
    gates = [Gate("ry", (0,), (0.3,)), cx(0, 1)] * 10_000
    errors = (PAULIS.readout, PAULIS.readout_of[1])
    circuit = qubit_math.measured(2, gates)
    outcome = qubit_math.run(circuit, 10_000, noise=PAULIS, outputs=("counts",))
    assert outcome.engine == "density"
    ones = [(1 + error.one_for_zero - error.zero_for_one) / 2 for error in errors]
    expected = {
        key: (ones[0] if key & 1 else 1 - ones[0]) * (ones[1] if key & 2 else 1 - ones[1])
        for key in range(4)
    }
    qubit_math.assert_follows(outcome.counts(), expected, 10_000)
