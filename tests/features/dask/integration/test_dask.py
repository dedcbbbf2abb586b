"""Engines in a Dask cluster of real processes: results, failures, cancellation, lost workers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from distributed.comm.core import CommClosedError

from qwicket import programs
from qwicket.circuits import outcomes
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.compute import (
    ClusterUnavailable,
    Compute,
    EngineJob,
    InvalidResponse,
    LocalCompute,
    MemoryLimitExceeded,
    NotStarted,
    Stopped,
    TimeLimitExceeded,
    WorkerDied,
    WorkerLost,
    WorkError,
)
from qwicket.features.dask.address import ClusterAddress
from qwicket.features.dask.cluster import Cluster, Endpoint, RunningCluster, StartedCluster
from qwicket.features.dask.compute import DaskCompute
from qwicket.features.dask.worker import PoolSettings
from qwicket.model.failures import Failure
from qwicket.model.limits import Limits
from support.dask import DaskProcesses, launcher
from support.held import held_job
from support.pools import announced, eventually, is_gone
from support.processes import below, workers_of
from support.programs import BELL as BELL_JSON
from support.server import LiveServer
from support.waiting import until

# Dask leaves the socket of a refused connection to the garbage collector, which may come later.
UNCLOSED_SOCKETS = pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
pytestmark = [pytest.mark.extended, UNCLOSED_SOCKETS]

JOB = EngineJob("qubit", b"circuits", b"options")
SMALL = PoolSettings(None, 1 << 20, engine="support.pool_tasks:engine", warm_up=None)
ENDLESS = SMALL._replace(engine="support.pool_tasks:endless_engine")
BELL = (
    b'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    b" h q[0]; cx q[0], q[1]; c = measure q;"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """A cluster that the module's tests share. Nobody kills this one."""
    made = DaskProcesses(tmp_path_factory.mktemp("dask"))
    yield made
    made.stop()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[DaskProcesses]:
    """A cluster that a test may kill."""
    made = DaskProcesses(tmp_path / "dask", workers=1)
    yield made
    made.stop()


def with_compute(
    where: DaskProcesses | Cluster,
    use: Callable[[DaskCompute], Awaitable[None]],
    settings: PoolSettings = SMALL,
    *,
    slots: int = 1,
    connect_s: float = 10.0,
) -> None:
    async def main() -> None:
        found = RunningCluster(where.endpoint) if isinstance(where, DaskProcesses) else where
        compute = DaskCompute(found, settings, connect_s=connect_s)
        try:
            await compute.connect()
            await has_slots(compute, slots)
            await use(compute)
        finally:
            await compute.close()

    asyncio.run(main())


async def has_slots(compute: DaskCompute, at_least: int) -> None:
    await asyncio.to_thread(eventually, lambda: compute.slots >= at_least, 40)


def run(compute: Compute, *jobs: EngineJob, timeout_s: float = 30.0) -> Awaitable[list[RunResult]]:
    return compute.run(jobs, timeout_s=timeout_s)


def endless(path: Path) -> EngineJob:
    return EngineJob("qubit", str(path).encode(), b"")


def test_results_are_those_of_this_machine(cluster: DaskProcesses) -> None:
    packed = programs.read("openqasm3", BELL, Limits()).circuits
    jobs = [
        EngineJob(
            "qubit",
            packed,
            msgspec.msgpack.encode(RunOptions(shots=100, seed=seed, outputs=("counts",))),
        )
        for seed in range(3)
    ]

    async def use(compute: DaskCompute) -> None:
        local = LocalCompute(1, memory_bytes=1 << 30)
        try:
            here, there = await run(local, *jobs), await run(compute, *jobs)
        finally:
            await local.close()
        assert list(map(counts, there)) == list(map(counts, here))

    with_compute(cluster, use, PoolSettings(None, 1 << 20))


def counts(result: RunResult) -> dict[int, int]:
    assert not isinstance(result.result, Failure)
    ((encoded,),) = (result.result,)
    assert isinstance(encoded, Encoded)
    return outcomes.decode(encoded).counts()


@pytest.mark.parametrize("error", [RuntimeError("closed"), asyncio.CancelledError(), OSError()])
def test_whatever_ends_a_call_of_the_scheduler_a_new_connection_is_made(
    cluster: DaskProcesses, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """A call that Dask cancels must not end the task that notices lost schedulers."""

    async def use(compute: DaskCompute) -> None:
        refresh, failures = compute._refresh, [error]

        async def failing(client: Any) -> None:
            if failures:
                raise failures.pop()
            await refresh(client)

        compute._refresh = failing  # type: ignore[method-assign]  # what Dask does when it closes
        await asyncio.to_thread(eventually, lambda: "scheduler is back" in caplog.text, 40)
        await has_slots(compute, 1)

    with_compute(cluster, use)


def test_a_scheduler_that_was_replaced_between_two_looks_counts_as_lost(
    cluster: DaskProcesses, caplog: pytest.LogCaptureFixture
) -> None:
    """Dask's client connects by itself to what is at the address; that one has no plugin yet."""

    async def use(compute: DaskCompute) -> None:
        async def replace() -> None:
            client = compute._client
            assert client is not None
            assert client.scheduler_comm is not None
            await client.unregister_worker_plugin(compute._plugin.name)
            client.scheduler_comm.comm.abort()

        await compute._on_loop(replace())
        await asyncio.to_thread(until, lambda: "scheduler is back" in caplog.text, "it is back")
        await has_slots(compute, 1)
        await run(compute, JOB)

    with_compute(cluster, use)


def test_a_task_that_meets_the_closed_connection_first_has_not_started(
    cluster: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def closed(*_: object) -> bytes:
        raise CommClosedError

    async def use(compute: DaskCompute) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(compute, "_submit", closed)
            with pytest.raises(NotStarted, match="scheduler"):
                await run(compute, JOB)
        await run(compute, JOB)

    with_compute(cluster, use)


def test_slots_and_memory_are_those_of_the_workers(cluster: DaskProcesses) -> None:
    async def use(compute: DaskCompute) -> None:
        assert (compute.slots, compute.memory_bytes) == (2, 1_600_000_000)  # 80 % of 2 GB each

    with_compute(cluster, use, slots=2)


def test_the_operators_memory_limit_counts_if_it_is_less(cluster: DaskProcesses) -> None:
    async def use(compute: DaskCompute) -> None:
        assert compute.memory_bytes == 1 << 28

    with_compute(cluster, use, SMALL._replace(memory_bytes=1 << 28))


@pytest.mark.parametrize(
    ("engine", "error"),
    [
        ("stingy_engine", InvalidResponse),
        ("lying_engine", InvalidResponse),
        ("endless_list", InvalidResponse),
        ("no_such_engine", WorkError),
        ("crashing_engine", WorkerDied),
        ("greedy_engine", MemoryLimitExceeded),
    ],
)
def test_failure_of_an_engine_has_its_type(
    cluster: DaskProcesses, engine: str, error: type[Exception]
) -> None:
    async def use(compute: DaskCompute) -> None:
        with pytest.raises(error) as caught:
            await run(compute, JOB, JOB)
        assert type(caught.value) is error

    with_compute(cluster, use, SMALL._replace(engine=f"support.pool_tasks:{engine}"))


def test_time_limit_counts_from_the_start_in_the_worker(
    cluster: DaskProcesses, tmp_path: Path
) -> None:
    async def use(compute: DaskCompute) -> None:
        with pytest.raises(TimeLimitExceeded, match=r"0\.2 s"):
            await run(compute, endless(tmp_path / "spin"), timeout_s=0.2)

    with_compute(cluster, use, ENDLESS)


def test_cancelling_the_await_kills_the_process(cluster: DaskProcesses, tmp_path: Path) -> None:
    async def use(compute: DaskCompute) -> None:
        running = asyncio.ensure_future(run(compute, endless(tmp_path / "spin")))
        worker = await asyncio.to_thread(announced, tmp_path / "spin")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.to_thread(eventually, lambda: is_gone(worker))

    with_compute(cluster, use, ENDLESS)


def test_a_server_that_dies_leaves_no_job_running(cluster: DaskProcesses, tmp_path: Path) -> None:
    async def use(compute: DaskCompute) -> None:
        running = asyncio.ensure_future(run(compute, endless(tmp_path / "spin")))
        worker = await asyncio.to_thread(announced, tmp_path / "spin")
        await compute.close()
        with pytest.raises(NotStarted):
            await running
        await asyncio.to_thread(eventually, lambda: is_gone(worker))
        with pytest.raises(Stopped):
            await run(compute, JOB)

    with_compute(cluster, use, ENDLESS)


def test_engine_process_killed_from_outside_fails_its_task_alone(
    cluster: DaskProcesses, tmp_path: Path
) -> None:
    async def use(compute: DaskCompute) -> None:
        first, second = (
            asyncio.ensure_future(run(compute, endless(tmp_path / name))) for name in "ab"
        )
        victim = await asyncio.to_thread(announced, tmp_path / "a")
        await asyncio.to_thread(announced, tmp_path / "b")
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="SIGKILL"):
            await first
        assert not second.done()
        second.cancel()
        await asyncio.wait([second])

    with_compute(cluster, use, ENDLESS, slots=2)


def test_a_lost_worker_is_blamed_on_a_job_the_second_time(
    own_cluster: DaskProcesses, tmp_path: Path
) -> None:
    """A node may fail without the job's fault; one that meets it twice counts as its cause."""

    async def lose_the_worker(compute: DaskCompute, job: EngineJob, path: Path) -> None:
        running = asyncio.ensure_future(run(compute, job))
        engine = await asyncio.to_thread(announced, path)
        lost = own_cluster.workers.pop()
        lost.kill()
        await asyncio.to_thread(lost.wait)
        await asyncio.to_thread(eventually, lambda: is_gone(engine))
        await asyncio.to_thread(path.unlink)
        try:
            await running
        finally:
            await asyncio.to_thread(eventually, lambda: compute.slots == 0)
            with pytest.raises(NotStarted, match="no worker"):
                await run(compute, JOB)
            own_cluster.add_worker()
            await has_slots(compute, 1)

    async def use(compute: DaskCompute) -> None:
        job, other = endless(tmp_path / "job"), endless(tmp_path / "other")
        with pytest.raises(WorkerLost):
            await lose_the_worker(compute, job, tmp_path / "job")
        with pytest.raises(WorkerLost):
            await lose_the_worker(compute, other, tmp_path / "other")
        with pytest.raises(WorkerLost, match="2 times in all") as caught:
            await lose_the_worker(compute, job, tmp_path / "job")
        assert caught.value.times == 2  # the driver counts this one as an attempt

    with_compute(own_cluster, use, ENDLESS)


def test_a_scheduler_that_is_back_is_used_again(own_cluster: DaskProcesses, tmp_path: Path) -> None:
    sizes: list[int] = []

    async def use(compute: DaskCompute) -> None:
        compute.on_resize(lambda: sizes.append(compute.slots))
        running = asyncio.ensure_future(run(compute, endless(tmp_path / "spin")))
        engine = await asyncio.to_thread(announced, tmp_path / "spin")
        await asyncio.to_thread(own_cluster.kill_scheduler)
        with pytest.raises(NotStarted, match="scheduler"):
            await running
        await asyncio.to_thread(eventually, lambda: is_gone(engine))
        await asyncio.to_thread(eventually, lambda: compute.slots == 0)
        with pytest.raises(NotStarted, match="scheduler"):
            await run(compute, JOB)
        own_cluster.start(1)
        await has_slots(compute, 1)
        with pytest.raises(TimeLimitExceeded):
            await run(compute, endless(tmp_path / "again"), timeout_s=0.1)
        assert sizes == [0, 1]

    with_compute(own_cluster, use, ENDLESS)


def test_workers_with_another_version_are_refused(cluster: DaskProcesses) -> None:
    with_compute(cluster, nothing)  # else there may be no worker yet, which is no error
    with pytest.raises(ClusterUnavailable, match=r"qwicket \S+, the server 0\.0\.1: install"):
        with_compute(cluster, nothing, SMALL._replace(version="0.0.1"))


def test_no_scheduler_at_the_address_is_an_error(own_cluster: DaskProcesses) -> None:
    own_cluster.stop()
    with pytest.raises(ClusterUnavailable, match="no Dask scheduler responds at tls://127"):
        with_compute(own_cluster, nothing, connect_s=1)


def test_certificates_of_another_authority_are_refused(
    cluster: DaskProcesses, own_cluster: DaskProcesses
) -> None:
    strange = Endpoint(cluster.endpoint.address, own_cluster.endpoint.security)
    with pytest.raises(ClusterUnavailable, match="no Dask scheduler responds at tls://127"):
        with_compute(RunningCluster(strange), nothing, connect_s=1)


async def nothing(_: DaskCompute) -> None:
    """Use nothing."""


# --- a server ------------------------------------------------------------------------------------


def test_with_no_workers_no_engine_runs_on_the_server(
    cluster: DaskProcesses, tmp_path: Path
) -> None:
    server = LiveServer(tmp_path, *cluster.options, "--workers", "0")
    with server.client() as client:
        assert submitted(client, BELL_JSON, wait_s=30)["state"] == "completed"
        assert workers_of(server.process.pid) == []
    assert server.stop() == 0
    server.assert_calm()


def test_short_jobs_run_on_the_server_while_the_cluster_is_busy(
    cluster: DaskProcesses, tmp_path: Path
) -> None:
    server = LiveServer(tmp_path, *cluster.options)
    with server.client() as client:
        long = [submitted(client, held_job().program)["id"] for _ in range(2)]
        # Else the short job may take a slot of the cluster, before the second long one does.
        until(lambda: are_running(client, long), "the cluster is busy")
        assert submitted(client, BELL_JSON, wait_s=30)["state"] == "completed"
        assert are_running(client, long), "the cluster is as busy as before"
        for job in long:
            client.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        assert "qwicket_express_runs_total 1.0" in client.get("/metrics").text
    assert server.stop() == 0
    server.assert_calm()


def test_a_server_without_its_scheduler_and_other_runners_is_not_ready(
    own_cluster: DaskProcesses, tmp_path: Path
) -> None:
    server = LiveServer(tmp_path, *own_cluster.options, "--lease-s", "2")

    def is_ready() -> bool:
        response = httpx.get(f"{server.url}/readyz")
        assert response.status_code == 200 or "scheduler of the cluster" in response.text
        return response.status_code == 200

    assert is_ready()
    own_cluster.kill_scheduler()
    until(lambda: not is_ready(), "it has no scheduler", timeout_s=60)
    server.admin("user", "add", "site", "--role", "admin")
    token = server.admin("token", "create", "--user", "site", "--scope", "compute:serve")
    with server.client(token) as client:

        def asks() -> bool:
            body = {"group": "site"}
            client.post("/v1/scalers/site/demand", json=body).raise_for_status()
            return is_ready()

        until(asks, "a scaler of workers is there", timeout_s=60)
    until(lambda: not is_ready(), "the scaler is gone", timeout_s=60)
    own_cluster.start(1)
    until(is_ready, "the scheduler is back", timeout_s=90)
    assert server.stop() == 0


def are_running(client: httpx.Client, jobs: list[str]) -> bool:
    return all(client.get(f"/v1/jobs/{job}").json()["state"] == "running" for job in jobs)


def submitted(client: httpx.Client, program: object, *, wait_s: int = 0) -> dict[str, Any]:
    body = {"program": program, "device": "simulator", "shots": 100}
    response = client.post("/v1/jobs", params={"wait": wait_s}, json=body)
    job: dict[str, Any] = response.raise_for_status().json()
    return job


# --- clusters that are started -------------------------------------------------------------------


def factory(name: str) -> StartedCluster:
    address = ClusterAddress("factory", f"support.dask:{name}")
    return StartedCluster(address, min_workers=1, max_workers=2, idle_s=2)


@pytest.fixture
def _tests_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.mark.usefixtures("_tests_on_path")
def test_a_factorys_cluster_follows_what_is_wanted_and_ends_with_the_server() -> None:
    processes: set[int] = set()

    async def use(compute: DaskCompute) -> None:
        assert compute.is_ours
        assert (await run(compute, JOB))[0].result == (
            Encoded(JOB.circuits, hashlib.sha256(JOB.circuits).digest()),
        )
        compute.set_size(5)
        await has_slots(compute, 2)
        await asyncio.sleep(1.5)  # a round of its adaption, which must not exceed `max_workers`
        assert compute.slots == 2
        compute.set_size(0)
        await asyncio.to_thread(eventually, lambda: compute.slots == 1)
        processes.update({launcher(os.getpid()), *below(launcher(os.getpid()))})

    with_compute(factory("local_cluster"), use)
    eventually(lambda: all(map(is_gone, processes)))


@pytest.mark.usefixtures("_tests_on_path")
def test_what_a_started_cluster_prints_is_a_record_of_a_log_in_json(tmp_path: Path) -> None:
    options = ("--compute", "support.dask:talking_cluster", "--log-format", "json")
    server = LiveServer(tmp_path, *options)
    with server.client() as client:
        assert submitted(client, BELL_JSON, wait_s=30)["state"] == "completed"
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    said = {
        each["event"]: each["level"] for each in lines if each["logger"].endswith("dask.cluster")
    }
    assert said["a line of the cluster"] == "error"
    assert said["now - distributed.core - WARNING - something"] == "warning"
    assert 65_536 <= max(map(len, said)) < 2 * 65_536, "a long line is cut"


@pytest.mark.usefixtures("_tests_on_path")
def test_a_started_scheduler_that_dies_is_replaced() -> None:
    async def use(compute: DaskCompute) -> None:
        old = below(launcher(os.getpid()))
        os.kill(launcher(os.getpid()), signal.SIGKILL)
        await asyncio.to_thread(eventually, lambda: compute.slots == 0)
        await asyncio.to_thread(eventually, lambda: all(map(is_gone, old)))
        await has_slots(compute, 1)
        assert await run(compute, JOB)

    with_compute(factory("local_cluster"), use)


def test_a_cluster_whose_process_cannot_be_started_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")  # as if no process were left
    with pytest.raises(ClusterUnavailable, match="cannot be started: No such file"):
        asyncio.run(factory("local_cluster").open())


@pytest.mark.usefixtures("_tests_on_path")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("plain_cluster", r"without TLS: create the cluster with security=Security\.temporary"),
        ("no_such_function", "AttributeError: module 'support.dask' has no attribute"),
    ],
)
def test_a_factory_that_fails_says_why(name: str, reason: str) -> None:
    with pytest.raises(ClusterUnavailable, match=reason):
        with_compute(factory(name), nothing)
