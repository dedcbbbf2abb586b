"""`--compute dask+slurm:` with a real Slurm on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.ledger import ledger
from support.programs import BELL, slow
from support.server import LiveServer
from support.slurm import Slurm
from support.waiting import until

CLUSTER = "dask+slurm:?queue=main&cores=1&memory=1GB&walltime=00:30:00&interface=lo"


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    made = Slurm()
    yield made
    made.stop()


@pytest.fixture
def server(slurm: Slurm, tmp_path: Path) -> Iterator[LiveServer]:
    options = ("--compute", CLUSTER, "--compute-min", "0", "--compute-max", "2", "--workers", "0")
    live = LiveServer(tmp_path / "server", *options, **slurm.env, HOME=str(tmp_path))
    yield live
    assert live.stop() == 0
    live.assert_calm()
    until(lambda: not slurm.jobs(), "its jobs have ended")


def submit(client: httpx.Client, program: dict[str, object]) -> str:
    body = {"program": program, "device": "simulator", "shots": 100, "seed": 1}
    return str(client.post("/v1/jobs", json=body).raise_for_status().json()["id"])


def test_workers_are_slurm_jobs_that_come_with_the_work_and_are_replaced(
    slurm: Slurm, server: LiveServer
) -> None:
    with server.client() as client, ledger(server) as books:
        assert slurm.jobs() == [], "nothing waits, so nothing is asked for"
        jobs = {submit(client, BELL)}
        (first,) = until(slurm.jobs, "a worker's job runs")
        books.await_end()
        jobs |= {submit(client, slow(21, 400)) for _ in range(8)}
        until(lambda: len(slurm.jobs()) == 2, "there are as many as allowed", timeout_s=60)
        until(
            lambda: books.number("select count(*) from job where state = 'running'") == 2,
            "both compute",
            timeout_s=60,
        )
        slurm.run("scancel", first)
        until(lambda: first not in slurm.jobs(), "the worker is gone")
        until(lambda: len(slurm.jobs()) == 2, "it is replaced", timeout_s=60)
        books.await_end(timeout_s=150)
        books.assert_all_completed_uncounted(jobs)
