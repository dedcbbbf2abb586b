"""A Bell pair with pytket-qiskit, which uses qiskit-ibm-runtime."""

from __future__ import annotations

import os

from pytket.circuit import Circuit
from pytket.extensions.qiskit import IBMQBackend
from qiskit_ibm_runtime import QiskitRuntimeService

from support.bed_clients.loop import serve

service = QiskitRuntimeService(
    channel="ibm_quantum_platform",
    token=os.environ["QWICKET_TOKEN"],
    url=os.environ["QWICKET_URL"] + "/ibm/runtime/experimental/api/v1",
)
circuit = Circuit(2).H(0).CX(0, 1).measure_all()


def bell() -> dict[str, int]:
    # It opens its session at once, which no reset of the test bed leaves.
    backend = IBMQBackend("qwicket_line5", service=service, monitor=False)
    compiled = backend.get_compiled_circuit(circuit)
    handle = backend.process_circuit(compiled, n_shots=100)
    counts = backend.get_result(handle, timeout=30, wait=0.1).get_counts()
    return {str(outcome): int(n) for outcome, n in counts.items()}


serve(bell)
