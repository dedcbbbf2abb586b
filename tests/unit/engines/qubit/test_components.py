"""Groups of qubits that nothing connects: apart they have the law that they have together."""

from __future__ import annotations

from math import cos, prod

import pytest

from qwicket.circuits.analysis import summarise
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError, Relaxation, SiteNoise
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import (
    Branch,
    Estimation,
    Gate,
    Measure,
    Op,
    Pauli,
    QubitCircuit,
    Register,
    Reset,
)
from qwicket.engines.qubit import engine, estimate
from qwicket.engines.qubit.components import ComponentsEngine, separate
from support import qubit_math
from support.for_each import for_each
from support.qubit_math import ALL, assert_follows

SHOTS = 40_000
NOISE = NoiseModel(
    name="",
    source="",
    one_qubit=GateNoise(amplitude_damping=0.1, duration_s=1e-6),
    two_qubit=GateNoise(depolarizing=0.2),
    sites=(SiteNoise(qubits=(3,), default=GateNoise(depolarizing=0.3)),),
    relaxation=Relaxation(t1_s=5e-6, t2_s=4e-6),
    readout=ReadoutError(one_for_zero=0.1, zero_for_one=0.2),
    readout_of={1: ReadoutError(one_for_zero=0.4), 4: ReadoutError(zero_for_one=0.3)},
)
PAIR = (Gate("ry", (0,), (1.1,)), Gate("x", (2,), (), (0,)), Gate("ry", (2,), (0.4,)))
OTHERS = (Gate("ry", (1,), (0.9,)), Gate("rx", (3,), (2.0,)))


def circuit(*ops: Op, n_bits: int = 5) -> QubitCircuit:
    return QubitCircuit(5, ops, (Register("a", 2), Register("b", n_bits - 2)))


END = (Measure(3, 0), Measure(0, 1), Measure(1, 2), Measure(2, 3), Measure(4, 4))
"""Bits of the groups {0, 2}, {1} and {3} alternate; no gate touches qubit 4."""
CIRCUITS = {
    "at the end": (circuit(*PAIR, *OTHERS, *END), 3),
    "a copy of a bit": (circuit(*PAIR, *OTHERS, *END, Measure(1, 5), n_bits=6), 3),
    "one group unmeasured": (circuit(*PAIR, *OTHERS, *END[1:]), 2),
    "on the way": (circuit(*PAIR, Measure(0, 1), Reset(0), *PAIR, *OTHERS, *END[2:]), 2),
    "two groups write a bit": (circuit(*PAIR, Measure(2, 0), Reset(2), *OTHERS, *END), 2),
    "an idle qubit rewrites a bit": (
        circuit(*PAIR, Measure(0, 4), Gate("ry", (0,), (0.3,)), *OTHERS, *END),
        3,
    ),
}


def run_apart(
    circuit: QubitCircuit, n_groups: int, noise: NoiseModel | None, seed: int = 3
) -> Outcome:
    task = qubit_math.task(circuit, SHOTS, seed, ALL, noise)
    parts = [(engine.choose(each), each) for each in separate(task, max_joint=0)]
    assert len(parts) == n_groups
    apart = ComponentsEngine(parts, engine._run_reliably)
    return qubit_math.outcome(circuit, apart.run(task))


@pytest.mark.extended
@for_each("name", CIRCUITS)
@for_each("noise", [None, NOISE])
def test_groups_apart_have_the_exact_law_of_the_whole(name: str, noise: NoiseModel | None) -> None:
    whole, n_groups = CIRCUITS[name]
    expected = qubit_math.exact(whole, noise)
    found = run_apart(whole, n_groups, noise)
    assert_follows(found.counts(), expected, SHOTS)
    assert qubit_math.counted(found.memory()) == found.counts()
    if noise is None:
        assert found.probabilities() == pytest.approx(expected)
    assert run_apart(whole, n_groups, noise).arrays == found.arrays
    assert run_apart(whole, n_groups, noise, seed=4).arrays != found.arrays


def turned(n_qubits: int, *more: Op) -> QubitCircuit:
    """Return a product state of a pair and single qubits, each turned by an angle of its own."""
    turns = [Gate("ry", (qubit,), (0.2 + 0.1 * qubit,)) for qubit in range(2, n_qubits)]
    pair = (Gate("ry", (0,), (0.3,)), Gate("x", (1,), (), (0,)))
    return qubit_math.measured(n_qubits, [*pair, *turns, *more])


def test_wide_products_run_and_cost_what_their_groups_do() -> None:
    """60 qubits together are more than any memory."""
    wide = turned(60)
    for noise in (None, NOISE):
        counts = qubit_math.run(wide, 2_000, outputs=("counts",), noise=noise).counts()
        assert sum(counts.values()) == 2_000
    needs = estimate(summarise((wide,)), RunOptions(shots=2_000, seed=0, outputs=("counts",)))
    assert needs.state_qubits == 2
    assert needs.bytes < 100 << 20
    assert needs.seconds < 1
    joined = turned(60, Measure(2, 0), Branch((0,), "==", "1", 1), Gate("x", (3,)))
    assert summarise((joined,)).n_connected == 0
    with pytest.raises(MemoryError):
        qubit_math.run(turned(48, *qubit_math.chain(48)), 1)


def test_exact_values_of_groups_are_factors() -> None:
    """⟨Z⟩ of each of 16 qubits is cos θ, that of the pair's ZZ is 1."""
    values = [cos(0.2 + 0.1 * qubit) for qubit in range(2, 16)]
    every = Pauli("Z" * 16, tuple(range(16)))
    estimation = Estimation((every,), ((0,),), (((0, 1.0),),), is_exact=True)
    gates = tuple(op for op in turned(16).ops if type(op) is Gate)
    found = qubit_math.run(QubitCircuit(16, gates, (), estimation=estimation))
    assert found.evs() == [pytest.approx(prod(values))]
