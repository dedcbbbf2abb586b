"""Two circuits in one job with qiskit-ibmq-provider."""

from __future__ import annotations

import os

from qiskit import IBMQ, QuantumCircuit, transpile

from support.bed_clients.loop import serve

provider = IBMQ.enable_account(
    os.environ["QWICKET_TOKEN"], url=os.environ["QWICKET_URL"] + "/ibm/api"
)
backend = provider.get_backend("qwicket_simulator")
circuit = QuantumCircuit(1, 1)
circuit.x(0)
circuit.measure(0, 0)
compiled = transpile([circuit, circuit], backend)


def second() -> dict[str, int]:
    counts: dict[str, int] = backend.run(compiled, shots=100).result(partial=True).get_counts(1)
    return counts


serve(second)
