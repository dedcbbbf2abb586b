"""Programs and results of jobs that an actor may read; large ones wait for memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal

from qwicket.circuits.outcomes import Encoded, Outcome, PartResult, decode
from qwicket.gateway.answers import SMALL_ANSWER_BYTES
from qwicket.gateway.jobs import no_job
from qwicket.gateway.views import JobResults, are_short, is_quick
from qwicket.model.errors import NoResult, NotFinished
from qwicket.model.failures import Failure
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.gateway.answers import Answer
    from qwicket.model.jobs import Job
    from qwicket.store import Program, Sizes, Store

_FEW_CIRCUITS: Final = 100
"""The results of so many are measured in microseconds."""


class Results:
    """What is stored with jobs.

    Args:
        store: Where it is kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store.jobs

    async def of(
        self,
        job: Job,
        answer: Answer,
        number: int | None = None,
        *,
        told: Sequence[PartResult] | None = None,
    ) -> JobResults:
        """Return what each circuit, or one, of a job gave that the actor was given just now.

        Args:
            job: The job.
            answer: What the results are for: large ones wait until there is room for it.
            number: Which circuit alone.
            told: What a wait for the job's end was told of them.

        Raises:
            NotFinished: The job has not ended.
            NoResult: It ended without any result; the detail says why.
            NotFound: The job was deleted since it was read.
            TooManyRequests: The account has too many large answers.
            Unavailable: All accounts together have.
        """
        if not job.state.is_final:
            raise NotFinished(f"The job is {job.state}.", retry_after_s=1.0)
        quick = is_quick(job)
        if told is None:
            if not quick and await self._is_long(job, "results"):
                await answer.begin()
            parts: Sequence[PartResult] = await self._store.results(job.id, number, is_quick=quick)
        else:
            parts = told if number is None else told[number : number + 1]
        if not any(isinstance(part, Encoded) for part in parts):
            if job.state is JobState.COMPLETED:  # it was deleted since it was read
                raise no_job()
            raise _no_result(job)
        if quick:
            return JobResults(job, [_decode(part) for part in parts])
        if not are_short(parts):
            await answer.begin()
        return JobResults(job, await asyncio.to_thread(lambda: [_decode(part) for part in parts]))

    async def exist(self, job: Job) -> bool:
        """Return whether some circuit of a job gave something."""
        return job.state.is_final and (await self.sizes(job)).results > 0

    async def program(self, job: Job, answer: Answer) -> Program:
        """Return a job's program as it was submitted.

        Args:
            job: The job.
            answer: What it is for: a large one waits until there is room for it.

        Raises:
            NotFound: It has none.
            TooManyRequests: The account has too many large answers.
            Unavailable: All accounts together have.
        """
        if await self._is_long(job, "program"):
            await answer.begin()
        return await self._store.program(job.id)

    async def sizes(self, job: Job) -> Sizes:
        """Return the bytes of a job's program and of its results."""
        return await self._store.sizes(job.id)

    async def _is_long(self, job: Job, what: Literal["program", "results"]) -> bool:
        """Say whether a job's program or results are long: of many circuits they may be."""
        if job.n_circuits > _FEW_CIRCUITS:
            return True
        return bool(getattr(await self.sizes(job), what) > SMALL_ANSWER_BYTES)


def _decode(part: PartResult) -> Outcome | Failure:
    return decode(part) if isinstance(part, Encoded) else part


def _no_result(job: Job) -> NoResult:
    if job.state is JobState.CANCELLED:
        return NoResult("The job was cancelled; it has no result.")
    reason = (job.error_text or "no reason was given").rstrip(".")  # others write their own stops
    return NoResult(f"The job failed: {reason}.")
