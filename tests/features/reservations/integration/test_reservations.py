"""Reservations over HTTP and from the command line, on a live server with real workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.pilots import pilot
from support.programs import BELL
from support.server import LiveServer, run_cli, running_server, server_on
from support.waiting import until

WINDOW_S = 3.0
LATE_S = 1.5
"""A runner that only looks every two seconds would often be later."""


@pytest.fixture(scope="module")
def live(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(
        database_kind, request, tmp_path_factory.mktemp(f"reserved_{database_kind}")
    ) as server:
        yield server


@pytest.fixture(scope="module")
def admin(live: LiveServer) -> Iterator[httpx.Client]:
    live.admin("user", "add", "root", "--role", "admin")
    token = live.admin("token", "create", "--user", "root", "--scope", "admin")
    with live.client(token) as http:
        yield http


def submit(http: httpx.Client, device: str = "simulator") -> str:
    sent = http.post("/v1/jobs", json={"device": device, "program": BELL, "shots": 10})
    assert sent.status_code == 201, sent.text
    return str(sent.json()["id"])


def ended(http: httpx.Client, job: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/jobs/{job}", params={"wait": 30}).json()
    assert found["state"] == "completed", found
    return found


def in_s(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def reserve(admin: httpx.Client, project: str, **changes: Any) -> dict[str, Any]:
    body = {"device": "simulator", "projects": [project], "until": in_s(WINDOW_S), **changes}
    made = admin.post("/v1/admin/reservations", json=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def started_after(job: dict[str, Any], end: str) -> float:
    """Return the seconds from the end of a window until a job started."""
    return (datetime.fromisoformat(job["started_at"]) - datetime.fromisoformat(end)).total_seconds()


@pytest.mark.both_databases
def test_jobs_of_others_wait_say_so_and_start_at_the_end(
    live: LiveServer, admin: httpx.Client
) -> None:
    with live.client(live.token("ada")) as ada, live.client(live.token("ben")) as ben:
        made = reserve(admin, "ada", reason="Exam 42")
        waiting = submit(ben)
        assert ended(ada, submit(ada))["state"] == "completed"
        found = ben.get(f"/v1/jobs/{waiting}").json()
        assert found["state"] == "queued"
        assert found["queue"]["reason"].startswith("reserved until ")
        assert found["queue"]["reason"].endswith(": Exam 42")
        assert 0 < found["queue"]["starts_in_s"] <= WINDOW_S
        for http, projects in ((ada, ["ada"]), (ben, [])):
            (window,) = http.get("/v1/devices/simulator").json()["reservations"]
            assert (window["projects"], window["until"]) == (projects, made["until"])
        late_s = started_after(ended(ben, waiting), made["until"])
        assert 0 <= late_s < LATE_S
        assert ben.get("/v1/devices/simulator").json()["reservations"] == []


def test_workers_on_other_machines_respect_it(tmp_path: Path) -> None:
    with (
        running_server(tmp_path / "server", "--workers", "0") as lone,
        pilot(lone, tmp_path / "pilot"),
        lone.client(lone.token("ada")) as ada,
        lone.client(lone.token("ben")) as ben,
    ):
        ended(ben, submit(ben))  # the worker is there
        lone.admin("user", "add", "boss", "--role", "admin")
        token = lone.admin("token", "create", "--user", "boss", "--scope", "admin")
        with lone.client(token) as admin:
            made = reserve(admin, "ada")
        waiting = submit(ben)
        ended(ada, submit(ada))
        assert 0 <= started_after(ended(ben, waiting), made["until"]) < LATE_S


@pytest.mark.both_databases
def test_a_device_is_off_in_a_maintenance_window(live: LiveServer, admin: httpx.Client) -> None:
    with live.client(live.token("ada")) as ada:
        body = {"device": "clifford", "until": in_s(WINDOW_S), "reason": "new disks"}
        made = admin.post("/v1/admin/maintenance", json=body)
        assert made.status_code == 201, made.text
        device = ada.get("/v1/devices/clifford").json()
        assert (device["status"], device["reason"]) == ("off", "new disks")
        refused = ada.post("/v1/jobs", json={"device": "clifford", "program": BELL, "shots": 1})
        assert (refused.status_code, refused.json()["code"]) == (503, "device_off")
        until(lambda: ada.get("/v1/devices/clifford").json()["status"] == "on", "it is on again")
        ended(ada, submit(ada, "clifford"))


def test_members_receive_403_from_all_its_routes(live: LiveServer) -> None:
    with live.client(live.token("ada")) as ada:
        for method, path in (
            ("GET", "reservations"),
            ("POST", "reservations"),
            ("DELETE", "reservations/x"),
            ("POST", "maintenance"),
        ):
            assert ada.request(method, f"/v1/admin/{path}", json={}).status_code == 403


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"device": "nowhere"}, 404, "device"),
        ({"projects": ["nobody"]}, 404, "project"),
        ({"projects": []}, 400, "projects"),
        ({"slots": 0}, 400, "slots"),
        ({"until": "2020-01-01T00:00:00Z"}, 400, "until"),
        ({"until": "2026-11-30T14:00"}, 400, "until"),
        ({"drain_s": -1}, 400, "drain_s"),
        ({"exam_waiting": 0}, 400, "exam_waiting"),
        ({"reason": "a" * 201}, 400, "reason"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_a_wrong_field_is_named(
    live: LiveServer, admin: httpx.Client, changes: dict[str, Any], status: int, field: str
) -> None:
    live.token("ada")
    body = {"device": "simulator", "projects": ["ada"], "until": in_s(60), **changes}
    refused = admin.post("/v1/admin/reservations", json=body)
    assert (refused.status_code, refused.json()["field"]) == (status, field), refused.text


def test_the_commands_reserve_list_and_remove(live: LiveServer, admin: httpx.Client) -> None:
    live.token("ada")
    window = ("--from", "1d", "--to", "2d")
    printed = live.admin(
        *("reservation", "add", "qpu.aria-1", "--project", "ada", *window, "--slots", "2", "--json")
    )
    made = json.loads(printed)
    assert (made["device"], made["slots"], made["projects"]) == ("qpu.aria-1", 2, ["ada"])
    live.admin("device", "maintenance", "qpu.aria-1", "--reason", "x", "--weeks", "2", *window)
    rows = json.loads(live.admin("reservation", "list", "--json"))
    assert [row["kind"] for row in rows] == ["reservation", "maintenance", "maintenance"]
    assert len(admin.get("/v1/admin/reservations").json()["reservations"]) == 3
    line = next(
        each for each in live.admin("reservation", "list").splitlines() if made["id"] in each
    )
    assert line.endswith("  ada  2 slots")
    live.admin("reservation", "remove", made["id"])
    live.admin("reservation", "remove", rows[1]["id"], "--series")
    assert json.loads(live.admin("reservation", "list", "--json")) == []


def test_a_device_drains_and_has_a_message(live: LiveServer) -> None:
    with live.client(live.token("ada")) as ada:
        live.admin("device", "drain", "qpu.forte-1", "--reason", "is replaced")
        live.admin("device", "message", "qpu.forte-1", "Talk on Friday")
        device = ada.get("/v1/devices/qpu.forte-1").json()
        assert (device["status"], device["reason"]) == ("draining", "is replaced")
        assert device["message"] == "Talk on Friday"
        assert "draining: is replaced" in live.admin("device", "list")
        live.admin("device", "on", "qpu.forte-1")
        device = ada.get("/v1/devices/qpu.forte-1").json()
        assert (device["status"], device["message"]) == ("on", "")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--to", "5"), "'5' is not a time. Use 90m, 3d or 2026-11-30T08:00, for example."),
        (("--to", "1h", "--timezone", "Mars"), "'Mars' is not a time zone."),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, options: tuple[str, ...], error: str) -> None:
    done = run_cli(
        *(
            "reservation",
            "add",
            "simulator",
            "--project",
            "x",
            *options,
            "--data-dir",
            str(tmp_path),
        )
    )
    assert done.returncode == 2
    assert error in done.stderr


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "is_on"),
        ({"is_on": False, "is_draining": True, "reason": "x"}, "is_draining"),
        ({"is_draining": True, "reason": "x"}, "is_draining"),
        ({"is_on": True, "is_draining": True, "until": "2099-01-01T00:00:00Z"}, "until"),
        ({"message": "a\nb"}, "message"),
    ],
)
def test_a_contradictory_state_of_a_device_is_refused(
    admin: httpx.Client, body: dict[str, Any], field: str
) -> None:
    refused = admin.patch("/v1/admin/devices/simulator", json=body)
    assert (refused.status_code, refused.json()["field"]) == (400, field), refused.text


@pytest.mark.both_databases
def test_each_act_is_in_the_audit(live: LiveServer, admin: httpx.Client) -> None:
    live.token("ada")
    made = reserve(admin, "ada", device="statevector")
    admin.delete(f"/v1/admin/reservations/{made['id']}").raise_for_status()
    removed, added = admin.get("/v1/admin/audit", params={"limit": 2}).json()["acts"]
    assert (added["action"], added["details"]["device"]) == ("create_reservation", "statevector")
    assert removed["subject"] == f"reservation/{made['id']}"
    assert (removed["before"]["device"], removed["after"]) == ("statevector", None)
