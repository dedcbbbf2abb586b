"""Jobs with cirq-ionq. Its simulator answers with exact probabilities."""

from __future__ import annotations

import os
from typing import Any

import cirq
import cirq_ionq as ionq

from chaos.clients.loop import SHOTS, code, coded, serve


class Client:
    def __init__(self) -> None:
        self._service = ionq.Service(default_target="simulator", max_retry_seconds=5)

    def expected(self, number: int) -> Any:
        return {code(number): 100}

    def submit(self, number: int) -> tuple[str, Any]:
        qubits = cirq.LineQubit.range(4)
        flips = [cirq.X(qubits[bit]) for bit in range(3) if number >> bit & 1]
        circuit = cirq.Circuit(*flips, cirq.H(qubits[3]), cirq.measure(*qubits[::-1], key="m"))
        name = f"{os.environ['CHAOS_NAME']}-{number}"
        job = self._service.create_job(circuit, repetitions=SHOTS, name=name)
        return job.job_id(), job

    def result(self, job: Any) -> Any:
        found = job.results(polling_seconds=0.1, timeout_seconds=20)
        counts = {key: round(100 * share) for key, share in found.probabilities("m").items()}
        return coded({format(key, "04b"): count for key, count in counts.items()})

    def again(self, job: str) -> Any:
        return self.result(self._service.get_job(job))


serve(Client)
