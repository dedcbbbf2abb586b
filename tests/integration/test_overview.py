"""The overview for operators: `/v1/admin/overview`, `qwicket status` and the page."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qwicket import __version__
from support.pages import Person
from support.programs import BELL
from support.server import IDLE, LiveServer, run_here, server_on


@pytest.fixture(scope="module")
def idle(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp(f"overview_{database_kind}")
    with server_on(database_kind, request, folder, *IDLE) as live:
        live.account = "ada"
        yield live


@pytest.fixture(scope="module")
def admin_token(idle: LiveServer) -> str:
    idle.admin("user", "add", "root", "--role", "admin")
    return idle.admin("token", "create", "--user", "root", "--scope", "admin")


def overview(live: LiveServer, token: str) -> dict[str, Any]:
    with live.client(token) as client:
        found: dict[str, Any] = client.get("/v1/admin/overview").raise_for_status().json()
    return found


@pytest.mark.both_databases
def test_the_overview_says_what_waits_failed_and_is_away(
    idle: LiveServer, admin_token: str
) -> None:
    before = overview(idle, admin_token)
    assert (before["queues"], before["oldest_at"], before["slots"]) == ([], None, 0)
    with idle.client() as client:
        body = {"program": BELL, "device": "simulator", "shots": 100}
        jobs = [client.post("/v1/jobs", json=body).json() for _ in range(3)]
        client.patch(f"/v1/jobs/{jobs[0]['id']}", json={"held": True}).raise_for_status()
        found = overview(idle, admin_token)
        (queue,) = found["queues"]
        assert queue == {
            "device": "simulator",
            "waiting": 2,
            "running": 0,
            "oldest_at": jobs[1]["queued_at"],
            "is_on": True,
        }
        assert found["oldest_at"] == queue["oldest_at"]
        for each in jobs:
            client.post(f"/v1/jobs/{each['id']}/cancel").raise_for_status()
    assert found["version"] == __version__
    assert [(each["kind"], each["slots"]) for each in found["runners"]] == [("server", 0)]
    assert found["cluster"] is None
    embedded = idle.database_url is None
    assert found["database"].startswith("SQLite 3." if embedded else "PostgreSQL 1")
    assert found["database_bytes"] > 100_000
    assert (found["disk_free_bytes"] is not None) is embedded


@pytest.mark.both_databases
def test_a_backup_is_noted_and_its_age_shown(idle: LiveServer, admin_token: str) -> None:
    assert overview(idle, admin_token)["backed_up_at"] is None
    idle.admin("backup", "--note")
    found = overview(idle, admin_token)
    assert found["backed_up_at"] is not None
    assert "last backup" in idle.admin("status")


def test_the_command_says_the_same_on_the_folder_and_over_http(
    idle: LiveServer, admin_token: str, tmp_path: Path
) -> None:
    idle.admin("backup", str(tmp_path / "copy.db"))
    acts = json.loads(idle.admin("audit", "list", "--json"))
    assert acts[0]["action"] == "note_backup"
    assert acts[0]["details"] == {"size_bytes": (tmp_path / "copy.db").stat().st_size}
    place = ["--data-dir", str(idle.folder / "data")]
    local = run_here("status", "--json", *place)
    remote = run_here("status", "--json", "--url", idle.url, env={"QWICKET_TOKEN": admin_token})
    local_body, remote_body = json.loads(local.stdout), json.loads(remote.stdout)
    for body in (local_body, remote_body):
        for name in ("at", "disk_free_bytes"):
            body.pop(name)
    assert local_body == remote_body
    text = run_here("status", *place).stdout
    assert "waiting" in text
    assert "0 of 1 server" in text


def test_failed_jobs_of_the_last_hour_are_counted_by_code(
    idle: LiveServer, admin_token: str
) -> None:
    with idle.client() as client:
        body = {"program": BELL, "device": "simulator", "shots": 100}
        jobs = [client.post("/v1/jobs", json=body).json()["id"] for _ in range(3)]
        for each in jobs:
            client.post(f"/v1/jobs/{each}/cancel").raise_for_status()
    with closing(sqlite3.connect(idle.folder / "data" / "qwicket.db")) as database, database:
        for job, hours in zip(jobs, (0, 0, 2), strict=True):
            database.execute(
                "update job set state = 'failed', error_code = 'worker_died',"
                " ended_at = ended_at - ? where id = ?",
                (hours * 3_600_000, job),
            )
    failed = overview(idle, admin_token)["failed"]
    assert failed == [{"device": "simulator", "code": "worker_died", "number": 2}]
    with Person(idle, "boss", "admin") as boss:
        page = boss.browser.get("/ui/admin").text
    assert '<th scope="row">simulator</th><td>worker_died</td><td class="r">2</td>' in page
    assert "SQLite 3." in page
