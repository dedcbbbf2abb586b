"""A Bell pair with ionq-core."""

from __future__ import annotations

import os

import ionq_core
from ionq_core.api.default import create_job, get_job_probabilities
from ionq_core.models.circuit_job_creation_payload import CircuitJobCreationPayload

from support.bed_clients.loop import serve

client = ionq_core.IonQClient(
    api_key=os.environ["QWICKET_TOKEN"], base_url=os.environ["QWICKET_URL"] + "/ionq/v0.4"
)
payload = CircuitJobCreationPayload.from_dict(
    {
        "type": "ionq.circuit.v1",
        "backend": "simulator",
        "shots": 100,
        "input": {
            "gateset": "qis",
            "qubits": 2,
            "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
        },
    }
)


def bell() -> dict[str, int]:
    job = create_job.sync(client=client, body=payload)
    ionq_core.wait_for_job(client, job.id, timeout=20)
    found = get_job_probabilities.sync(uuid=job.id, client=client).to_dict()
    return {outcome: round(100 * share) for outcome, share in found.items()}


serve(bell)
