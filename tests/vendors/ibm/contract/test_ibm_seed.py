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

from qwicket.vendors.ibm.dialect.routes import ROUTES
from support.described import described_by
from support.ibm import BELL, DIALECT, SIMULATOR, TWIN, Client, qobj
from support.ibm_document import (
    HUB,
    JOB,
    JOB_STATUS,
    LOGIN,
    ME,
    PROPERTIES,
    QUEUE,
    STORAGE,
    SUBMITTED,
    misfits,
)
from support.server import LiveServer


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(server: LiveServer, http: httpx.Client) -> Client:
    return Client(http, server.token("seed"))


@pytest.fixture(scope="module")
def right(server: LiveServer) -> dict[str, str]:
    """The e-mail address and the password of an account."""
    server.admin(
        *("user", "add", "pass-word", "--email", "pass@word.example", "--password-stdin"),
        stdin="correct horse\n",
    )
    return {"email": "pass@word.example", "password": "correct horse"}


def by_body(client: Client, method: str, path: str, **fields: Any) -> Any:
    """Send the access token in a JSON body, as the document prints it."""
    body = {**fields, "access_token": client.token}
    answer = client.http.request(method, DIALECT + path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_answer_of_every_route_is_as_described(client: Client, right: dict[str, str]) -> None:
    """Of the other tests of the dialect each answer is held to its description, too."""
    client.get("/version")
    for path in ("/users/me", "/network", "/network/bookings/v2", "/devices"):
        client.get(path)
    for path in ("properties", "defaults", "queue/status", "jobslimit"):
        client.get(f"/devices/{TWIN}/{path}")
    job = client.done(qobj(memory=True), device=TWIN, name="described")["id"]
    for path in ("", "/status", "/properties"):
        client.get(f"/jobs/{job}{path}")
    client.get("/jobs")
    client.get("/jobs/status")
    client.call("PUT", f"/jobs/{job}", json={"tags": ["a"]})
    client.call("POST", f"/jobs/{job}/cancel")
    draft = client.draft()["id"]
    client.http.put(client.get(f"/jobs/{draft}/jobUploadUrl")["url"], json=qobj())
    client.call("POST", f"/jobs/{draft}/jobDataUploaded")
    client.ended(draft)
    for name in ("jobDownloadUrl", "resultDownloadUrl"):
        assert client.http.get(client.get(f"/jobs/{draft}/{name}")["url"]).status_code == 200
    client.call("POST", f"/jobs/{draft}/resultDownloaded")
    client.http.post(f"{DIALECT}/users/login", json=right)
    assert client.described.checked | {"sign_in_with_token"} == described_by(ROUTES)


# --- users ----------------------------------------------------------------------------------------


def test_users_login_with_token(server: LiveServer, http: httpx.Client) -> None:
    token = server.token("seed")
    answer = http.post(f"{DIALECT}/users/loginWithToken", json={"apiToken": token})
    assert answer.status_code == 200
    body = answer.json()
    assert misfits(body, LOGIN) == []
    assert body.keys() == LOGIN.keys()
    assert body["ttl"] == 14 * 86_400
    assert body["id"] != token
    datetime.fromisoformat(body["created"])


def test_users_login(http: httpx.Client, right: dict[str, str]) -> None:
    answer = http.post(f"{DIALECT}/users/login", json=right)
    assert answer.status_code == 200, answer.text
    headers = {"X-Access-Token": answer.json()["id"]}
    assert http.get(f"{DIALECT}/users/me", headers=headers).json()["username"] == "pass-word"
    wrong = http.post(f"{DIALECT}/users/login", json={**right, "password": "battery"})
    assert wrong.status_code == 401
    assert wrong.json()["error"]["name"] == "UNAUTHENTICATED"


def test_users_me(client: Client) -> None:
    me = by_body(client, "GET", "/users/me")
    assert misfits(me, ME) == []
    assert me["username"] == "seed"
    assert me["email"] == "seed@localhost"
    assert me["urls"]["http"] == str(client.http.base_url).rstrip("/") + DIALECT
    assert me["urls"]["ws"].startswith("ws://127.0.0.1:")


# --- network --------------------------------------------------------------------------------------


def test_network(client: Client) -> None:
    (hub,) = by_body(client, "GET", "/network")
    assert misfits(hub, HUB) == []
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
    assert misfits(found, PROPERTIES) == []
    assert found.keys() == PROPERTIES.keys()
    assert len(found["qubits"]) == 5
    (gate,) = (each for each in found["gates"] if each["name"] == "cx0_1")
    assert gate["qubits"] == [0, 1]
    assert {each["name"] for each in gate["parameters"]} == {"gate_error", "gate_length"}
    assert gate["parametres"] == gate["parameters"]  # the document's spelling and the clients'


def test_backend_defaults(client: Client) -> None:
    assert by_body(client, "GET", f"/backend/{TWIN}/defaults") == {}


def test_backend_queue_status(http: httpx.Client, client: Client) -> None:
    """The body of this request alone is printed empty: it needs no token."""
    answer = http.get(f"{DIALECT}/backend/{TWIN}/queue/status")
    assert answer.status_code == 200
    found = answer.json()
    assert misfits(found, QUEUE) == []
    assert found.keys() == QUEUE.keys()
    assert (found["state"], found["status"]) == (True, "active")
    assert by_body(client, "GET", f"/backend/{TWIN}/queue/status") == found


def test_a_wrong_token_is_refused_also_where_none_is_needed(http: httpx.Client) -> None:
    wrong = {"X-Access-Token": "wrong"}
    assert http.get(f"{DIALECT}/backend/{TWIN}/queue/status", headers=wrong).status_code == 401


# --- jobs -----------------------------------------------------------------------------------------


MISSPELT = {
    "qobj_id": "some-id",
    "type": "QASM",
    "schema_version": "1.1.0",
    "experiements": [{"header": {}, "config": {}, "instructions": BELL["instructions"]}],
    "header": {},
    "config": {"shots": 200, "memory_slots": 2},
}
"""A program as it is printed, with the word as it is misspelt there."""


def test_post_jobs_as_printed(client: Client) -> None:
    body = by_body(
        *(client, "POST", "/jobs"),
        name="printed",
        qObject=MISSPELT,
        backend={"name": SIMULATOR},
        shots=200,
    )
    assert misfits(body, SUBMITTED) == []
    assert (body["name"], body["shots"], body["qObject"]) == ("printed", 200, {})
    assert body["backend"] == {"id": SIMULATOR, "name": SIMULATOR}
    assert len(body["qasms"]) == 1
    counts = client.ended(body["id"])["qObjectResult"]["results"][0]["data"]["counts"]
    assert sum(counts.values()) == 200


def test_get_jobs(client: Client) -> None:
    job = client.done(name="listed")
    listed = {each["id"]: each for each in by_body(client, "GET", "/jobs")}
    found = listed[job["id"]]
    assert misfits(found, JOB) == []
    (row,) = found["qasms"]
    assert row["status"] == "DONE"
    assert row["result"]["counts"] == job["qObjectResult"]["results"][0]["data"]["counts"]
    assert "qObject" not in found
    assert "qObjectResult" not in found


def test_each_step_has_its_time_before_the_job_has_ended(client: Client) -> None:
    draft = client.draft()["id"]
    assert list(client.get(f"/jobs/{draft}")["timePerStep"]) == ["CREATING"]
    running = client.running()
    steps = ["CREATING", "QUEUED", "RUNNING"]
    assert list(client.get(f"/jobs/{running}")["timePerStep"]) == steps
    client.call("POST", f"/jobs/{running}/cancel")
    client.ended(running)
    assert list(client.get(f"/jobs/{running}")["timePerStep"]) == [*steps, "CANCELLED"]


def test_get_jobs_id(client: Client) -> None:
    program = qobj()
    made = client.done(program)
    job = by_body(client, "GET", f"/jobs/{made['id']}")
    assert misfits(job, JOB) == []  # an object, where the document prints an array
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
    assert misfits(found, JOB_STATUS) == []
    assert found.keys() == JOB_STATUS.keys()
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
    assert misfits(job["objectStorageInfo"], {**STORAGE, "uploadUrl": str}) == []
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
    assert misfits(ended, JOB) == []
    assert ended["qasms"][0]["qasm"].startswith("OPENQASM 2.0;")
    assert "qObject" not in ended
    misprinted = by_body(client, "GET", f"/job/{job['id']}s/jobDownloadUrl")["url"]
    assert client.http.get(misprinted).content == program
    result = client.http.get(by_body(client, "GET", f"{at}/resultDownloadUrl")["url"]).json()
    assert sum(result["results"][0]["data"]["counts"].values()) == 50
    assert by_body(client, "POST", f"{at}/resultDownloaded") == {}
    assert client.get(f"{at}/resultDownloadUrl")["url"]  # it stays readable


def test_an_uploaded_program_may_be_misspelt_as_printed(client: Client) -> None:
    job = client.draft()
    upload = by_body(client, "GET", f"/jobs/{job['id']}/jobUploadUrl")["url"]
    assert client.http.put(upload, json=MISSPELT).status_code == 200
    sent = by_body(client, "POST", f"/jobs/{job['id']}/jobDataUploaded")["job"]
    assert "error" not in sent
    assert client.ended(job["id"])["status"] == "COMPLETED"


def test_a_job_shows_every_printed_key_however_little_was_said_of_it(client: Client) -> None:
    """No name, and neither qubits nor memory in the program's own config."""
    program = {**qobj(), "config": {"shots": 100}}
    job = client.done(program)
    assert misfits(job, JOB) == []
    config = job["summaryData"]["summary"]["qobj_config"]
    assert (config["n_qubits"], config["memory_slots"]) == (2, 2)
    assert by_body(client, "GET", f"/jobs/{job['id']}/status")["name"] == ""
    assert job["ip"] == {"ip": "", "city": "", "country": "", "continent": ""}
    (listed,) = (each for each in by_body(client, "GET", "/jobs") if each["id"] == job["id"])
    assert misfits(listed, JOB) == []
