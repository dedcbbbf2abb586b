"""Jobs with ionq-core. Its simulator answers with exact probabilities."""

from __future__ import annotations

import os
from typing import Any

import ionq_core
from ionq_core.api.default import create_job, get_job_probabilities
from ionq_core.models.circuit_job_creation_payload import CircuitJobCreationPayload

from chaos.clients.loop import CODES, SHOTS, coded, serve


class Client:
    def __init__(self) -> None:
        self._client = ionq_core.IonQClient(
            api_key=os.environ["QWICKET_TOKEN"], base_url=os.environ["QWICKET_URL"] + "/ionq/v0.4"
        )

    def expected(self, number: int) -> Any:
        return {format(number % CODES, "03b"): 100}

    def submit(self, number: int) -> tuple[str, Any]:
        flips = [{"gate": "x", "target": bit} for bit in range(3) if number >> bit & 1]
        payload = {
            "type": "ionq.circuit.v1",
            "backend": "simulator",
            "shots": SHOTS,
            "name": f"{os.environ['CHAOS_NAME']}-{number}",
            "input": {
                "gateset": "qis",
                "qubits": 4,
                "circuit": [*flips, {"gate": "h", "target": 3}],
            },
        }
        body = CircuitJobCreationPayload.from_dict(payload)
        job = create_job.sync(client=self._client, body=body)
        return str(job.id), job.id

    def result(self, job: Any) -> Any:
        ionq_core.wait_for_job(self._client, job, timeout=20)
        found = get_job_probabilities.sync(uuid=job, client=self._client).to_dict()
        return coded(
            {key: round(100 * share) for key, share in found.items()},
            lambda key: format(int(key) % CODES, "03b"),
        )

    again = result


serve(Client)
