"""Jobs whose program is uploaded later: a draft, an upload in chunks, then validation.

An interrupted upload leaves the draft unchanged and can be repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.compute.fair_slots import FairSlots
from qwicket.gateway.retries import retry_until_known, wait_for_capacity
from qwicket.model.accounts import Scope
from qwicket.model.errors import (
    BudgetSpent,
    ConfirmationNeeded,
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    QwicketError,
)
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qwicket.gateway.admission import Admission
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Submission
    from qwicket.model.limits import Limits
    from qwicket.store import Store

_CHUNK_BYTES: Final = 1 << 20
_MAX_CONCURRENT_VALIDATIONS: Final = 2
"""Uploads that are validated at the same time, one per account. Each is in memory several times."""


class Uploads:
    """Creates drafts, stores their programs, validates and queues them.

    Args:
        store: Stores drafts and uploads.
        admission: Validates uploaded programs.
        limits: Bounds on uploads.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self, store: Store, admission: Admission, limits: Limits, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._admission = admission
        self._limits = limits
        self._now_ms = now_ms
        self._slots = FairSlots(_MAX_CONCURRENT_VALIDATIONS)

    async def draft(
        self, actor: Actor, submission: Submission, *, unfinished_limit: int | None = None
    ) -> Job:
        """Store a draft, whose program must arrive within the limit `draft_s`.

        Raises:
            QwicketError: Device, name or tags are invalid, or too many jobs wait. Nothing is
                stored.
            Conflict: It is unknown whether the draft was stored.
        """
        actor.require(Scope.JOBS_WRITE)
        new = await self._admission.draft(actor, submission)
        add = partial(
            self._store.jobs.add,
            new,
            waiting_limit=self._limits.quotas.waiting_jobs,
            member_limit=self._limits.quotas.waiting_jobs_of_member,
            unfinished_limit=unfinished_limit,
            stored_limit=self._limits.quotas.stored,
        )
        return await retry_until_known(add, partial(self._store.jobs.get, new.id))

    async def receive(self, actor: Actor, job: Job, chunks: AsyncIterator[bytes]) -> int:
        """Store a program as it arrives, and return its size in bytes.

        An incomplete program is never validated.

        Raises:
            Forbidden: The job belongs to another account, or the token may not submit jobs.
            Conflict: The job no longer accepts uploads, or another upload of it has begun.
            LimitExceeded: The program exceeds the limit of one upload, or of all uploads together.
        """
        actor.require(Scope.JOBS_WRITE)
        if job.account != actor.account:
            raise Forbidden("Only the account that submitted a job may upload its program.")
        uploads, upload = self._store.uploads, new_id(self._now_ms())
        limits = self._limits
        await uploads.begin(
            upload,
            job.id,
            job.account,
            max_bytes=limits.bodies.upload_bytes,
            held_limit=limits.quotas.uploads_bytes,
        )
        try:
            size = 0
            async for number, chunk in _equal_chunks(chunks):
                await uploads.add(upload, number, chunk)
                size += len(chunk)
            await uploads.finish(upload, size)
        except BaseException:
            with contextlib.suppress(QwicketError):
                await asyncio.shield(uploads.drop(upload))
            raise
        return size

    async def submit(
        self, actor: Actor, job: Job, to_submission: Callable[[bytes], Submission]
    ) -> Job:
        """Validate a draft's upload, and queue or fail the job.

        A job that is no longer a draft is returned unchanged.

        Args:
            actor: Owner of the job.
            job: The draft.
            to_submission: Parses the uploaded bytes into a submission; called in a thread.

        Raises:
            Conflict: The upload is missing or incomplete.
            Forbidden: The job belongs to another account.
            NotFound: The job was deleted.
            Unavailable: The program cannot be validated now; the draft stays.
            TooManyRequests: No parser became free in time, or the account has too many jobs waiting
                in an exam; the draft stays.
            LimitExceeded: The project would store too many bytes; the draft stays.
        """
        actor.require(Scope.JOBS_WRITE)
        if job.account != actor.account:
            raise Forbidden(
                "Only the account that submitted a job may submit its uploaded program."
            )
        async with self._slots.slot(actor.account):
            current = await self._read_again(job)
            if current.state is not JobState.DRAFT:
                return current
            source = await self._store.uploads.read(job.id)
            if source is None:
                raise Conflict(
                    "The program of this job was not uploaded completely. Upload it again."
                )
            try:
                return await self._admit_or_fail(actor, current, source, to_submission)
            except Conflict:  # a concurrent request has validated it
                return await self._read_again(job)

    async def _admit_or_fail(
        self, actor: Actor, job: Job, source: bytes, to_submission: Callable[[bytes], Submission]
    ) -> Job:
        try:
            submission = await asyncio.to_thread(to_submission, source)
            uploaded = structs.replace(submission, is_uploaded=True)
            ready = await wait_for_capacity(lambda: self._admission.admit(actor, uploaded))
        except (InvalidRequest, LimitExceeded, NotFound, Forbidden) as error:
            failure = Failure(error.code, error.detail)
            return await self._store.jobs.refuse(job.id, failure, self._now_ms())
        maximum = self._limits.quotas.stored
        try:
            return await self._store.jobs.admit(job.id, ready, stored_limit=maximum)
        except ConfirmationNeeded:
            from qwicket.gateway.bounds import ask  # late: few tokens have bounds

            refusal = await ask(self._store.bounds, ready)
            failure = Failure(refusal.code, refusal.detail)
            return await self._store.jobs.refuse(job.id, failure, self._now_ms())
        except BudgetSpent as error:
            failure = Failure(error.code, error.detail)
            return await self._store.jobs.refuse(job.id, failure, self._now_ms())

    async def _read_again(self, job: Job) -> Job:
        found = await self._store.jobs.get(job.id)
        if found is None:
            raise NotFound("There is no such job.")
        return found


async def _equal_chunks(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the incoming bytes as numbered chunks of equal size except the last."""
    buffer, number = bytearray(), 0
    async for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _CHUNK_BYTES:
            yield number, bytes(buffer[:_CHUNK_BYTES])
            del buffer[:_CHUNK_BYTES]
            number += 1
    if buffer:
        yield number, bytes(buffer)
