"""Jobs with qiskit-ibm-runtime."""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit, transpile
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

from chaos.clients.loop import CODES, SHOTS, code, coded, serve


def circuit(number: int) -> QuantumCircuit:
    made = QuantumCircuit(4)
    for bit in range(3):
        if number >> bit & 1:
            made.x(bit)
    made.h(3)
    made.measure_all()
    return made


class Client:
    def __init__(self) -> None:
        self._service = QiskitRuntimeService()
        self._backend = self._service.backend("qwicket_simulator")
        self._circuits = transpile([circuit(each) for each in range(CODES)], self._backend)

    def expected(self, number: int) -> Any:
        return {code(number): SHOTS}

    def submit(self, number: int) -> tuple[str, Any]:
        compiled = self._circuits[number % CODES]
        job = SamplerV2(self._backend).run([compiled], shots=SHOTS)
        return job.job_id(), job

    def result(self, job: Any) -> Any:
        return coded(job.result(timeout=20, poll_interval=0.2)[0].data.meas.get_counts())

    def again(self, job: str) -> Any:
        return self.result(self._service.job(job))


serve(Client)
