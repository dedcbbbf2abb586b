"""Programs and results of jobs that an actor may read. Large ones wait for free memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal

from qwicket.circuits.outcomes import Encoded, Outcome, PartResult, decode
from qwicket.gateway.jobs import no_job
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.gateway.views import JobResults, are_short, are_within, is_quick
from qwicket.model.errors import NoResult, NotFinished
from qwicket.model.failures import Failure
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.model.jobs import Job
    from qwicket.store import JobSizes, Program, Store

_FEW_CIRCUITS: Final = 100
"""Summing the sizes of so many results takes microseconds. A job of more circuits counts as large
without a sum."""
_SENT_WITH_JOB_BYTES: Final = 1 << 20
"""Larger results are not sent with their job."""


class Results:
    """Programs and results that are stored with jobs.

    Args:
        store: The database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store.jobs

    async def of(
        self,
        job: Job,
        memory: ResponseMemory,
        number: int | None = None,
        *,
        known: Sequence[PartResult] | None = None,
    ) -> JobResults:
        """Return the results of all circuits, or of one, of a job that the actor has just read.

        Args:
            job: The job.
            memory: Memory for the response; large results wait until it is granted.
            number: Index of a single circuit, from 0; None is all.
            known: Results that a wait for the job's end has returned already.

        Raises:
            NotFinished: The job has not ended.
            NoResult: The job ended without a result; the detail gives the reason.
            NotFound: The job has been deleted meanwhile.
            TooManyRequests: The account has too many large responses.
            Unavailable: All accounts together have too many.
        """
        if not job.state.is_final:
            raise NotFinished(f"The job is {job.state}.", retry_after_s=1.0)
        quick = is_quick(job)
        if known is None:
            is_large = not quick and await self._is_large(job, "results")
            if is_large:
                await memory.begin()
            parts: Sequence[PartResult] = await self._store.results(
                job.id, number, is_quick=not is_large
            )
        else:
            parts = known if number is None else known[number : number + 1]
        if not any(isinstance(part, Encoded) for part in parts):
            if job.state is JobState.COMPLETED:  # deleted meanwhile
                raise no_job()
            raise _no_result(job)
        if quick or are_short(parts):
            return JobResults(job, [_decode(part) for part in parts])
        await memory.begin()
        return JobResults(job, await asyncio.to_thread(lambda: [_decode(part) for part in parts]))

    async def some(self, job: Job, first: int, count: int) -> list[Outcome]:
        """Return the results of some circuits of a completed job that the actor has just read.

        Raises:
            NotFound: The job has been deleted meanwhile.
        """
        parts = await self._store.results(job.id, first, count=count)
        if len(parts) != count or not all(isinstance(part, Encoded) for part in parts):
            raise no_job()
        return await asyncio.to_thread(
            lambda: [decode(part) for part in parts if isinstance(part, Encoded)]
        )

    async def at_once(
        self, job: Job, memory: ResponseMemory, known: Sequence[PartResult] | None
    ) -> JobResults | None:
        """Return results as `of` does, but without waiting for memory.

        Return None if there are none, if they have over 1 MiB, or if they have over 16 KiB and
        their memory is not free now.
        """
        if not job.state.is_final:
            return None
        quick = is_quick(job)
        if known is None:
            if not quick and (await self.sizes(job)).results > _SENT_WITH_JOB_BYTES:
                return None
            known = await self._store.results(job.id, is_quick=quick)
        if not any(isinstance(part, Encoded) for part in known):
            return None
        if quick or are_short(known):
            return JobResults(job, [_decode(part) for part in known])
        if not await memory.begin_now():
            return None
        return await asyncio.to_thread(_decoded_if_short, job, known)

    async def exist(self, job: Job) -> bool:
        """Return whether a job has ended and any of its circuits has a result."""
        return job.state.is_final and (await self.sizes(job)).results > 0

    async def program(self, job: Job, memory: ResponseMemory) -> Program:
        """Return a job's program as it was submitted.

        Args:
            job: The job.
            memory: Memory for the response; a large program waits until it is granted.

        Raises:
            NotFound: The job has no program.
            TooManyRequests: The account has too many large responses.
            Unavailable: All accounts together have too many.
        """
        is_large = await self._is_large(job, "program")
        if is_large:
            await memory.begin()
        return await self._store.program(job.id, is_quick=not is_large)

    async def sizes(self, job: Job) -> JobSizes:
        """Return the bytes of a job's program and of its results."""
        return await self._store.sizes(job.id)

    async def _is_large(self, job: Job, kind: Literal["program", "results"]) -> bool:
        """Return whether a job's program or results may be large."""
        if job.n_circuits > _FEW_CIRCUITS:
            return True
        return bool(getattr(await self.sizes(job), kind) > SMALL_RESPONSE_BYTES)


def _decode(part: PartResult) -> Outcome | Failure:
    return decode(part) if isinstance(part, Encoded) else part


def _decoded_if_short(job: Job, parts: Sequence[PartResult]) -> JobResults | None:
    if not are_within(parts, _SENT_WITH_JOB_BYTES):
        return None
    return JobResults(job, [_decode(part) for part in parts])


def _no_result(job: Job) -> NoResult:
    if job.state is JobState.CANCELLED:
        return NoResult("The job was cancelled; it has no result.")
    # Messages of agents and of other clouds may end with a full stop.
    reason = (job.error_text or "no reason was given").rstrip(".")
    if job.withheld_until is not None and job.n_circuits > 1:
        return NoResult(
            f"The job failed: {reason}. If other circuits have results, they are shown after the"
            " end of the exam."
        )
    return NoResult(f"The job failed: {reason}.")
