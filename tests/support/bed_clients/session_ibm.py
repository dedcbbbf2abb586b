"""Two Bell pairs in one session of qiskit-ibm-runtime."""

from __future__ import annotations

from qiskit import QuantumCircuit, transpile
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2, Session

from support.bed_clients.loop import serve

backend = QiskitRuntimeService().backend("qwicket_line5")
circuit = QuantumCircuit(2)
circuit.h(0)
circuit.cx(0, 1)
circuit.measure_all()
compiled = transpile(circuit, backend)


def two() -> dict[str, int]:
    with Session(backend, max_time=600) as session:
        SamplerV2(session).run([compiled], shots=100).result(timeout=20, poll_interval=0.1)
        SamplerV2(session).run([compiled], shots=100)
    return {}


serve(two)
