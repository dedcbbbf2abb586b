"""Requests that are passed on to a device's own server, and the owners of the jobs there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from qwicket.gateway.jobs import no_job
from qwicket.model.errors import Conflict, Unavailable
from qwicket.model.jobs import Submission
from qwicket.model.limits import INT64_MAX
from qwicket.model.pass_through import HTTP_REQUEST, VendorResponse, to_program, unpack_response
from qwicket.model.states import JobState
from qwicket.store.forwards import ABANDONED, NO_RESPONSE

if TYPE_CHECKING:
    from qwicket.gateway.jobs import Jobs
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.pass_through import VendorRequest
    from qwicket.store import Store

_CANCEL_S: Final = 5.0
"""Seconds for which a submission that was not sent in time waits for its cancellation."""
_STARTED_VERSION: Final = 2
"""Version of a job that was submitted and started. Storing its response raises the version."""


class PassThroughJobs:
    """Jobs of devices whose own servers receive users' submissions, unchanged except for the token.

    Args:
        store: Stores jobs.
        jobs: Submits and cancels them.
        wait_s: Seconds for which a submission waits for the response of the device's own server.
    """

    def __init__(self, store: Store, jobs: Jobs, wait_s: float) -> None:
        self._store = store
        self._jobs = jobs
        self._wait_s = wait_s

    async def submit(
        self,
        actor: Actor,
        device: str,
        request: VendorRequest,
        id_field: str,
        *,
        shots: int,
        idempotency_key: str | None,
    ) -> VendorResponse:
        """Store a submission as a job, and return the response of the device's own server.

        The job waits its turn in the queue of the device, is sent once, and ends when the job
        there ends. A submission that is not sent in time is cancelled.

        Args:
            actor: Owner of the job.
            device: Name of the device here.
            request: The submission as its client wrote it.
            id_field: Field of the response that has the job's id there.
            shots: Its shots.
            idempotency_key: Key under which it is stored once; a repeat has the same response,
                unless the submission was cancelled.

        Raises:
            Conflict: The job is there but its response was lost, or it is unknown whether the job
                is there.
            QwicketError: Nothing was sent.
        """
        submission = Submission(
            dialect="native",
            device=device,
            format=HTTP_REQUEST,
            source=to_program(request, id_field),
            shots=shots,
            idempotency_key=idempotency_key,
            is_passed_on=True,
        )
        job = await self._jobs.submit(actor, submission)
        found = await self._response(actor, job, self._wait_s)
        if found is not None:
            return found
        job = await self._jobs.cancel(actor, job.id, wait_s=_CANCEL_S)
        found = await self._response(actor, job, 0.0)
        if found is not None:
            return found
        if job.state is JobState.CANCELLED:
            if idempotency_key is not None:  # so that a repeat is sent and does not find this job
                await self._jobs.forget_key(job, idempotency_key)
            raise Unavailable(
                f"{device} did not take the job within {self._wait_s:g} s (limit wait_s); nothing"
                " was sent.",
                retry_after_s=5.0,
            )
        # 409, because clients repeat a 503, and the machine might run the job twice.
        if job.error_code == ABANDONED:
            raise Conflict(f"It is unknown whether the server of {device} has it. {job.error_text}")
        if job.state.is_final:
            raise Unavailable(f"{device}: {job.error_text or job.state}")
        raise Conflict(
            f"It is unknown whether the server of {device} has the job; it is {job.id} here, and"
            " is being cancelled. Do not send it again before it has ended."
        )

    async def _response(self, actor: Actor, job: Job, wait_s: float) -> VendorResponse | None:
        deadline = time.monotonic() + wait_s
        while True:
            stored = NO_RESPONSE
            if job.version > _STARTED_VERSION:  # before, there is no response to read
                stored = await self._store.forwards.response(job.id)
            if stored.content is not None:
                return unpack_response(stored.content)
            if stored.vendor_job_id is not None:  # a person found the job there
                raise Conflict(
                    f"The server of {job.device} has this job as {stored.vendor_job_id}, but its"
                    " response to the submission was lost. Read the job by this id."
                )
            left_s = deadline - time.monotonic()
            if job.state.is_final or left_s <= 0 or self._jobs.is_stopping:
                return None
            job = await self._jobs.wait_for_change(actor, job, left_s)

    async def find(self, actor: Actor, device: str, vendor_job_id: str) -> Job:
        """Return the actor's own job by its id at the server of its device.

        Raises:
            NotFound: There is none, or it is another account's, without distinction.
            Conflict: The job's results are withheld until the end of an exam.
        """
        if not vendor_job_id.isprintable():  # PostgreSQL stores no NUL
            raise no_job()
        job = await self._store.forwards.of_vendor_job(device, vendor_job_id, actor.account)
        if job is None or not actor.sees(job.device):
            raise no_job()
        if job.withheld_until is not None:
            raise Conflict("The results of this exam are shown after its end.")
        return job

    async def page(
        self, actor: Actor, device: str, limit: int, before: int | None
    ) -> list[tuple[int, str]]:
        """Return the actor's own jobs, newest first: each job's number here and its id there.

        Args:
            actor: The owner.
            device: Name of the device here.
            limit: Greatest number of jobs.
            before: Only jobs with lower numbers are returned; None for any.
        """
        if not actor.sees(device):
            return []
        before = INT64_MAX if before is None else before
        return await self._store.forwards.vendor_jobs(device, actor.account, before, limit)

    async def cancel(self, actor: Actor, job: Job) -> None:
        """Cancel the job here, after it was cancelled there, so that both end as cancelled."""
        await self._jobs.cancel(actor, job.id)
