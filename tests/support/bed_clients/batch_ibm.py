"""Two circuits in one job with qiskit-ibm-runtime."""

from __future__ import annotations

from qiskit import QuantumCircuit, transpile
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

from support.bed_clients.loop import serve

backend = QiskitRuntimeService().backend("qwicket_simulator")
circuit = QuantumCircuit(1)
circuit.x(0)
circuit.measure_all()
compiled = transpile(circuit, backend)


def second() -> dict[str, int]:
    job = SamplerV2(backend).run([compiled, compiled], shots=100)
    counts: dict[str, int] = job.result(timeout=20, poll_interval=0.1)[1].data.meas.get_counts()
    return counts


serve(second)
