"""Jobs whose program comes later: a draft, an upload in pieces, and then the checks.

An upload that breaks off leaves the draft as it was, however far it came; it can be sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.compute.turns import Turns
from qwicket.gateway.insistence import insist, patiently
from qwicket.model.accounts import Scope
from qwicket.model.errors import (
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
_AT_ONCE: Final = 2
"""Uploads that are made into jobs at the same time, one of each account: all of it is in memory
then, several times over."""


class Uploads:
    """Makes drafts, takes their programs, and queues them.

    Args:
        store: What is kept.
        admission: Checks what was uploaded.
        limits: Bounds on uploads.
        now_ms: The clock.
    """

    def __init__(
        self, store: Store, admission: Admission, limits: Limits, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._admission = admission
        self._limits = limits
        self._now_ms = now_ms
        self._turns = Turns(_AT_ONCE)

    async def draft(
        self, actor: Actor, submission: Submission, *, unfinished_limit: int | None = None
    ) -> Job:
        """Store a job whose program is still to come; its time to come is limited.

        Raises:
            QwicketError: Device, name or tags are refused; nothing is stored.
            Conflict: Whether it is stored is not known.
        """
        actor.require(Scope.JOBS_WRITE)
        new = await self._admission.draft(actor, submission)
        add = partial(
            self._store.jobs.add,
            new,
            waiting_limit=self._limits.quotas.waiting_jobs,
            unfinished_limit=unfinished_limit,
        )
        return await insist(add, partial(self._store.jobs.get, new.id))

    async def take(self, actor: Actor, job: Job, chunks: AsyncIterator[bytes]) -> int:
        """Keep a program as it comes in; it counts when all of it is on disk. Return its bytes.

        Raises:
            Forbidden: The job is another account's.
            Conflict: The job takes no upload any more, or another upload of it began meanwhile.
            LimitExceeded: It is larger than an upload may be, or leaves others no room.
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
            most_bytes=limits.bodies.upload_bytes,
            held_limit=limits.quotas.uploads_bytes,
        )
        try:
            size = 0
            async for part, piece in _pieces(chunks):
                await uploads.add(upload, part, piece)
                size += len(piece)
            await uploads.finish(upload, size)
        except BaseException:
            with contextlib.suppress(QwicketError):
                await asyncio.shield(uploads.drop(upload))
            raise
        return size

    async def submit(self, actor: Actor, job: Job, worded: Callable[[bytes], Submission]) -> Job:
        """Check what was uploaded for a draft, and queue or fail the job; another is left as it is.

        Args:
            actor: Who asks.
            job: The draft.
            worded: Makes a submission of the program's text; it is called beside the loop.

        Raises:
            Conflict: Nothing was uploaded, or not all of it.
            Forbidden: The job is another account's.
            NotFound: The job is gone.
            Unavailable: It cannot be checked now; the draft stays.
            TooManyRequests: Likewise, for a long time.
        """
        actor.require(Scope.JOBS_WRITE)
        if job.account != actor.account:
            raise Forbidden("Only the account that submitted a job may send its program.")
        async with self._turns.turn(actor.account):
            now = await self._present(job)
            if now.state is not JobState.DRAFT:
                return now
            source = await self._store.uploads.read(job.id)
            if source is None:
                raise Conflict("The program of this job was not uploaded, or not to its end.")
            try:
                return await self._admitted(actor, now, source, worded)
            except Conflict:  # somebody asked twice at once
                return await self._present(job)

    async def _admitted(
        self, actor: Actor, job: Job, source: bytes, worded: Callable[[bytes], Submission]
    ) -> Job:
        try:
            submission = await asyncio.to_thread(worded, source)
            uploaded = structs.replace(submission, is_uploaded=True)
            ready = await patiently(lambda: self._admission.admit(actor, uploaded))
        except (InvalidRequest, LimitExceeded, NotFound, Forbidden) as error:
            failure = Failure(error.code, error.detail)
            return await self._store.jobs.refuse(job.id, failure, self._now_ms())
        most = self._limits.quotas.stored_bytes
        return await self._store.jobs.admit(job.id, ready, stored_limit=most)

    async def _present(self, job: Job) -> Job:
        found = await self._store.jobs.get(job.id)
        if found is None:
            raise NotFound("There is no such job.")
        return found


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """Yield what comes in as numbered pieces of one size, the last one apart."""
    held, number = bytearray(), 0
    async for chunk in chunks:
        held += chunk
        while len(held) >= _CHUNK_BYTES:
            yield number, bytes(held[:_CHUNK_BYTES])
            del held[:_CHUNK_BYTES]
            number += 1
    if held:
        yield number, bytes(held)
