"""A submission that waits for its job: one request for a small job and its result."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path
from typing import Any

import httpx
import pytest

import qwicket
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer
from support.waiting import until

BODY = {"program": BELL, "device": "simulator", "shots": 100, "seed": 7}
_COUNT = 'qwicket_request_seconds_count{dialect="/v1",'


def long() -> dict[str, Any]:
    """Return a submission of a job that runs until it is cancelled."""
    return {"program": held_job().program, "device": "simulator", "shots": 10}


def submit(
    http: httpx.Client, query: str, body: dict[str, Any] = BODY, key: str | None = None
) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = http.post(f"/v1/jobs{query}", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["Location"].endswith(f"/v1/jobs/{made['id']}")
    return made


def test_a_small_job_and_its_result_take_one_request(http: httpx.Client) -> None:
    made = submit(http, "?wait=30&include=result")
    path = f"/v1/jobs/{made['id']}"
    result = made.pop("result")
    assert made["state"] == "completed"
    assert made == http.get(path).json()
    assert result == http.get(f"{path}/result").json()
    assert sum(result["parts"][0]["counts"].values()) == 100


def test_without_include_the_result_is_left_out(http: httpx.Client) -> None:
    made = submit(http, "?wait=30")
    assert made["state"] == "completed"
    assert "result" not in made


def test_the_header_prefer_asks_for_the_same_wait(http: httpx.Client) -> None:
    answer = http.post(
        "/v1/jobs?include=result", json=BODY, headers={"Prefer": "respond-async, Wait=30"}
    )
    assert answer.json()["state"] == "completed"
    assert answer.headers["Preference-Applied"] == "wait=30"


@pytest.mark.parametrize("prefer", ["wait", "wait=soon", "wait=-1", "return=minimal", "", ";;=,"])
def test_a_preference_that_says_nothing_of_a_wait_is_ignored(
    http: httpx.Client, prefer: str
) -> None:
    answer = http.post("/v1/jobs", json=BODY, headers={"Prefer": prefer})
    assert answer.status_code == 201
    assert "Preference-Applied" not in answer.headers


def test_a_job_that_does_not_end_in_time_is_answered_as_it_is(http: httpx.Client) -> None:
    made = submit(http, "?wait=0.2&include=result", long())
    assert made["state"] in ("queued", "running")
    assert "result" not in made
    http.post(f"/v1/jobs/{made['id']}/cancel")


def test_a_repeat_with_the_same_key_waits_for_the_same_job(server: LiveServer) -> None:
    with server.client(server.token("repeats")) as http:
        first = submit(http, "", key="one")
        again = submit(http, "?wait=30&include=result", key="one")
        assert (again["id"], again["state"]) == (first["id"], "completed")
        assert again["result"]["id"] == first["id"]
        assert [job["id"] for job in http.get("/v1/jobs").json()["jobs"]] == [first["id"]]


@pytest.mark.parametrize(
    ("query", "field", "known"),
    [
        ("?wait=soon", "wait", "number of seconds"),
        ("?wait=-1", "wait", "number of seconds"),
        ("?include=counts", "include", "result"),
        ("?include=result,counts", "include", "result"),
    ],
)
def test_a_wrong_parameter_is_refused_and_nothing_is_submitted(
    server: LiveServer, query: str, field: str, known: str
) -> None:
    with server.client(server.token("wrong-queries")) as http:
        answer = http.post(f"/v1/jobs{query}", json=BODY)
        assert (answer.status_code, answer.json()["field"]) == (400, field)
        assert known in answer.json()["detail"]
        assert http.get("/v1/jobs").json()["jobs"] == []


def test_a_token_that_may_not_read_gets_the_job_as_it_is(server: LiveServer) -> None:
    with server.client(server.managing_token()) as maker:
        made = maker.post("/v1/tokens", json={"scopes": ["jobs:write"]}).json()
    with server.client(made["secret"]) as http:
        job = submit(http, "?wait=30&include=result")
    assert job["state"] == "queued"
    assert "result" not in job


def test_a_token_that_is_revoked_meanwhile_learns_no_more(server: LiveServer) -> None:
    with server.client(server.managing_token()) as maker:
        scopes = ["jobs:read", "jobs:write"]
        made = maker.post("/v1/tokens", json={"scopes": scopes}).json()
        with (
            server.client(made["secret"]) as http,
            concurrent.futures.ThreadPoolExecutor() as threads,
        ):
            body = {**long(), "name": "revoked meanwhile"}
            waiting = threads.submit(submit, http, "?wait=20&include=result", body)
            (found,) = until(
                lambda: [
                    job["id"]
                    for job in maker.get("/v1/jobs?state=running&name=revoked meanwhile").json()[
                        "jobs"
                    ]
                    if not waiting.done()
                ],
                "it runs",
            )
            maker.delete(f"/v1/tokens/{made['id']}")
            maker.post(f"/v1/jobs/{found}/cancel")
            job = waiting.result()
    assert (job["id"], job["state"]) == (found, "queued")


def test_a_job_is_stored_before_the_wait_begins(tmp_path: Path) -> None:
    live = LiveServer(tmp_path)
    with live.client() as http:
        with concurrent.futures.ThreadPoolExecutor() as threads, live.client() as other:
            waiting = threads.submit(http.post, "/v1/jobs?wait=60", json=long())
            (job,) = until(lambda: other.get("/v1/jobs").json()["jobs"], "the job is listed")
            live.kill()
        assert isinstance(waiting.exception(), httpx.TransportError)
    live.start()
    with live.client() as http:
        assert http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 200
    assert live.stop() == 0


def test_beyond_the_bound_on_waits_the_answer_comes_at_once(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--limit", "polls_each=1")
    with live.client() as http, live.client() as other:
        job = submit(http, "", long())["id"]
        with concurrent.futures.ThreadPoolExecutor() as threads:
            waiting = threads.submit(http.get, f"/v1/jobs/{job}?wait=60")
            until(
                lambda: "\nqwicket_long_polls_open 1.0\n" in other.get("/metrics").text,
                "the one wait is taken",
            )
            polled = other.get(f"/v1/jobs/{job}?wait=60").json()
            made = submit(other, "?wait=60&include=result", long())
            assert {polled["state"], made["state"]} <= {"queued", "running"}
            assert not waiting.done()
            for each in (job, made["id"]):
                assert other.post(f"/v1/jobs/{each}/cancel").status_code == 200
    assert live.stop() == 0


def test_a_job_without_a_result_is_answered_when_it_ends(http: httpx.Client) -> None:
    with concurrent.futures.ThreadPoolExecutor() as threads:
        waiting = threads.submit(submit, http, "?wait=60&include=result", {**long(), "name": "end"})
        (job,) = until(lambda: http.get("/v1/jobs?name=end").json()["jobs"], "the job is listed")
        http.post(f"/v1/jobs/{job['id']}/cancel")
        made = waiting.result()
    assert (made["id"], made["state"]) == (job["id"], "cancelled")
    assert "result" not in made


def test_a_result_of_more_than_a_megabyte_is_left_out(http: httpx.Client) -> None:
    circuit = [{"gate": "h", "target": i} for i in range(16)]
    wide = {"gateset": "qis", "qubits": 16, "circuit": circuit}
    body = {"program": wide, "device": "simulator", "outputs": ["memory"], "seed": 1}
    for shots, is_included in ((40_000, True), (60_000, False)):
        made = submit(http, "?wait=60&include=result", {**body, "shots": shots})
        assert made["state"] == "completed"
        size = len(http.get(f"/v1/jobs/{made['id']}/result").content)
        assert (size <= 1_000_000) is is_included  # 19 bytes a shot
        assert ("result" in made) is is_included


def requests(server: LiveServer) -> float:
    """Return how many requests the native API has answered."""
    text = httpx.get(f"{server.url}/metrics").text
    lines = [each for each in text.splitlines() if each.startswith(_COUNT)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_a_loop_of_small_jobs_takes_a_request_each(server: LiveServer) -> None:
    program = "OPENQASM 3.0; qubit q; bit c; U(pi/2, 0, pi) q; c = measure q;"
    with qwicket.connect(server.url, server.token()) as client:
        device = client.device("simulator")
        before = requests(server)
        for _ in range(20):
            assert sum(device.run(program, shots=10, wait=30).result().counts.values()) == 10
        assert requests(server) - before == 20
