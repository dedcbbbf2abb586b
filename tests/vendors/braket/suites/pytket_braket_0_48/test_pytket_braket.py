"""pytket-braket, unmodified. Expected values follow from the circuits."""

import os
from math import cos, pi, sqrt

import numpy as np
import pytest
from pytket import Bit, Circuit, Qubit
from pytket.backends import StatusEnum
from pytket.extensions.braket import BraketBackend
from pytket.pauli import Pauli, QubitPauliString
from pytket.utils import QubitPauliOperator


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


@pytest.fixture(params=["sv1", "dm1"])
def backend(request):
    return BraketBackend(device=request.param, provider="qwicket")


@pytest.fixture
def exact():
    return BraketBackend(device="sv1", provider="qwicket")


def test_a_bell_pair_is_counted(backend):
    circuit = backend.get_compiled_circuit(Circuit(2, 2).H(0).CX(0, 1).measure_all())
    handle = backend.process_circuit(circuit, n_shots=1000)
    counts = backend.get_result(handle).get_counts()
    assert set(counts) == {(0, 0), (1, 1)}
    assert abs(counts[0, 0] - 500) < 6 * sqrt(250)
    assert backend.circuit_status(handle).status is StatusEnum.COMPLETED


def test_the_first_bit_is_the_first_qubits(backend):
    circuit = Circuit(3, 3).X(0).measure_all()
    handle = backend.process_circuit(backend.get_compiled_circuit(circuit), n_shots=10)
    assert backend.get_result(handle).get_counts() == {(1, 0, 0): 10}


def test_some_qubits_are_measured_into_bits_in_another_order(backend):
    circuit = Circuit(3, 2).X(0).Measure(Qubit(0), Bit(1)).Measure(Qubit(2), Bit(0))
    handle = backend.process_circuit(backend.get_compiled_circuit(circuit), n_shots=10)
    assert backend.get_result(handle).get_counts() == {(0, 1): 10}


def test_several_circuits_are_one_batch(backend):
    angles = (0.0, 0.5, 1.0)  # in half turns
    circuits = [Circuit(1, 1).Rx(angle, 0).measure_all() for angle in angles]
    compiled = backend.get_compiled_circuits(circuits)
    handles = backend.process_circuits(compiled, n_shots=1000)
    ones = [backend.get_result(handle).get_counts()[1,] for handle in handles]
    assert ones[0] == 0
    assert abs(ones[1] - 500) < 6 * sqrt(250)
    assert ones[2] == 1000


def test_expectation_values_are_exact(exact):
    circuit = Circuit(2).Ry(0.3, 0).CX(0, 1)
    z = QubitPauliString([Qubit(0)], [Pauli.Z])
    xx = QubitPauliString([Qubit(0), Qubit(1)], [Pauli.X, Pauli.X])
    compiled = exact.get_compiled_circuit(circuit)
    assert exact.get_pauli_expectation_value(compiled, z) == pytest.approx(cos(0.3 * pi))
    operator = QubitPauliOperator({z: 2.0, xx: -1.0})
    expected = 2 * cos(0.3 * pi) - np.sin(0.3 * pi)
    assert exact.get_operator_expectation_value(compiled, operator) == pytest.approx(expected)


def test_a_state_has_the_first_qubit_as_its_highest_bit(exact):
    circuit = exact.get_compiled_circuit(Circuit(2).X(0))
    state = exact.get_result(exact.process_circuit(circuit, n_shots=0)).get_state()
    assert np.abs(state) == pytest.approx([0, 0, 1, 0])


def test_a_result_is_read_by_its_id_in_another_backend(exact):
    circuit = exact.get_compiled_circuit(Circuit(1, 1).X(0).measure_all())
    handle = exact.process_circuit(circuit, n_shots=5)
    exact.get_result(handle)
    again = BraketBackend(device="sv1", provider="qwicket")
    assert again.get_result(handle).get_counts() == {(1,): 5}
