"""Two circuits in one job with qiskit-ionq."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit_ionq import IonQProvider

from support.bed_clients.loop import serve

backend = IonQProvider().get_backend("ionq_simulator")
circuit = QuantumCircuit(1, 1)
circuit.x(0)
circuit.measure(0, 0)


def second() -> dict[str, int]:
    counts: dict[str, int] = backend.run([circuit, circuit], shots=100).result().get_counts(1)
    return counts


serve(second)
