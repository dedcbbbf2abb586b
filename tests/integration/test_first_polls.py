"""Through every vendor's dialect the first status read after a submission says that it ended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support import braket, ibm, runtime
from support.server import LiveServer
from support.waiting import until
from support.xanadu import pair as xanadu_pair

BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
IONQ: dict[str, Any] = {
    "type": "ionq.circuit.v1",
    "backend": "simulator",
    "shots": 10,
    "input": {"gateset": "qis", "qubits": 1, "circuit": [{"gate": "h", "target": 0}]},
}
ATOMS = {
    "experiment_0": {
        "instructions": [["load", [0], [5.0]], ["measure", [0], []]],
        "shots": 3,
        "num_wires": 1,
    }
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that waits as long as it may, and whose workers have started."""
    live = LiveServer(tmp_path_factory.mktemp("first-polls"), "--first-poll-ms", "5000")
    with live.client() as http:
        job = http.post(
            "/v1/jobs", json={"device": "simulator", "program": BELL, "shots": 1}
        ).json()
        until(lambda: http.get(f"/v1/jobs/{job['id']}").json()["state"] == "completed", "it ends")
    yield live
    assert live.stop() == 0


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def answered(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


@pytest.mark.parametrize("version", ["v0.3", "v0.4"])
def test_ionq(server: LiveServer, http: httpx.Client, version: str) -> None:
    body = {**IONQ, "target": "simulator"} if version == "v0.3" else IONQ
    http.headers["Authorization"] = f"apiKey {server.token()}"
    job = answered(http.post(f"/ionq/{version}/jobs", json=body))["id"]
    assert answered(http.get(f"/ionq/{version}/jobs/{job}"))["status"] == "completed"


@pytest.mark.parametrize("path", ["/jobs/{}/status", "/jobs/{}"])
def test_ibm_quantum_experience(server: LiveServer, http: httpx.Client, path: str) -> None:
    client = ibm.Client(http, server.token())
    assert client.get(path.format(client.submit()))["status"] == "COMPLETED"


def test_ibm_runtime(server: LiveServer, http: httpx.Client) -> None:
    client = runtime.Client(http, server.token())
    found = client.get(f"/jobs/{client.submit()}", params={"exclude_params": "true"})
    assert found["state"]["status"] == "Completed"


def test_qbraid(server: LiveServer, http: httpx.Client) -> None:
    http.headers["api-key"] = server.token()
    body = {
        "deviceQrn": "qbraid:qbraid:sim:statevector",
        "program": {"format": "qasm3", "data": BELL},
        "shots": 10,
    }
    job = answered(http.post("/qbraid/api/v1/jobs", json=body))["data"]["jobQrn"]
    assert answered(http.get(f"/qbraid/api/v1/jobs/{job}"))["data"]["status"] == "COMPLETED"


def test_the_former_generation_of_qbraid(server: LiveServer, http: httpx.Client) -> None:
    http.headers["api-key"] = server.token()
    body = {"qbraidDeviceId": "qbraid_statevector", "openQasm": BELL, "shots": 10}
    job = answered(http.post("/qbraid/api/quantum-jobs", json=body))["qbraidJobId"]
    (found,) = answered(http.get("/qbraid/api/quantum-jobs", params={"qbraidJobId": job}))
    assert found["status"] == "COMPLETED"


def test_qlued(server: LiveServer, http: httpx.Client) -> None:
    token, base = server.token(), "/qlued/api/v2/singlequdit"
    body = {"job": json.dumps(ATOMS), "token": token}
    job = answered(http.post(f"{base}/post_job", json=body))["job_id"]
    asked = {"job_id": job, "token": token}
    assert answered(http.get(f"{base}/get_job_status", params=asked))["status"] == "DONE"


def test_xanadu(server: LiveServer, http: httpx.Client) -> None:
    grant = {"grant_type": "refresh_token", "refresh_token": server.token(), "client_id": "public"}
    path = "/auth/realms/platform/protocol/openid-connect/token"
    passed = answered(http.post(path, data=grant))["access_token"]
    http.headers["Authorization"] = f"Bearer {passed}"
    body = {
        "name": "pair",
        "target": "simulon_gaussian",
        "language": "blackbird:1.0",
        "circuit": xanadu_pair(),
    }
    job = answered(http.post("/jobs", json=body))["id"]
    assert answered(http.get(f"/jobs/{job}"))["status"] == "complete"


def test_amazon_braket(server: LiveServer, http: httpx.Client) -> None:
    server.token()
    pair = server.admin("token", "create", "--user", server.account, "--aws")
    signed = braket.Signature(pair, "braket")
    sent = http.post("/braket/quantum-task", json=braket.body(), auth=signed)
    task = quote(answered(sent)["quantumTaskArn"], safe="")
    found = answered(http.get(f"/braket/quantum-task/{task}", auth=signed))
    assert found["status"] == "COMPLETED"


def delayed(server: LiveServer) -> dict[str, float]:
    """Return the number of delayed reads, by what ended the delay."""
    text = httpx.get(f"{server.url}/metrics").text
    found = re.findall(
        r'^qwicket_first_polls_delayed_total{reason="(\w+)"} (\S+)$', text, re.MULTILINE
    )
    return {end: float(count) for end, count in found}


def test_metrics_count_delayed_reads(server: LiveServer, http: httpx.Client) -> None:
    http.headers["Authorization"] = f"apiKey {server.token()}"
    before = delayed(server)
    assert set(before) == {"job_ended", "timeout", "disconnected"}

    def counted() -> bool:
        """A job may be faster than its read; some soon is not."""
        job = answered(http.post("/v0.4/jobs", json=IONQ))["id"]
        answered(http.get(f"/v0.4/jobs/{job}"))
        return delayed(server)["job_ended"] > before["job_ended"]

    until(counted, "a read was delayed", timeout_s=60)
    assert delayed(server)["disconnected"] == before["disconnected"]


def test_lists_of_jobs_are_never_delayed(server: LiveServer, http: httpx.Client) -> None:
    http.headers["Authorization"] = f"apiKey {server.token()}"
    before = delayed(server)
    for _ in range(20):
        job = answered(http.post("/v0.4/jobs", json=IONQ))["id"]
        (found,) = answered(http.get("/v0.4/jobs", params={"ids": job}))["jobs"]
        assert found["id"] == job
    assert delayed(server) == before
