"""Engines in processes of this machine, for callers on an event loop."""

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


class _Part(NamedTuple):
    """Transport form of `Encoded`, because a msgspec union may contain only one struct."""

    body: bytes
    sha256: bytes


_Answer = list[tuple[tuple[_Part | Failure, ...], float]]


class Work(NamedTuple):
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
    """Runs engines."""

    @property
    def slots(self) -> int:
        """Number of jobs that run at the same time."""

    async def run(self, works: Sequence[Work], *, timeout_s: float) -> list[RunResult]:
        """Run jobs one after the other as one task; return their results in order.

        Cancelling the awaiting task stops them. `timeout_s` counts from when they have a process.

        Raises:
            WorkFailed: There are no results; the class gives the reason.
        """

    async def close(self) -> None:
        """Stop all work and every process."""


class LocalCompute:
    """A pool of engine processes. This process itself never imports an engine.

    Args:
        slots: Jobs that run at the same time.
        memory_bytes: Memory that one job may use; None sets no limit.
        spares: Number of started processes that replace killed ones at once.
        niceness: Difference of the processes' nice level from that of the server.
        answer_bytes: Size limit of a response.
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
        answer_bytes: int = 1 << 30,
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
            answer_bytes=answer_bytes,
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
    def deaths(self) -> int:
        """Number of workers that died while busy."""
        return self._pool.deaths

    async def run(self, works: Sequence[Work], *, timeout_s: float) -> list[RunResult]:
        jobs = [tuple(work) for work in works]
        task = self._pool.submit(self._engine, jobs, timeout_s=timeout_s, returns=_Answer)
        try:
            found = cast("_Answer", await asyncio.wrap_future(task.future))
            if len(found) != len(jobs):
                raise InvalidResponse(0)
            if sum(map(_size, found)) <= _HASHED_AT_ONCE_BYTES:
                return _checked(found)
            return await asyncio.to_thread(_checked, found)
        finally:
            task.cancel()  # no effect on ended work

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.close)


def _size(ran: tuple[tuple[_Part | Failure, ...], float]) -> int:
    return sum(len(part.body) for part in ran[0] if isinstance(part, _Part))


def _checked(answer: _Answer) -> list[RunResult]:
    """Validate and return the result of each job.

    Large bodies are stored under their digest, which equal bodies share, so a wrong digest would
    replace another job's result.

    Raises:
        InvalidResponse: A digest is not that of its body.
    """
    return [RunResult(tuple(map(_encoded, parts)), seconds) for parts, seconds in answer]


def _encoded(part: _Part | Failure) -> Encoded | Failure:
    if isinstance(part, Failure):
        return part
    if hashlib.sha256(part.body).digest() != part.sha256:
        raise InvalidResponse(0)
    return Encoded(*part)
