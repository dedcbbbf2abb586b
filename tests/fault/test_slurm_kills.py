"""Workers of `worker scale` in a real Slurm are cancelled, and its node's daemon is killed."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.held import held_job
from support.kills import GONE_S, Kills
from support.ledger import ledger
from support.programs import BELL
from support.repetitions import IS_LONG, kills, runs
from support.scalers import scaler
from support.server import Serve
from support.slurm import Slurm, needs_root
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.extended

KILLS = kills(2)
"""Of each kind."""
CANCELLED_S = GONE_S if IS_LONG else PROMPT_S
"""Bound for a cancelled worker: it says goodbye before it ends, which takes processor time."""
LEASE = ("--workers", "0", "--lease-s", "2")
RUNNING = "select count(*) from job where state = 'running'"


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    made = Slurm()
    yield made
    made.stop()


@pytest.mark.timeout(runs(300, long=7200))
@needs_root
def test_cancelled_workers_and_killed_daemons_lose_no_job_and_double_no_result(
    serve: Serve, slurm: Slurm, tmp_path: Path
) -> None:
    rng = random.Random(11)
    server = serve("server", None, *LEASE)
    options = ("--slurm", "partition=main", "--max", "2", "--idle-s", "30")
    jobs: set[str] = set()
    cancelled, killed = Kills("worker in Slurm: `scancel`"), Kills("slurmd: `kill -9`")
    with (
        scaler(server, tmp_path, *options, **slurm.env),
        server.client() as client,
        ledger(server) as books,
    ):
        for kind in ["scancel", "slurmd"] * KILLS:
            for program in [BELL] * 20 + [held_job(20, lasts_s=0.2).program]:
                body = {"program": program, "device": "simulator", "shots": 100}
                sent = client.post("/v1/jobs", json=body).raise_for_status()
                jobs.add(str(sent.json()["id"]))
            until(lambda: books.number(RUNNING) > 0, "jobs run", timeout_s=60)
            threading.Event().wait(rng.uniform(0, 0.3))
            if kind == "slurmd":
                killed.await_end([slurm.kill_node()])
                slurm.start_node()
                continue
            victim = rng.choice(until(slurm.jobs, "a worker runs", timeout_s=60))
            processes = slurm.processes(victim)
            assert processes
            slurm.run("scancel", victim)
            cancelled.await_end(processes, timeout_s=CANCELLED_S)
        books.await_end(timeout_s=120)
        cancelled.record(books, jobs)
        killed.record(books, jobs)
        books.assert_all_completed_uncounted(jobs)
