"""IBM's API over plain HTTP, and programs for it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from qwicket.vendors.ibm.dialect.paths import canonical
from qwicket.vendors.ibm.dialect.routes import ROUTES
from support.described import Described
from support.held import HeldJob, held_job
from support.waiting import until

DIALECT = "/ibm/api"
SIMULATOR = "qwicket_simulator"
TWIN = "qwicket_line5"
FINAL = (
    *("COMPLETED", "CANCELLED"),
    *("ERROR_CREATING_JOB", "ERROR_VALIDATING_JOB", "ERROR_RUNNING_JOB"),
)

H = {"name": "h", "qubits": [0]}
CX = {"name": "cx", "qubits": [0, 1]}


def measure(*qubits: int) -> list[dict[str, Any]]:
    return [{"name": "measure", "qubits": [q], "memory": [q]} for q in qubits]


def experiment(*instructions: dict[str, Any], qubits: int = 2, **header: Any) -> dict[str, Any]:
    return {
        "config": {"n_qubits": qubits, "memory_slots": qubits},
        "header": {"name": "circuit", "memory_slots": qubits, **header},
        "instructions": list(instructions),
    }


BELL = experiment(H, CX, *measure(0, 1), name="bell", creg_sizes=[["c", 2]])


def qobj(*experiments: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {
        "qobj_id": "453b9ad6-38fe-4a37-b3fc-35559d7bb638",
        "type": "QASM",
        "schema_version": "1.3.0",
        "header": {"backend_name": "any", "of": "the document"},
        "config": {"shots": 100, "memory_slots": 2, "n_qubits": 2, **config},
        "experiments": list(experiments or (BELL,)),
    }


def held_qobj(job: HeldJob) -> dict[str, Any]:
    """Return a held job."""
    gates = [{"name": "rz", "qubits": [i % 24], "params": [job.angle]} for i in range(400)]
    gates += [{"name": "cx", "qubits": [i, i + 1]} for i in range(23)]  # none is simulated apart
    return qobj(experiment(*gates, *measure(*range(24)), qubits=24), shots=10)


class Client:
    """A client without a library, written from the API's description.

    Each answer is held to it.
    """

    def __init__(self, http: httpx.Client, token: str, prefix: str = DIALECT) -> None:
        self.http = http
        self.described = Described(prefix, ROUTES, lambda path: canonical(path)[0])
        http.event_hooks = {"response": [self.described]}
        self.prefix = prefix
        signed_in = http.post(f"{prefix}/users/loginWithToken", json={"apiToken": token})
        assert signed_in.status_code == 200, signed_in.text
        self.token: str = signed_in.json()["id"]

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"X-Access-Token": self.token, **options.pop("headers", {})}
        return self.http.request(method, self.prefix + path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        answer = self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def submit(self, program: dict[str, Any] | None = None, **fields: Any) -> str:
        device = fields.pop("device", SIMULATOR)
        body = {"qObject": program or qobj(), "backend": {"name": device}, **fields}
        answer = self.call("POST", "/jobs", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def draft(self, **fields: Any) -> dict[str, Any]:
        """Return a job whose program is still to be uploaded."""
        device = fields.pop("device", SIMULATOR)
        body = {"backend": {"name": device}, "allowObjectStorage": True, **fields}
        answer = self.call("POST", "/Jobs", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, job: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get(f"/jobs/{job}")
            return found if found["status"] in FINAL else None

        return until(end, f"job {job} ends", timeout_s=60)

    def done(self, program: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """Submit a job; return its body when it is completed."""
        found = self.ended(self.submit(program, **fields))
        assert found["status"] == "COMPLETED", found
        return found

    def running(self) -> str:
        """Return a job that runs until it is cancelled."""
        job = self.submit(held_qobj(held_job()))
        until(lambda: self.get(f"/jobs/{job}/status")["status"] == "RUNNING", "the job runs")
        return job

    def listed(self, path: str = "/jobs/status", **asked: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path, params={"filter": json.dumps(asked)})
        return found
