"""Interface to run engines, and its implementation with worker processes of this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from qwicket.compute.fork_server import ForkServer
from qwicket.compute.pool import Pool
from qwicket.compute.responses import JobResponse, validate_results

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.circuits.outcomes import RunResult


WARM_UP: Final = "qwicket.engines:warm_up"
"""What a fork server for engines calls first."""


class EngineJob(NamedTuple):
    """One job as an engine sees it.

    Attributes:
        family: Family of engines: `qubit`, `photonic` or `atoms`.
        circuits: Packed circuits, opaque here.
        options: Packed run options, opaque here.
    """

    family: str
    circuits: bytes
    options: bytes


class Compute(Protocol):
    """Interface to run engines, on this machine or in a cluster."""

    @property
    def slots(self) -> int:
        """Number of tasks that run at the same time; a cluster's changes with its workers."""

    async def run(self, jobs: Sequence[EngineJob], *, timeout_s: float) -> list[RunResult]:
        """Run jobs one after the other as one task; return their results in order.

        Cancelling the awaiting task stops them. `timeout_s` is for all of them together, counted
        from when the task is sent to a worker process.

        Raises:
            WorkFailed: No result was produced; the subclass says why.
        """

    async def close(self) -> None:
        """Stop all jobs, and every process that this object started."""


class Cluster(Compute, Protocol):
    """Workers of a cluster, which one process reaches together."""

    @property
    def is_ours(self) -> bool:
        """Whether this server starts the cluster, and sets its size."""

    @property
    def is_connected(self) -> bool:
        """Whether its scheduler responds."""

    @property
    def memory_bytes(self) -> int | None:
        """Memory of a worker for one task, in bytes; None if it is unknown."""

    async def connect(self) -> None:
        """Connect, or start the cluster.

        Raises:
            ClusterUnavailable: It does not respond, or cannot be started.
        """

    def on_resize(self, resized: Callable[[], None]) -> None:
        """Call a function whenever `slots` has changed."""

    @property
    def busy(self) -> int:
        """Number of running tasks."""

    @property
    def worker_deaths(self) -> int:
        """Number of processes that ended during a task."""

    def set_size(self, n_tasks: int) -> None:
        """Set the number of tasks that the workers should be able to run at the same time."""


class LocalCompute:
    """A pool of engine processes. This process itself never imports an engine.

    Args:
        slots: Number of tasks that run at the same time.
        memory_bytes: Address space that a task, which may be several jobs, may add to its warm
            process; None sets no limit.
        is_background: Whether the processes make way for all others.
        response_bytes: Maximum size of a task's response in bytes; 1 GiB by default.
        engine: The function to run, as "module:function".
        fork_server: What forks the processes; by default one of its own, with all engines.
    """

    def __init__(
        self,
        slots: int,
        *,
        memory_bytes: int | None,
        is_background: bool = False,
        response_bytes: int = 1 << 30,
        engine: str = "qwicket.engines:run_jobs",
        fork_server: ForkServer | None = None,
    ) -> None:
        self._engine = engine
        self._pool = Pool(
            slots,
            fork_server=fork_server or ForkServer(WARM_UP),
            memory_bytes=memory_bytes,
            is_background=is_background,
            response_bytes=response_bytes,
        )

    def start(self) -> None:
        """Start the processes, without waiting for them; else the first `run` does."""
        self._pool.start()

    @property
    def slots(self) -> int:
        return self._pool.slots

    @property
    def memory_bytes(self) -> int | None:
        return self._pool.memory_bytes

    @property
    def busy(self) -> int:
        """Number of busy slots."""
        return self._pool.busy

    @property
    def worker_deaths(self) -> int:
        """Number of workers that died while busy."""
        return self._pool.deaths

    async def run(self, jobs: Sequence[EngineJob], *, timeout_s: float) -> list[RunResult]:
        arguments = [tuple(job) for job in jobs]
        task = self._pool.submit(
            self._engine, arguments, timeout_s=timeout_s, returns=list[JobResponse]
        )
        try:
            response = cast("list[JobResponse]", await asyncio.wrap_future(task.future))
            return await validate_results(response, len(jobs))
        finally:
            task.cancel()  # no effect on an ended task

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.close)
