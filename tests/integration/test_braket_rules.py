"""Rules of Braket's dialect over plain HTTP: missing simulators, throttling, shared master keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support import braket
from support.postgres import PostgresServer
from support.server import LiveServer, run_cli, running_server

TN1 = braket.SV1.replace("sv1", "tn1")


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
        ("arn:aws:braket:::x", "There is no such device: 'arn:aws:braket:::x' is no ARN of a"),
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
