"""Whole conversations in v0.3, with a stub that answers in the shapes of qiskit-ionq 0.5.13.

Status 200 for a submission, `running` for a running job, `target`, epoch seconds, `results_url`,
flat results of one circuit, `sharpen` with a capital.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwicket.vendors.ionq.client import Circuit, IonQAPIError, IonQClient, Job
from support.bad_server import BadServer, Connection, response

ID = "9b1d0000-1111-4222-8333-444455556666"
CHILDREN = [f"{ID[:-2]}02", f"{ID[:-2]}01"]
CALIBRATION = {"id": "1", "qubits": 25, "connectivity": [[0, 1]], "date": 1_772_359_200}


class Service:
    """Answers as the service did; a job is ready, then running, then completed."""

    def __init__(self) -> None:
        self.submitted: dict[str, Any] = {}
        self._states = ["ready", "running", "completed"]

    def __call__(self, connection: Connection) -> None:
        request = connection.read()
        assert request is not None
        if request.headers["authorization"] != "apiKey the-key-of-ada":
            body = {"statusCode": 401, "error": "Unauthorized", "message": "Invalid key."}
            return connection.send(response(401, body))
        path = request.path.removeprefix("/v0.3")
        if (request.method, path) == ("POST", "/jobs"):
            self.submitted = request.json
            answer = {"id": ID, "status": "ready", "request": 1_772_359_200}
        else:
            answer = self._answers(f"{request.method} {path}")
        return connection.send(response(200, answer))

    def _answers(self, asked: str) -> Any:
        has_many = "circuits" in self.submitted.get("input", {})
        flat = {"0": 0.5, "3": 0.5}
        answers: dict[str, Callable[[], Any]] = {
            f"GET /jobs/{ID}": self._job,
            f"GET /jobs/{ID}/results": lambda: dict.fromkeys(CHILDREN, flat) if has_many else flat,
            f"GET /jobs/{ID}/results?sharpen=True": lambda: {"3": 1.0},
            f"PUT /jobs/{ID}/status/cancel": lambda: {"id": ID, "status": "canceled"},
            f"DELETE /jobs/{ID}": lambda: {"id": ID, "status": "deleted"},
            "GET /characterizations/backends/qpu.aria-1/current": lambda: CALIBRATION,
        }
        return answers[asked]()

    def _job(self) -> dict[str, Any]:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        body = {"id": ID, "status": state, "type": "circuit", "target": self.submitted["target"]}
        return body | {"results_url": f"/v0.3/jobs/{ID}/results"} if state == "completed" else body


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def client(service: Service) -> Iterator[IonQClient]:
    with (
        BadServer(service) as server,
        IonQClient("the-key-of-ada", f"{server.url}/v0.3") as client,
    ):
        yield client


BELL = Circuit(2).h(0).cnot(0, 1)


def test_a_job_is_submitted_waited_for_and_read(client: IonQClient, service: Service) -> None:
    submitted = client.submit_job(Job(circuit=BELL, backend="qpu.aria-1", debiasing=True))
    assert (submitted["id"], submitted["status"]) == (ID, "ready")
    assert service.submitted["input"]["format"] == "ionq.circuit.v0"
    assert service.submitted["error_mitigation"] == {"debias": True}
    job = client.wait(ID, timeout=20)
    assert (job["status"], job["target"]) == ("completed", "qpu.aria-1")
    assert client.get_results(ID) == client.get_results(job["results_url"]) == {"0": 0.5, "3": 0.5}
    assert client.get_results(ID, sharpen=True) == {"3": 1.0}


def test_results_of_several_circuits_come_in_the_order_of_submission(client: IonQClient) -> None:
    client.submit_job([BELL, BELL])
    assert list(client.get_results(ID)) == CHILDREN


def test_a_job_is_cancelled_and_deleted(client: IonQClient) -> None:
    assert client.cancel_job(ID) == {"id": ID, "status": "canceled"}
    assert client.delete_job(ID) == {"id": ID, "status": "deleted"}


def test_the_calibration_in_force_is_one_object(client: IonQClient) -> None:
    assert client.get_calibration_data("ionq_qpu.aria-1") == CALIBRATION


def test_a_wrong_key_is_refused(client: IonQClient) -> None:
    with IonQClient("another-key", client._url) as other, pytest.raises(IonQAPIError) as caught:
        other.retrieve_job(ID)
    assert (caught.value.status_code, caught.value.error_type) == (401, "Unauthorized")
