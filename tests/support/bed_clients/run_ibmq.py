"""A Bell pair with qiskit-ibmq-provider."""

from __future__ import annotations

import os

from qiskit import IBMQ, QuantumCircuit, assemble, transpile

from support.bed_clients.loop import serve

provider = IBMQ.enable_account(
    os.environ["QWICKET_TOKEN"], url=os.environ["QWICKET_URL"] + "/ibm/api"
)
backend = provider.get_backend("qwicket_simulator")
circuit = QuantumCircuit(2, 2)
circuit.h(0)
circuit.cx(0, 1)
circuit.measure([0, 1], [0, 1])
compiled = transpile(circuit, backend)


def bell() -> dict[str, int]:
    try:
        job = backend.run(compiled, shots=100)
    except TypeError:  # up to 0.4
        job = backend.run(assemble(compiled, backend, shots=100))
    counts: dict[str, int] = job.result().get_counts()
    return counts


serve(bell)
