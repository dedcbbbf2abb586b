"""Noise against Kraus sums on density matrices and closed formulas, on every engine that has it."""

from __future__ import annotations

from collections import Counter
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError, Relaxation, SiteNoise
from qwicket.circuits.qubit import Branch, Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.engines.qubit import engine as engines
from qwicket.engines.qubit.density_engine import DensityEngine
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
from qwicket.engines.qubit.state_vectors import StateVectorEngine
from qwicket.engines.qubit.tasks import Engine
from support import qubit_math
from support.noise_examples import GATES, MIXED, MODELS, PAULIS, cx, model, models, x
from support.qubit_math import assert_follows

pytestmark = pytest.mark.extended

ON_NUMPY, ON_QULACS = StateVectorEngine(NumpySimulator()), StateVectorEngine(QulacsSimulator())
ENGINES: tuple[Engine, ...] = (ON_NUMPY, ON_QULACS, DensityEngine())
on_each = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
SHOTS = 100_000


def counts(
    engine: Engine, circuit: QubitCircuit, noise: NoiseModel, shots: int = SHOTS
) -> dict[int, int]:
    return qubit_math.run_with(engine, circuit, shots, 3, ("counts",), noise).counts()


# --- reference numbers from formulas --------------------------------------------------------------

BELL = qubit_math.measured(2, [Gate("h", (0,)), cx(0, 1)])


@on_each
def test_reference_d_bell_with_depolarizing(engine: Engine) -> None:
    """P(01) = P(10) = 4p/15."""
    found = counts(engine, BELL, model(two_qubit=GateNoise(depolarizing=0.1)), 1_000_000)
    odd = 0.4 / 15
    assert (round(odd, 6), round(0.5 - odd, 6)) == (0.026667, 0.473333)
    assert_follows(found, {0: 0.5 - odd, 1: odd, 2: odd, 3: 0.5 - odd}, 1_000_000)


@on_each
def test_reference_d_with_flipped_read_out(engine: Engine) -> None:
    error = ReadoutError(one_for_zero=0.02, zero_for_one=0.02)
    noise = model(two_qubit=GateNoise(depolarizing=0.1), readout=error)
    expected = {0: 0.455824, 1: 0.044176, 2: 0.044176, 3: 0.455824}
    assert_follows(counts(engine, BELL, noise, 1_000_000), expected, 1_000_000)


@on_each
@pytest.mark.parametrize(("n_qubits", "p"), [(3, 0.1), (5, 0.3)])
def test_reference_e_ghz_depolarized_at_the_end(engine: Engine, n_qubits: int, p: float) -> None:
    """P(0…0) = ½[(1 - 2p/3)^n + (2p/3)^n]; an `id` on each qubit carries the noise."""
    ghz = [Gate("h", (0,)), *(cx(q, q + 1) for q in range(n_qubits - 1))]
    last = [Gate("id", (q,)) for q in range(n_qubits)]
    circuit = qubit_math.measured(n_qubits, [*ghz, *last])
    found = counts(engine, circuit, model(gates={"id": GateNoise(depolarizing=p)}))
    f = 2 * p / 3
    expected = {}
    for key in range(1 << n_qubits):
        ones = key.bit_count()
        one_way = (1 - f) ** (n_qubits - ones) * f**ones
        expected[key] = (one_way + (1 - f) ** ones * f ** (n_qubits - ones)) / 2
    assert expected[0] == pytest.approx(((1 - f) ** n_qubits + f**n_qubits) / 2)
    assert_follows(found, expected, SHOTS)


# --- IonQ's model ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("r", "n_qubits"), [(0.0005, 1), (0.0133, 2)])
def test_ionqs_rates_as_total_probabilities(r: float, n_qubits: int) -> None:
    """ρ → (1-r)ρ + r·1/d is the depolarizing channel with p = r (d² - 1)/d²."""
    d = 2**n_qubits
    p = r * (d * d - 1) / (d * d)
    gates = qubit_math.scrambling(n_qubits)
    state = qubit_math.amplitudes(n_qubits, gates)
    rho = state[:, None] * state.conj()[None, :]
    kraus = qubit_math.depolarizing(p, n_qubits)
    found = sum(each @ rho @ each.conj().T for each in kraus)
    assert abs(found - ((1 - r) * rho + r * qubit_math.string("I" * n_qubits) / d)).max() < 1e-15
    weights = [abs(each[0]).max() ** 2 for each in kraus]
    if n_qubits == 1:
        assert weights == pytest.approx([1 - 3 * r / 4] + [r / 4] * 3)
    else:
        assert weights == pytest.approx([1 - 15 * r / 16] + [r / 16] * 15)


@on_each
def test_aria_on_a_chain_of_native_gates(engine: Engine) -> None:
    """Each rxx mixes its pair with 1/d at rate r: 12 of them keep (1-r)^12 of what is ideal.

    The rest is uniform, as a maximally mixed pair stays mixed; one-qubit noise is left out.
    """
    r = 0.0133
    noise = model(two_qubit=GateNoise(depolarizing=15 * r / 16))
    turns = [Gate("ms", (0, 1), (0.0, 0.0, 0.2))] * 12
    circuit = qubit_math.measured(2, [Gate("ry", (0,), (0.4,)), *turns])
    ideal = qubit_math.exact(circuit)
    kept = (1 - r) ** 12
    expected = {key: kept * ideal.get(key, 0) + (1 - kept) / 4 for key in range(4)}
    assert_follows(counts(engine, circuit, noise), expected, SHOTS)


# --- each channel against its formula -------------------------------------------------------------


@on_each
def test_depolarizing_strikes_with_its_total_probability(engine: Engine) -> None:
    """X and Y flip a bit, Z does not: two thirds of p."""
    circuit = qubit_math.measured(1, [x(0)])
    found = counts(engine, circuit, model(GateNoise(depolarizing=0.3)))
    assert_follows(found, {0: 0.2, 1: 0.8}, SHOTS)


@on_each
def test_certain_depolarizing_leaves_the_identity_out(engine: Engine) -> None:
    """p = 1 is allowed: every Pauli but the identity, one of three each."""
    circuit = qubit_math.measured(1, [x(0)])
    found = counts(engine, circuit, model(GateNoise(depolarizing=1.0)))
    assert_follows(found, {0: 2 / 3, 1: 1 / 3}, SHOTS)


@on_each
def test_amplitude_damping_lets_one_decay(engine: Engine) -> None:
    """γ after each of five gates: 1 is left with probability (1-γ)^5; 0 stays."""
    gates = [x(0), *[Gate("id", (0,))] * 4, Gate("id", (1,))]
    found = counts(engine, qubit_math.measured(2, gates), model(GateNoise(amplitude_damping=0.2)))
    assert_follows(found, {1: 0.8**5, 0: 1 - 0.8**5}, SHOTS)


@on_each
def test_amplitude_damping_shrinks_what_is_off_the_diagonal(engine: Engine) -> None:
    """√(1-γ) on ⟨X⟩: H, damping, H again without noise."""
    gates = [Gate("h", (0,)), Gate("id", (0,)), Gate("h", (0,))]
    noise = model(gates={"id": GateNoise(amplitude_damping=0.36)})
    found = counts(engine, qubit_math.measured(1, gates), noise)
    assert_follows(found, {0: (1 + 0.8) / 2, 1: (1 - 0.8) / 2}, SHOTS)


@on_each
def test_phase_damping_shrinks_what_is_off_the_diagonal(engine: Engine) -> None:
    """√(1-λ) on ⟨X⟩."""
    gates = [Gate("h", (0,)), Gate("id", (0,)), Gate("h", (0,))]
    noise = model(gates={"id": GateNoise(phase_damping=0.36)})
    found = counts(engine, qubit_math.measured(1, gates), noise)
    assert_follows(found, {0: 0.9, 1: 0.1}, SHOTS)


@on_each
def test_read_out_errors_are_each_qubits_own(engine: Engine) -> None:
    noise = model(
        readout=ReadoutError(one_for_zero=0.1, zero_for_one=0.3),
        readout_of={2: ReadoutError(one_for_zero=0.5), 9: ReadoutError(zero_for_one=1.0)},
    )
    circuit = qubit_math.measured(3, [x(0), Gate("t", (1,)), Gate("t", (2,))])
    found = counts(engine, circuit, noise)
    expected = {
        key: (0.7 if key & 1 else 0.3) * (0.1 if key & 2 else 0.9) * 0.5 for key in range(8)
    }
    assert_follows(found, expected, SHOTS)


def test_idle_qubits_are_read_wrong_too() -> None:
    """Qubit 40 is touched by nothing; its number counts."""
    noise = model(readout_of={40: ReadoutError(one_for_zero=0.25)})
    circuit = qubit_math.measured(50, [Gate("t", (3,))])
    found = qubit_math.run(circuit, SHOTS, noise=noise).counts()
    assert_follows(found, {0: 0.75, 1 << 40: 0.25}, SHOTS)


def test_exceptions_go_by_name_and_controls() -> None:
    noise = model(
        GateNoise(depolarizing=0.9),
        GateNoise(depolarizing=0.9),
        gates={"x": GateNoise(), "cx": GateNoise(phase_damping=0.1), "rz": GateNoise()},
    )
    assert qubit_math.task(qubit_math.measured(1, [x(0)]), noise=noise).noise is None
    controlled = qubit_math.task(qubit_math.measured(2, [cx(0, 1)]), noise=noise)
    assert controlled.noise is not None
    flip = (1 - 0.9**0.5) / 2
    flips = [
        (error.qubits, error.probability) for error in controlled.noise.after(cx(0, 1)).pauli_errors
    ]
    assert [qubits for qubits, _ in flips] == [(1,), (0,)]
    assert [p for _, p in flips] == pytest.approx([flip, flip])
    (error,) = controlled.noise.after(Gate("z", (0,))).pauli_errors
    assert (error.probability, error.is_depolarizing) == (0.9, True)


def test_global_phase_touches_no_qubit() -> None:
    noise = model(GateNoise(depolarizing=0.9), GateNoise(depolarizing=0.9))
    assert (
        qubit_math.task(qubit_math.measured(1, [Gate("gphase", (), (1.0,))]), noise=noise).noise
        is None
    )
    phase = Gate("gphase", (), (1.0,), (0,))
    assert qubit_math.task(qubit_math.measured(1, [phase]), noise=noise).noise is not None


# --- any circuit ----------------------------------------------------------------------------------

MIDWAY = QubitCircuit(
    3,
    (
        *GATES[:11],
        *(Measure(1, 0), Branch((0,), "==", "1", 2), Gate("ry", (0,), (0.9,)), cx(0, 2)),
        *(Reset(1), cx(2, 1), Measure(2, 1), Gate("h", (2,)), Branch((0, 1), "<", "3", 1), x(1)),
        *(Measure(qubit, 2 + qubit) for qubit in range(3)),
    ),
    (Register("c", 5),),
)


@on_each
@pytest.mark.parametrize("noise", MODELS.values(), ids=MODELS)
def test_noisy_circuit_follows_its_density_matrix(engine: Engine, noise: NoiseModel) -> None:
    """Three qubits, a gate on three of them, every kind of noise."""
    circuit = qubit_math.measured(3, GATES)
    assert_follows(counts(engine, circuit, noise, 10_000), qubit_math.exact(circuit, noise), 10_000)


@pytest.mark.parametrize("engine", [ON_NUMPY, ON_QULACS], ids=lambda engine: engine.name)
@pytest.mark.parametrize("noise", MODELS.values(), ids=MODELS)
def test_noise_on_the_way_follows_its_density_matrix(engine: Engine, noise: NoiseModel) -> None:
    assert_follows(counts(engine, MIDWAY, noise, 10_000), qubit_math.exact(MIDWAY, noise), 10_000)


@given(
    models, st.lists(st.sampled_from([*MIDWAY.ops[:-3], *GATES]), max_size=10), st.integers(0, 99)
)
@settings(max_examples=60)
def test_any_noise_follows_its_density_matrix(noise: NoiseModel, ops: list[Op], seed: int) -> None:
    circuit = qubit_math.measured(3, ops)
    expected = qubit_math.exact(circuit, noise)
    task = qubit_math.task(circuit, 2_000, seed, ("counts", "memory"), noise)
    suited: list[Engine] = [engines.choose(task), ON_QULACS]
    if task.noise and task.program.is_straight:
        suited.append(DensityEngine())
    for engine in suited:
        outcome = qubit_math.outcome(circuit, engine.run(task))
        assert_follows(outcome.counts(), expected, 2_000)
        assert Counter(outcome.memory()) == outcome.counts()


def test_a_model_knows_qubits_by_their_numbers_in_the_circuit() -> None:
    """Only qubits 40 and 41 of 50 are used; the pair's X strikes with two thirds of p."""
    pair = SiteNoise(
        qubits=(41, 40), default=GateNoise(), gates={"cx": GateNoise(depolarizing=1.0)}
    )
    far = SiteNoise(qubits=(0, 1), default=GateNoise(amplitude_damping=1.0))
    circuit = qubit_math.measured(50, [x(40), cx(40, 41)])
    found = qubit_math.run(circuit, SHOTS, noise=model(sites=(pair, far))).counts()
    both_ones = 3 << 40
    expected = {both_ones ^ (flips << 40): 4 / 15 for flips in (1, 2, 3)}
    assert_follows(found, {both_ones: 3 / 15, **expected}, SHOTS)


def test_idle_time_of_a_gate_flips_bits_as_t1_says() -> None:
    """A hundred gates of T1/100: (1 + e^-1)/2 of the ones are left, on stabilizers too."""
    noise = model(
        gates={"id": GateNoise(duration_s=0.01)},
        relaxation=Relaxation(t1_s=1.0, relaxes_to="mixed"),
    )
    circuit = qubit_math.measured(1, [x(0), *[Gate("id", (0,))] * 100])
    outcome = qubit_math.run(circuit, SHOTS, noise=noise)
    left = (1 + exp(-1)) / 2
    assert outcome.engine == "stim"
    assert_follows(outcome.counts(), {1: left, 0: 1 - left}, SHOTS)


@on_each
@pytest.mark.parametrize("tiny", [5e-324, 1e-323, 1e-300])
def test_noise_too_small_for_a_float_changes_nothing(engine: Engine, tiny: float) -> None:
    """Half of the smallest float is 0. All bits are read inverted, so that there is some noise."""
    noise = model(
        gates={"id": GateNoise(phase_damping=tiny), "x": GateNoise(duration_s=tiny)},
        relaxation=Relaxation(t1_s=0.1, t2_s=0.15),
        readout=ReadoutError(one_for_zero=1.0, zero_for_one=1.0),
    )
    circuit = qubit_math.measured(2, [Gate("h", (0,)), Gate("id", (0,)), Gate("h", (0,)), x(1)])
    assert counts(engine, circuit, noise, 100) == {1: 100}


# --- what comes out -------------------------------------------------------------------------------


@on_each
def test_noise_has_no_exact_probabilities(engine: Engine) -> None:
    circuit = qubit_math.measured(3, GATES)
    outcome = qubit_math.run_with(engine, circuit, 100, 1, ("probabilities",), PAULIS)
    assert outcome.notes == ("sampled_only",)
    assert outcome.probabilities() == {}
    assert sum(outcome.counts().values()) == 100


@pytest.mark.parametrize("noise", [MIXED, PAULIS], ids=["damped", "Paulis"])
def test_equal_seeds_repeat_bit_for_bit_and_others_differ(noise: NoiseModel) -> None:
    one, again, other = (
        qubit_math.run(MIDWAY, 300, seed, noise=noise).arrays for seed in (1, 1, 2)
    )
    assert one == again
    assert one["memory"] != other["memory"]


def test_walking_again_gives_what_a_copy_gives() -> None:
    engine = StateVectorEngine(QulacsSimulator(), saved_bytes=0)
    expected = qubit_math.run(MIDWAY, 300, noise=MIXED).arrays
    assert qubit_math.run_with(engine, MIDWAY, 300, noise=MIXED).arrays == expected
