"""Rules of Braket's dialect over plain HTTP: missing simulators, throttling, shared master keys."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from qwicket.vendors.braket.dialect.routes import BRAKET, S3
from support import braket
from support.described import described_by
from support.postgres import PostgresServer
from support.server import LiveServer, run_cli, running_server
from support.waiting import until

TN1 = braket.SV1.replace("sv1", "tn1")
QPU = "arn:aws:braket:us-east-1::device/qpu/qwicket/qwicket_line5"
TURNED = "OPENQASM 3.0;\ninput float a;\nqubit[1] q;\nrx(a) q[0];"
PRAGMAS = """
#pragma braket result state_vector
#pragma braket result probability q[0]
#pragma braket result amplitude "00", "11"
#pragma braket result expectation z(q[0]) @ x(q[1])
"""


def pair_of(server: LiveServer, name: str) -> str:
    server.token(name)
    return server.admin("token", "create", "--user", name, "--aws")


def send(server: LiveServer, pair: str, method: str, path: str, body: Any = None) -> httpx.Response:
    signed = braket.Signature(pair, "braket")
    return httpx.request(method, f"{server.url}/braket{path}", json=body, auth=signed, timeout=60)


def create(server: LiveServer, pair: str, **changes: Any) -> httpx.Response:
    return send(server, pair, "POST", "/quantum-task", braket.body(**changes))


def tasks(server: LiveServer, pair: str) -> list[Any]:
    found: list[Any] = send(server, pair, "POST", "/quantum-tasks", {"filters": []}).json()[
        "quantumTasks"
    ]
    return found


def error(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["__type"], body["message"]


def test_the_answer_of_every_route_is_as_described(server: LiveServer) -> None:
    """The answers to all signed requests are held to the description; only waiting tasks cancel."""
    for described in braket.DESCRIBED.values():
        described.checked.clear()
    pair = pair_of(server, "described")
    send(server, pair, "POST", "/devices", {"filters": []})
    for device in (braket.SV1, braket.RYDBERG, QPU):
        assert send(server, pair, "GET", f"/device/{quote(device, safe='')}").is_success
    programs = [{"source": TURNED, "inputs": {"a": [0.0, 1.0]}}]
    header = {"name": "braket.ir.openqasm.program_set", "version": "1"}
    for sent in (
        {"tags": {"key": "value"}},
        {"action": braket.action(braket.BELL + PRAGMAS), "shots": 0},
        {"deviceArn": braket.RYDBERG, "action": braket.analog_action()},
        {"action": json.dumps({"braketSchemaHeader": header, "programs": programs})},
    ):
        arn = create(server, pair, **sent).json()["quantumTaskArn"]
        place = completed(server, pair, arn)
        key = f"{place['outputS3Bucket']}/{place['outputS3Directory']}/results.json"
        signed = braket.Signature(pair, "s3")
        assert httpx.get(f"{server.url}/s3/{key}", auth=signed, timeout=60).is_success
    at = f"/tags/{quote(arn, safe='')}"
    send(server, pair, "POST", at, {"tags": {"a": "b"}})
    send(server, pair, "GET", at)
    send(server, pair, "DELETE", f"{at}?tagKeys=a")
    tasks(server, pair)
    assert braket.DESCRIBED["braket"].checked | {"cancel_task"} == described_by(BRAKET)
    assert braket.DESCRIBED["s3"].checked == described_by(S3)


def test_a_simulator_that_only_aws_has_is_refused_by_name(server: LiveServer) -> None:
    pair = pair_of(server, server.unused("tn"))
    read = send(server, pair, "GET", f"/device/{quote(TN1, safe='')}")
    created = create(server, pair, deviceArn=TN1)
    # CreateQuantumTask has no ResourceNotFoundException in AWS's model.
    for answer, expected in (
        (read, (404, "ResourceNotFoundException")),
        (created, (400, "ValidationException")),
    ):
        *found, message = error(answer)
        assert tuple(found) == expected
        assert message.startswith("There is no device tn1: this server does not simulate tensor")
    assert tasks(server, pair) == []


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        (braket.SV1.replace("sv1", "sv9"), "There is no device sv9 in us-east-1."),
        ("arn:aws:braket:::x", "There is no device 'arn:aws:braket:::x': this is not an ARN"),
    ],
)
def test_an_unknown_device_is_named(server: LiveServer, arn: str, message: str) -> None:
    pair = pair_of(server, server.unused("unknown"))
    answer = send(server, pair, "GET", f"/device/{quote(arn, safe='')}")
    status, kind, text = error(answer)
    assert (status, kind) == (404, "ResourceNotFoundException")
    assert text.startswith(message)


def test_a_reservation_is_refused_by_name(server: LiveServer) -> None:
    pair = pair_of(server, server.unused("reserving"))
    arn = "arn:aws:braket:us-east-1:123456789012:reservation/a1b123cd-45e6-789f-gh01-i234567jk8l9"
    reserved = [{"arn": arn, "type": "RESERVATION_TIME_WINDOW_ARN"}]
    status, kind, message = error(create(server, pair, associations=reserved))
    assert (status, kind) == (400, "ValidationException")
    assert message.startswith("associations: this server has no reservations of Amazon Braket")
    assert tasks(server, pair) == []
    assert create(server, pair, associations=[]).status_code == 201


def test_a_throttled_task_is_not_stored(tmp_path: Path) -> None:
    with running_server(tmp_path, "--workers", "0", "--limit", "waiting_jobs=2") as server:
        pair = pair_of(server, "ada")
        arns = [create(server, pair, clientToken=f"t{n}").json()["quantumTaskArn"] for n in (1, 2)]
        for _ in range(3):  # as botocore repeats it
            status, kind, message = error(create(server, pair, clientToken="t3"))
            assert (status, kind) == (429, "ThrottlingException")
            assert "2 jobs waiting (limit waiting_jobs)" in message
        assert {each["quantumTaskArn"] for each in tasks(server, pair)} == {*arns}
        cancelled = send(
            server,
            pair,
            "PUT",
            f"/quantum-task/{quote(arns[0], safe='')}/cancel",
            {"clientToken": "c"},
        )
        assert cancelled.status_code == 200
        third = create(server, pair, clientToken="t3")
        assert third.status_code == 201
        assert create(server, pair, clientToken="t3").json() == third.json()
        assert len(tasks(server, pair)) == 3


def read(server: LiveServer, pair: str, arn: str) -> Any:
    return send(server, pair, "GET", f"/quantum-task/{quote(arn, safe='')}").json()


def completed(server: LiveServer, pair: str, arn: str) -> Any:
    until(lambda: read(server, pair, arn)["status"] == "COMPLETED", "the task completes")
    return read(server, pair, arn)


def cancel(server: LiveServer, pair: str, arn: str) -> httpx.Response:
    path = f"/quantum-task/{quote(arn, safe='')}/cancel"
    return send(server, pair, "PUT", path, {"clientToken": "c"})


def test_a_waiting_task_has_a_place_until_it_is_cancelled(tmp_path: Path) -> None:
    with running_server(tmp_path, "--workers", "0") as server:
        pair = pair_of(server, "ada")
        first, second = (create(server, pair).json()["quantumTaskArn"] for _ in range(2))
        assert [read(server, pair, arn)["queueInfo"]["position"] for arn in (first, second)] == [
            "1",
            "2",
        ]
        for _ in range(2):
            answer = cancel(server, pair, first)
            assert (answer.status_code, answer.json()["cancellationStatus"]) == (200, "CANCELLED")
        found = read(server, pair, first)
        assert (found["status"], found["queueInfo"]["position"]) == ("CANCELLED", "None")
        until(
            lambda: read(server, pair, second)["queueInfo"]["position"] == "1",
            "the other one moves up",
        )


def test_simultaneous_requests_with_one_client_token_make_one_task(server: LiveServer) -> None:
    pair = pair_of(server, server.unused("racing"))
    with ThreadPoolExecutor(16) as pool:
        answers = [*pool.map(lambda _: create(server, pair, clientToken="once"), range(16))]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(tasks(server, pair)) == 1


def test_each_filter_finds_its_tasks(server: LiveServer) -> None:
    pair = pair_of(server, server.unused("searching"))

    def made(device: str) -> str:
        time.sleep(0.002)  # times of creation are in milliseconds
        arn = create(server, pair, deviceArn=device).json()["quantumTaskArn"]
        return str(arn)

    dm1 = braket.SV1.replace("sv1", "dm1")
    a, b, c = (made(device) for device in (braket.SV1, dm1, braket.SV1))
    at_a, at_b = (read(server, pair, arn)["createdAt"] for arn in (a, b))
    until(
        lambda: {each["status"] for each in tasks(server, pair)} == {"COMPLETED"},
        "all tasks have completed",
    )

    def search(*filters: tuple[str, str, list[str]], **page: Any) -> httpx.Response:
        named = [dict(zip(("name", "operator", "values"), each, strict=True)) for each in filters]
        return send(server, pair, "POST", "/quantum-tasks", {"filters": named, **page})

    done = ("status", "EQUAL", ["COMPLETED"])
    on_sv1 = ("deviceArn", "EQUAL", [braket.SV1])
    for expected, *filters in (
        ([c, b, a],),
        ([b, a], ("quantumTaskArn", "EQUAL", [a, b])),
        ([b], ("deviceArn", "EQUAL", [dm1])),
        ([c, b, a], ("deviceArn", "EQUAL", [dm1, braket.SV1])),
        ([c, b, a], done),
        ([], ("status", "EQUAL", ["FAILED", "CANCELLED"])),
        ([c, b, a], ("status", "EQUAL", ["FAILED", "COMPLETED"])),
        ([a], ("createdAt", "LT", [at_b])),
        ([b, a], ("createdAt", "LTE", [at_b])),
        ([b], ("createdAt", "EQUAL", [at_b])),
        ([c, b], ("createdAt", "GTE", [at_b])),
        ([c], ("createdAt", "GT", [at_b])),
        ([b, a], ("createdAt", "BETWEEN", [at_a, at_b])),
        ([c], done, on_sv1, ("createdAt", "GT", [at_b])),
        ([], on_sv1, ("quantumTaskArn", "EQUAL", [b])),
        ([], ("jobArn", "EQUAL", ["arn:aws:braket:us-east-1:123456789012:job/x"])),
    ):
        answer = search(*filters)
        found = [each["quantumTaskArn"] for each in answer.json()["quantumTasks"]]
        assert found == expected, filters
    paged, token, n_pages = [], None, 0
    while token or not n_pages:
        page = search(on_sv1, maxResults=1, **({"nextToken": token} if token else {})).json()
        assert len(page["quantumTasks"]) <= 1
        paged += [each["quantumTaskArn"] for each in page["quantumTasks"]]
        token, n_pages = page.get("nextToken"), n_pages + 1
    # A page that is full may be the last one.
    assert (paged, n_pages) == ([c, a], 2)
    # The newest tasks are on another device: pages are full nevertheless.
    newest = [made(dm1) for _ in range(4)][::-1]
    first = search(on_sv1, maxResults=2).json()
    assert [each["quantumTaskArn"] for each in first["quantumTasks"]] == [c, a]
    assert "nextToken" not in first
    page = search(("deviceArn", "EQUAL", [dm1]), maxResults=3).json()
    assert [each["quantumTaskArn"] for each in page["quantumTasks"]] == newest[:3]
    rest = search(("deviceArn", "EQUAL", [dm1]), nextToken=page["nextToken"]).json()
    assert [each["quantumTaskArn"] for each in rest["quantumTasks"]] == [newest[3], b]
    for wrong in (
        ("shots", "EQUAL", ["10"]),
        ("status", "LT", ["QUEUED"]),
        ("status", "EQUAL", ["DONE"]),
        ("createdAt", "BETWEEN", [at_a]),
        ("createdAt", "GT", ["yesterday"]),
    ):
        assert error(search(wrong))[:2] == (400, "ValidationException")


def test_a_pair_and_its_token_have_the_same_rights(server: LiveServer) -> None:
    name = server.unused("paired")
    server.token(name)
    make = ("token", "create", "--user", name, "--aws", "--scope", "jobs:write")
    pair = server.admin(*make, "--device", "statevector")
    program = {
        "program": 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; measure q -> c;',
        "shots": 1,
    }

    def natively(pair: str, device: str = "statevector") -> int:
        with server.client(".".join(pair.split())) as http:
            return http.post("/v1/jobs", json={"device": device, **program}).status_code

    assert (create(server, pair).status_code, natively(pair)) == (201, 201)
    for of_another in (
        create(server, pair, deviceArn=braket.RYDBERG, action=braket.analog_action()),
        send(server, pair, "POST", "/quantum-tasks", {"filters": []}),
    ):
        assert error(of_another)[:2] == (403, "AccessDeniedException")
    assert natively(pair, "qwicket_line5") == 403
    with server.client(".".join(pair.split())) as http:
        assert http.get("/v1/jobs").status_code == 403
    listed = json.loads(server.admin("token", "list", "--user", name, "--json"))
    (token,) = (each["id"] for each in listed if each["devices"] == ["statevector"])
    server.admin("token", "revoke", token)
    short = server.admin(*make, "--expires", "1s")
    until(lambda: natively(pair) == natively(short) == 401, "both tokens have ended")
    for each in (pair, short):
        assert error(create(server, each))[:2] == (403, "UnrecognizedClientException")


def test_servers_of_one_database_need_the_same_master_key(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    master = tmp_path / "master"
    with postgres.database() as url:
        options: dict[str, Any] = {"database_url": url, "QWICKET_AWS_MASTER_FILE": str(master)}
        with running_server(tmp_path / "one", "--workers", "1", **options) as one:
            pair = pair_of(one, "ada")
            with running_server(tmp_path / "two", "--workers", "1", **options) as two:
                made = create(one, pair)
                assert made.status_code == 201
                path = f"/quantum-task/{quote(made.json()['quantumTaskArn'], safe='')}"
                assert send(two, pair, "GET", path).json()["quantumTaskArn"] in made.text
            other = tmp_path / "other"
            other.write_text(f"1 {'ab' * 32}\n")
            other.chmod(0o600)
            env = {"QWICKET_AWS_MASTER_FILE": str(other), "QWICKET_DATABASE_URL": url}
            third = run_cli("serve", "--port", "0", "--data-dir", str(tmp_path / "three"), env=env)
            assert third.returncode != 0
            assert "version 1 is not the master key with which this database began" in third.stderr
