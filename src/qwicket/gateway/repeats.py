"""Jobs that are submitted once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.model.errors import Conflict, NotFound
from qwicket.model.jobs import Submission

if TYPE_CHECKING:
    from qwicket.gateway.jobs import Jobs
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.gateway.submitted import Contents, SubmittedJobs
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

_DIALECT: Final = "native"


class Repeats:
    """Submits stored jobs once more.

    Args:
        jobs: Submits jobs.
        submitted: Reads what a job was submitted with.
    """

    def __init__(self, jobs: Jobs, submitted: SubmittedJobs) -> None:
        self._jobs = jobs
        self._submitted = submitted

    async def repeat(
        self,
        actor: Actor,
        job: Job,
        memory: ResponseMemory,
        *,
        keep_seed: bool,
        key: str | None = None,
        noiseless_on: str = "",
    ) -> Job:
        """Submit once more, to the same device, a job that the actor has just read.

        A twin runs it with the noise of its present calibration. The new job is one of the native
        dialect, belongs to the actor and is in no group.

        Args:
            actor: Owner of the new job.
            job: The job.
            memory: Memory for its program.
            keep_seed: Whether the new job has the seed of the old one; otherwise one is drawn.
            key: Idempotency key.
            noiseless_on: Name of a device on which the new job runs without noise; empty keeps
                device and noise.

        Raises:
            NotFound: The job has no program, or has been deleted meanwhile.
            Conflict: The caller wants the same seed, and the results of the job are withheld.
            QwicketError: The submission is refused.
        """
        contents = await self._submitted.contents(job, memory)
        submission = submission_of(contents, keep_seed=keep_seed, key=key)
        if noiseless_on:
            submission = structs.replace(submission, device=noiseless_on, noise=None, engine="")
        return await self._jobs.submit(actor, submission)


def submission_of(contents: Contents, *, keep_seed: bool, key: str | None = None) -> Submission:
    """Return a submission to the native dialect with what a job was submitted with.

    Raises:
        NotFound: The job has no program.
        Conflict: The caller wants the same seed, and the results of the job are withheld.
    """
    job, options = contents.job, contents.options
    if contents.source is None or options is None:
        raise NotFound("The job has no program: it was refused, or its program never arrived.")
    if keep_seed and contents.seed is None:
        raise Conflict("The results of this exam are withheld, and so is the seed, until its end.")
    # The noise of a twin comes from its calibration; a submission must not name it.
    is_twin = contents.calibration is not None
    return Submission(
        dialect=_DIALECT,
        device=job.device,
        format=contents.format,
        source=contents.source,
        shots=options.shots,
        outputs=options.outputs,
        seed=contents.seed if keep_seed else None,
        noise=options.noise.name if options.noise and not is_twin else None,
        engine=options.engine,
        name=job.name,
        inputs=contents.inputs,
        tags=job.tags,
        priority=min(job.priority, 0),  # a higher one is for one job
        idempotency_key=key,
        debias=options.variants > 1,
        dry_run=options.dry_run,
    )
