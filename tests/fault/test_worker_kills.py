"""kill -9 of workers in mid-job: nothing is lost, nothing has two results."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.processes import children_of, user_ticks
from support.programs import slow
from support.server import LiveServer
from support.waiting import until

KILLS = 20
WARM_TICKS = 30


def busy_worker(server: LiveServer) -> int | None:
    """Return a worker that is computing now, and has computed longer than a new one warms up."""
    before = {pid: user_ticks(pid) for pid in children_of(server.process.pid)}
    threading.Event().wait(0.05)
    busy = [pid for pid, spent in before.items() if spent > WARM_TICKS < user_ticks(pid) > spent]
    return busy[0] if busy else None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path)
    yield live
    assert live.stop() == 0


@pytest.mark.timeout(300)
def test_twenty_killed_workers_lose_no_job_and_double_no_result(server: LiveServer) -> None:
    rng = random.Random(3)
    with server.client() as client:
        body = {"program": slow(22, 200), "device": "simulator", "shots": 100, "seed": 1}
        jobs = [client.post("/v1/jobs", json=body).json()["id"] for _ in range(KILLS + 10)]
        database = sqlite3.connect(f"file:{server.folder}/data/qwicket.db?mode=ro", uri=True)
        while deaths(database) < KILLS:
            threading.Event().wait(rng.uniform(0, 0.2))
            victim = until(lambda: busy_worker(server), "a worker computes", timeout_s=60)
            os.kill(victim, signal.SIGKILL)
        ended = [client.get(f"/v1/jobs/{job}", params={"wait": 60}).json() for job in jobs]
        check(database, client, ended)
        database.close()


def deaths(database: sqlite3.Connection) -> int:
    """Return how often a job was released or failed because its worker died."""
    return int(database.execute("select count(*) from job_event").fetchone()[0])


def check(
    database: sqlite3.Connection, client: httpx.Client, ended: list[dict[str, object]]
) -> None:
    assert all(job["state"] in {"completed", "failed"} for job in ended), ended
    for job in ended:
        if job["state"] == "failed":
            assert job["attempts"] == 3
            assert job["error"]["code"] == "worker_died"  # type: ignore[index]
    completed = [str(job["id"]) for job in ended if job["state"] == "completed"]
    results = {
        str(client.get(f"/v1/jobs/{job}/result").json()["parts"][0]["counts"]) for job in completed
    }
    assert len(results) == 1, "equal seeds give equal counts, also when a job ran twice"
    outcomes = Counter(job for (job,) in database.execute("select job from outcome"))
    assert outcomes == Counter(dict.fromkeys(completed, 1))
