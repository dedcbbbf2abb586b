"""Jobs with qiskit-cold-atom: a rotated spin."""

from __future__ import annotations

import os
import time
from typing import Any

from qiskit import QuantumCircuit
from qiskit_cold_atom.providers import ColdAtomProvider

from chaos.clients.loop import CODES, SHOTS, serve

URL = os.environ["QWICKET_URL"] + "/qlued/api/v2/singlequdit"


class Client:
    def __init__(self) -> None:
        credentials = {
            "urls": [URL],
            "username": "anyone",
            "token": os.environ["QWICKET_TOKEN"],
        }
        provider = ColdAtomProvider(credentials)
        self._backend = provider.get_backend("qwicket_singlequdit_simulator")

    def expected(self, number: int) -> Any:
        return {"shots": SHOTS + number % CODES}

    def submit(self, number: int) -> tuple[str, Any]:
        circuit = QuantumCircuit(1, 1)
        circuit.rlx(1.5708, 0)
        circuit.measure(0, 0)
        job = self._backend.run(circuit, shots=SHOTS + number % CODES)
        return str(job.job_id()), job

    def result(self, job: Any) -> Any:
        deadline = time.monotonic() + 20
        while job.status().name in ("INITIALIZING", "QUEUED", "VALIDATING", "RUNNING"):
            if time.monotonic() > deadline:
                raise TimeoutError("the job has not ended")
            time.sleep(0.2)
        counts = {str(key): int(n) for key, n in job.result().get_counts().items()}
        return {"shots": sum(counts.values())}, counts

    def again(self, job: str) -> Any:
        return self.result(self._backend.retrieve_job(job))


serve(Client)
