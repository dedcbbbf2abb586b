"""The client against a server that answers exactly the document of January 2020, and nothing else.

`PAGE` is written from the document: methods (None where it prints none), paths with their spelling,
the fields of the request's body, and the answer. It is not written from the client or the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwicket.clients.ibm_qx import IBMQXClient
from support.bad_server import BadServer, Connection, response

API_TOKEN = "the-api-token"
ACCESS = "the-access-token"
JOB = "5e3f2b0c9a1d4e0011aa22bb"
DEVICE = "ibmq_ourense"
BACKEND = {"id": "1", "name": DEVICE}
HUB = {level: {"name": "x", "priority": 1} for level in ("hub", "group", "project")}
STATUS = {
    "kind": "q-object",
    "backend": BACKEND,
    "status": "COMPLETED",
    "creationDate": "2020-01-31T12:00:00.000Z",
    "hubInfo": HUB,
    "endDate": "2020-01-31T12:00:09.000Z",
    "id": JOB,
    "userId": "u",
    "name": "bell",
}
LONG = {
    **STATUS,
    "qasms": [{"qasm": "OPENQASM 2.0;", "status": "DONE", "executionId": "e", "result": {}}],
    "shots": 1024,
    "codeId": "c",
    "cost": 0.0,
    "timePerStep": {"CREATING": "2020-01-31T12:00:00.000Z"},
}
PROPERTIES = {
    "backend_name": DEVICE,
    "last_update_date": "2020-01-31T12:00:00.000Z",
    "backend_version": "1.0.0",
    "gates": [],
    "general": [],
    "qubits": [],
}
QUEUE = {
    "state": True,
    "message": "",
    "status": "active",
    "lengthQueue": 3,
    "backend_version": "1.0.0",
}
DEVICES = {"1": {"priority": 1, "name": DEVICE, "deleted": False, "specificConfiguration": {}}}
NETWORK = [
    {
        "name": "ibm-q",
        "groups": {"open": {"name": "open", "projects": {"main": {"devices": DEVICES}}}},
    }
]
LOGIN = {"id": ACCESS, "ttl": 1_209_600, "created": "2020-01-31T12:00:00.000Z", "userId": "u"}
RESULT = {"success": True, "results": [{"data": {"counts": {"0x0": 500, "0x3": 524}}}]}
QOBJ = {"qobj_id": "q", "type": "QASM", "schema_version": "1.1.0", "experiments": []}
TOKEN = frozenset({"access_token"})
NOTHING: frozenset[str] = frozenset()

PAGE: list[tuple[str | None, str, frozenset[str], Any]] = [
    ("GET", "/backends/{device}/properties", TOKEN, PROPERTIES),
    ("GET", "/backend/{device}/defaults", TOKEN, {}),
    (None, "/backend/{device}/queue/status", NOTHING, QUEUE),
    ("GET", "/jobs", TOKEN, [LONG]),
    ("POST", "/jobs", frozenset({"qObject", "backend", "access_token"}), {**STATUS, "qObject": {}}),
    ("GET", "/jobs/{job}", TOKEN, [LONG]),
    (None, "/jobs/{job}/cancel", TOKEN, b""),
    (None, "/jobs/{job}/status", TOKEN, STATUS),
    (None, "/jobs/{job}/properties", NOTHING, PROPERTIES),
    (None, "/jobs/{job}/jobDataUploaded", NOTHING, {"job": STATUS}),
    (None, "/jobs/{job}/resultDownloaded", NOTHING, {}),
    (None, "/job/{job}s/jobDownloadUrl", NOTHING, "/storage/program"),
    (None, "/jobs/{job}/resultDownloadUrl", NOTHING, "/storage/result"),
    (None, "/jobs/{job}/jobUploadUrl", NOTHING, "/storage/upload"),
    ("GET", "/network", TOKEN, NETWORK),
    ("POST", "/users/login", frozenset({"email", "password"}), LOGIN),
    ("POST", "/users/loginWithToken", frozenset({"apiToken"}), LOGIN),
    ("GET", "/users/me", TOKEN, {"username": "ada", "id": "u"}),
]
STORAGE = {"/storage/program": QOBJ, "/storage/result": RESULT, "/storage/upload": b""}
"""Where the document's addresses lead: it prints neither their answers nor what is there."""


def _pattern(path: str) -> str:
    return re.escape(path).replace(r"\{device\}", DEVICE).replace(r"\{job\}", JOB)


def _page(server: list[BadServer]) -> Callable[[Connection], None]:
    """Response what the document prints; paths are case-sensitive, queries are not known."""

    def step(connection: Connection) -> None:
        request = connection.read()
        if request is None:
            return
        path = request.path.removeprefix("/api")
        if path in STORAGE:
            connection.send(response(200, STORAGE[path]))
            return
        body = json.loads(request.body or b"{}")
        for method, printed, fields, found in PAGE:
            if method in (None, request.method) and re.fullmatch(_pattern(printed), path):
                is_signed = "access_token" not in fields or body.get("access_token") == ACCESS
                if not (body.keys() >= fields and is_signed):
                    connection.send(response(401, {"error": {"message": "no", "code": 1}}))
                elif isinstance(found, str):
                    connection.send(response(200, {"url": f"{server[0].url}/api{found}"}))
                else:
                    connection.send(response(200, found))
                return
        connection.send(response(404, {"error": {"message": path, "code": 2, "name": "NO"}}))

    return step


@pytest.fixture
def page() -> Iterator[BadServer]:
    made: list[BadServer] = []
    with BadServer(_page(made)) as server:
        made.append(server)
        yield server


CALLS: dict[str, tuple[Callable[[IBMQXClient], Any], Any]] = {
    "me": (lambda client: client.me().username, "ada"),
    "network": (lambda client: [dict(hub) for hub in client.network()], NETWORK),
    "backends": (lambda client: [device.name for device in client.backends()], [DEVICE]),
    "properties": (lambda client: dict(client.properties(DEVICE)), PROPERTIES),
    "defaults": (lambda client: dict(client.defaults(DEVICE)), {}),
    "queue_status": (lambda client: client.queue_status(DEVICE).length, 3),
    "run_qobj": (lambda client: client.run_qobj(QOBJ, DEVICE, name="bell").id, JOB),
    "jobs": (lambda client: [job.id for job in client.jobs()], [JOB]),
    "job": (lambda client: client.job(JOB).shots, 1024),
    "job_status": (lambda client: client.job_status(JOB).status, "COMPLETED"),
    "result": (lambda client: client.result(JOB).counts(), {"0x0": 500, "0x3": 524}),
    "cancel": (lambda client: client.cancel(JOB), False),
    "job_properties": (lambda client: dict(client.job_properties(JOB)), PROPERTIES),
    "job_download_url": (lambda client: client.job_download_url(JOB)[-16:], "/storage/program"),
    "program": (lambda client: client.program(JOB), QOBJ),
    "job_upload_url": (lambda client: client.job_upload_url(JOB)[-15:], "/storage/upload"),
    "job_data_uploaded": (lambda client: client.job_data_uploaded(JOB).id, JOB),
    "result_download_url": (
        lambda client: client.result_download_url(JOB)[-15:],
        "/storage/result",
    ),
    "result_downloaded": (lambda client: client.result_downloaded(JOB), None),
    "login": (lambda client: client.login("ada@example.org", "secret")["ttl"], 1_209_600),
    "login_with_token": (lambda client: client.login_with_token("other")["id"], ACCESS),
    "wait": (lambda client: client.wait(JOB, timeout=20).id, JOB),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_method_works_on_a_server_of_the_document_alone(page: BadServer, name: str) -> None:
    call, expected = CALLS[name]
    with IBMQXClient(API_TOKEN, url=f"{page.url}/api") as client:
        assert call(client) == expected


def test_every_endpoint_of_the_document_is_asked_as_it_is_printed(page: BadServer) -> None:
    with IBMQXClient(API_TOKEN, url=f"{page.url}/api") as client:
        for call, _ in CALLS.values():
            call(client)
    asked = {(request.method, request.path.removeprefix("/api")) for request in page.requests}
    for method, printed, _, _ in PAGE:
        assert any(
            method in (None, each) and re.fullmatch(_pattern(printed), path) for each, path in asked
        ), printed


def test_nothing_is_signed_in_for_the_queue(page: BadServer) -> None:
    with IBMQXClient(API_TOKEN, url=f"{page.url}/api") as client:
        client.queue_status(DEVICE)
    (request,) = page.requests
    assert (request.body, "x-access-token" in request.headers) == (b"", False)


def test_the_access_token_is_in_the_body_and_in_the_header(page: BadServer) -> None:
    with IBMQXClient(API_TOKEN, url=f"{page.url}/api") as client:
        client.me()
    request = page.requests[-1]
    assert request.json == {"access_token": ACCESS}
    assert request.headers["x-access-token"] == ACCESS


def test_a_new_sign_in_is_used_from_then_on(page: BadServer) -> None:
    with IBMQXClient(API_TOKEN, url=f"{page.url}/api") as client:
        client.me()
        client.login("ada@example.org", "secret")
        client.me()
        client.login_with_token("other")
    bodies = [request.json for request in page.requests if "/login" in request.path]
    assert bodies == [
        {"apiToken": API_TOKEN},
        {"email": "ada@example.org", "password": "secret"},
        {"apiToken": "other"},
    ]
