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


def test_a_gradient_comes_from_shifted_parameters(device):
    @qml.qnode(device, diff_method="parameter-shift")
    def node(angle):
        qml.RX(angle, wires=0)
        qml.CNOT(wires=[0, 1])
        return qml.expval(qml.PauliZ(1))

    found = qml.grad(node)(qml.numpy.array(0.4, requires_grad=True))
    assert found == pytest.approx(-np.sin(0.4), abs=0.15)
