"""A Bell pair with iqm-client and Qiskit, which find the server by their environment alone."""

from __future__ import annotations

from iqm.qiskit_iqm import IQMProvider
from qiskit import QuantumCircuit, transpile

from support.bed_clients.loop import serve


def bell() -> dict[str, int]:
    backend = IQMProvider().get_backend()
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    counts: dict[str, int] = (
        backend.run(transpile(circuit, backend), shots=100).result().get_counts()
    )
    return counts


serve(bell)
