"""Interface to run engines, and its implementation with worker processes of this machine."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.compute.failures import InvalidResponse
from qwicket.compute.pool import Pool
from qwicket.model.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

_HASHED_AT_ONCE_BYTES: Final = 64 << 10
"""Larger results are hashed in a thread, so the event loop is not blocked."""


class _Part(NamedTuple):
    """Transport form of `Encoded`, because a msgspec union may contain only one untagged struct."""

    body: bytes
    sha256: bytes


_Result = tuple[tuple[_Part | Failure, ...], float]
"""Parts of one job's result, and the seconds that the job ran."""


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
    """Interface to run engines, here or in tests."""

    @property
    def slots(self) -> int:
        """Number of jobs that run at the same time."""

    async def run(self, jobs: Sequence[EngineJob], *, timeout_s: float) -> list[RunResult]:
        """Run jobs one after the other as one task; return their results in order.

        Cancelling the awaiting task stops them. `timeout_s` is for all of them together, and starts
        when a worker process receives the task.

        Raises:
            WorkFailed: No result was produced; the subclass says why.
        """

    async def close(self) -> None:
        """Stop all jobs and every process."""


class LocalCompute:
    """A pool of engine processes. This process itself never imports an engine.

    Args:
        slots: Number of tasks that run at the same time.
        memory_bytes: Address space that a task, which may be several jobs, may add to its warm
            process; None sets no limit.
        spares: Number of idle spare processes, kept to replace killed ones.
        niceness: Difference of the processes' nice level from that of the server.
        response_bytes: Maximum size of a task's response in bytes; 1 GiB by default.
        engine: The function to run, as "module:function".
        warm_up: The function that each new process calls first.
    """

    def __init__(
        self,
        slots: int,
        *,
        memory_bytes: int | None,
        spares: int = 1,
        niceness: int = 0,
        response_bytes: int = 1 << 30,
        engine: str = "qwicket.engines:run_jobs",
        warm_up: str | None = "qwicket.engines:warm_up",
    ) -> None:
        self._engine = engine
        self._pool = Pool(
            slots,
            spares=spares,
            warm_up=warm_up,
            memory_bytes=memory_bytes,
            niceness=niceness,
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
            self._engine, arguments, timeout_s=timeout_s, returns=list[_Result]
        )
        try:
            response = cast("list[_Result]", await asyncio.wrap_future(task.future))
            if sum(map(_size, response)) <= _HASHED_AT_ONCE_BYTES:
                return _validated(response, len(jobs))
            return await asyncio.to_thread(_validated, response, len(jobs))
        finally:
            task.cancel()  # no effect on an ended task

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.close)


def _size(result: _Result) -> int:
    return sum(len(part.body) for part in result[0] if isinstance(part, _Part))


def _validated(response: list[_Result], n_jobs: int) -> list[RunResult]:
    """Validate and return the result of each job.

    Large bodies are stored under their digest, which equal bodies share, so a wrong digest would
    replace another job's result.

    Raises:
        InvalidResponse: There is not one result per job, or a digest is not that of its body.
    """
    if len(response) != n_jobs:
        raise InvalidResponse(0)
    return [RunResult(tuple(map(_encoded, parts)), seconds) for parts, seconds in response]


def _encoded(part: _Part | Failure) -> Encoded | Failure:
    if isinstance(part, Failure):
        return part
    if hashlib.sha256(part.body).digest() != part.sha256:
        raise InvalidResponse(0)
    return Encoded(*part)
