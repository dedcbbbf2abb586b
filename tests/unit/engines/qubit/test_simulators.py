"""Both simulators against products of full matrices, and against each other."""

from __future__ import annotations

from itertools import product
from math import pi, sin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import unitary_group

from qwicket.circuits.qubit import Gate
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
from qwicket.engines.qubit.states import MAX_PREPARED, Simulator, evolve
from support import qubit_math

SIMULATORS = (NumpySimulator(), QulacsSimulator())
both = pytest.mark.parametrize("simulator", SIMULATORS, ids=lambda simulator: simulator.name)


def infidelity(one: np.ndarray, other: np.ndarray) -> float:
    """1 - |⟨one|other⟩|²: blind to a global phase, to which outcomes are blind too."""
    return float(abs(1 - abs(np.vdot(one, other)) ** 2))


def probabilities(simulator: Simulator, n_qubits: int, gates: list[Gate]) -> list[float]:
    """Exact probabilities by the whole engine, one per key, in key order."""
    circuit = qubit_math.measured(n_qubits, gates)
    outcome = qubit_math.run_on(simulator, circuit, 1, 0, ("probabilities",))
    found = outcome.probabilities()
    return [found.get(key, 0.0) for key in range(1 << n_qubits)]


@both
def test_gate_acts_as_its_matrix_wherever_its_qubits_are(
    subtests: pytest.Subtests, simulator: Simulator
) -> None:
    for name, n_targets, params in qubit_math.EXAMPLES:
        with subtests.test(name):
            places = ((3, 0, 4, 1), (1, 4, 2, 0), (0, 1, 2, 3))
            for n_controls, qubits in product(range(3), places):
                targets, controls = qubits[:n_targets], qubits[n_targets : n_targets + n_controls]
                gates = [*qubit_math.scrambling(5), Gate(name, targets, params, controls)]
                state = qubit_math.evolved(simulator, 5, gates)
                assert infidelity(qubit_math.vector(state), qubit_math.amplitudes(5, gates)) < 1e-13


@both
@pytest.mark.parametrize("n_controls", [0, 1, 2])
@pytest.mark.parametrize("n_targets", [1, 2, 3])
def test_matrix_acts_on_its_targets_the_first_of_which_is_most_significant(
    simulator: Simulator, n_controls: int, n_targets: int
) -> None:
    matrix = unitary_group.rvs(1 << n_targets, random_state=n_targets)
    for qubits in ((3, 0, 4, 1, 2), (1, 4, 2, 0, 3), (0, 1, 2, 3, 4)):
        targets, controls = qubits[:n_targets], qubits[n_targets : n_targets + n_controls]
        gates = [*qubit_math.scrambling(5), qubit_math.dense(matrix, targets, controls)]
        state = qubit_math.evolved(simulator, 5, gates)
        assert infidelity(qubit_math.vector(state), qubit_math.amplitudes(5, gates)) < 1e-13


def test_numpy_keeps_even_the_global_phase() -> None:
    for name, n_targets, params in qubit_math.EXAMPLES:
        gates = [*qubit_math.scrambling(3), Gate(name, (2, 0)[:n_targets], params)]
        state = qubit_math.vector(qubit_math.evolved(NumpySimulator(), 3, gates))
        assert np.abs(state - qubit_math.amplitudes(3, gates)).max() < 1e-14, name


@both
def test_qubit_zero_is_the_lowest_bit(simulator: Simulator) -> None:
    assert probabilities(simulator, 3, [Gate("x", (0,))])[0b001] == pytest.approx(1)
    assert probabilities(simulator, 3, [Gate("x", (2,))])[0b100] == pytest.approx(1)
    flipped = [Gate("x", (1,)), Gate("x", (2,), (), (1,))]
    assert probabilities(simulator, 3, flipped)[0b110] == pytest.approx(1)


@both
def test_control_and_target_are_not_exchanged(simulator: Simulator) -> None:
    on, flip = Gate("x", (0,)), Gate("x", (1,), (), (0,))
    assert probabilities(simulator, 2, [on, flip])[0b11] == pytest.approx(1)
    assert probabilities(simulator, 2, [on, Gate("x", (0,), (), (1,))])[0b01] == pytest.approx(1)


@both
def test_flip_with_two_controls_needs_both(simulator: Simulator) -> None:
    one = [Gate("x", (0,)), Gate("x", (2,), (), (0, 1))]
    two = [Gate("x", (0,)), Gate("x", (1,)), Gate("x", (2,), (), (0, 1))]
    assert probabilities(simulator, 3, one)[0b001] == pytest.approx(1)
    assert probabilities(simulator, 3, two)[0b111] == pytest.approx(1)


# --- reference numbers ----------------------------------------------------------------------------


@both
def test_reference_a_layers_of_rotations(simulator: Simulator) -> None:
    """Confirmed there with NumPy, Qulacs and Qiskit."""
    gates = []
    for layer in range(3):
        for q in range(3):
            gates.append(Gate("ry", (q,), (0.3 + 0.2 * q + 0.1 * layer,)))
            gates.append(Gate("rx", (q,), (0.5 - 0.1 * q + 0.07 * layer,)))
        gates += [Gate("x", (t,), (), (c,)) for c, t in ((0, 1), (1, 2), (2, 0))]
    expected = [0.153732, 0.054684, 0.310856, 0.103981, 0.144541, 0.124613, 0.039221, 0.068372]
    assert probabilities(simulator, 3, gates) == pytest.approx(expected, abs=1e-6)


@both
def test_reference_b_native_gates(simulator: Simulator) -> None:
    """Confirmed there with NumPy, Qulacs and the matrices of qiskit-ionq; turns, so times 2π."""
    turns = 2 * pi
    gates = [
        Gate("gpi2", (0,), (0.1 * turns,)),
        Gate("gpi2", (1,), (0.35 * turns,)),
        Gate("ms", (0, 1), (0.05 * turns, 0.2 * turns, 0.25 * turns)),
        Gate("gpi", (1,), (0.37 * turns,)),
        Gate("gpi2", (1,), (0.2 * turns,)),
        Gate("rzz", (0, 1), (0.13 * turns,)),
        Gate("gpi2", (0,), (0.45 * turns,)),
        Gate("ms", (1, 0), (0.3 * turns, 0.15 * turns, 0.1 * turns)),
    ]
    expected = [0.265017, 0.346426, 0.370104, 0.018452]
    assert probabilities(simulator, 2, gates) == pytest.approx(expected, abs=1e-6)


def fourier(qubits: range, inverse: bool = False) -> list[Gate]:
    """|x⟩ → Σ_k e^{2πi xk/N} |k⟩ / √N (Nielsen and Chuang, section 5.1)."""
    n = len(qubits)
    gates = []
    for high in reversed(range(n)):
        gates.append(Gate("h", (qubits[high],)))
        for low in reversed(range(high)):
            angle = pi / (1 << (high - low))
            gates.append(Gate("p", (qubits[high],), (angle,), (qubits[low],)))
    gates += [Gate("swap", (qubits[i], qubits[n - 1 - i])) for i in range(n // 2)]
    if not inverse:
        return gates
    return [Gate(g.name, g.targets, tuple(-p for p in g.params), g.controls) for g in gates[::-1]]


@both
def test_reference_c_phase_estimation(simulator: Simulator) -> None:
    """P(k) = [sin(16π(0.3 - k/16)) / (16 sin(π(0.3 - k/16)))]²."""
    gates = [Gate("x", (4,)), *(Gate("h", (q,)) for q in range(4))]
    gates += [Gate("p", (4,), (2 * pi * 0.3 * (1 << q),), (q,)) for q in range(4)]
    gates += fourier(range(4), inverse=True)
    found = probabilities(simulator, 5, gates)[16:]
    for k, p in enumerate(found):
        off = 0.3 - k / 16
        assert p == pytest.approx((sin(16 * pi * off) / (16 * sin(pi * off))) ** 2, abs=1e-12)
    assert found[3:8] == pytest.approx([0.011266, 0.055148, 0.875590, 0.024764, 0.007700], abs=1e-6)


@both
@pytest.mark.parametrize("x", [0, 1, 13, 22])
def test_reference_f_fourier_is_flat_and_its_inverse_returns(simulator: Simulator, x: int) -> None:
    prepare = [Gate("x", (q,)) for q in range(5) if x >> q & 1]
    flat = probabilities(simulator, 5, [*prepare, *fourier(range(5))])
    assert flat == pytest.approx([1 / 32] * 32, abs=1e-12)
    back = [*prepare, *fourier(range(5)), *fourier(range(5), inverse=True)]
    assert probabilities(simulator, 5, back)[x] == pytest.approx(1, abs=1e-12)


# --- Qulacs against NumPy -------------------------------------------------------------------------

angles = st.floats(-7, 7, allow_nan=False).map(lambda angle: round(angle, 3))


@st.composite
def gates_on(draw: st.DrawFn, n_qubits: int) -> Gate:
    name, n_targets, params = draw(st.sampled_from(qubit_math.EXAMPLES))
    qubits = draw(st.permutations(range(n_qubits)))
    if n_targets > n_qubits:
        name, n_targets, params = "h", 1, ()
    n_controls = draw(st.integers(0, min(3, n_qubits - n_targets)))
    return Gate(
        name,
        tuple(qubits[:n_targets]),
        tuple(draw(angles) for _ in params),
        tuple(qubits[n_targets : n_targets + n_controls]),
    )


@st.composite
def random_circuits(draw: st.DrawFn) -> tuple[int, list[Gate]]:
    n_qubits = draw(st.integers(1, 6))
    return n_qubits, draw(st.lists(gates_on(n_qubits), max_size=20))


@given(random_circuits(), st.data())
@settings(max_examples=150)
def test_qulacs_and_numpy_agree_in_every_basis(
    circuit: tuple[int, list[Gate]], data: st.DataObject
) -> None:
    n_qubits, gates = circuit
    turns = [Gate("u", (q,), tuple(data.draw(angles) for _ in "abc")) for q in range(n_qubits)]
    expected, found = (
        qubit_math.evolved(simulator, n_qubits, [*gates, *turns]) for simulator in SIMULATORS
    )
    assert infidelity(qubit_math.vector(expected), qubit_math.vector(found)) < 1e-12
    assert np.abs(expected.probabilities() - found.probabilities()).max() < 1e-13


# --- Qulacs' own traps ----------------------------------------------------------------------------


def test_qulacs_state_is_not_shared_between_results() -> None:
    simulator = QulacsSimulator()
    one = qubit_math.evolved(simulator, 1, [])
    other = qubit_math.evolved(simulator, 1, [Gate("x", (0,))])
    assert one.probabilities().tolist() == [1, 0]
    assert other.probabilities().tolist() == [0, 1]


def test_qulacs_state_used_again_starts_from_zero() -> None:
    simulator = QulacsSimulator()
    for _ in range(2):
        assert qubit_math.evolved(simulator, 1, [Gate("x", (0,))]).probabilities().tolist() == [
            0,
            1,
        ]


def test_state_that_does_not_fit_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        qubit_math.evolved(QulacsSimulator(), 48, [])


@both
def test_copy_of_a_state_goes_its_own_way(simulator: Simulator) -> None:
    for n_qubits in (1, 14):
        state = simulator.zero_state(n_qubits)
        copy = state.copy()
        evolve(simulator, copy, (Gate("x", (0,)),))
        assert (state.p_one(0), copy.p_one(0)) == (0, 1)


@both
@pytest.mark.parametrize("n_qubits", [5, 13], ids=["narrow", "wide"])
@pytest.mark.parametrize("is_odd", [False, True], ids=["plain", "with pauliexp"])
def test_row_of_gates_is_applied_from_a_place_before_another(
    simulator: Simulator, n_qubits: int, is_odd: bool
) -> None:
    gates = [*qubit_math.scrambling(5), Gate("x", (1,), (), (0,)), Gate("id", (2,))]
    gates += [Gate("gphase", (), (0.3,), (4,)), Gate("ms", (3, 1), (0.1, 0.2, 0.3))]
    if is_odd:
        gates.insert(7, Gate("pauliexp", (0, 2), (0.4, 0.5), (), ("XY", "ZI")))
    prepared = simulator.prepare(n_qubits, gates)
    for start, stop in ((0, 3), (3, 3), (3, 9), (9, len(gates))):
        state = qubit_math.evolved(simulator, n_qubits, gates[:start])
        state.apply(prepared, start, stop)
        expected = qubit_math.amplitudes(5, gates[:stop])
        assert infidelity(qubit_math.vector(state)[:32], expected) < 1e-13


@both
def test_long_rows_are_prepared_in_chunks(simulator: Simulator) -> None:
    """Pairs of X change nothing. The first chunk ends within the gates after them."""
    gates = qubit_math.scrambling(3)
    pairs = [Gate("x", (0,))] * (MAX_PREPARED - 4)
    state = qubit_math.evolved(simulator, 3, [*pairs, *gates])
    assert infidelity(qubit_math.vector(state), qubit_math.amplitudes(3, gates)) < 1e-13


@both
@pytest.mark.parametrize("qubit", [0, 1, 2])
def test_scaling_is_a_diagonal_on_one_qubit(simulator: Simulator, qubit: int) -> None:
    gates = qubit_math.scrambling(3)
    state = qubit_math.evolved(simulator, 3, gates)
    state.scale(qubit, 0.5, 2.0)
    expected = qubit_math.amplitudes(3, gates)
    ones = np.arange(8) >> qubit & 1
    expected *= np.where(ones, 2.0, 0.5)
    overlap = abs(np.vdot(qubit_math.vector(state), expected))
    assert overlap == pytest.approx(np.linalg.norm(expected) ** 2)


@both
def test_probability_of_one_is_that_of_its_qubit(simulator: Simulator) -> None:
    """RY(θ)|0⟩ reads 1 with probability sin²(θ/2)."""
    angles = (0.3, 1.2, 2.9)
    gates = [Gate("ry", (qubit,), (angle,)) for qubit, angle in enumerate(angles)]
    state = qubit_math.evolved(simulator, 3, gates)
    for qubit, angle in enumerate(angles):
        assert state.p_one(qubit) == pytest.approx(sin(angle / 2) ** 2, abs=1e-14)


def test_copy_that_does_not_fit_is_a_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qulacs would end the process."""
    state = QulacsSimulator().zero_state(21)
    asked = []

    def no_room(size: int, dtype: type) -> None:
        asked.append(size)
        raise MemoryError

    monkeypatch.setattr(np, "empty", no_room)
    with pytest.raises(MemoryError):
        state.copy()
    assert asked == [16 << 21]


@both
def test_unknown_gate_cannot_run(simulator: Simulator) -> None:
    with pytest.raises(CannotRun, match="warp"):
        qubit_math.evolved(simulator, 1, [Gate("warp", (0,))])
