"""Jobs with qiskit-ibmq-provider."""

from __future__ import annotations

import os
from typing import Any

from qiskit import IBMQ, QuantumCircuit, transpile

from chaos.clients.loop import CODES, SHOTS, code, coded, serve


def circuit(number: int) -> QuantumCircuit:
    made = QuantumCircuit(4, 4)
    for bit in range(3):
        if number >> bit & 1:
            made.x(bit)
    made.h(3)
    made.measure(range(4), range(4))
    return made


class Client:
    def __init__(self) -> None:
        url = os.environ["QWICKET_URL"] + "/ibm/api"
        provider = IBMQ.enable_account(os.environ["QWICKET_TOKEN"], url=url)
        self._backend = provider.get_backend("qwicket_simulator")
        self._circuits = transpile([circuit(each) for each in range(CODES)], self._backend)

    def expected(self, number: int) -> Any:
        return {code(number): SHOTS}

    def submit(self, number: int) -> tuple[str, Any]:
        job = self._backend.run(self._circuits[number % CODES], shots=SHOTS)
        return job.job_id(), job

    def result(self, job: Any) -> Any:
        return coded(job.result(timeout=20, wait=0.2).get_counts())

    def again(self, job: str) -> Any:
        return self.result(self._backend.retrieve_job(job))


serve(Client)
