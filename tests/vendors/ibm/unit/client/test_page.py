"""The client against a server that answers exactly the document of January 2020, and nothing else.

`PAGE` is written from the document: methods (None where it prints none), paths with their spelling,
the request's body (`ANY` where it prints none), and the answer. It is not written from the client
or the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwicket.vendors.ibm.client import DEFAULT_URL, IBMQXClient
from support import ibm_document as document
from support.bad_server import BadServer, Connection, response
from support.ibm_document import ANY, TOKEN, example, misfits

API_TOKEN = "the-api-token"
ACCESS = "the-access-token"
JOB = "5e3f2b0c9a1d4e0011aa22bb"
DEVICE = "ibmq_ourense"
BACKEND = {"id": "1", "name": DEVICE}
COMPLETED = {"id": JOB, "backend": BACKEND, "status": "COMPLETED"}
LONG = example(document.JOB, **COMPLETED, shots=1024)
SUBMITTED = example(document.SUBMITTED, **{**COMPLETED, "status": "QUEUED"}, shots=1024)
STATUS = example(document.JOB_STATUS, **COMPLETED)
PROPERTIES = example(document.PROPERTIES, backend_name=DEVICE)
QUEUE = example(document.QUEUE, state=True, lengthQueue=3)
PROJECT = document.HUB["groups"]["each"]["projects"]["each"]
DEVICES = {"1": example(PROJECT["devices"]["each"], name=DEVICE)}
GROUP = example(
    document.HUB["groups"]["each"], projects={"main": example(PROJECT, devices=DEVICES)}
)
NETWORK = [example(document.HUB, groups={"open": GROUP})]
LOGIN = example(document.LOGIN, id=ACCESS, ttl=1_209_600)
ME = example(document.ME, username="ada")
RESULT = {"success": True, "results": [{"data": {"counts": {"0x0": 500, "0x3": 524}}}]}
QOBJ = example(document.QOBJ, config={"shots": 1024, "memory_slots": 2})

PAGE: list[tuple[str | None, str, Any, Any]] = [
    ("GET", "/backends/{device}/properties", TOKEN, PROPERTIES),
    ("GET", "/backend/{device}/defaults", TOKEN, {}),
    (None, "/backend/{device}/queue/status", {}, QUEUE),
    ("GET", "/jobs", TOKEN, [LONG]),
    ("POST", "/jobs", document.SUBMISSION, SUBMITTED),
    ("GET", "/jobs/{job}", TOKEN, [LONG]),
    (None, "/jobs/{job}/cancel", TOKEN, b""),
    (None, "/jobs/{job}/status", TOKEN, STATUS),
    (None, "/jobs/{job}/properties", ANY, PROPERTIES),
    (None, "/jobs/{job}/jobDataUploaded", ANY, {"job": STATUS}),
    (None, "/jobs/{job}/resultDownloaded", ANY, {}),
    (None, "/job/{job}s/jobDownloadUrl", ANY, "/storage/program"),
    (None, "/jobs/{job}/resultDownloadUrl", ANY, "/storage/result"),
    (None, "/jobs/{job}/jobUploadUrl", ANY, "/storage/upload"),
    ("GET", "/network", TOKEN, NETWORK),
    ("POST", "/users/login", {"email": str, "password": str}, LOGIN),
    ("POST", "/users/loginWithToken", {"apiToken": str}, LOGIN),
    ("GET", "/users/me", TOKEN, ME),
]
"""The document prints no answers of the six paths with `ANY`, nor that of a login by password."""
STORAGE = {"/storage/program": QOBJ, "/storage/result": RESULT, "/storage/upload": b""}
"""Where the document's addresses lead: it prints neither their answers nor what is there."""


def _pattern(path: str) -> str:
    return re.escape(path).replace(r"\{device\}", DEVICE).replace(r"\{job\}", JOB)


def _page(server: list[BadServer]) -> Callable[[Connection], None]:
    """Answer what the document prints; paths are case-sensitive, queries are not known.

    A request must have all fields that are printed, of their types, and no others.
    """

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
                wrong = misfits(body, fields) or (fields != ANY and body.keys() - fields.keys())
                if wrong:
                    message = f"not as printed: {wrong}"
                    connection.send(response(400, {"error": {"message": message, "code": 1}}))
                elif fields != ANY and body.get("access_token", ACCESS) != ACCESS:
                    connection.send(response(401, {"error": {"message": "no", "code": 3}}))
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
    "run_qobj": (lambda client: client.run_qobj(QOBJ, DEVICE).id, JOB),
    "run_qobj by name": (lambda client: client.run_qobj(QOBJ, DEVICE, name="bell").id, JOB),
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


def test_without_an_address_the_client_asks_the_host_of_the_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("QE_URL", "QE_TOKEN", "QWICKET_URL", "QWICKET_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with IBMQXClient(API_TOKEN) as client:
        assert client._http.url == DEFAULT_URL == "https://api.quantum-computing.ibm.com/api"


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
