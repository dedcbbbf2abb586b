"""Reads what the archive of an ended job contains; large results circuit by circuit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from qwicket.gateway.jobs import no_job
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.gateway.submitted import SubmittedJobs
from qwicket.model.errors import NotFinished, TooManyRequests, Unavailable
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from qwicket.circuits.outcomes import PartResult
    from qwicket.gateway import Gateway
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.gateway.submitted import Contents
    from qwicket.model.jobs import Job
    from qwicket.store import Store

_AT_ONCE_BYTES: Final = 1 << 20
"""Stored results up to this size are read together."""
_RETRIES: Final = 6
"""How often a refused request for memory is repeated. Each waits for up to `responses_wait_s`."""
_PAUSE_S: Final = 1.0
"""Pause before each repetition."""


class Archives:
    """Contents of the archives of jobs that an actor has just read.

    Args:
        store: The database.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> Archives:
        """Return the service of a gateway."""
        return cls(gateway.store)

    def __init__(self, store: Store) -> None:
        self._jobs = store.jobs
        self._submitted = SubmittedJobs(store)

    async def contents(self, job: Job, memory: ResponseMemory) -> Contents:
        """Return the contents of a job's archive except the results.

        Args:
            job: The job.
            memory: Memory for the response; a large program waits until it is granted.

        Raises:
            NotFinished: The job has not ended.
            NotFound: The job has been deleted meanwhile.
            TooManyRequests: The account has too many large responses.
            Unavailable: All accounts together have too many, or memory was not granted in time.
            Unauthenticated: The token was revoked while the response waited for memory.
        """
        if not job.state.is_final:
            raise NotFinished(
                f"The job is {job.state}; its archive exists once it has ended.", retry_after_s=1.0
            )
        return await self._submitted.contents(job, memory)

    async def parts(
        self, job: Job, memory: ResponseMemory
    ) -> AsyncGenerator[Sequence[PartResult], None]:
        """Yield the results of a job's circuits in order: together if small, else one by one.

        If they are large on average, each waits for memory. The caller must hold and release the
        memory of one before it asks for the next.

        Raises:
            NotFound: The job has been deleted meanwhile.
            TooManyRequests, Unavailable, Unauthenticated: As for `begin_with_retries`.
        """
        size = (await self._jobs.sizes(job.id)).results
        if size <= _AT_ONCE_BYTES:
            results = await self._jobs.results(job.id)
            if job.state is JobState.COMPLETED and not results:
                raise no_job()
            yield results
            return
        for number in range(job.n_circuits):
            if size // job.n_circuits > SMALL_RESPONSE_BYTES:
                await begin_with_retries(memory)
            part = await self._jobs.results(job.id, number)
            if not part:
                raise no_job()  # deleted meanwhile
            yield part


async def begin_with_retries(memory: ResponseMemory) -> None:
    """Wait for memory, with retries: the response's status is sent, so it can no longer be a 503.

    Raises:
        TooManyRequests: The account has had too many large responses for too long.
        Unavailable: All accounts together have had too many for too long.
        Unauthenticated: The token was revoked while the response waited.
    """
    for _ in range(_RETRIES):
        try:
            await memory.begin()
        except (TooManyRequests, Unavailable):
            await asyncio.sleep(_PAUSE_S)
        else:
            return
    await memory.begin()
