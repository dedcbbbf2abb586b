"""A Bell pair with qiskit-ibm-runtime 0.40."""

from __future__ import annotations

import os

from qiskit import QuantumCircuit, transpile
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

from support.bed_clients.loop import serve

service = QiskitRuntimeService(
    channel="ibm_quantum",
    token=os.environ["QWICKET_TOKEN"],
    url=os.environ["QWICKET_URL"] + "/ibm/api",
)
backend = service.backend("qwicket_simulator")
circuit = QuantumCircuit(2)
circuit.h(0)
circuit.cx(0, 1)
circuit.measure_all()
compiled = transpile(circuit, backend)


def bell() -> dict[str, int]:
    job = SamplerV2(backend).run([compiled], shots=100)
    counts: dict[str, int] = job.result()[0].data.meas.get_counts()
    return counts


serve(bell)
