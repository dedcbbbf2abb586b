"""What a job was submitted with: program, options and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.circuits.options import RunOptions
from qwicket.gateway.jobs import no_job
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES

if TYPE_CHECKING:
    from qwicket.circuits.calibrations import Calibrated
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.model.jobs import Job
    from qwicket.store import Store

_options: Final = msgspec.msgpack.Decoder(RunOptions)


class Contents(msgspec.Struct, frozen=True):
    """What a job was submitted with.

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


class SubmittedJobs:
    """What jobs that an actor has just read were submitted with.

    Args:
        store: The database.
    """

    def __init__(self, store: Store) -> None:
        self._jobs = store.jobs
        self._calibrations = store.calibrations

    async def contents(self, job: Job, memory: ResponseMemory) -> Contents:
        """Return what a job was submitted with; it may not have ended.

        Args:
            job: The job.
            memory: Memory for the response; a large program waits until it is granted.

        Raises:
            NotFound: The job has been deleted meanwhile.
            TooManyRequests: The account has too many large responses.
            Unavailable: All accounts together have too many, or memory was not granted in time.
            Unauthenticated: The token was revoked while the response waited for memory.
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
