"""`deploy/slurm/worker.sbatch`, as a job of a real Slurm on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.programs import BELL, slow
from support.server import LiveServer, running_server
from support.slurm import Slurm
from support.snippets import ROOT
from support.waiting import until

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


def test_workers_of_slurm_run_jobs_and_return_them_when_they_are_told_to_end(
    slurm: Slurm, server: LiveServer, tmp_path: Path
) -> None:
    batch = started(slurm, server, tmp_path)
    with server.client() as client:

        def submitted(program: dict[str, object]) -> str:
            body = {"program": program, "device": "simulator"}
            return str(client.post("/v1/jobs", json=body).raise_for_status().json()["id"])

        def state(job: str, wait_s: float = 0) -> str:
            return str(client.get(f"/v1/jobs/{job}", params={"wait": wait_s}).json()["state"])

        assert state(submitted(BELL), wait_s=60) == "completed"
        long = submitted(slow(22, 8000))
        until(lambda: state(long) == "running", "a worker of Slurm runs it")
        # Slurm sends this 60 s before the end of the job's time; a second one does not wait.
        slurm.run("scancel", "--signal=TERM", batch)
        slurm.run("scancel", "--signal=TERM", batch)
        until(lambda: batch not in slurm.jobs(), "the job of Slurm has ended", timeout_s=30)
        assert state(long) == "queued"
        client.post(f"/v1/jobs/{long}/cancel").raise_for_status()
    assert "JobState=COMPLETED" in slurm.run("scontrol", "show", "job", batch)
