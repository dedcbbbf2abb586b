"""The queue over HTTP: places in line, groups, devices that are off, deletion, events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.held import held_job
from support.programs import BELL
from support.server import LiveServer
from support.waiting import PROMPT_S, until


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose queue is this module's alone."""
    live = LiveServer(tmp_path_factory.mktemp("lone"), "--express-slots", "0")
    yield live
    assert live.stop() == 0


@pytest.fixture
def http(lone: LiveServer) -> Iterator[httpx.Client]:
    with lone.client() as client:
        yield client


def submit(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    body = {"program": BELL, "device": "simulator", "shots": 100, **changes}
    made = http.post("/v1/jobs", json=body)
    assert made.status_code == 201, made.text
    job: dict[str, Any] = made.json()
    return job


def read(http: httpx.Client, job: str, wait: float = 0) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/jobs/{job}", params={"wait": wait}).json()
    return found


@pytest.fixture
def busy(http: httpx.Client) -> Iterator[None]:
    """Keep both workers busy."""
    jobs = [submit(http, program=held_job().program)["id"] for _ in range(2)]
    until(lambda: all(read(http, job)["state"] == "running" for job in jobs), "both run")
    yield
    for job in jobs:
        http.post(f"/v1/jobs/{job}/cancel")
        assert read(http, job, wait=30)["state"] in ("cancelled", "completed")  # held no more


@pytest.mark.usefixtures("busy")
def test_waiting_jobs_know_their_place_and_when_they_will_run(http: httpx.Client) -> None:
    jobs = [submit(http)["id"] for _ in range(3)]
    later = submit(http, priority=-5)["id"]
    sooner = submit(http, priority=5)["id"]

    def places() -> list[int] | None:
        found = [read(http, job)["queue"] for job in (sooner, *jobs, later)]
        return [place["position"] for place in found] if all(found) else None

    until(lambda: places() == [1, 2, 3, 4, 5], "places are told", timeout_s=PROMPT_S)
    found = read(http, later)["queue"]
    assert 0 < found["starts_in_s"] < 300
    assert found["reasons"] == ["4 jobs start before it by turns: 4 of its account"]
    assert found["starts_after_s"] <= found["starts_in_s"] <= found["starts_before_s"]
    device = http.get("/v1/devices/simulator").json()
    assert device["queue"]["length"] == 5
    assert device["queue"]["starts_in_s"] > 0
    assert device["queue"]["starts_before_s"] >= device["queue"]["starts_in_s"]
    for job in (sooner, *jobs, later):
        assert http.post(f"/v1/jobs/{job}/cancel").json()["queue"] is None


def test_a_group_collects_jobs_until_it_is_closed(http: httpx.Client) -> None:
    made = http.post("/v1/groups", json={"name": "bells", "jobs_limit": 2})
    assert made.status_code == 201
    group = made.json()
    assert made.headers["location"].endswith(f"/v1/groups/{group['id']}")
    jobs = [submit(http, group=group["id"])["id"] for _ in range(2)]
    for job in jobs:
        assert read(http, job, wait=30)["group"] == group["id"]
    full = http.post(
        "/v1/jobs", json={"program": BELL, "device": "simulator", "group": group["id"]}
    )
    assert (full.status_code, full.json()["field"]) == (400, "group")
    present = http.get(f"/v1/groups/{group['id']}").json()
    assert (present["jobs"], present["unfinished"], present["state"]) == (2, 0, "open")
    listed = http.get("/v1/jobs", params={"group": group["id"]}).json()["jobs"]
    assert [job["id"] for job in listed] == jobs[::-1]
    assert http.post(f"/v1/groups/{group['id']}/close").json()["state"] == "closed"
    shut = http.post(
        "/v1/jobs", json={"program": BELL, "device": "simulator", "group": group["id"]}
    )
    assert (shut.status_code, shut.json()["code"]) == (409, "conflict")
    assert group["id"] in {each["id"] for each in http.get("/v1/groups").json()["groups"]}


@pytest.mark.usefixtures("busy")
def test_all_jobs_of_a_group_are_cancelled_at_once(http: httpx.Client) -> None:
    group = http.post("/v1/groups", json={"device": "simulator"}).json()["id"]
    jobs = [submit(http, group=group)["id"] for _ in range(3)]
    assert http.post(f"/v1/groups/{group}/cancel").json() == {"cancelled": jobs}
    assert {read(http, job)["state"] for job in jobs} == {"cancelled"}
    other = http.post("/v1/jobs", json={"program": BELL, "device": "statevector", "group": group})
    assert (other.status_code, other.json()["field"]) == (409, "group")


def test_anothers_group_looks_like_an_absent_one(lone: LiveServer, http: httpx.Client) -> None:
    group = http.post("/v1/groups", json={}).json()["id"]
    with lone.client(lone.token("eve")) as eve:
        for path, method in (("", "GET"), ("/close", "POST"), ("/cancel", "POST")):
            answer = eve.request(method, f"/v1/groups/{group}{path}")
            absent = eve.request(method, f"/v1/groups/{group[:-6]}abcdef{path}")
            assert answer.status_code == absent.status_code == 404
            assert answer.json() == absent.json()
        body = {"program": BELL, "device": "simulator", "group": group}
        assert eve.post("/v1/jobs", json=body).status_code == 404


def test_an_ended_job_is_deleted_and_a_living_one_is_not(http: httpx.Client) -> None:
    job = submit(http)["id"]
    read(http, job, wait=30)
    assert http.delete(f"/v1/jobs/{job}").status_code == 204
    assert http.get(f"/v1/jobs/{job}").status_code == 404
    assert http.get(f"/v1/jobs/{job}/result").status_code == 404
    running = submit(http, program=held_job().program)["id"]
    assert http.delete(f"/v1/jobs/{running}").status_code == 409
    http.post(f"/v1/jobs/{running}/cancel")
    assert read(http, running, wait=30)["state"] == "cancelled"
    steps = http.get(f"/v1/jobs/{running}/events").json()["events"]
    assert steps[0]["reason"] == "cancel requested"
    assert steps[-1]["to"] == "cancelled"


def test_a_device_that_is_off_keeps_what_waits(lone: LiveServer, http: httpx.Client) -> None:
    lone.admin("device", "off", "clifford", "--reason", "new fridge")
    refused = http.post("/v1/jobs", json={"program": BELL, "device": "clifford"})
    assert (refused.status_code, refused.json()["field"]) == (503, "device")
    assert "new fridge" in refused.json()["detail"]
    assert http.get("/v1/devices/clifford").json()["status"] == "off"
    lone.admin("device", "on", "clifford")
    assert read(http, submit(http, device="clifford")["id"], wait=30)["state"] == "completed"


def test_the_whole_journey_on_postgresql(postgres: Any, tmp_path: Path) -> None:
    with postgres.database() as url:
        live = LiveServer(tmp_path, QWICKET_DATABASE_URL=url)
        with live.client() as http:
            jobs = [submit(http)["id"] for _ in range(20)]
            assert {read(http, job, wait=30)["state"] for job in jobs} == {"completed"}
            (part,) = http.get(f"/v1/jobs/{jobs[0]}/result").json()["parts"]
            assert sum(part["counts"].values()) == 100
            assert len(http.get("/v1/jobs").json()["jobs"]) == 20
        assert live.stop() == 0
        assert not (tmp_path / "data" / "qwicket.db").exists()
