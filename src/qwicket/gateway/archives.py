"""Reads what the archive of an ended job contains; large results circuit by circuit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.circuits.options import RunOptions
from qwicket.gateway.jobs import no_job
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.model.errors import NotFinished, TooManyRequests, Unavailable
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from qwicket.circuits.calibrations import Calibrated
    from qwicket.circuits.outcomes import PartResult
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.model.jobs import Job
    from qwicket.store import Store

_AT_ONCE_BYTES: Final = 1 << 20
"""Stored results up to this size are read together."""
_RETRIES: Final = 6
"""How often a refused request for memory is repeated. Each waits for up to `responses_wait_s`."""
_PAUSE_S: Final = 1.0
"""Pause before each repetition."""

_options: Final = msgspec.msgpack.Decoder(RunOptions)


class Contents(msgspec.Struct, frozen=True):
    """What an archive contains besides results.

    Attributes:
        job: The job.
        format: Format of the program; empty without a program.
        source: The program as it was submitted; None if it was refused or never arrived.
        inputs: Values of the program's inputs.
        options: Options of the run; None without a program. Take the seed from `seed`.
        calibration: The calibration under which the job was submitted, if any.
    """

    job: Job
    format: str = ""
    source: bytes | None = None
    inputs: dict[str, float] = {}
    options: RunOptions | None = None
    calibration: Calibrated | None = None

    @property
    def seed(self) -> int | None:
        """Seed of the run; None without a program.

        None also while results are withheld, because a job with this seed would give the same.
        """
        if self.options is None or self.job.withheld_until is not None:
            return None
        return self.options.seed


class Archives:
    """Contents of the archives of jobs that an actor has just read.

    Args:
        store: The database.
    """

    def __init__(self, store: Store) -> None:
        self._jobs = store.jobs
        self._calibrations = store.calibrations

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
        return await self.submitted(job, memory)

    async def submitted(self, job: Job, memory: ResponseMemory) -> Contents:
        """Return what a job was submitted with; it may not have ended.

        Args:
            job: The job.
            memory: Memory for the response; a large program waits until it is granted.

        Raises:
            NotFound: The job has been deleted meanwhile.
            TooManyRequests, Unavailable, Unauthenticated: As for `contents`.
        """
        if sum(await self._jobs.sizes(job.id)) > SMALL_RESPONSE_BYTES:
            await memory.begin()
        if await self._jobs.get(job.id) is None:
            raise no_job()  # deleted meanwhile
        calibration = None
        if job.calibration is not None:
            calibration = await self._calibrations.get(job.calibration)
        found = await self._jobs.submitted(job.id)
        if found is None:
            return Contents(job, calibration=calibration)
        return Contents(
            job,
            found.format,
            found.source,
            msgspec.json.decode(found.inputs, type=dict[str, float]),
            _options.decode(found.options),
            calibration,
        )

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
