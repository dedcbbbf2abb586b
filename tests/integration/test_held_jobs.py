"""Held jobs, with which other tests hold what they watch, are real jobs of real workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx

from support.held import HeldJob, held_job, release_all
from support.processes import is_alive
from support.server import running_server
from support.waiting import until


def submit(http: httpx.Client, held: HeldJob) -> str:
    body = {"program": held.program, "device": "simulator", "shots": 100}
    return str(http.post("/v1/jobs", json=body).raise_for_status().json()["id"])


def read(http: httpx.Client, job: str, wait_s: float = 0) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/jobs/{job}", params={"wait": wait_s}).json()
    return found


def test_a_held_job_runs_until_it_is_released(http: httpx.Client) -> None:
    held = held_job()
    job = submit(http, held)
    worker = held.wait_until_running()
    assert read(http, job, wait_s=0.5)["state"] == "running"
    held.release()
    assert read(http, job, wait_s=60)["state"] == "completed"
    assert is_alive(worker), "it may run the next job"
    (part,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert part["counts"].keys() == {"0" * 24, "0" * 23 + "1"}


def test_held_jobs_are_released_one_by_one_or_all(http: httpx.Client) -> None:
    first, second = held_job(), held_job()
    jobs = [submit(http, each) for each in (first, second)]
    for each in (first, second):
        each.wait_until_running()
    second.release()
    assert read(http, jobs[1], wait_s=60)["state"] == "completed"
    assert read(http, jobs[0])["state"] == "running"
    release_all()
    assert read(http, jobs[0], wait_s=60)["state"] == "completed"


def test_a_job_that_dies_takes_its_worker_with_it_each_time(http: httpx.Client) -> None:
    held = held_job()
    job = submit(http, held)
    worker = held.wait_until_running()
    held.die()
    found = read(http, job, wait_s=60)
    assert (found["state"], found["error"]["code"]) == ("failed", "worker_died")
    assert not is_alive(worker)


def test_a_job_may_last_for_a_time_and_begin_again(http: httpx.Client) -> None:
    held = held_job(lasts_s=0.2)
    job = submit(http, held)
    os.kill(held.wait_until_running(), signal.SIGKILL)
    found = read(http, job, wait_s=60)
    assert found["state"] == "completed"


def test_the_time_limit_of_a_run_ends_a_held_job(tmp_path: Path) -> None:
    limit = ("--limit", "run_time_s=2", "--express-slots", "0")
    with running_server(tmp_path, *limit) as live, live.client() as http:
        held = held_job(20)
        job = submit(http, held)
        worker = held.wait_until_running()
        found = read(http, job, wait_s=60)
        assert found["error"]["code"] == "run_time_exceeded"
        until(lambda: not is_alive(worker), "its worker is gone")


def test_a_job_that_uses_more_memory_than_it_may_ends_alone(tmp_path: Path) -> None:
    limit = ("--limit", f"memory_bytes={1 << 29}", "--express-slots", "0")
    with running_server(tmp_path, *limit) as live, live.client() as http:
        modest, greedy = held_job(20, uses_bytes=1 << 26), held_job(20, uses_bytes=1 << 30)
        jobs = [submit(http, each) for each in (modest, greedy)]
        found = read(http, jobs[1], wait_s=60)
        assert (found["state"], found["error"]["code"]) == ("failed", "out_of_memory")
        assert read(http, jobs[0])["state"] == "running"
        modest.release()
        assert read(http, jobs[0], wait_s=60)["state"] == "completed"
