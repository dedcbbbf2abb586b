"""The format `ahs`: analog programs of Rydberg atoms, held to a formula and to an integrator."""

from __future__ import annotations

import json
import time
from math import cos, pi, sqrt
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from scipy.integrate import solve_ivp

from qwicket import programs
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.engines import atoms
from qwicket.engines.atoms.engine import probabilities
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.braket.ahs import C6
from support.for_each import for_each

OMEGA = 2 * pi * 1e6


def field(values: list[Any], times: list[Any] | None = None) -> dict[str, Any]:
    times = times or [k * 1e-6 for k in range(len(values))]
    return {
        "time_series": {"values": [str(v) for v in values], "times": [str(t) for t in times]},
        "pattern": "uniform",
    }


def program(
    n_atoms: int = 1,
    spacing: float = 6e-6,
    amplitude: dict[str, Any] | None = None,
    detuning: dict[str, Any] | None = None,
    phase: dict[str, Any] | None = None,
) -> dict[str, Any]:
    drive = {
        "amplitude": amplitude or field([OMEGA, OMEGA]),
        "phase": phase or field([0, 0]),
        "detuning": detuning or field([0, 0]),
    }
    return {
        "register": {
            "sites": [[str(k * spacing), "0"] for k in range(n_atoms)],
            "filling": [1] * n_atoms,
        },
        "hamiltonian": {"drivingFields": [drive], "localDetuning": []},
    }


def found(document: Any) -> Any:
    checked = programs.read("ahs", json.dumps(document).encode(), Limits())
    (circuit,) = atoms.unpack(checked.circuits)
    return probabilities(circuit)


def test_a_constant_field_is_one_gate_and_rabis_formula() -> None:
    """p = Ω²/(Ω² + Δ²) sin²(√(Ω² + Δ²) t/2): Rabi, Phys. Rev. 51, 652 (1937)."""
    delta, lasting = 0.7 * OMEGA, 0.31e-6
    document = program(
        amplitude=field([OMEGA, OMEGA], [0, lasting]),
        detuning=field([delta, delta], [0, lasting]),
        phase=field([1.3, 1.3], [0, lasting]),
    )
    whole = sqrt(OMEGA**2 + delta**2)
    expected = OMEGA**2 / whole**2 * (1 - cos(whole * lasting)) / 2
    assert found(document)[1] == pytest.approx(expected, abs=1e-12)
    checked = programs.read("ahs", json.dumps(document).encode(), Limits())
    assert len(atoms.unpack(checked.circuits)[0].gates) == 1


@pytest.mark.parametrize(("n_atoms", "spacing"), [(2, 9e-6), (3, 5.5e-6), (4, 6.5e-6)])
def test_a_sweep_agrees_with_an_integrator(n_atoms: int, spacing: float) -> None:
    times = [0, 1e-6, 3e-6, 4e-6]
    rabi, chirp = [0, 1.58e7, 1.58e7, 0], [-3e7, -3e7, 3e7, 3e7]
    document = program(
        n_atoms,
        spacing,
        amplitude=field(rabi, times),
        detuning=field(chirp, times),
        phase=field([0, 0], [0, 4e-6]),
    )
    flip, excited = np.array([[0, 1], [1, 0]]) / 2, np.diag([0.0, 1.0])

    def on(operator: Any, *wires: int) -> Any:
        whole = np.eye(1)
        for wire in range(n_atoms):
            whole = np.kron(whole, operator if wire in wires else np.eye(2))
        return whole

    drive = sum(on(flip, k) for k in range(n_atoms))
    number = sum(on(excited, k) for k in range(n_atoms))
    blockade = sum(
        C6 / (spacing * (j - i)) ** 6 * on(excited, i, j)
        for i in range(n_atoms)
        for j in range(i + 1, n_atoms)
    )

    def slope(t: float, state: Any) -> Any:
        hamiltonian = np.interp(t, times, rabi) * drive - np.interp(t, times, chirp) * number
        return -1j * ((hamiltonian + blockade) @ state)

    start = np.eye(2**n_atoms)[0].astype(complex)
    end = solve_ivp(slope, (0, 4e-6), start, rtol=1e-8, atol=1e-9).y[:, -1]
    assert np.abs(found(document).ravel() - np.abs(end) ** 2).max() < 1e-4


def test_its_shots_are_those_of_the_job() -> None:
    checked = programs.read("ahs", json.dumps(program(2)).encode(), Limits())
    (circuit,) = atoms.unpack(checked.circuits)
    options = RunOptions(shots=7, seed=1, outputs=("samples",))
    outcome = atoms.run(circuit, options, 0)
    assert isinstance(outcome, Outcome)
    assert len(outcome.samples()) == 7
    more = structs.replace(options, shots=1_000_000)
    few, many = (atoms.estimate(checked.summary, each) for each in (options, more))
    assert many.bytes > few.bytes
    assert many.seconds > few.seconds


def changed(path: str, value: Any) -> dict[str, Any]:
    document = program(3)
    inner: Any = document
    *way, last = path.split(".")
    for key in way:
        inner = inner[int(key) if key.isdigit() else key]
    inner[last] = value
    return document


DRIVE = "hamiltonian.drivingFields.0"


@for_each(
    "path, value, why",
    [
        ("register.sites", [], "1 to 5 places"),
        ("register.sites", [["0", "0"]] * 6, "1 to 5 places"),
        ("register.sites", [["0", "0", "0"]], "in the plane"),
        ("register.sites", [["0", "0"]] * 3, "equal distances"),
        ("register.sites", [["0", "0"], ["6e-6", "0"], ["6e-6", "6e-6"]], "straight chain"),
        ("register.sites", [["0", "0"], ["x", "0"]], "must be numbers"),
        ("register.sites", [["0", "0"], ["nan", "0"]], "must be numbers"),
        ("register.sites", [["0", "0"], ["1e-300", "0"]], "from 1e-30 to 1e30 in absolute"),
        ("register.filling", [1, 0, 1], "filling"),
        ("hamiltonian.drivingFields", [], "one field"),
        ("hamiltonian.localDetuning", [{"magnitude": {}}], "localDetuning"),
        ("hamiltonian.shiftingFields", [{"magnitude": {}}], "shiftingFields"),
        (f"{DRIVE}.amplitude", field(["x", 0]), "amplitude.time_series.values must be numbers"),
        (f"{DRIVE}.amplitude.pattern", ["0.5", "1"], "uniform"),
        (f"{DRIVE}.phase", field([0, 1]), "must be constant"),
        (f"{DRIVE}.detuning", field([0, 0], [0, 2e-6]), "end at different times"),
        (f"{DRIVE}.detuning", field([0, 0], [1e-6, 0]), "rise from 0"),
        (f"{DRIVE}.detuning", field([0], [0]), "two at least"),
        (f"{DRIVE}.amplitude", field([1e29, 1e29]), "energies times time"),
        ("register", 7, "must be an object"),
    ],
)
def test_what_the_chain_cannot_express_is_refused_by_place(path: str, value: Any, why: str) -> None:
    with pytest.raises(InvalidProgram) as refusal:
        found(changed(path, value))
    assert why in refusal.value.detail


def test_steps_count_as_operations() -> None:
    document = program(3, amplitude=field([0, 1e20]))
    with pytest.raises(LimitExceeded, match="operations"):
        found(document)


def test_inputs_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        programs.read("ahs", json.dumps(program()).encode(), Limits(), {"theta": 1.0})


def test_a_long_program_is_read_in_a_moment() -> None:
    times = [k * 1e-9 for k in range(50_000)]
    values = [1e3 * (k % 2) for k in range(50_000)]
    long = program(2, amplitude=field(values, times), detuning=field(values, times))
    long["hamiltonian"]["drivingFields"][0]["phase"] = field([0, 0], [0, times[-1]])
    began = time.process_time()
    checked = programs.read("ahs", json.dumps(long).encode(), Limits())
    assert checked.summary.n_ops_2q >= 49_999
    assert time.process_time() - began < 5


def test_atoms_that_nearly_coincide_are_refused_by_the_number_of_steps() -> None:
    close = program(2, amplitude=field([0, 1e30], [0, 1e-30]))
    close["register"]["sites"] = [["1e-30", "0"], ["1.0000000000000002e-30", "0"]]
    zero = field([0, 0], [0, 1e-30])
    close["hamiltonian"]["drivingFields"][0] |= {"phase": zero, "detuning": zero}
    with pytest.raises(LimitExceeded, match=r"operations: .* is above the limit of 1000000"):
        programs.read("ahs", json.dumps(close).encode(), Limits())
