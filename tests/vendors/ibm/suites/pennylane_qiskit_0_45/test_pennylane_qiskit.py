"""pennylane-qiskit 0.45.0, its code unmodified, on a backend of qiskit-ibm-runtime 0.51.0."""

import numpy as np
import pennylane as qml
import pytest

from support.platform_client import connect


@pytest.fixture(scope="module", params=["qwicket_simulator", "qwicket_line5"])
def device(request):
    return qml.device(
        "qiskit.remote", wires=2, backend=connect().backend(request.param), shots=4_000
    )


def test_a_node_has_values_and_counts(device):
    @qml.qnode(device)
    def node(angle):
        qml.RX(angle, wires=0)
        qml.CNOT(wires=[0, 1])
        return qml.expval(qml.PauliZ(0)), qml.expval(qml.PauliZ(0) @ qml.PauliZ(1)), qml.counts()

    z, zz, counts = node(0.4)
    assert z == pytest.approx(np.cos(0.4), abs=0.15)
    assert zz == pytest.approx(1, abs=0.15)
    assert sum(counts.values()) == 4_000
    assert counts["00"] + counts["11"] > 3_500


def test_a_step_of_vqe_lowers_the_energy(device):
    """The tutorial of VQE, on two qubits."""
    hamiltonian = 0.5 * qml.PauliZ(0) @ qml.PauliZ(1) + 0.3 * qml.PauliX(0) + 0.2 * qml.PauliZ(1)

    @qml.qnode(device, diff_method="parameter-shift")
    def energy(angles):
        qml.RY(angles[0], wires=0)
        qml.RY(angles[1], wires=1)
        qml.CNOT(wires=[0, 1])
        return qml.expval(hamiltonian)

    start = qml.numpy.array([1.5, 1.5], requires_grad=True)
    angles, before = qml.GradientDescentOptimizer(1.2).step_and_cost(energy, start)
    assert energy(angles) < before - 0.15


def test_a_kernel_is_the_overlap_of_states(device):
    """The tutorial of kernels: the probability of 00 after one embedding and another's inverse."""

    @qml.qnode(device)
    def overlap(x, y):
        qml.AngleEmbedding(x, wires=[0, 1])
        qml.adjoint(qml.AngleEmbedding)(y, wires=[0, 1])
        return qml.probs(wires=[0, 1])

    points = np.array([[0.1, 0.4], [1.0, 1.6]])
    matrix = qml.kernels.kernel_matrix(points, points, lambda x, y: overlap(x, y)[0])
    off = np.prod(np.cos((points[0] - points[1]) / 2) ** 2)
    assert np.allclose(matrix, [[1, off], [off, 1]], atol=0.12)


def test_a_gradient_comes_from_shifted_parameters(device):
    @qml.qnode(device, diff_method="parameter-shift")
    def node(angle):
        qml.RX(angle, wires=0)
        qml.CNOT(wires=[0, 1])
        return qml.expval(qml.PauliZ(1))

    found = qml.grad(node)(qml.numpy.array(0.4, requires_grad=True))
    assert found == pytest.approx(-np.sin(0.4), abs=0.15)
