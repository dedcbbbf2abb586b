"""Two Bell pairs in one session of qiskit-ionq."""

from __future__ import annotations

import os

from qiskit import QuantumCircuit
from qiskit_ionq import IonQProvider, Session

from support.bed_clients.loop import serve

url, key = os.environ["IONQ_API_URL"], os.environ["IONQ_API_KEY"]
backend = IonQProvider(key, url).get_backend("ionq_qpu.aria-1")
circuit = QuantumCircuit(2, 2, name="bell")
circuit.h(0)
circuit.cx(0, 1)
circuit.measure([0, 1], [0, 1])


def two() -> dict[str, int]:
    with Session(backend=backend, max_jobs=5, max_time=5, max_cost=1) as session:
        session.run(circuit, shots=100).result(wait=0.05, timeout=20)
        session.run(circuit, shots=100)
    return {}


serve(two)
