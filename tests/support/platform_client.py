"""The unmodified client of the platform channel, and circuits for it."""

from __future__ import annotations

import os
import time
from typing import Any

from qiskit import QuantumCircuit, transpile
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

from support.vendors import held_circuit

BASE = os.environ["QWICKET_URL"] + "/ibm/runtime"
TOKEN = os.environ["QWICKET_TOKEN"]
SETTINGS = {
    "IAM_URL": f"{BASE}/iam",
    "GLOBAL_SEARCH_URL": f"{BASE}/search",
    "GLOBAL_CATALOG_URL": f"{BASE}/catalog",
}
URL = f"{BASE}/experimental/api/v1"
# Before this client signs in: without IAM_URL it would ask IBM.
os.environ.update(SETTINGS)


def connect(token: str = TOKEN, url: str = URL, **options: Any) -> Any:
    return QiskitRuntimeService(channel="ibm_quantum_platform", token=token, url=url, **options)


def bell() -> Any:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def held() -> Any:
    """Return a job that runs until it is cancelled."""
    circuit = held_circuit(QuantumCircuit(24))
    circuit.measure_all()
    return circuit


def fitted(circuit: Any, backend: Any, *observables: Any) -> tuple[Any, ...]:
    """Return a circuit compiled for a backend, and observables laid out like it."""
    isa = transpile(circuit, backend, optimization_level=1, seed_transpiler=3)
    return (isa, *[each.apply_layout(isa.layout) for each in observables])


def sample(backend: Any, circuit: Any = None, shots: int = 100, **options: Any) -> Any:
    (isa,) = fitted(circuit or bell(), backend)
    return SamplerV2(backend, options=options).run([isa], shots=shots)


def wait_for(job: Any, status: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while job.status() != status:
        assert time.monotonic() < deadline, job.status()
        time.sleep(0.02)
