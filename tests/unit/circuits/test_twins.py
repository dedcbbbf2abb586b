"""From calibrations to noise: fidelities of the channels themselves, and decays in time."""

from __future__ import annotations

from datetime import UTC, datetime
from math import exp, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket import devices
from qwicket.circuits import twins
from qwicket.circuits.calibrations import Calibration, GateFigures, PairFigures, QubitFigures
from qwicket.circuits.noise import GateNoise, NoiseModel, Relaxation
from qwicket.circuits.qubit import Gate
from support import qubit_math
from support.for_each import for_each

IONS = {device.name: device.spec for device in devices.built_in()}
MS = Gate("ms", (0, 1), (0.1, 0.2, 0.3))
CX = Gate("x", (1,), (), (0,))


def qubit(t1_s: float = 80e-6, t2_s: float = 60e-6, **others: Any) -> QubitFigures:
    return QubitFigures(t1_s=t1_s, t2_s=t2_s, one_for_zero=0.01, zero_for_one=0.03, **others)


def figures(error: float, duration_s: float = 0.0) -> GateFigures:
    return GateFigures(error=error, duration_s=duration_s)


def calibration(**changes: Any) -> Calibration:
    values: dict[str, Any] = {
        "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
        "source": "a test",
        "qubit": qubit(),
        "one_qubit": figures(0.001, 35e-9),
        "two_qubit": figures(0.02, 300e-9),
    }
    return Calibration(**{**values, **changes})


def model(of: Calibration, *native: str, n_qubits: int = 3) -> NoiseModel:
    return twins.noise(of, n_qubits, native, "twin")


def fidelity(gate: Gate, noise: NoiseModel) -> float:
    """Average fidelity (d f + 1)/(d + 1) of what follows a gate on qubits 0 to k - 1."""
    dimension = 2 ** len(gate.targets + gate.controls)
    return float((dimension * qubit_math.process_fidelity(gate, noise) + 1) / (dimension + 1))


@pytest.mark.needs_vendors
@pytest.mark.parametrize("name", ["qpu.aria-1", "qpu.forte-1"])
def test_twins_of_ions_have_the_published_fidelities(name: str) -> None:
    of, spec = devices.calibrations()[name], IONS[name]
    noise = twins.noise(of, spec.qubits, spec.native_gates, name)
    native = Gate(spec.native_gates[-1], (0, 1), (0.0, 0.0, 1.0))
    assert fidelity(native, noise) == pytest.approx(1 - of.two_qubit.error, abs=1e-12)
    assert fidelity(Gate("gpi2", (0,)), noise) == pytest.approx(1 - of.one_qubit.error, abs=1e-12)


errors = st.floats(0.0, 0.3)
lifetimes = st.floats(1e-5, 1e3)


@settings(max_examples=100)
@given(
    errors,
    errors,
    st.tuples(lifetimes, st.floats(0.01, 2)),
    st.tuples(lifetimes, st.floats(0.01, 2)),
    st.floats(0, 1e-5),
    st.sampled_from(["zero", "mixed"]),
)
def test_average_infidelity_is_the_calibrated_error_unless_relaxation_exceeds_it(
    error_1: float,
    error_2: float,
    one: tuple[float, float],
    other: tuple[float, float],
    duration_s: float,
    relaxes_to: str,
) -> None:
    """What relaxation alone leaves: process fidelity (1 + 2 exp(-t/T2) + exp(-t/T1))/4 a qubit."""
    ends = [qubit(t1_s, ratio * t1_s) for t1_s, ratio in (one, other)]
    of = calibration(
        qubits=dict(enumerate(ends)),
        one_qubit=figures(error_1, duration_s),
        two_qubit=figures(error_2, duration_s),
        relaxes_to=relaxes_to,
    )
    noise = model(of, "ms")
    relaxed = [
        (1 + 2 * exp(-duration_s / end.t2_s) + exp(-duration_s / end.t1_s)) / 4 for end in ends
    ]
    most_1, most_2 = (2 * relaxed[0] + 1) / 3, (4 * prod(relaxed) + 1) / 5
    found = fidelity(Gate("h", (0,)), noise)
    assert found == pytest.approx(min(most_1, 1 - error_1), abs=1e-12)
    assert fidelity(MS, noise) == pytest.approx(min(most_2, 1 - error_2), abs=1e-12)


def test_an_error_that_no_noise_reaches_is_all_there_is() -> None:
    noise = model(calibration(one_qubit=figures(1.0), two_qubit=figures(1.0)))
    assert (noise.one_qubit.depolarizing, noise.two_qubit.depolarizing) == (1.0, 1.0)


@pytest.mark.parametrize("relaxes_to", ["zero", "mixed"])
@pytest.mark.parametrize("n_gates", [1, 7])
def test_decays_through_gates_follow_t1_and_t2(relaxes_to: Any, n_gates: int) -> None:
    """⟨1|ρ|1⟩ = exp(-nt/T1), or (1 + exp(-nt/T1))/2; off the diagonal ½ exp(-nt/T2)."""
    relaxation = Relaxation(t1_s=80e-6, t2_s=60e-6, relaxes_to=relaxes_to)
    noise = NoiseModel(
        name="", source="", one_qubit=GateNoise(duration_s=20e-6), relaxation=relaxation
    )
    one, plus = np.diag([0j, 1]), np.full((2, 2), 0.5 + 0j)
    for _ in range(n_gates):
        one = qubit_math._disturbed(1, Gate("id", (0,)), one, noise)
        plus = qubit_math._disturbed(1, Gate("id", (0,)), plus, noise)
    time = n_gates * 20e-6
    kept = exp(-time / 80e-6)
    expected = kept if relaxes_to == "zero" else (1 + kept) / 2
    assert one[1, 1].real == pytest.approx(expected, abs=1e-12)
    assert plus[0, 1] == pytest.approx(exp(-time / 60e-6) / 2, abs=1e-12)


@pytest.mark.parametrize(("t1_s", "t2_s"), [(80e-6, 60e-6), (1.0, 2.0), (100.0, 1.0), (1e-6, None)])
@pytest.mark.parametrize("duration_s", [1e-9, 35e-9, 1e-6, 1e-5])
def test_decay_is_that_of_the_formula_to_the_last_digits(
    t1_s: float, t2_s: float | None, duration_s: float
) -> None:
    """√(1-γ)√(1-λ) and, mixed, (1-f)√(1-λ) are exp(-t/T2); 1-γ and 1-2f are exp(-t/T1)."""
    by_t1 = exp(-duration_s / t1_s)
    by_t2 = exp(-duration_s / (t2_s or 2 * t1_s))
    cold = Relaxation(t1_s=t1_s, t2_s=t2_s).during(duration_s)
    hot = Relaxation(t1_s=t1_s, t2_s=t2_s, relaxes_to="mixed").during(duration_s)
    assert 1 - cold.amplitude_damping == pytest.approx(by_t1, rel=1e-14)
    assert 1 - 2 * hot.bit_flip == pytest.approx(by_t1, rel=1e-14)
    coherence = ((1 - cold.amplitude_damping) * (1 - cold.phase_damping)) ** 0.5
    assert coherence == pytest.approx(by_t2, rel=1e-13)
    assert (1 - hot.bit_flip) * (1 - hot.phase_damping) ** 0.5 == pytest.approx(by_t2, rel=1e-13)
    assert Relaxation().during(duration_s) == (0, 0, 0)


@for_each("name", ["id", "z", "s", "sdg", "t", "tdg", "rz", "p"])
def test_changes_of_frame_are_exact_and_take_no_time(name: str) -> None:
    noise = model(calibration(qubits={0: qubit()}), "ms")
    assert fidelity(Gate(name, (0,)), noise) == pytest.approx(1, abs=1e-15)


def kept(error: float, dimension: int) -> float:
    return 1 - error * (dimension + 1) / dimension


@pytest.mark.parametrize(
    ("native", "gate", "pairs", "ones"),
    [
        (("gpi", "gpi2", "ms"), MS, 1, 0),
        (("gpi", "gpi2", "ms"), Gate("rxx", (0, 1), (0.3,)), 1, 2),
        (("gpi", "gpi2", "ms"), CX, 1, 2),
        (("gpi", "gpi2", "ms"), Gate("swap", (0, 1)), 3, 6),
        (("gpi", "gpi2", "zz"), Gate("zz", (0, 1), (0.3,)), 1, 0),
        (("gpi", "gpi2", "zz"), Gate("rzz", (0, 1), (0.3,)), 1, 2),
        (("rz", "sx", "x", "cx"), CX, 1, 0),
        (("rz", "sx", "x", "cx"), Gate("swap", (0, 1)), 3, 0),
        ((), CX, 1, 0),
    ],
)
@pytest.mark.parametrize("own", [False, True], ids=["average", "a pair of its own"])
def test_gates_cost_what_the_table_says(
    native: tuple[str, ...], gate: Gate, pairs: int, ones: int, own: bool
) -> None:
    """Process fidelities multiply; without time there is no relaxation."""
    pair = PairFigures(qubits=(1, 0), error=0.03, duration_s=0)
    of = calibration(
        one_qubit=figures(0.002), two_qubit=figures(0.01), pairs=(pair,) if own else ()
    )
    expected = kept(0.03 if own else 0.01, 4) ** pairs * kept(0.002, 2) ** ones
    found = qubit_math.process_fidelity(gate, model(of, *native))
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_toffoli_costs_six_two_qubit_gates() -> None:
    """Two on each of its three pairs (Nielsen and Chuang, figure 4.9)."""
    noise = model(calibration(two_qubit=figures(0.0, 1.0), qubit=qubit(1e3, 1e3)), "cx")
    found = qubit_math.process_fidelity(Gate("x", (0,), (), (1, 2)), noise)
    lasting = 4.0  # each qubit is in two pairs, for two gates a pair
    assert found == pytest.approx(((1 + 3 * exp(-lasting / 1e3)) / 4) ** 3, abs=1e-12)


def test_qubits_and_pairs_have_their_own_figures() -> None:
    own = qubit(t1_s=40e-6, t2_s=30e-6, gate=figures(0.005, 35e-9))
    pair = PairFigures(qubits=(2, 1), error=0.06, duration_s=400e-9)
    of = calibration(qubits={0: own}, pairs=(pair,), connectivity=((0, 1), (2, 1)))
    noise = model(of, "cx")
    assert [site.qubits for site in noise.sites] == [(0,), (0, 1), (1, 2)]
    assert fidelity(Gate("x", (0,)), noise) == pytest.approx(1 - 0.005, abs=1e-12)
    assert fidelity(CX, noise) == pytest.approx(1 - 0.02, abs=1e-12)
    assert noise.relaxation_of == {0: Relaxation(t1_s=40e-6, t2_s=30e-6)}
    (worse,) = [site for site in noise.sites if site.qubits == (1, 2)]
    assert worse.gates["cx"].duration_s == 400e-9
    assert worse.gates["cx"].depolarizing > 2 * noise.gates["cx"].depolarizing
    assert (noise.readout.one_for_zero, noise.readout.zero_for_one) == (0.01, 0.03)
