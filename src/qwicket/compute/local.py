"""Engines in processes of this machine, for callers on an event loop."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol, cast

from qwicket.compute.pool import Pool
from qwicket.model.jobs import Completion


class Work(NamedTuple):
    """One job as an engine sees it.

    Attributes:
        circuits: Packed circuits, opaque here.
        options: Packed run options, opaque here.
        family: Which engines: `qubit`, `photonic` or `atoms`.
        timeout_s: Time it may run once it has a process; it is killed after that.
    """

    circuits: bytes
    options: bytes
    family: str
    timeout_s: float


class Compute(Protocol):
    """Where engines run."""

    @property
    def slots(self) -> int:
        """How many jobs run at the same time."""

    async def run(self, work: Work) -> Completion:
        """Run a job and return one entry per circuit. Cancelling the await stops the job.

        Raises:
            WorkFailed: No result; the class says why.
        """

    async def close(self) -> None:
        """Stop all work and every process."""


class LocalCompute:
    """A pool of engine processes. This process itself never imports an engine.

    Args:
        slots: Jobs that run at the same time.
        memory_bytes: Memory that one job may use; None sets no limit.
        spares: Warm processes kept beside the slots.
        engine: The function that does the work, as "module:function".
        warm: The function that each new process calls first.
    """

    def __init__(
        self,
        slots: int,
        *,
        memory_bytes: int | None,
        spares: int = 1,
        engine: str = "qwicket.engines:run",
        warm: str | None = "qwicket.engines:warm",
    ) -> None:
        self._engine = engine
        self._pool = Pool(slots, spares=spares, warm=warm, memory_bytes=memory_bytes)

    @property
    def slots(self) -> int:
        return self._pool.slots

    @property
    def memory_bytes(self) -> int | None:
        return self._pool.memory_bytes

    async def run(self, work: Work) -> Completion:
        task = self._pool.submit(
            self._engine, work.family, work.circuits, work.options, timeout_s=work.timeout_s
        )
        try:
            return cast(Completion, await asyncio.wrap_future(task.future))
        finally:
            task.cancel()  # nothing happens to work that is over

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.close)
