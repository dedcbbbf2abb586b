"""Times that SECURITY.md promises: of a cancelled job, of a revoked token and its streams."""

from __future__ import annotations

import time
from pathlib import Path

from measured.conftest import Record
from support.held import held_job
from support.processes import is_alive
from support.server import running_server
from support.waiting import until


def test_a_cancelled_job_stops(tmp_path: Path, record: Record) -> None:
    with running_server(tmp_path) as live, live.client() as http:
        held = held_job()
        body = {"device": "simulator", "program": held.program}
        job = http.post("/v1/jobs", json=body).raise_for_status().json()["id"]
        worker = held.wait_until_running()
        began = time.monotonic()
        http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        until(lambda: not is_alive(worker), "its process is gone")
        took_s = time.monotonic() - began
    record("until a cancelled job's process is gone", took_s, at_most=5, unit="s")


def test_a_revoked_token_is_refused(tmp_path: Path, record: Record) -> None:
    with running_server(tmp_path) as live, live.client(live.managing_token()) as http:
        made = http.post("/v1/tokens", json={"scopes": ["jobs:read"]}).raise_for_status().json()
        with live.client(made["secret"]) as other:
            other.get("/v1/jobs").raise_for_status()
            began = time.monotonic()
            http.delete(f"/v1/tokens/{made['id']}").raise_for_status()
            until(lambda: other.get("/v1/jobs").status_code == 401, "it is refused")
            took_s = time.monotonic() - began
    record("until a revoked token is refused", took_s, at_most=0.1, unit="s")


def test_a_class_of_a_thousand_is_added(tmp_path: Path, record: Record) -> None:
    people = tmp_path / "people.csv"
    people.write_text("name\n" + "".join(f"s{k:04}\n" for k in range(1_000)))
    with running_server(tmp_path / "server") as live:
        live.admin("project", "add", "course")
        adding = ("user", "add", "--from", str(people), "--tokens", str(tmp_path / "tokens"))
        began = time.monotonic()
        live.admin(*adding, "--below", "course", "--budget", "seconds", "600", "month")
        took_s = time.monotonic() - began
    record("1,000 people with projects and budgets", took_s, at_most=5, unit="s")


def test_a_stream_ends_when_its_token_is_revoked(tmp_path: Path, record: Record) -> None:
    with running_server(tmp_path) as live, live.client(live.managing_token()) as http:
        made = http.post("/v1/tokens", json={"scopes": ["jobs:read"]}).raise_for_status().json()
        with live.client(made["secret"]) as other, other.stream("GET", "/v1/events") as stream:
            began = time.monotonic()
            http.delete(f"/v1/tokens/{made['id']}").raise_for_status()
            stream.read()
            took_s = time.monotonic() - began
    record("until the streams of a revoked token end", took_s, at_most=5, unit="s")
