"""Engines in processes of this machine, for callers on an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from qwicket.compute.pool import Pool
from qwicket.model.jobs import Ran

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.model.jobs import Completion


class Work(NamedTuple):
    """One job as an engine sees it.

    Attributes:
        family: Which engines: `qubit`, `photonic` or `atoms`.
        circuits: Packed circuits, opaque here.
        options: Packed run options, opaque here.
    """

    family: str
    circuits: bytes
    options: bytes


class Compute(Protocol):
    """Where engines run."""

    @property
    def slots(self) -> int:
        """How many jobs run at the same time."""

    async def run(self, works: Sequence[Work], *, timeout_s: float) -> list[Ran]:
        """Run jobs one after the other as one task; return what each gave, in their order.

        Cancelling the await stops them. They may run for `timeout_s` once they have a process.

        Raises:
            WorkFailed: No results; the class says why.
        """

    async def close(self) -> None:
        """Stop all work and every process."""


class LocalCompute:
    """A pool of engine processes. This process itself never imports an engine.

    Args:
        slots: Jobs that run at the same time.
        memory_bytes: Memory that one job may use; None sets no limit.
        spares: Warm processes kept beside the slots.
        niceness: How far the processes' CPU priority is below that of the server.
        engine: The function that does the work, as "module:function".
        warm: The function that each new process calls first.
    """

    def __init__(
        self,
        slots: int,
        *,
        memory_bytes: int | None,
        spares: int = 1,
        niceness: int = 0,
        engine: str = "qwicket.engines:run_jobs",
        warm: str | None = "qwicket.engines:warm",
    ) -> None:
        self._engine = engine
        self._pool = Pool(
            slots, spares=spares, warm=warm, memory_bytes=memory_bytes, niceness=niceness
        )

    @property
    def slots(self) -> int:
        return self._pool.slots

    @property
    def memory_bytes(self) -> int | None:
        return self._pool.memory_bytes

    @property
    def busy(self) -> int:
        """How many slots are at work."""
        return self._pool.busy

    @property
    def deaths(self) -> int:
        """How many workers ended at work."""
        return self._pool.deaths

    async def run(self, works: Sequence[Work], *, timeout_s: float) -> list[Ran]:
        jobs = [tuple(work) for work in works]
        task = self._pool.submit(self._engine, jobs, timeout_s=timeout_s)
        try:
            found = cast("list[tuple[Completion, float]]", await asyncio.wrap_future(task.future))
            return [Ran(completion, seconds) for completion, seconds in found]
        finally:
            task.cancel()  # nothing happens to work that is over

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.close)
