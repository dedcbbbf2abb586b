"""Engines in processes of this machine, for callers on an event loop."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from qwicket.circuits.outcomes import Encoded, Ran
from qwicket.compute.failures import BadAnswer
from qwicket.compute.pool import Pool
from qwicket.model.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

_HASHED_AT_ONCE_BYTES: Final = 64 << 10


class _Part(NamedTuple):
    """What an `Encoded` looks like on its way: a union takes one struct only."""

    body: bytes
    sha256: bytes


_Answer = list[tuple[tuple[_Part | Failure, ...], float]]


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
        answer_bytes: Size of the largest answer that is taken.
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
        answer_bytes: int = 1 << 30,
        engine: str = "qwicket.engines:run_jobs",
        warm: str | None = "qwicket.engines:warm",
    ) -> None:
        self._engine = engine
        self._pool = Pool(
            slots,
            spares=spares,
            warm=warm,
            memory_bytes=memory_bytes,
            niceness=niceness,
            answer_bytes=answer_bytes,
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
        task = self._pool.submit(self._engine, jobs, timeout_s=timeout_s, returns=_Answer)
        try:
            found = cast("_Answer", await asyncio.wrap_future(task.future))
            if len(found) != len(jobs):
                raise BadAnswer(0)
            if sum(map(_size, found)) <= _HASHED_AT_ONCE_BYTES:
                return _checked(found)
            return await asyncio.to_thread(_checked, found)
        finally:
            task.cancel()  # nothing happens to work that is over

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.close)


def _size(ran: tuple[tuple[_Part | Failure, ...], float]) -> int:
    return sum(len(part.body) for part in ran[0] if isinstance(part, _Part))


def _checked(answer: _Answer) -> list[Ran]:
    """Return what each job gave.

    Large bodies are stored under their digest, which equal ones share: a wrong one would take the
    place of another job's.

    Raises:
        BadAnswer: A digest is not that of its body.
    """
    return [Ran(tuple(map(_encoded, parts)), seconds) for parts, seconds in answer]


def _encoded(part: _Part | Failure) -> Encoded | Failure:
    if isinstance(part, Failure):
        return part
    if hashlib.sha256(part.body).digest() != part.sha256:
        raise BadAnswer(0)
    return Encoded(*part)
