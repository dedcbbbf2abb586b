"""`deploy/slurm/worker.sbatch`, as a job of a real Slurm on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.held import held_job
from support.programs import BELL
from support.server import LiveServer, running_server
from support.slurm import Slurm, needs_root
from support.snippets import ROOT

pytestmark = pytest.mark.extended

SCRIPT = ROOT / "deploy" / "slurm" / "worker.sbatch"


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    made = Slurm()
    yield made
    made.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with running_server(tmp_path / "server", "--workers", "0") as live:
        yield live


def started(slurm: Slurm, server: LiveServer, folder: Path) -> str:
    """Submit the script as its page says; return the job's id in Slurm."""
    server.admin("user", "add", "workers", "--role", "admin")
    token = server.admin("token", "create", "--user", "workers", "--scope", "compute:serve")
    file = folder / "worker.token"
    file.write_text(token)
    done = subprocess.run(
        ["sbatch", "--parsable", "--cpus-per-task=2", "--mem-per-cpu=1G", str(SCRIPT), server.url],
        env={
            **os.environ,
            **slurm.env,
            "PATH": f"{Path(sys.executable).parent}:{slurm.env['PATH']}",
            "QWICKET_TOKEN_FILE": str(file),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Queue:
    """Submits jobs and reads their states."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def submit(self, program: dict[str, object]) -> str:
        body = {"program": program, "device": "simulator"}
        return str(self._http.post("/v1/jobs", json=body).raise_for_status().json()["id"])

    def state(self, job: str, wait_s: float = 0) -> str:
        return str(self._http.get(f"/v1/jobs/{job}", params={"wait": wait_s}).json()["state"])


@needs_root
def test_workers_of_slurm_run_jobs_and_return_them_when_they_are_told_to_end(
    slurm: Slurm, server: LiveServer, tmp_path: Path
) -> None:
    batch = started(slurm, server, tmp_path)
    with server.client() as client:
        queue = Queue(client)
        assert queue.state(queue.submit(BELL), wait_s=60) == "completed"
        held = held_job(21)
        long = queue.submit(held.program)
        held.wait_until_running()
        slurm.run("scancel", "--signal=TERM", batch)  # as `scancel` does before it kills
        assert slurm.end_state(batch, timeout_s=30) == "COMPLETED"
        assert queue.state(long) == "queued"
        client.post(f"/v1/jobs/{long}/cancel").raise_for_status()


@needs_root
def test_before_the_end_of_its_time_a_worker_of_slurm_ends_its_jobs(
    slurm: Slurm, server: LiveServer, tmp_path: Path
) -> None:
    batch = started(slurm, server, tmp_path)
    with server.client() as client:
        queue = Queue(client)
        assert queue.state(queue.submit(BELL), wait_s=60) == "completed"
        held = held_job(21)
        job = queue.submit(held.program)
        held.wait_until_running()
        # Slurm sends this to every process of a step 60 s before the end of the job's time.
        slurm.run("scancel", "--signal=USR1", batch)
        held.release()
        assert slurm.end_state(batch, timeout_s=60) == "COMPLETED"
        assert queue.state(job) == "completed"
        assert client.get(f"/v1/jobs/{job}").json()["attempts"] == 0
