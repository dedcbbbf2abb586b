"""Cirq 1.7.0's circuits through our client, as the OpenQASM that Cirq writes."""

import cirq
import pytest
import sympy

import qwicket
from qwicket.clients.native import ClientError
from support.vendors import bound, distance


@pytest.fixture(scope="module")
def device():
    return qwicket.connect().device("simulator")


def test_a_circuit_gives_what_cirq_computes(device):
    qubits = cirq.LineQubit.range(3)
    circuit = cirq.testing.random_circuit(qubits, 8, 0.8, random_state=3)
    exact = cirq.final_state_vector(circuit, qubit_order=qubits)
    circuit.append(cirq.measure(*qubits, key="m"))
    counts = device.run(circuit, shots=4000).result(timeout=60).counts
    # Cirq's first qubit is the first bit measured, and the first bit is the last of a key.
    expected = {format(i, "03b")[::-1]: abs(a) ** 2 for i, a in enumerate(exact) if abs(a) > 1e-6}
    assert distance({key: n / 4000 for key, n in counts.items()}, expected) < bound(expected, 4000)


def test_a_list_of_circuits_and_frozen_ones_is_one_job(device):
    (qubit,) = cirq.LineQubit.range(1)
    circuits = [
        cirq.Circuit(cirq.measure(qubit)),
        cirq.FrozenCircuit(cirq.X(qubit), cirq.measure(qubit)),
    ]
    result = device.run(circuits, shots=7).result(timeout=60)
    assert [part.counts for part in result] == [{"0": 7}, {"1": 7}]


def test_a_circuit_that_cirq_cannot_write_is_reported(device):
    circuit = cirq.Circuit(cirq.rx(sympy.Symbol("t"))(cirq.LineQubit(0)))
    with pytest.raises(ClientError, match="Cirq cannot write the circuit as OpenQASM"):
        device.run(circuit)
