"""Expected fidelities, against numbers that the table of `circuits.fidelity` gives by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from math import exp
from typing import Any

import pytest

from qwicket.circuits import twins
from qwicket.circuits.calibrations import Calibration, GateFigures, QubitFigures
from qwicket.circuits.estimation import estimation
from qwicket.circuits.fidelity import expected_fidelity
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.qubit import (
    Branch,
    Gate,
    Measure,
    Op,
    Pauli,
    QubitCircuit,
    Readout,
    Readouts,
    Register,
    Reset,
)
from support.for_each import for_each

H, X1 = Gate("h", (0,)), Gate("x", (1,))
CX = Gate("x", (1,), (), (0,))
CCX = Gate("x", (2,), (), (0, 1))
BOTH = (Measure(0, 0), Measure(1, 1))


def qubit(t1_s: float, t2_s: float) -> QubitFigures:
    return QubitFigures(t1_s=t1_s, t2_s=t2_s, one_for_zero=0.01, zero_for_one=0.03)


def twin() -> NoiseModel:
    calibration = Calibration(
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        source="a test",
        qubit=qubit(100e-6, 80e-6),
        one_qubit=GateFigures(error=0.001, duration_s=40e-9),
        two_qubit=GateFigures(error=0.01, duration_s=300e-9),
        qubits={2: qubit(50e-6, 90e-6)},
    )
    return twins.noise(calibration, 3, (), "twin")


def circuit(*ops: Op, **others: Any) -> QubitCircuit:
    return QubitCircuit(3, ops, (Register("c", 2),), **others)


def fidelity(*ops: Op, model: NoiseModel | None = None, **others: Any) -> float:
    return expected_fidelity([circuit(*ops, **others)], model or twin())


READ = 0.98
"""1 - (0.01 + 0.03)/2."""
# A calibrated two-qubit gate has the process fidelity 1 - 0.01·5/4; a Toffoli counts as two of them
# on each pair of its qubits, and its duration is that of all.
TOFFOLI = ((4 * (1 - 0.01 * 5 / 4) ** 2 + 1) / 5) ** 3
CASES: dict[str, tuple[tuple[Op, ...], float]] = {
    "gates and readouts": ((H, CX, *BOTH), 0.999 * 0.99 * READ**2),
    "a change of frame is exact": ((Gate("rz", (0,), (0.1,)), H), 0.999),
    # Qubit 1 waits for two gates of 40 ns, in its T2 of 80 µs.
    "a qubit waits": ((X1, H, H, H, CX), 0.999**4 * 0.99 * exp(-0.001)),
    "a qubit without a gate does not wait": ((H, H, CX), 0.999**2 * 0.99),
    # Of qubit 2, T1 is shorter than T2.
    "the shorter lifetime counts": (
        (Gate("x", (2,)), Gate("delay", (2,), (5e-6,))),
        0.999 * exp(-0.1),
    ),
    "a delay comes before the next gate of another qubit": (
        (X1, H, Gate("delay", (0,), (8e-6,)), CX),
        0.999**2 * 0.99 * exp(-0.2),
    ),
    "a gate on three qubits": ((CCX,), TOFFOLI),
    "a gate after one on three qubits": (
        (Gate("x", (0,)), CCX, H),
        0.999**2 * TOFFOLI,
    ),
    "what is skipped counts": ((H, Branch((0,), "==", "1", 1), H, Reset(0)), 0.999**2),
    "no gate": ((), 1.0),
}


@for_each("name", CASES)
def test_the_fidelity_of(name: str) -> None:
    ops, expected = CASES[name]
    assert fidelity(*ops) == pytest.approx(expected, rel=1e-9)


def test_the_mean_over_circuits_and_over_the_runs_of_an_estimation_counts() -> None:
    both = [circuit(H), circuit(H, CX)]
    assert expected_fidelity(both, twin()) == pytest.approx(0.999 * 1.99 / 2)
    assert expected_fidelity(both, twin(), max_ops=1) == pytest.approx(0.999)
    assert expected_fidelity(both, twin(), max_ops=2) == pytest.approx(0.999 * 1.99 / 2)
    # Two groups, of X and of Z, each in a run that at most turns the qubit by rz and sx.
    two = estimation([((Pauli("X", (0,)), 1.0),), ((Pauli("Z", (0,)), 1.0),)], 2)
    assert fidelity(H, estimation=two) == pytest.approx(0.999 * 0.999 * READ)


def test_quantities_that_are_computed_from_shots_are_read_out() -> None:
    exact, sampled = (
        Readouts(shots, (Readout("probability", (0,)),), ((0, 0),) if shots else ())
        for shots in (0, 10)
    )
    assert fidelity(H, readouts=exact) == pytest.approx(0.999)
    assert fidelity(H, readouts=sampled) == pytest.approx(0.999 * READ)


def test_a_noise_model_without_a_calibration_has_average_fidelities_too() -> None:
    # By hand: three Paulis with 0.3 in all reduce the process fidelity to 0.7, so (2·0.7 + 1)/3.
    model = NoiseModel(
        name="m",
        source="a test",
        one_qubit=GateNoise(depolarizing=0.3),
        gates={"x": GateNoise(amplitude_damping=0.36), "z": GateNoise(phase_damping=0.36)},
        readout_of={1: ReadoutError(one_for_zero=0.1)},
    )
    assert fidelity(H, *BOTH, model=model) == pytest.approx(0.8 * 0.95)
    # √(1 - 0.36) = 0.8: the process fidelities are ((1 + 0.8)/2)² and (1 + 0.8)/2.
    assert fidelity(X1, model=model) == pytest.approx((2 * 0.81 + 1) / 3)
    assert fidelity(Gate("z", (0,)), model=model) == pytest.approx((2 * 0.9 + 1) / 3)


def test_a_fidelity_too_small_for_a_number_is_zero() -> None:
    assert fidelity(*[CX] * 6_000) == 0.0
    wrong = NoiseModel(
        name="m", source="a test", readout=ReadoutError(one_for_zero=1, zero_for_one=1)
    )
    assert fidelity(H, *BOTH, model=wrong) == 0.0
