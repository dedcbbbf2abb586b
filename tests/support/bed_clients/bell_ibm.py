"""A Bell pair with qiskit-ibm-runtime, which finds the server by its environment alone."""

from __future__ import annotations

import os

from qiskit import QuantumCircuit, transpile
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

from support.bed_clients.loop import serve

backend = QiskitRuntimeService().backend(os.environ.get("BELL_DEVICE", "qwicket_simulator"))
circuit = QuantumCircuit(2)
circuit.h(0)
circuit.cx(0, 1)
circuit.measure_all()
compiled = transpile(circuit, backend)


def bell() -> dict[str, int]:
    job = SamplerV2(backend).run([compiled], shots=100)
    counts: dict[str, int] = job.result(timeout=20, poll_interval=0.1)[0].data.meas.get_counts()
    return counts


serve(bell)
