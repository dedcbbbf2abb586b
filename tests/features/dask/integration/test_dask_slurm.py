"""`--compute dask+slurm:` with a real Slurm on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from qwicket.compute import EngineJob
from qwicket.features.dask.address import parse
from qwicket.features.dask.cluster import StartedCluster
from qwicket.features.dask.compute import DaskCompute
from qwicket.features.dask.worker import PoolSettings
from support.held import held_job
from support.ledger import ledger
from support.pools import WORKER_PATH
from support.programs import BELL
from support.server import LiveServer
from support.slurm import Slurm, needs_root
from support.waiting import until

pytestmark = pytest.mark.extended

CLUSTER = "dask+slurm:?queue=main&cores=1&memory=1GB&walltime=00:30:00&interface=lo"
NEVER_CLAIMED = """select id from job where state = 'queued'
    and id not in (select job from job_event)"""


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


def is_deleted(client: httpx.Client, job: str) -> bool:
    return client.delete(f"/v1/jobs/{job}").is_success


@needs_root
def test_workers_are_slurm_jobs_that_come_with_the_work_and_are_replaced(
    slurm: Slurm, server: LiveServer
) -> None:
    with server.client() as client, ledger(server) as books:
        assert slurm.jobs() == [], "nothing waits, so nothing is asked for"
        jobs = {submit(client, BELL)}
        (first,) = until(slurm.jobs, "a worker's job runs")
        books.await_end()
        held = [held_job(21) for _ in range(8)]
        jobs |= {submit(client, each.program) for each in held}
        until(lambda: len(slurm.jobs()) == 2, "there are as many as allowed", timeout_s=60)
        until(
            lambda: books.number("select count(*) from job where state = 'running'") == 2,
            "both compute",
            timeout_s=60,
        )
        slurm.run("scancel", first)
        until(lambda: first not in slurm.jobs(), "the worker is gone")
        until(lambda: len(slurm.jobs()) == 2, "it is replaced", timeout_s=60)
        for (job,) in books.rows(NEVER_CLAIMED):  # they were there so that two were wanted
            client.post(f"/v1/jobs/{job}/cancel")
            until(partial(is_deleted, client, job), "it is deleted")
            jobs.remove(job)
        for each in held:
            each.release()
        books.await_end()
        books.assert_all_completed_uncounted(jobs)


@needs_root
def test_a_job_of_several_cores_is_one_worker_and_those_without_work_are_closed(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dask-jobqueue would begin a worker for each core, and count each Slurm job as one worker."""
    for name, value in {**slurm.env, "HOME": str(tmp_path), "PYTHONPATH": WORKER_PATH}.items():
        monkeypatch.setenv(name, value)
    address = parse(CLUSTER.replace("cores=1", "cores=2"))
    assert address is not None
    cluster = StartedCluster(address, min_workers=0, max_workers=2, idle_s=2)
    settings = PoolSettings(None, 1 << 20, engine="support.pool_tasks:held_engine", warm_up=None)

    def await_slots(compute: DaskCompute, number: int) -> None:
        until(lambda: compute.slots == number, f"{number} slots", timeout_s=60)

    def release(path: Path) -> None:
        Path(f"{path}.release").touch()

    async def use(compute: DaskCompute) -> None:
        compute.set_size(4)
        await asyncio.to_thread(await_slots, compute, 4)
        assert len(slurm.jobs()) == 2
        paths = [tmp_path / f"{number}" for number in range(4)]
        running = [
            asyncio.create_task(
                compute.run([EngineJob("qubit", str(path).encode(), b"")], timeout_s=120)
            )
            for path in paths
        ]
        await asyncio.to_thread(until, lambda: all(map(Path.is_symlink, paths)), "all compute")
        for path in paths[1:]:
            release(path)
        await asyncio.gather(*running[1:])
        compute.set_size(1)
        await asyncio.to_thread(await_slots, compute, 2)
        release(paths[0])
        assert len(await running[0]) == 1, "its worker was kept"
        await asyncio.to_thread(until, lambda: len(slurm.jobs()) == 1, "one Slurm job is left")

    async def main() -> None:
        compute = DaskCompute(cluster, settings)
        try:
            await compute.connect()
            await use(compute)
        finally:
            await compute.close()

    asyncio.run(main())
