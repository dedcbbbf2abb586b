"""The printed document of IBM's API of January 2020: each endpoint by its path and body.

Where it says that a body with the access token goes with a GET, one does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from support.ibm import BELL, DOOR, SIMULATOR, TWIN, Client, qobj
from support.server import LiveServer

JOB_KEYS = {
    *("qasms", "kind", "shots", "backend", "status", "creationDate", "summaryData", "timePerStep"),
    *("ip", "hubInfo", "codeId", "endDate", "cost", "id", "userId"),
}


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(server: LiveServer, http: httpx.Client) -> Client:
    return Client(http, server.token("seed"))


def by_body(client: Client, method: str, path: str, **fields: Any) -> Any:
    """Send the access token in a JSON body, as the document prints it."""
    body = {**fields, "access_token": client.token}
    answer = client.http.request(method, DOOR + path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- users ----------------------------------------------------------------------------------------


def test_users_login_with_token(server: LiveServer, http: httpx.Client) -> None:
    token = server.token("seed")
    answer = http.post(f"{DOOR}/users/loginWithToken", json={"apiToken": token})
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"id", "ttl", "created", "userId"}
    assert body["ttl"] == 14 * 86_400
    assert body["id"] != token
    datetime.fromisoformat(body["created"])


def test_users_login(server: LiveServer, http: httpx.Client) -> None:
    server.admin(
        *("user", "add", "pass-word", "--email", "pass@word.example", "--password-stdin"),
        stdin="correct horse\n",
    )
    right = {"email": "pass@word.example", "password": "correct horse"}
    answer = http.post(f"{DOOR}/users/login", json=right)
    assert answer.status_code == 200, answer.text
    headers = {"X-Access-Token": answer.json()["id"]}
    assert http.get(f"{DOOR}/users/me", headers=headers).json()["username"] == "pass-word"
    wrong = http.post(f"{DOOR}/users/login", json={**right, "password": "battery"})
    assert wrong.status_code == 401
    assert wrong.json()["error"]["name"] == "UNAUTHENTICATED"


def test_users_me(client: Client) -> None:
    me = by_body(client, "GET", "/users/me")
    assert me.keys() >= {
        *("firstName", "lastName", "userTypeId", "institution", "status", "blocked"),
        *("subscriptions", "additionalData", "codesLastVersion", "creationDate", "iqxPreferences"),
        *("emailVerified", "username", "id", "lastModified", "credit", "ibmQNetwork", "urls"),
        *("dpl", "userType", "groups", "roles"),
    }
    assert me["username"] == "seed"
    assert me["email"] == "seed@localhost"
    assert me["urls"]["http"] == str(client.http.base_url).rstrip("/") + DOOR
    assert me["urls"]["ws"].startswith("ws://127.0.0.1:")


# --- network --------------------------------------------------------------------------------------


def test_network(client: Client) -> None:
    (hub,) = by_body(client, "GET", "/network")
    assert hub.keys() >= {
        *("name", "title", "description", "creationDate", "deleted", "private"),
        *("licenseNotRequired", "isDefault", "analytics", "class", "id", "groups"),
    }
    group = hub["groups"]["open"]
    project = group["projects"]["seed"]
    assert (hub["name"], group["name"], project["name"]) == ("qwicket", "open", "seed")
    assert project["isDefault"] is True
    assert list(project["devices"]) == [SIMULATOR, TWIN, "qwicket_heavyhex27"]
    assert project["devices"][TWIN] == {
        "priority": 1,
        "name": TWIN,
        "deleted": False,
        "specificConfiguration": {},
    }


# --- devices --------------------------------------------------------------------------------------


def test_backends_properties(client: Client) -> None:
    found = by_body(client, "GET", f"/backends/{TWIN}/properties")
    assert found.keys() == {
        *("backend_name", "last_update_date", "backend_version", "gates", "general", "qubits"),
    }
    assert len(found["qubits"]) == 5
    (gate,) = (each for each in found["gates"] if each["name"] == "cx0_1")
    assert gate["qubits"] == [0, 1]
    assert {each["name"] for each in gate["parameters"]} == {"gate_error", "gate_length"}
    assert all(each.keys() == {"date", "name", "unit", "value"} for each in gate["parameters"])


def test_backend_defaults(client: Client) -> None:
    assert by_body(client, "GET", f"/backend/{TWIN}/defaults") == {}


def test_backend_queue_status(client: Client) -> None:
    found = by_body(client, "GET", f"/backend/{TWIN}/queue/status")
    assert found.keys() == {"state", "message", "status", "lengthQueue", "backend_version"}
    assert (found["state"], found["status"]) == (True, "active")


# --- jobs -----------------------------------------------------------------------------------------


def test_post_jobs_as_printed(client: Client) -> None:
    """Also with the word as it is misspelt there."""
    program = {
        "qobj_id": "some-id",
        "type": "QASM",
        "schema_version": "1.1.0",
        "experiements": [{"header": {}, "config": {}, "instructions": BELL["instructions"]}],
        "header": {},
        "config": {"shots": 200, "memory_slots": 2},
    }
    body = by_body(
        *(client, "POST", "/jobs"),
        name="printed",
        qObject=program,
        backend={"name": SIMULATOR},
        shots=200,
    )
    assert body.keys() >= {
        *("qasms", "qObject", "kind", "shots", "backend", "status", "creationDate", "hubInfo"),
        *("cost", "id", "userId", "name", "timePerStep"),
    }
    assert (body["name"], body["shots"], body["qObject"]) == ("printed", 200, {})
    assert body["backend"] == {"id": SIMULATOR, "name": SIMULATOR}
    assert [row.keys() >= {"status", "executionId"} for row in body["qasms"]] == [True]
    counts = client.ended(body["id"])["qObjectResult"]["results"][0]["data"]["counts"]
    assert sum(counts.values()) == 200


def test_get_jobs(client: Client) -> None:
    job = client.done(name="listed")
    listed = {each["id"]: each for each in by_body(client, "GET", "/jobs")}
    found = listed[job["id"]]
    assert found.keys() >= JOB_KEYS
    (row,) = found["qasms"]
    assert row["status"] == "DONE"
    assert row["result"]["counts"] == job["qObjectResult"]["results"][0]["data"]["counts"]
    assert "qObject" not in found
    assert "qObjectResult" not in found


def test_get_jobs_id(client: Client) -> None:
    program = qobj()
    made = client.done(program)
    job = by_body(client, "GET", f"/jobs/{made['id']}")
    assert job.keys() >= JOB_KEYS
    assert job["kind"] == "q-object"
    assert job["qObject"] == program
    assert job["hubInfo"]["project"] == {"name": "seed", "priority": 1}
    assert list(job["timePerStep"]) == ["CREATING", "QUEUED", "RUNNING", "COMPLETED"]
    (row,) = job["qasms"]
    assert row["qasm"] == (
        'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n'
        "h q[0];\ncx q[0],q[1];\nmeasure q[0] -> c[0];\nmeasure q[1] -> c[1];\n"
    )
    summary = job["summaryData"]
    assert summary["success"] is True
    assert summary["size"]["input"] == len(json.dumps(program, separators=(",", ":")).encode())
    assert summary["size"]["output"] > 0
    assert summary["resultTime"] >= 0
    assert summary["summary"] == {
        "max_qubits_used": 2,
        "gates_executed": 2,
        "qobj_config": {
            "n_qubits": 2,
            "max_credits": 0,
            "memory_slots": 2,
            "memory": False,
            "shots": 100,
            "type": "QASM",
        },
        "num_circuits": 1,
        "partial_validation": False,
    }


def test_jobs_cancel(client: Client) -> None:
    job = client.running()
    assert by_body(client, "POST", f"/jobs/{job}/cancel") == {"cancelled": True}
    assert client.ended(job)["status"] == "CANCELLED"


def test_jobs_status(client: Client) -> None:
    job = client.done(name="told")["id"]
    found = by_body(client, "GET", f"/jobs/{job}/status")
    assert found.keys() == {
        *("kind", "backend", "status", "creationDate", "hubInfo", "endDate", "id", "userId"),
        "name",
    }
    assert (found["status"], found["name"]) == ("COMPLETED", "told")


def test_jobs_properties(client: Client) -> None:
    job = client.done(device=TWIN)["id"]
    found = by_body(client, "GET", f"/jobs/{job}/properties")
    assert found == client.get(f"/backends/{TWIN}/properties")
    assert by_body(client, "GET", f"/jobs/{client.done()['id']}/properties") == {}


def test_object_storage_from_the_first_address_to_the_last(client: Client) -> None:
    """jobUploadUrl, jobDataUploaded, jobDownloadUrl, resultDownloadUrl, resultDownloaded."""
    job = client.draft(shots=50)
    assert job["status"] == "CREATING"
    assert job["kind"] == "q-object-external-storage"
    assert job["objectStorageInfo"].keys() >= {
        *("jobId", "uploadQObjectUrlEndpoint", "downloadQObjectUrlEndpoint"),
        *("jobQasmConverted", "validatedUrl", "validationUploadUrlEndpoint", "uploadUrl"),
    }
    at = f"/jobs/{job['id']}"
    upload = by_body(client, "GET", f"{at}/jobUploadUrl")["url"]
    program = json.dumps(qobj(shots=50)).encode()
    sent = client.http.put(upload, content=program)
    assert (sent.status_code, sent.content) == (200, b"")
    told = by_body(client, "POST", f"{at}/jobDataUploaded")["job"]
    assert told["id"] == job["id"]
    assert "error" not in told
    ended = client.ended(job["id"])
    assert ended["status"] == "COMPLETED"
    assert "qObject" not in ended
    misprinted = by_body(client, "GET", f"/job/{job['id']}s/jobDownloadUrl")["url"]
    assert client.http.get(misprinted).content == program
    result = client.http.get(by_body(client, "GET", f"{at}/resultDownloadUrl")["url"]).json()
    assert sum(result["results"][0]["data"]["counts"].values()) == 50
    assert by_body(client, "POST", f"{at}/resultDownloaded") == {}
    assert client.get(f"{at}/resultDownloadUrl")["url"]  # it stays readable
