"""Jobs for a lab's machine with Qwicket's own client: all bits are zero."""

from __future__ import annotations

import os
from typing import Any

import qwicket
from chaos.clients.loop import CODES, SHOTS, serve

PROGRAM = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    " h q[0]; cx q[0], q[1]; c = measure q;"
)


class Client:
    def __init__(self) -> None:
        self._client = qwicket.connect()

    def expected(self, number: int) -> Any:
        return {"00": SHOTS + number % CODES}

    def submit(self, number: int) -> tuple[str, Any]:
        name = f"{os.environ['CHAOS_NAME']}-{number}"
        shots = SHOTS + number % CODES
        job = self._client.submit(PROGRAM, os.environ["CHAOS_DEVICE"], shots=shots, name=name)
        return job.id, job

    def result(self, job: Any) -> Any:
        counts = dict(job.result(timeout=20).counts)
        return counts, counts

    def again(self, job: str) -> Any:
        return self.result(self._client.job(job))


serve(Client)
