"""`kill -9` of Dask workers and schedulers under load: no job is lost or ends twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.dask import DaskProcesses, launcher
from support.held import held_job
from support.kills import Kills
from support.ledger import Ledger, ledger
from support.processes import below, children_of
from support.programs import BELL
from support.repetitions import kills, runs
from support.server import LiveServer, Serve
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.promise]

KILLS = kills(2)
RUNNING = "select count(*) from job where state = 'running'"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskProcesses]:
    made = DaskProcesses(tmp_path / "dask")
    yield made
    made.stop()


def submit(client: httpx.Client, rng: random.Random) -> str:
    """Submit a job of some tenths of a second, or a tiny one, which travels in a batch."""
    program = held_job(20, lasts_s=0.2).program if rng.random() < 0.3 else BELL
    body = {"program": program, "device": "simulator", "shots": 100}
    return str(client.post("/v1/jobs", json=body).raise_for_status().json()["id"])


@pytest.mark.timeout(runs(300, long=3600))
def test_killed_dask_workers_lose_no_job_and_double_no_result(
    serve: Serve, cluster: DaskProcesses
) -> None:
    rng = random.Random(5)
    server = serve("server", None, *cluster.options, "--express-slots", "0")
    jobs: set[str] = set()
    killed = Kills("Dask worker: `kill -9`")
    with server.client() as client, ledger(server) as books:
        for _ in range(KILLS):
            jobs |= {submit(client, rng) for _ in range(40)}
            until(lambda: books.number(RUNNING) >= 1, "a job runs", timeout_s=60)
            threading.Event().wait(rng.uniform(0, 0.3))
            victim = until(lambda: with_engines(cluster), "a worker has engines", timeout_s=60)
            engines = below(victim.pid)
            cluster.workers.remove(victim)
            victim.kill()
            killed.await_end(engines)
            victim.wait()
            cluster.add_worker()
        assert_ended(books, jobs, killed)


@pytest.mark.timeout(runs(300, long=7200))
def test_killed_dask_schedulers_lose_no_job_and_double_no_result(
    serve: Serve, cluster: DaskProcesses
) -> None:
    rng = random.Random(7)
    server = serve("server", None, *cluster.options, "--express-slots", "0")
    jobs: set[str] = set()
    killed = Kills("Dask scheduler: `kill -9`")
    with server.client() as client, ledger(server) as books:
        for kills in range(KILLS):
            jobs |= {submit(client, rng) for _ in range(40)}
            # Else the next scheduler dies while the server connects to it, which is no loss.
            await_returns(server, kills)
            until(lambda: books.number(RUNNING) >= 1, "a job runs", timeout_s=60)
            threading.Event().wait(rng.uniform(0, 0.3))
            until(lambda: with_engines(cluster), "a worker has engines", timeout_s=60)
            engines = [pid for each in cluster.workers for pid in below(each.pid)]
            cluster.scheduler.kill()
            killed.await_end(engines)
            cluster.kill_scheduler()
            cluster.start(2)
        assert_ended(books, jobs, killed)
        # The scheduler is not a job's fault.
        assert books.rows("select distinct attempts from job") == [(0,)]
    assert losses(server) == returns(server) == KILLS


def losses(server: LiveServer) -> int:
    return server.log.read_text().count("the Dask scheduler was lost")


def await_returns(server: LiveServer, number: int) -> None:
    until(lambda: returns(server) == number, f"it is back {number} times", timeout_s=90)


def returns(server: LiveServer) -> int:
    return server.log.read_text().count("the Dask scheduler is back")


@pytest.mark.timeout(runs(300, long=3600))
def test_schedulers_of_our_own_are_replaced_and_lose_no_job(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]), prepend=os.pathsep)
    rng = random.Random(9)
    options = ("--compute", "support.dask:local_cluster", "--compute-max", "2")
    server = serve("server", None, *options, "--express-slots", "0")
    jobs: set[str] = set()
    killed = Kills("started Dask scheduler: `kill -9`")
    with server.client() as client, ledger(server) as books:
        for _ in range(kills(1)):
            jobs |= {submit(client, rng) for _ in range(40)}
            until(lambda: books.number(RUNNING) >= 1, "a job runs", timeout_s=60)
            victim = launcher(server.process.pid)
            processes = below(victim)
            os.kill(victim, signal.SIGKILL)
            killed.await_end(processes)
        assert_ended(books, jobs, killed)


def with_engines(cluster: DaskProcesses) -> subprocess.Popen[bytes] | None:
    """Return a worker that has started its pool."""
    return next((each for each in cluster.workers if children_of(each.pid)), None)


def assert_ended(books: Ledger, jobs: set[str], killed: Kills) -> None:
    # A hundred kills leave a backlog of some 4,000 jobs.
    books.await_end(timeout_s=runs(300, long=1800))
    killed.record(books, jobs)
    books.assert_each_ended_once(jobs)
    # A job that met two kills or more may have been blamed; it needs four to fail.
    assert books.rows("select error_code from job where state = 'failed' and attempts < 3") == []
