"""Jobs with Qwicket's own client."""

from __future__ import annotations

import os
from typing import Any

import qwicket
from chaos.clients.loop import SHOTS, code, coded, serve


class Client:
    def __init__(self) -> None:
        self._client = qwicket.connect()

    def expected(self, number: int) -> Any:
        return {code(number): SHOTS}

    def submit(self, number: int) -> tuple[str, Any]:
        flips = [{"gate": "x", "target": bit} for bit in range(3) if number >> bit & 1]
        program = {"gateset": "qis", "qubits": 4, "circuit": [*flips, {"gate": "h", "target": 3}]}
        name = f"{os.environ['CHAOS_NAME']}-{number}"
        job = self._client.submit(program, "simulator", shots=SHOTS, name=name, wait=0.05)
        return job.id, job

    def result(self, job: Any) -> Any:
        return coded(dict(job.result(timeout=20).counts))

    def again(self, job: str) -> Any:
        return self.result(self._client.job(job))


serve(Client)
