"""A Bell pair with qiskit-ionq, which finds the server by its environment alone."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit_ionq import IonQProvider

from support.bed_clients.loop import serve

backend = IonQProvider().get_backend("ionq_simulator")
circuit = QuantumCircuit(2, 2)
circuit.h(0)
circuit.cx(0, 1)
circuit.measure([0, 1], [0, 1])


def bell() -> dict[str, int]:
    counts: dict[str, int] = backend.run(circuit, shots=100).result().get_counts()
    return counts


serve(bell)
