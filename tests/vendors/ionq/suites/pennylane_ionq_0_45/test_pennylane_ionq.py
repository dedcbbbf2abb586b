"""pennylane-ionq 0.45.0, unmodified, speaking v0.4. Runs in the client's own environment.

It polls every 10 ms and never gives up a job that was cancelled: nothing here cancels one that it
waits for.
"""

import os
import subprocess
import sys
import warnings
from contextlib import suppress

import numpy as np
import pennylane as qml
import pennylane_ionq.api_client as api
import pytest

from support.vendors import bound, call, distance, within

URL = os.environ["QWICKET_URL"]
TOKEN = os.environ["QWICKET_TOKEN"]
SHOTS = 4_000

PREFIXES = ["/ionq/v0.4", "/v0.4"]


@pytest.fixture(autouse=True, params=PREFIXES)
def prefix(request, monkeypatch):
    monkeypatch.setattr(api.APIClient, "BASE_URL", URL + request.param)
    return request.param


def device(wires=2, kind="ionq.simulator", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return qml.device(kind, wires=wires, api_key=TOKEN, **options)


def node(function, dev, shots=SHOTS):
    return qml.set_shots(qml.QNode(function, dev), shots)


def exact(function, wires):
    p = qml.QNode(function, qml.device("default.qubit", wires=wires))()
    return dict(enumerate(map(float, p)))


def check(function, wires, **options):
    """Compare what the client sampled with an exact state vector."""
    found = dict(enumerate(map(float, node(function, device(wires, **options))())))
    expected = exact(function, wires)
    assert distance(found, expected) < bound(expected, SHOTS)


def test_a_bell_pair_comes_back():
    def bell():
        qml.Hadamard(0)
        qml.CNOT([0, 1])
        return qml.counts()

    counts = node(bell, device(), 1000)()
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1000


def test_a_parametrised_circuit_has_its_expectation():
    def circuit(t):
        qml.RX(t, wires=0)
        return qml.expval(qml.PauliZ(0))

    found = node(circuit, device(1))(0.9)
    assert abs(found - np.cos(0.9)) < 6 / np.sqrt(SHOTS)


def test_gradients_are_several_circuits_at_once():
    def circuit(t):
        qml.RY(t, wires=0)
        qml.CNOT([0, 1])
        return qml.expval(qml.PauliZ(1))

    qnode = qml.set_shots(qml.QNode(circuit, device(), diff_method="parameter-shift"), SHOTS)
    t = qml.numpy.array(0.7, requires_grad=True)
    assert abs(qml.grad(qnode)(t) + np.sin(0.7)) < 6 / np.sqrt(SHOTS)


def test_bits_are_in_pennylanes_order():
    def circuit():
        qml.PauliX(0)
        qml.Identity(2)
        return qml.probs(wires=[0, 1, 2])

    assert node(circuit, device(3), 10)()[4] == 1


@pytest.mark.parametrize("seed", range(3))
def test_random_circuits_agree_with_pennylane(seed):
    def circuit():
        rng = np.random.default_rng(seed)
        singles = [qml.RX, qml.RY, qml.RZ]
        pairs = [qml.CNOT, qml.SWAP, qml.IsingXX, qml.IsingYY, qml.IsingZZ]
        fixed = [qml.Hadamard, qml.PauliX, qml.PauliY, qml.PauliZ, qml.S, qml.T, qml.SX]
        for _ in range(30):
            a, b = rng.choice(6, 2, replace=False).tolist()
            singles[rng.integers(3)](rng.uniform(0, 6), wires=a)
            fixed[rng.integers(len(fixed))](wires=b)
            gate = pairs[rng.integers(len(pairs))]
            angles = [] if gate in (qml.CNOT, qml.SWAP) else [rng.uniform(0, 6)]
            gate(*angles, wires=[a, b])
        qml.adjoint(qml.S(0))
        qml.adjoint(qml.T(1))
        return qml.probs(wires=range(6))

    check(circuit, 6)


def test_an_evolution_agrees_with_pennylane():
    operator = qml.dot([0.3, -0.7], [qml.PauliX(0) @ qml.PauliY(1), qml.PauliZ(0) @ qml.PauliZ(1)])

    def circuit():
        qml.Hadamard(0)
        qml.RY(0.5, wires=1)
        qml.evolve(operator, 0.8)
        return qml.probs(wires=[0, 1])

    check(circuit, 2)


def test_native_gates_have_ionqs_matrices():
    """Against matrices of IonQ's document: MS is exp(-i π θ gpi ⊗ gpi), angles in turns."""
    from pennylane_ionq.ops import GPI, GPI2, MS

    def gpi(phi):
        return np.array([[0, np.exp(-2j * np.pi * phi)], [np.exp(2j * np.pi * phi), 0]])

    def gpi2(phi):
        return (np.eye(2) - 1j * gpi(phi)) / np.sqrt(2)

    def native():
        GPI2(0.1, wires=0)
        GPI(0.3, wires=1)
        MS(0.1, 0.2, 0.15, wires=[0, 1])
        GPI2(0.4, wires=0)
        return qml.probs(wires=[0, 1])

    angle = np.pi * 0.15
    ms = np.cos(angle) * np.eye(4) - 1j * np.sin(angle) * np.kron(gpi(0.1), gpi(0.2))
    state = np.kron(gpi2(0.4), np.eye(2)) @ ms @ np.kron(gpi2(0.1), gpi(0.3))[:, 0]
    expected = dict(enumerate(abs(state) ** 2))
    found = dict(enumerate(node(native, device(2, gateset="native"))()))
    assert distance(found, expected) < bound(expected, SHOTS)
    found = dict(enumerate(node(native, device(2, "ionq.qpu", gateset="native"))()))
    assert distance(found, expected) < bound(expected, SHOTS) + 0.03


def test_a_debiased_circuit_on_a_twin_is_sharpened():
    def bell():
        qml.Hadamard(0)
        qml.CNOT([0, 1])
        return qml.counts()

    options = {"error_mitigation": {"debiasing": True}, "sharpen": True}
    counts = node(bell, device(2, "ionq.qpu", **options), 500)()
    assert set(counts) <= {"00", "11"}


def test_noise_with_a_seed_repeats():
    def circuit():
        for _ in range(20):
            qml.CNOT([0, 1])
        return qml.probs(wires=[0, 1])

    jobs = []
    for _ in range(2):
        dev = device(2, noise_model="aria-1", noise_seed=5)
        node(circuit, dev, 500)()
        jobs.append(dev.histograms)
    assert jobs[0] == jobs[1]
    assert len(jobs[0][0]) > 1


def test_a_dry_run_ends_without_results():
    def circuit():
        qml.PauliX(0)
        return qml.counts()

    dev = device(2, dry_run=True, job_name="dry")
    with within(), suppress(Exception):  # there is nothing to sample, and the client says so
        node(circuit, dev, 10)()
    newest = call("GET", "/jobs?limit=1")["jobs"][0]
    assert (newest["name"], newest["dry_run"], newest["results"]) == ("dry", True, None)


def job(token=TOKEN):
    return api.Job(api_key=token)


def test_a_job_is_read_by_its_id_from_a_fresh_process(prefix):
    made = job()
    made.manager.create(
        type="ionq.circuit.v1",
        backend="simulator",
        shots=10,
        input={"qubits": 1, "gateset": "qis", "circuit": [{"gate": "x", "target": 0}]},
    )
    script = f"""
import time, pennylane_ionq.api_client as api
api.APIClient.BASE_URL = {URL + prefix!r}
job = api.Job(api_key={TOKEN!r})
job.manager.get(resource_id={made.id.value!r})
while not job.is_complete:
    time.sleep(0.01)
    job.reload()
print(job.data.value)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "{'1': 1.0}", done.stderr


def refused(word, token=TOKEN, **fields):
    body = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": 10}
    body["input"] = {"qubits": 1, "gateset": "qis", "circuit": [{"gate": "x", "target": 0}]}
    with within(), pytest.raises(Exception, match=word):
        job(token).manager.create(**{**body, **fields})


def test_refusals_end_at_once():
    refused("token", token="qw_wrong")
    refused("shots", shots=1_000_001)
    refused("backend", backend="qpu.none")
    refused("nogate", input={"qubits": 1, "circuit": [{"gate": "nogate", "target": 0}]})
    refused("qubits", input={"qubits": 40, "circuit": [{"gate": "x", "target": 0}]})
    with within(), pytest.raises(Exception, match="no such job"):
        job().manager.get(resource_id="0d7c2f5e-1111-4222-8333-444455556666")
