"""A rotated spin with qiskit-cold-atom."""

from __future__ import annotations

import os
import time

from qiskit import QuantumCircuit
from qiskit_cold_atom.providers import ColdAtomProvider

from support.bed_clients.loop import serve

URL = os.environ["QWICKET_URL"] + "/qlued/api/v2/singlequdit"
credentials = {"urls": [URL], "username": "anyone", "token": os.environ["QWICKET_TOKEN"]}
backend = ColdAtomProvider(credentials).get_backend("qwicket_singlequdit_simulator")
circuit = QuantumCircuit(1, 1)
circuit.rlx(1.5708, 0)
circuit.measure(0, 0)


def spin() -> dict[str, int]:
    job = backend.run(circuit, shots=50)
    while job.status().name in ("INITIALIZING", "QUEUED", "VALIDATING", "RUNNING"):
        time.sleep(0.2)
    counts: dict[str, int] = job.result().get_counts()
    return counts


serve(spin)
