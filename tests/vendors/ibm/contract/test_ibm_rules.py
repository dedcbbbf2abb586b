"""What IBM's dialect promises beside its document: scopes, uploads, tickets, streams, limits."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from abuse.dialects import ibm_json
from support import raw
from support.for_each import for_each
from support.held import held_job
from support.ibm import (
    BELL,
    DIALECT,
    SIMULATOR,
    TWIN,
    Client,
    H,
    experiment,
    held_qobj,
    measure,
    qobj,
)
from support.server import LiveServer
from support.waiting import PROMPT_S, until

ABSENT = "0197a0b0-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(server: LiveServer, http: httpx.Client) -> Client:
    return Client(http, server.token("rules"))


@pytest.fixture(scope="module")
def other(server: LiveServer, http: httpx.Client) -> Client:
    return Client(http, server.token("another"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with small limits."""
    live = LiveServer(
        tmp_path_factory.mktemp("small"),
        *("--limit", "unfinished_jobs=2", "--limit", "upload_bytes=1048576"),
        *(
            "--limit",
            "uploads_bytes=2097152",
            "--limit",
            "draft_s=3",
            "--maintenance-interval-s",
            "1",
        ),
        *("--limit", "sockets=2", "--limit", "sockets_each=1", "--limit", "head_timeout_s=1"),
        *("--limit", "list_page=3", "--limit", "long_access_token_s=3600"),
    )
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.fixture
def bounded(small: LiveServer) -> Iterator[Client]:
    with httpx.Client(base_url=small.url, timeout=60) as http:
        client = Client(http, small.token())
        yield client
        for job in client.listed(where={"status": {"inq": ["CREATING", "QUEUED", "RUNNING"]}}):
            client.call("POST", f"/jobs/{job['id']}/cancel")
            client.ended(job["id"])


# --- who and where --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["header", "query", "body"])
def test_the_access_token_is_taken_from_three_places(client: Client, way: str) -> None:
    token, ask = client.token, client.http.request
    options: dict[str, dict[str, Any]] = {
        "header": {"headers": {"X-Access-Token": token}},
        "query": {"params": {"access_token": token}},
        "body": {"json": {"access_token": token}},
    }
    assert ask("GET", f"{DIALECT}/jobs", **options[way]).status_code == 200
    wrong = json.loads(json.dumps(options[way]).replace(token, token[:-3] + "abc"))
    refused = ask("GET", f"{DIALECT}/jobs", **wrong)
    assert refused.status_code == 401
    ibm_json(refused)


def test_a_token_is_no_access_token(server: LiveServer, http: httpx.Client) -> None:
    for secret in (server.token("rules"), ""):
        refused = http.get(f"{DIALECT}/users/me", headers={"X-Access-Token": secret})
        assert refused.status_code == 401
        ibm_json(refused)


def test_a_scope_shows_its_projects_jobs_alone(server: LiveServer, http: httpx.Client) -> None:
    account, project = server.unused("scoped"), server.unused("project")
    main = Client(http, server.token(account))
    server.admin("project", "add", project)
    server.admin("project", "member", "add", project, account)
    second = server.admin("token", "create", "--user", account, "--project", project)
    lab = Client(http, second)
    in_main, in_lab = main.submit(), lab.submit()

    def ids(of: Client, scope: str) -> set[str]:
        prefix = f"/Network/qwicket/Groups/open/Projects/{scope}" if scope else ""
        return {job["id"] for job in of.get(f"{prefix}/Jobs")}

    for each in (main, lab):
        assert ids(each, account) == {in_main}
        assert ids(each, project) == {in_lab}
        assert ids(each, "") == {in_main, in_lab}
        (hub,) = each.get("/Network")
        shown = hub["groups"]["open"]["projects"]
        assert {name: found["isDefault"] for name, found in shown.items()} == {
            account: each is main,
            project: each is lab,
        }
    at = f"/Network/qwicket/Groups/open/Projects/{project}/Jobs"
    assert main.call("GET", f"{at}/{in_lab}").status_code == 200
    assert main.call("GET", f"{at}/{in_main}").status_code == 404
    body = {"backend": {"name": SIMULATOR}, "qObject": qobj()}
    refused = main.call("POST", at, json=body)
    assert refused.status_code == 403
    assert "of another project" in ibm_json(refused)
    assert lab.call("POST", at, json=body).json()["hubInfo"]["project"]["name"] == project


@pytest.mark.parametrize(
    "place",
    [
        "qwicket/Groups/open/Projects/nothing",
        "qwicket/Groups/open/Projects/another",
        "QWICKET/Groups/open/Projects/rules",
        "qwicket/Groups/closed/Projects/rules",
    ],
)
def test_an_unknown_scope_is_not_found(client: Client, other: Client, place: str) -> None:
    for path in ("/Jobs", "/devices/v/1", f"/Jobs/{client.submit()}"):
        refused = client.call("GET", f"/Network/{place}{path}")
        assert refused.status_code == 404
        ibm_json(refused)


def test_another_accounts_job_is_as_an_absent_one(client: Client, other: Client) -> None:
    job = client.done()["id"]
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("GET", "/status"),
        ("GET", "/properties"),
        ("POST", "/cancel"),
        ("GET", "/resultDownloadUrl"),
        ("GET", "/jobUploadUrl"),
        ("POST", "/jobDataUploaded"),
        ("POST", "/resultDownloaded"),
    ):
        body = {"name": "x"} if method == "PUT" else None
        mine = other.call(method, f"/jobs/{job}{path}", json=body)
        none = other.call(method, f"/jobs/{ABSENT}{path}", json=body)
        assert (mine.status_code, mine.content) == (none.status_code, none.content)
        assert none.status_code == 404
        assert none.json()["error"]["code"] == 3250


def test_jobs_of_other_dialects_are_not_shown(server: LiveServer, client: Client) -> None:
    with server.client(server.token("rules")) as native:
        made = native.post("/v1/jobs", json={"device": SIMULATOR, "program": BELL_3, "shots": 10})
        assert made.status_code == 201, made.text
        job = made.json()["id"]
    assert client.call("GET", f"/jobs/{job}").status_code == 404
    assert job not in [each["id"] for each in client.get("/jobs")]


BELL_3 = "OPENQASM 3.0; include 'stdgates.inc'; qubit[1] q; bit[1] c; x q[0]; c[0] = measure q[0];"


def test_dates_of_creation_are_unique_and_rise(client: Client) -> None:
    made = [client.draft()["creationDate"] for _ in range(20)]
    assert made == sorted(set(made))


# --- jobs -----------------------------------------------------------------------------------------


def test_a_failed_validation_is_reported_and_stored(client: Client) -> None:
    job = client.draft(name="invalid")
    url = job["objectStorageInfo"]["uploadUrl"]
    program = json.dumps(qobj(experiment(H, {"name": "nonsense", "qubits": [0]}))).encode()
    assert client.http.put(url, content=program).status_code == 200
    told = client.call("POST", f"/jobs/{job['id']}/jobDataUploaded").json()["job"]
    assert told["status"] == "ERROR_VALIDATING_JOB"
    assert told["error"]["code"] == 3101
    assert "(nonsense)" in told["error"]["message"]
    again = client.call("POST", f"/jobs/{job['id']}/jobDataUploaded").json()["job"]
    assert again["error"] == told["error"]
    assert client.call("GET", f"/jobs/{job['id']}/resultDownloadUrl").status_code == 404


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ({**qobj(), "type": "PULSE"}, "pulse"),
        ({}, "qobj_id is missing"),
        (qobj(method="density_matrix"), "method"),
        (qobj(shots=0), "shots"),
        (qobj(shots=10**7), "shots"),
        (qobj(experiment(H, qubits=40)), "qubits"),
        (qobj(experiment(*measure(0), qubits=0)), "n_qubits"),
    ],
    ids=["pulse", "empty", "method", "no shots", "many shots", "wide", "no qubits"],
)
def test_a_bad_program_is_refused_with_its_reason(
    client: Client, program: dict[str, Any], why: str
) -> None:
    body = {"backend": {"name": SIMULATOR}, "qObject": program}
    refused = client.call("POST", "/jobs", json=body)
    assert refused.status_code == 400
    assert why in ibm_json(refused)


def test_shots_that_contradict_the_program_are_refused(client: Client) -> None:
    """Not those before an upload: IBM's older client always sends 1 there."""
    body = {"backend": {"name": SIMULATOR}, "qObject": qobj(shots=100), "shots": 7}
    without = {**qobj(), "config": {"memory_slots": 2}}
    refused = client.call("POST", "/jobs", json=body)
    assert refused.status_code == 400
    assert "shots is 7, but qObject.config.shots is 100" in ibm_json(refused)
    (experiment,) = without["experiments"]
    own = {**experiment, "config": {**experiment["config"], "shots": 55}}
    program = {**without, "experiments": [own]}
    refused = client.call("POST", "/jobs", json={**body, "qObject": program})
    assert refused.status_code == 400
    assert "shots is 7, but qObject.experiments[0].config.shots is 55" in ibm_json(refused)
    assert client.done(program, shots=55)["shots"] == 55
    assert client.done(without, shots=7)["shots"] == 7
    assert client.done(qobj(shots=7), shots=7)["shots"] == 7


def test_name_and_tags_are_changed_and_nothing_else(client: Client) -> None:
    job = client.done(name="one", tags=["a"])["id"]
    assert client.call("PUT", f"/jobs/{job}", json={"name": "two"}).json() == {"name": "two"}
    assert client.call("PUT", f"/jobs/{job}", json={"tags": []}).json() == {"tags": []}
    found = client.get(f"/jobs/{job}")
    assert (found["name"], found["tags"]) == ("two", [])
    for wrong in ({}, {"status": "COMPLETED"}, {"name": "x", "tags": []}, {"name": "x" * 300}):
        refused = client.call("PUT", f"/jobs/{job}", json=wrong)
        assert refused.status_code == 400
        ibm_json(refused)


def test_only_what_has_ended_is_deleted(client: Client) -> None:
    job = client.running()
    assert client.call("DELETE", f"/jobs/{job}").status_code == 409
    client.call("POST", f"/jobs/{job}/cancel")
    client.ended(job)
    assert client.call("DELETE", f"/jobs/{job}").status_code == 204
    assert client.call("GET", f"/jobs/{job}").status_code == 404


def test_what_has_ended_is_not_cancelled(client: Client) -> None:
    job = client.done()["id"]
    answer = client.call("POST", f"/jobs/{job}/cancel")
    assert answer.status_code == 200
    assert answer.json()["cancelled"] is False
    assert "COMPLETED" in answer.json()["error"]["message"]


def test_a_condition_is_run_and_shown_as_openqasm(client: Client) -> None:
    kept = {"name": "measure", "qubits": [0], "memory": [0], "register": [0]}
    test = {"name": "bfunc", "mask": "0x1", "relation": "==", "val": "0x1", "register": 2}
    flip = {"name": "x", "qubits": [1], "conditional": 2}
    program = qobj(
        experiment(H, kept, test, flip, *measure(1), creg_sizes=[["first", 1], ["last", 1]])
    )
    job = client.done(program)
    assert "if(first==1) x q[1];" in job["qasms"][0]["qasm"]
    assert set(job["qObjectResult"]["results"][0]["data"]["counts"]) == {"0x0", "0x3"}


def test_the_engine_is_chosen_by_method(client: Client) -> None:
    wide = experiment(H, *({"name": "cx", "qubits": [0, q]} for q in range(1, 20)), qubits=20)
    wide["instructions"] += measure(*range(20))
    for method in ("automatic", "statevector", "stabilizer"):
        (result,) = client.done(qobj(wide, method=method))["qObjectResult"]["results"]
        assert set(result["data"]["counts"]) == {"0x0", "0xfffff"}
    refused = client.call(
        "POST", "/jobs", json={"backend": {"name": TWIN}, "qObject": qobj(method="stabilizer")}
    )
    assert refused.status_code == 400


# --- uploads --------------------------------------------------------------------------------------


def put(url: str, declared: int, body: bytes) -> None:
    """Begin an upload of a declared length, send some of it, and hang up."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as line:
        head = f"PUT {address.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {declared}\r\n\r\n"
        line.sendall(head.encode() + body)
        line.shutdown(socket.SHUT_WR)
        line.recv(1)


def test_an_upload_that_is_cut_leaves_the_job_as_it_was(client: Client) -> None:
    job = client.draft(shots=10)
    url = job["objectStorageInfo"]["uploadUrl"]
    program = json.dumps(qobj(experiment(*[H, H] * 60_000, *measure(0), qubits=1))).encode()
    assert len(program) > 3 << 20
    for cut in (0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, len(program) - 1):
        put(url, len(program), program[:cut])
        assert client.get(f"/jobs/{job['id']}/status")["status"] == "CREATING"
        refused = client.call("POST", f"/jobs/{job['id']}/jobDataUploaded")
        assert refused.status_code == 409
        assert "not uploaded" in ibm_json(refused)
    assert client.http.put(url, content=program).status_code == 200
    put(url, len(program), program[:2_000_000])  # one that is cut does not undo one that is whole
    told = client.call("POST", f"/jobs/{job['id']}/jobDataUploaded").json()["job"]
    assert "error" not in told
    found = client.ended(job["id"])
    assert found["status"] == "COMPLETED"
    address = client.get(f"/jobs/{job['id']}/jobDownloadUrl")["url"]
    assert client.http.get(address).content == program


def test_20_megabytes_are_taken_and_70_are_not(client: Client) -> None:
    job = client.draft()
    url = job["objectStorageInfo"]["uploadUrl"]
    padding = " " * (20 << 20)
    program = json.dumps(qobj()).encode() + padding.encode()
    assert client.http.put(url, content=program).status_code == 200
    told = client.call("POST", f"/jobs/{job['id']}/jobDataUploaded").json()["job"]
    assert "error" not in told, told
    assert client.ended(job["id"])["status"] == "COMPLETED"
    late = client.draft()["objectStorageInfo"]["uploadUrl"]
    refused = client.http.put(late, content=b" " * (70 << 20))
    assert refused.status_code == 413
    assert "upload_bytes" in ibm_json(refused)


def test_a_body_takes_10_megabytes_of_program(client: Client) -> None:
    body = json.dumps({"backend": {"name": SIMULATOR}, "qObject": qobj()}).encode()
    large = body[:-2] + b" " * (11 << 20) + b"}}"
    refused = client.call("POST", "/jobs", content=large)
    assert refused.status_code == 400
    assert "program_json_bytes" in ibm_json(refused)


def test_an_altered_or_foreign_signed_url_is_forbidden(client: Client) -> None:
    one, two = client.draft(), client.draft()
    url = one["objectStorageInfo"]["uploadUrl"]
    path, _, ticket = url.rpartition("/")
    for wrong in (
        f"{path}/{ticket[:-2]}aa",
        f"{path}/nonsense",
        f"{path}/{client.token}",
        url.replace(one["id"], two["id"]),
        url.replace("/upload/", "/program/"),
        url.replace("/upload/", "/result/"),
    ):
        method = "PUT" if "/upload/" in wrong else "GET"
        refused = client.http.request(method, wrong, content=b"{}" if method == "PUT" else None)
        assert refused.status_code == 403, wrong
        ibm_json(refused)
    assert client.http.get(url).status_code == 405


def test_a_signed_url_ends_with_its_token(server: LiveServer, http: httpx.Client) -> None:
    account = server.unused("mortal")
    server.token(account)
    client = Client(http, server.admin("token", "create", "--user", account))
    url = client.draft()["objectStorageInfo"]["uploadUrl"]
    revoke_newest(server, account)
    refused = http.put(url, content=b"{}")
    assert refused.status_code == 403
    assert client.call("GET", "/jobs").status_code == 401


def revoke_newest(server: LiveServer, name: str) -> None:
    rows = [row for row in server.admin("token", "list", "--user", name).splitlines() if row]
    ids = [word for row in rows for word in row.split() if word.count("-") == 4]
    server.admin("token", "revoke", ids[-1])


def test_uploads_are_bounded_each_and_together(bounded: Client) -> None:
    url = bounded.draft()["objectStorageInfo"]["uploadUrl"]
    refused = bounded.http.put(url, content=b" " * ((1 << 20) + 1))
    assert refused.status_code == 413
    assert "upload_bytes" in ibm_json(refused)
    assert bounded.http.put(url, content=b" " * (1 << 20)).status_code == 200
    second = bounded.draft(device=TWIN)["objectStorageInfo"]["uploadUrl"]
    assert bounded.http.put(second, content=b" " * (1 << 20)).status_code == 200
    third = bounded.draft(device=TWIN)["objectStorageInfo"]["uploadUrl"]
    full = bounded.http.put(third, content=b"{}")
    assert full.status_code == 400
    assert "uploads_bytes" in ibm_json(full)


# --- limits ---------------------------------------------------------------------------------------


def test_the_job_limit_is_reported_as_the_client_expects(bounded: Client) -> None:
    at = f"/backends/{SIMULATOR}/jobsLimit"
    assert bounded.get(at) == {"maximumJobs": 2, "runningJobs": 0}
    for _ in range(2):
        bounded.submit(held_qobj(held_job()))
    assert bounded.get(at) == {"maximumJobs": 2, "runningJobs": 2}
    for body in (
        {"backend": {"name": SIMULATOR}, "qObject": qobj()},
        {"backend": {"name": SIMULATOR}, "allowObjectStorage": True},
    ):
        refused = bounded.call("POST", "/jobs", json=body)
        assert refused.status_code == 400
        ibm_json(refused)
        assert refused.json()["error"]["code"] == 3458
    bounded.submit(device=TWIN)  # another device has a limit of its own


def test_without_a_limit_there_is_none(client: Client) -> None:
    found = client.get(f"/backends/{SIMULATOR}/jobsLimit")
    assert found["maximumJobs"] == -1


def test_a_page_is_bounded_and_the_next_one_follows(bounded: Client) -> None:
    made = [bounded.done()["id"] for _ in range(5)]
    first = bounded.listed(where={}, limit=100)
    assert [job["id"] for job in first] == made[:1:-1]
    last = first[-1]
    rest = bounded.listed(
        where={"creationDate": {"lte": last["creationDate"]}, "id": {"nin": [last["id"]]}}, limit=2
    )
    assert [job["id"] for job in rest] == made[1::-1]


@pytest.mark.parametrize("order", ["creationDate DESC", "creationDate ASC"])
def test_a_filter_finds_jobs_beyond_the_first_page(bounded: Client, order: str) -> None:
    name = f"beyond {order}"
    made = [bounded.done(qobj(shots=shots), name=name)["id"] for shots in (7, *[10] * 4, 7)]
    found = bounded.listed(where={"name": name, "shots": 7}, limit=2, order=order)
    expected = [made[0], made[-1]]
    assert [job["id"] for job in found] == (expected if "ASC" in order else expected[::-1])


def test_a_draft_that_nothing_comes_of_fails(bounded: Client) -> None:
    job = bounded.draft(device=TWIN)["id"]
    found = until(
        lambda: (lambda it: it if it["status"] != "CREATING" else None)(
            bounded.get(f"/jobs/{job}")
        ),
        "the draft expires",
        timeout_s=90,
    )
    assert found["status"] == "ERROR_CREATING_JOB"
    assert found["error"]["code"] == 3500


# --- streams --------------------------------------------------------------------------------------


def stream(client: Client, job: str, path: str = "/status/v/1") -> ClientConnection:
    url = str(client.http.base_url).rstrip("/").replace("http", "ws", 1)
    return connect(
        f"{url}{DIALECT}/jobs/{job}{path}", proxy=None, compression=None, close_timeout=1
    )


def sign(line: ClientConnection, token: str) -> None:
    line.send(json.dumps({"type": "authentication", "data": token}))


def ended_with(line: ClientConnection, timeout_s: float = 20) -> int | None:
    """Read to the end; return the close code."""
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            line.recv(timeout=timeout_s)
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else None
    raise AssertionError("it is still open")


def test_a_request_for_a_websocket_is_upgraded_and_elsewhere_ignored(client: Client) -> None:
    wanted = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    address = urlsplit(str(client.http.base_url))
    path = f"{DIALECT}/jobs/{ABSENT}/status"
    with socket.create_connection((address.hostname, address.port), timeout=20) as line:
        head = [f"GET {path} HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in wanted.items())]
        line.sendall("\r\n".join([*head, "", ""]).encode())
        answer = line.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 101 ")
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer  # RFC 6455, section 1.3, for this key
    assert client.http.get("/livez", headers=wanted).json() == {"status": "alive"}
    assert client.http.get(f"{DIALECT}/jobs/{ABSENT}/nothing", headers=wanted).status_code == 403


def test_no_stream_begins_before_an_earlier_request_is_answered(client: Client) -> None:
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    path = f"{DIALECT}/jobs/{ABSENT}/status"
    with raw.connect(str(client.http.base_url)) as line:
        line.sendall(raw.head(f"GET {DIALECT}/version") + raw.head(f"GET {path}", *upgrade, key))
        assert raw.answer(line).json()["api-auth"] == "1.0"
        assert raw.answer(line).status_code == 401


@pytest.mark.parametrize("path", ["/status/v/1", "/status"])
def test_a_stream_sends_each_status_as_bytes_and_closes(client: Client, path: str) -> None:
    job = client.running()
    with stream(client, job, path) as line:
        sign(line, client.token)
        first = line.recv(timeout=10)
        assert isinstance(first, bytes), "older clients read no text"
        assert json.loads(first) == {"type": "authenticated"}
        told = json.loads(line.recv(timeout=10))
        assert (told["type"], told["data"]["status"]) == ("job-status", "RUNNING")
        client.call("POST", f"/jobs/{job}/cancel")
        last = json.loads(line.recv(timeout=10))["data"]
        assert last["status"] == "CANCELLED"
        assert last == client.get(f"/jobs/{job}/status")
        assert ended_with(line) == 4002


def test_a_stream_of_an_unknown_or_foreign_job_closes(client: Client, other: Client) -> None:
    for job in (client.submit(), ABSENT, "nonsense"):
        with stream(other, job) as line:
            sign(line, other.token)
            assert ended_with(line) == 4003


@for_each(
    "message",
    ['{"type": "authentication", "data": "x.y.z"}', "{", "[" * 5_000, b"\xff", "x" * 9_999],
)
def test_a_stream_without_a_good_token_closes_untold(client: Client, message: Any) -> None:
    with stream(client, client.submit()) as line:
        line.send(message)
        with pytest.raises(ConnectionClosed) as end:
            line.recv(timeout=10)
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == 1008


def test_a_stream_that_is_spoken_to_closes(client: Client) -> None:
    job = client.running()
    with stream(client, job) as line:
        sign(line, client.token)
        line.recv(timeout=10)
        line.send("and another thing")
        assert ended_with(line) == 1008
    with stream(client, job) as line:
        line.send("x" * (1 << 20))  # beyond any token
        assert ended_with(line) == 1009
    client.call("POST", f"/jobs/{job}/cancel")


def test_a_stream_closes_soon_after_its_token_is_revoked(
    server: LiveServer, http: httpx.Client
) -> None:
    account = server.unused("revoked")
    keeper = Client(http, server.token(account))
    client = Client(http, server.admin("token", "create", "--user", account))
    job = client.running()
    with stream(client, job) as line:
        sign(line, client.token)
        line.recv(timeout=10)
        revoke_newest(server, account)
        assert ended_with(line) == 1008
    keeper.call("POST", f"/jobs/{job}/cancel")


def test_streams_are_bounded_in_number_and_silence(bounded: Client, small: LiveServer) -> None:
    other = Client(bounded.http, small.token("streamer"))
    job, another = bounded.submit(held_qobj(held_job())), other.submit(held_qobj(held_job()))
    with stream(bounded, job) as one:
        sign(one, bounded.token)
        one.recv(timeout=10)
        with stream(bounded, job) as two:
            sign(two, bounded.token)
            assert ended_with(two) == 4001  # the account has its one
        with stream(other, another) as three:
            sign(three, other.token)
            three.recv(timeout=10)
            with pytest.raises(Exception, match="503"):
                stream(bounded, job)
    with stream(bounded, job) as silent:
        assert ended_with(silent) == 1008


def test_clients_that_hang_up_leave_nothing_behind(bounded: Client, small: LiveServer) -> None:
    """Their places are free again; the log stays calm, which the fixture looks at."""
    job = bounded.submit(held_qobj(held_job()))
    for number in range(12):
        with contextlib.suppress(OSError, InvalidStatus), stream(bounded, job) as line:
            if number % 3:
                sign(line, bounded.token)
                with contextlib.suppress(ConnectionClosed):  # the former one may still be there
                    line.recv(timeout=10)
            if number % 2:
                line.socket.shutdown(socket.SHUT_RDWR)

    def is_free() -> bool:
        with stream(bounded, job) as last:
            sign(last, bounded.token)
            return bool(json.loads(last.recv(timeout=10))["type"] == "authenticated")

    until(lambda: attempt(is_free), "a place is free", timeout_s=PROMPT_S)


def attempt(what: Callable[[], bool]) -> bool:
    try:
        return what()
    except (ConnectionClosed, InvalidStatus):
        return False


def test_a_server_that_stops_closes_its_streams(tmp_path: Path) -> None:
    live = LiveServer(tmp_path)
    with httpx.Client(base_url=live.url, timeout=60) as http:
        client = Client(http, live.token())
        job = client.running()
        with stream(client, job) as line:
            sign(line, client.token)
            line.recv(timeout=10)
            live.process.terminate()
            assert ended_with(line) == 1012
    assert live.stop() == 0
    live.assert_calm()


def test_a_crowd_of_programs_of_one_account_is_read_in_turn_and_none_refused(
    client: Client,
) -> None:
    """The native dialect answers 429 from the 17th on; these clients never repeat such a POST."""
    body = {"qObject": qobj(*[BELL] * 75), "backend": {"name": SIMULATOR}}
    with ThreadPoolExecutor(40) as pool:
        sent = [pool.submit(client.call, "POST", "/jobs", json=body) for _ in range(40)]
        assert {each.result().status_code for each in sent} == {200}


def test_a_list_reads_no_more_than_some_megabytes_of_programs(
    server: LiveServer, http: httpx.Client
) -> None:
    alone = Client(http, server.token(server.unused("lister")))
    long = qobj()
    long["header"]["note"] = "x" * 1_500_000  # longer than what is written as OpenQASM
    jobs = [alone.submit(long) for _ in range(6)]
    rows = alone.get("/jobs", params={"filter": json.dumps({"limit": 6})})
    assert [row["id"] for row in rows] == jobs[::-1]
    assert ["qasms" in row for row in rows] == [True, True, False, False, False, False]


def test_results_are_the_same_however_they_are_fetched(client: Client) -> None:
    program = qobj(BELL, memory=True, seed_simulator=11)
    direct = client.done(program)["qObjectResult"]
    job = client.draft()
    client.http.put(job["objectStorageInfo"]["uploadUrl"], content=json.dumps(program).encode())
    client.call("POST", f"/jobs/{job['id']}/jobDataUploaded")
    client.ended(job["id"])
    url = client.get(f"/jobs/{job['id']}/resultDownloadUrl")["url"]
    fetched = client.http.get(url).json()
    assert fetched["results"][0]["data"] == direct["results"][0]["data"]
    (result,) = direct["results"]
    memory, counts = result["data"]["memory"], result["data"]["counts"]
    assert {key: memory.count(key) for key in set(memory)} == counts
    assert result["header"] == BELL["header"]
    assert direct["header"] == program["header"]
    assert direct["qobj_id"] == program["qobj_id"]
