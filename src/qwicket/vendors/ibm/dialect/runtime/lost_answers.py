"""Submissions whose response was lost: the same content, sent again, is the same job.

Clients repeat a POST without an idempotency key after a proxy's 502 or 504. So a submission's
content is its key until its response has been delivered. After that the key is deleted, because a
user may submit two equal jobs on purpose. The key is stored with the job, so it outlives a crash.
A server may not know that a response was delivered: it crashed, the connection broke, or another
server sent it. So a response also counts as delivered once the account sends the id of its job.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.dialects.requests import DELIVERED
from qwicket.model.errors import QwicketError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Submission

_KEY_S: Final = 60.0
"""Time for which a key is stored, if it is not deleted."""
_SETTLING_S: Final = 1.0
"""Time within which another server deletes the key of a response that it has delivered."""
_MAX_NAMED: Final = 10_000


class _Content(NamedTuple):
    account: str
    key: str


class LostResponses:
    """Stores submissions; equal ones in turn, each after the response to the one before has ended.

    Args:
        gateway: Stores jobs.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._turns: dict[_Content, _Turn] = {}
        self._undeleted: dict[_Content, Job] = {}  # the response is delivered, the key still stored
        self._named: dict[str, bool] = {}  # the latest jobs, and whether the key of each is deleted
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(
        self,
        actor: Actor,
        submission: Submission,
        submit: Callable[[], Awaitable[tuple[Job, bool]]],
        render: Callable[[Job], ASGIApp],
    ) -> ASGIApp:
        """Store a submission, and return a response whose delivery deletes the key.

        Raises:
            QwicketError: The submission is refused.
        """
        key = submission.idempotency_key
        assert key is not None
        content = _Content(actor.account, key)
        turn = self._turns.setdefault(content, _Turn())
        turn.users += 1
        try:
            await turn.lock.acquire()
        except BaseException:
            self._leave(content)
            raise
        try:
            await self._delete_key(content)
            job = await self._job(submit, key)
            response = render(job)
        except BaseException:
            self._end(content)
            raise
        return _Response(response, partial(self._follow, content, job))

    async def note_named(self, job: Job) -> None:
        """Note that the account of a job has sent the job's id, which was in the response.

        The key is deleted, so that every server knows it, also after a crash. Lists show ids, too,
        but a client that repeats a submission by itself does so before its user can read a list.
        """
        if self._named.get(job.id, False):
            return
        self._named[job.id] = False
        if len(self._named) > _MAX_NAMED:
            del self._named[next(iter(self._named))]
        with suppress(QwicketError):  # such as a full disk: then only this server knows it
            await self._gateway.jobs.forget_key_of(job)
            self._named[job.id] = True

    async def _job(self, submit: Callable[[], Awaitable[tuple[Job, bool]]], key: str) -> Job:
        """Return the stored job: a new one, or an earlier one whose response may have been lost."""
        job, is_new = await submit()
        if is_new:
            return job
        if job.id in self._named:
            await self._gateway.jobs.forget_key(job, key)
        else:  # its server may be about to delete the key
            await asyncio.sleep(_SETTLING_S)
        job, _ = await submit()
        return job

    def _follow(self, content: _Content, job: Job, delivered: Awaitable[bool] | None) -> None:
        if delivered is None:
            self._end(content)
            return
        task = asyncio.create_task(self._forget(content, job, delivered))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forget(self, content: _Content, job: Job, delivered: Awaitable[bool]) -> None:
        try:
            # If the client has named the job by now, `note_named` deletes the key.
            if await delivered and job.id not in self._named:
                self._undeleted[content] = job
                await self._delete_key(content)
        except QwicketError:  # such as a full disk; the next submission of this content tries again
            loop = asyncio.get_running_loop()
            loop.call_later(_KEY_S, self._undeleted.pop, content, None)
        finally:
            self._end(content)

    async def _delete_key(self, content: _Content) -> None:
        """Delete the key of a response that has been delivered."""
        if job := self._undeleted.get(content):
            await self._gateway.jobs.forget_key(job, content.key)
            del self._undeleted[content]

    def _end(self, content: _Content) -> None:
        self._turns[content].lock.release()
        self._leave(content)

    def _leave(self, content: _Content) -> None:
        turn = self._turns[content]
        turn.users -= 1
        if not turn.users:
            del self._turns[content]


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class _Response:
    """Sends a response, then calls `ended` with whether it is delivered, or None if it failed."""

    def __init__(self, response: ASGIApp, ended: Callable[[Awaitable[bool] | None], None]) -> None:
        self._response = response
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        delivered: Awaitable[bool] | None = None
        try:
            await self._response(scope, receive, send)
            delivered = scope.get(DELIVERED, _assume_delivered)()
        finally:
            self._ended(delivered)


async def _assume_delivered() -> bool:
    """Assume that a response was delivered, if the server cannot know."""
    return True
