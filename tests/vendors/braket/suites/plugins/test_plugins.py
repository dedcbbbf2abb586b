"""amazon-braket-pennylane-plugin and qiskit-braket-provider, unmodified.

Expected values follow from the programs: rotations by known angles, Bell pairs, basis states.
"""

import os
from math import cos, sin, sqrt

import numpy as np
import pennylane as qml
import pytest
from braket.aws import AwsDevice
from braket.circuits import Circuit
from mitiq import zne
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit_braket_provider import BraketAwsBackend, BraketProvider

SV1 = "arn:aws:braket:::device/quantum-simulator/qwicket/sv1"
DM1 = "arn:aws:braket:::device/quantum-simulator/qwicket/dm1"
TWIN = "arn:aws:braket:us-east-1::device/qpu/qwicket/qwicket_line5"


@pytest.fixture(autouse=True, scope="module")
def environment():
    """What `qwicket env braket` prints, and nothing of this machine's user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AMZN_BRAKET_OUT_S3_BUCKET"):
            patch.delenv(name, raising=False)
        for name in ("braket", "s3", "sts"):
            patch.setenv(f"AWS_ENDPOINT_URL_{name.upper()}", f"{os.environ['QWICKET_URL']}/{name}")
        key_id, secret = os.environ["QWICKET_AWS_KEYS"].split()
        patch.setenv("AWS_ACCESS_KEY_ID", key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


# --- PennyLane ------------------------------------------------------------------------------------


def device(wires=2, arn=SV1, **options):
    return qml.device(
        "braket.aws.qubit", device_arn=arn, wires=wires, poll_interval_seconds=0.05, **options
    )


def test_pennylane_counts_a_bell_pair():
    @qml.set_shots(1000)
    @qml.qnode(device())
    def circuit():
        qml.Hadamard(0)
        qml.CNOT([0, 1])
        return qml.counts()

    counts = circuit()
    assert set(counts) == {"00", "11"}
    assert abs(counts["00"] - 500) < 6 * sqrt(250)


def test_pennylane_counts_on_a_twin():
    @qml.set_shots(1000)
    @qml.qnode(device(arn=TWIN))
    def circuit():
        qml.PauliX(0)
        qml.CNOT([0, 1])
        return qml.counts()

    assert 800 < circuit()["11"] < 1000


def test_the_first_wire_of_pennylane_is_the_leftmost_bit():
    @qml.set_shots(10)
    @qml.qnode(device())
    def circuit():
        qml.PauliX(0)
        qml.Identity(1)
        return qml.counts()

    assert {str(key): int(n) for key, n in circuit().items()} == {"10": 10}


def test_pennylane_has_exact_values():
    @qml.qnode(device())
    def circuit(angle):
        qml.RY(angle, wires=0)
        qml.CNOT([0, 1])
        return (
            qml.expval(qml.PauliX(0) @ qml.PauliX(1)),
            qml.var(qml.PauliZ(0)),
            qml.probs(wires=[0, 1]),
        )

    mean, variance, p = circuit(0.3)
    assert mean == pytest.approx(sin(0.3))
    assert variance == pytest.approx(sin(0.3) ** 2)
    assert np.allclose(p, [cos(0.15) ** 2, 0, 0, sin(0.15) ** 2])


@pytest.mark.parametrize("method", ["device", "adjoint", "parameter-shift"])
def test_pennylane_has_exact_gradients(method):
    @qml.qnode(device(), diff_method=method)
    def circuit(a, b):
        qml.RY(a, wires=0)
        qml.CNOT([0, 1])
        qml.RX(b, wires=1)
        return qml.expval(qml.PauliZ(1))

    a, b = qml.numpy.array(0.4, requires_grad=True), qml.numpy.array(1.1, requires_grad=True)
    assert circuit(a, b) == pytest.approx(cos(0.4) * cos(1.1))
    found = [float(each) for each in qml.grad(circuit)(a, b)]
    assert found == pytest.approx([-sin(0.4) * cos(1.1), -cos(0.4) * sin(1.1)], abs=1e-9)


def test_vqe_finds_the_ground_state():
    """The tutorial of VQE, on two qubits."""
    hamiltonian = 0.5 * qml.PauliZ(0) @ qml.PauliZ(1) + 0.3 * qml.PauliX(0) + 0.2 * qml.PauliZ(1)

    @qml.qnode(device(), diff_method="device")
    def energy(angles):
        qml.RY(angles[0], wires=0)
        qml.RY(angles[1], wires=1)
        qml.CNOT(wires=[0, 1])
        return qml.expval(hamiltonian)

    angles = qml.numpy.array([0.4, 0.2], requires_grad=True)
    optimizer = qml.GradientDescentOptimizer(1.0)
    for _ in range(3):
        angles, before = optimizer.step_and_cost(energy, angles)
        assert energy(angles) < before
    lowest = np.linalg.eigvalsh(qml.matrix(hamiltonian, wire_order=[0, 1]))[0]
    assert lowest <= energy(angles)


def test_a_kernel_is_the_overlap_of_states():
    """The tutorial of kernels: the probability of 00 after one embedding and another's inverse."""

    @qml.qnode(device())
    def overlap(x, y):
        qml.AngleEmbedding(x, wires=[0, 1])
        qml.adjoint(qml.AngleEmbedding)(y, wires=[0, 1])
        return qml.probs(wires=[0, 1])

    points = np.array([[0.1, 0.4], [1.0, 1.6]])
    matrix = qml.kernels.kernel_matrix(points, points, lambda x, y: overlap(x, y)[0])
    off = np.prod(np.cos((points[0] - points[1]) / 2) ** 2)
    assert np.allclose(matrix, [[1, off], [off, 1]])


def test_mitiq_extrapolates_the_noise_of_a_twin_to_zero():
    """Qubit 0 relaxes during the gates, of which there are three times as many."""
    circuit = Circuit().x(0)
    for _ in range(20):
        circuit.cnot(0, 1)

    def execute(folded):
        task = AwsDevice(TWIN).run(folded, shots=20_000, poll_interval_seconds=0.05)
        return 2 * float(np.mean(task.result().measurements[:, 0])) - 1

    found = zne.execute_with_zne(
        circuit,
        execute,
        factory=zne.inference.LinearFactory([1.0, 3.0]),
        scale_noise=zne.scaling.fold_global,
    )
    assert execute(circuit) + 0.05 < found < 1.05


def test_pennylane_sends_noise_to_dm1():
    @qml.qnode(device(wires=1, arn=DM1))
    def circuit():
        qml.PauliX(0)
        qml.AmplitudeDamping(0.25, wires=0)
        return qml.expval(qml.PauliZ(0))

    assert circuit() == pytest.approx(0.25 - 0.75)


# --- Qiskit ---------------------------------------------------------------------------------------


def backend():
    return BraketAwsBackend(device=AwsDevice(SV1))


def test_the_provider_lists_the_simulators():
    assert {"SV1", "DM1"} <= {each.name for each in BraketProvider().backends()}


def test_qiskit_counts_a_bell_pair():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    counts = backend().run(circuit, shots=1000).result().get_counts()
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1000


def test_qubit_0_of_qiskit_is_the_rightmost_bit():
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.id(1)
    circuit.measure_all()
    assert backend().run(circuit, shots=10).result().get_counts() == {"01": 10}


def test_several_circuits_with_parameters_are_a_batch():
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    circuit.measure_all()
    bound = [circuit.assign_parameters({theta: value}) for value in (0.0, np.pi)]
    counts = backend().run(bound, shots=20).result().get_counts()
    assert counts == [{"0": 20}, {"1": 20}]


@pytest.mark.parametrize(
    "prepare", [lambda circuit, _: circuit, transpile], ids=["as is", "native"]
)
def test_qiskit_counts_on_a_twin_what_its_topology_has_not(prepare):
    """Qubits 0 and 2 are no neighbours."""
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.cx(0, 1)
    circuit.cx(0, 2)
    circuit.measure_all()
    twin = BraketProvider().get_backend("qwicket_line5")
    counts = twin.run(prepare(circuit, twin), shots=1000).result().get_counts()
    assert 700 < counts["111"] < 1000
