"""Qubits that wait relax by T1 and T2: closed formulas, and Kraus sums on density matrices."""

from __future__ import annotations

from math import exp

import pytest

from qwicket.circuits.analysis import summarise
from qwicket.circuits.noise import GateNoise, NoiseModel, Relaxation
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import Branch, Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.engines.qubit import engine as engines
from qwicket.engines.qubit.cost import estimate
from qwicket.engines.qubit.density_engine import DensityEngine
from qwicket.engines.qubit.names import CLIFFORD, unsupported_reason
from qwicket.engines.qubit.noise import noise_of
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.program import read
from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
from qwicket.engines.qubit.state_vectors import StateVectorEngine
from qwicket.engines.qubit.tasks import Engine
from support import qubit_math
from support.for_each import for_each
from support.noise_examples import GATES, HOT, LOCAL, MIXED, cx, model, x
from support.qubit_math import assert_follows

ON_VECTORS: tuple[Engine, ...] = (
    StateVectorEngine(NumpySimulator()),
    StateVectorEngine(QulacsSimulator()),
)
ENGINES = (*ON_VECTORS, DensityEngine())
SHOTS = 50_000
T1, T2 = 80e-6, 60e-6
COLD = model(relaxation=Relaxation(t1_s=T1, t2_s=T2))
WARM = model(relaxation=Relaxation(t1_s=T1, t2_s=T2, relaxes_to="mixed"))
TIMES = (1e-9, 20e-6, T2, T1, 300e-6)
H = Gate("h", (0,))


def wait(qubit: int, seconds: float) -> Gate:
    return Gate("delay", (qubit,), (seconds,))


def p_one(engine: Engine, noise: NoiseModel, *gates: Gate) -> dict[int, int]:
    circuit = qubit_math.measured(1, gates)
    return qubit_math.run_with(engine, circuit, SHOTS, 3, ("counts",), noise).counts()


@for_each("engine", ENGINES)
def test_one_decays_by_t1(engine: Engine) -> None:
    """P(1) = exp(-t/T1)."""
    for seconds in TIMES:
        one = exp(-seconds / T1)
        assert_follows(p_one(engine, COLD, x(0), wait(0, seconds)), {0: 1 - one, 1: one}, SHOTS)


@for_each("engine", ENGINES)
def test_a_superposition_decays_by_t2(engine: Engine) -> None:
    """After H, delay, H (Ramsey, on resonance): P(0) = (1 + exp(-t/T2))/2."""
    for noise in (COLD, WARM):
        for seconds in TIMES:
            zero = (1 + exp(-seconds / T2)) / 2
            found = p_one(engine, noise, H, wait(0, seconds), H)
            assert_follows(found, {0: zero, 1: 1 - zero}, SHOTS)


def test_an_echo_decays_by_t2_too() -> None:
    """The noise has no memory, so a π pulse in the middle brings nothing back."""
    zero = (1 + exp(-1)) / 2
    for engine in ENGINES:
        found = p_one(engine, COLD, H, wait(0, T2 / 2), x(0), wait(0, T2 / 2), H)
        assert_follows(found, {0: zero, 1: 1 - zero}, SHOTS)


def test_a_hot_qubit_ends_in_an_even_mixture_also_on_a_stabilizer_simulator() -> None:
    """P(1) = (1 + exp(-t/T1))/2."""
    one = (1 + exp(-2)) / 2
    circuit = qubit_math.measured(1, [x(0), wait(0, 2 * T1)])
    stim = engines.choose(qubit_math.task(circuit, noise=WARM))
    assert stim.name == "stim"
    for engine in (*ENGINES, stim):
        found = p_one(engine, WARM, x(0), wait(0, 2 * T1))
        assert_follows(found, {0: 1 - one, 1: one}, SHOTS)


def test_two_delays_are_as_one() -> None:
    one = exp(-0.5)
    for engine in ENGINES:
        found = p_one(engine, COLD, x(0), *[wait(0, T1 / 20)] * 10)
        assert_follows(found, {0: 1 - one, 1: one}, SHOTS)


@pytest.mark.extended
def test_delays_follow_the_density_matrix_of_any_circuit() -> None:
    """Each qubit has times of its own; gates have noise, too."""
    gates = [*GATES[:10], wait(0, 0.2), *GATES[10:13], wait(1, 0.1), wait(2, 0.3), *GATES[13:]]
    circuit = qubit_math.measured(3, gates)
    for noise in (LOCAL, HOT):
        expected = qubit_math.exact(circuit, noise)
        for engine in ENGINES:
            shots = 100_000 if isinstance(engine, DensityEngine) else 2_000
            found = qubit_math.run_with(engine, circuit, shots, 5, ("counts",), noise)
            assert_follows(found.counts(), expected, shots)


def test_delays_between_measurements_and_in_branches() -> None:
    ops: tuple[Op, ...] = (
        *(H, wait(0, 0.2), Measure(0, 0), wait(0, 0.3), cx(0, 1)),
        *(Branch((0,), "==", "1", 2), wait(1, 0.8), x(2)),
        *(wait(2, 0.4), Reset(0), wait(0, 5.0)),
        *(Measure(qubit, 1 + qubit) for qubit in range(3)),
    )
    circuit = QubitCircuit(3, ops, (Register("c", 4),))
    expected = qubit_math.exact(circuit, LOCAL)
    for engine in ON_VECTORS:
        found = qubit_math.run_with(engine, circuit, 5_000, 5, ("counts",), LOCAL)
        assert_follows(found.counts(), expected, 5_000)


def test_gates_wait_for_no_delay_without_lifetimes() -> None:
    """Neither gate noise nor gates that are named like it act on a delay."""
    waiting = read(qubit_math.measured(1, [wait(0, 1.0)]))
    assert (
        noise_of(model(GateNoise(depolarizing=0.5), gates={"delay": GateNoise()}), waiting) is None
    )
    assert not MIXED.acts_on_delays
    assert COLD.acts_on_delays
    assert LOCAL.acts_on_delays


def test_a_stabilizer_simulator_takes_no_damping_delay() -> None:
    summary = summarise((qubit_math.measured(1, [H, wait(0, 1e-6)]),))
    assert summary.is_clifford
    for noise, is_run in ((WARM, True), (COLD, False)):
        options = RunOptions(shots=1, seed=0, outputs=("counts",), noise=noise, engine=CLIFFORD)
        assert (unsupported_reason(summary, options) is None) is is_run


def test_delays_cost_as_much_as_gates_that_relax_as_long() -> None:
    """Qubits as many as a density matrix does not hold, so every decay is a branch."""
    n_qubits = 14
    turns = [Gate("h", (qubit,)) for qubit in range(n_qubits)] + qubit_math.chain(n_qubits)
    waits = [wait(qubit, 20e-6) for qubit in range(n_qubits)]
    delayed = summarise((qubit_math.measured(n_qubits, [*turns, *waits]),))
    assert (delayed.n_ops_1q, delayed.n_delays) == (n_qubits, n_qubits)
    options = RunOptions(shots=1_000, seed=0, outputs=("counts",), noise=COLD)
    slow = model(GateNoise(duration_s=20e-6), relaxation=COLD.relaxation)
    gates = summarise((qubit_math.measured(n_qubits, turns),))
    relaxing = estimate(gates, RunOptions(shots=1_000, seed=0, outputs=("counts",), noise=slow))
    without = estimate(gates, options)
    found = estimate(delayed, options)
    assert found.seconds > relaxing.seconds > 5 * without.seconds
    assert found.seconds < 3 * relaxing.seconds
