"""iqm-client 36.0.0, unmodified, by its Cirq path. Runs in the client's own environment."""

import os

import cirq
import numpy as np
import pytest
from iqm.cirq_iqm.iqm_sampler import IQMSampler

from support.vendors import bound, distance

URL = os.environ["QWICKET_URL"]
SHOTS = 2_000
Q = cirq.NamedQubit.range(6, prefix="q")


@pytest.fixture(scope="module")
def simulator():
    return IQMSampler(URL, quantum_computer="simulator", token=os.environ["QWICKET_TOKEN"])


@pytest.fixture(scope="module")
def garnet():
    return IQMSampler(URL, quantum_computer="garnet", token=os.environ["QWICKET_TOKEN"])


def ghz(n):
    steps = [cirq.CNOT(Q[k], Q[k + 1]) for k in range(n - 1)]
    return cirq.Circuit(cirq.H(Q[0]), steps)


def fitted(sampler, circuit):
    device = sampler.device
    routed, _, _ = device.route_circuit(device.decompose_circuit(circuit))
    return device.decompose_circuit(routed)


def probabilities(circuit, n):
    state = cirq.final_state_vector(circuit, qubit_order=Q[:n])
    return dict(enumerate(np.abs(state) ** 2))


@pytest.mark.parametrize(
    ("circuit", "n"),
    [
        (ghz(2), 2),
        (ghz(4), 4),
        (cirq.testing.random_circuit(Q[:4], 12, 0.9, random_state=5), 4),
    ],
    ids=["bell", "ghz", "random"],
)
def test_a_circuit_has_the_probabilities_of_its_matrix(simulator, circuit, n):
    exact = probabilities(circuit + cirq.Circuit(cirq.I.on_each(*Q[:n])), n)
    measured = circuit + cirq.Circuit(cirq.measure(*Q[:n], key="m"))
    counts = simulator.run(fitted(simulator, measured), repetitions=SHOTS).histogram(key="m")
    found = {key: number / SHOTS for key, number in counts.items()}
    assert distance(found, exact) < bound(exact, SHOTS)


def test_a_machine_runs_what_is_routed_on_its_pairs(garnet):
    measured = ghz(4) + cirq.Circuit(cirq.measure(*Q[:4], key="m"))
    counts = garnet.run(fitted(garnet, measured), repetitions=SHOTS).histogram(key="m")
    assert 0.5 < (counts[0] + counts[15]) / SHOTS < 0.95


def test_each_key_has_its_own_bits_and_a_sweep_is_one_job(simulator):
    import sympy

    angle = sympy.Symbol("angle")
    device = simulator.device
    a, b = device.qubits[:2]
    gate = cirq.PhasedXPowGate(phase_exponent=0, exponent=angle)
    circuit = cirq.Circuit(gate(a), cirq.measure(a, key="a"), cirq.measure(b, a, key="ba"))
    circuit.iqm_calibration_set_id = device.metadata.architecture.calibration_set_id
    results = simulator.run_sweep(circuit, cirq.Points("angle", [0, 1]), repetitions=10)
    assert [each.measurements["a"].tolist() for each in results] == [[[0]] * 10, [[1]] * 10]
    assert [each.measurements["ba"].tolist() for each in results] == [[[0, 0]] * 10, [[0, 1]] * 10]
    assert len({each.metadata.job_id for each in results}) == 1


def test_a_measurement_steers_a_gate(simulator):
    a, b = simulator.device.qubits[:2]
    flip = cirq.PhasedXPowGate(phase_exponent=0)
    circuit = cirq.Circuit(
        (flip**0.5)(a),
        cirq.measure(a, key="first"),
        flip(b).with_classical_controls("first"),
        cirq.measure(b, key="second"),
    )
    result = simulator.run(circuit, repetitions=SHOTS)
    first, second = (result.measurements[key][:, 0] for key in ("first", "second"))
    assert (first == second).all()
    half = {0: 0.5, 1: 0.5}
    found = {0: 1 - first.mean(), 1: first.mean()}
    assert distance(found, half) < bound(half, SHOTS)
