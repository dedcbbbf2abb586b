"""A Bell pair with qiskit-braket-provider."""

from __future__ import annotations

from braket.aws import AwsDevice
from qiskit import QuantumCircuit
from qiskit_braket_provider import BraketAwsBackend

from support.bed_clients.loop import serve

device = AwsDevice("arn:aws:braket:::device/quantum-simulator/qwicket/sv1")
backend = BraketAwsBackend(device=device)
circuit = QuantumCircuit(2)
circuit.h(0)
circuit.cx(0, 1)
circuit.measure_all()


def bell() -> dict[str, int]:
    counts: dict[str, int] = backend.run(circuit, shots=100).result().get_counts()
    return counts


serve(bell)
