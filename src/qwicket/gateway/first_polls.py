"""Holds the first status read of a young job until the job ends.

Vendors' clients read a job's status a millisecond after they submitted it, and then sleep for 1 to
5 s. A job that runs in a few milliseconds is nearly always a read too late for them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from qwicket.gateway.waiting import Waiting
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.scheduling import Forecast

HOLD_MS: Final = 250
_YOUNG_MS: Final = 1_000
_HELD_EACH: Final = 32
"""Reads of one account that are held at the same time."""


class FirstPolls:
    """Status reads that are held.

    Args:
        waiting: Waits for the end of a job.
        forecast: Says when a job is expected to end.
        confirm: Refuses an actor whose token was revoked while a read was held.
        now_ms: The clock.
        hold_ms: The longest hold in milliseconds; 0 holds nothing.

    Attributes:
        held: How many reads were held, by what ended the hold: `ended` (the job did), `late` (it
            did not), `left` (the client did).
        full: How many were answered at once because the job or the account had its share.
    """

    def __init__(
        self,
        waiting: Waiting,
        forecast: Forecast,
        confirm: Callable[[Actor], Awaitable[None]],
        now_ms: Callable[[], int],
        hold_ms: int,
    ) -> None:
        self._waiting = waiting
        self._forecast = forecast
        self._confirm = confirm
        self._now_ms = now_ms
        self._hold_s = hold_ms / 1000
        self._jobs: set[str] = set()
        self._accounts: Counter[str] = Counter()
        self.held: Counter[str] = Counter(ended=0, late=0, left=0)
        self.full = 0

    async def settled(self, actor: Actor, job: Job, leaves: Callable[[], Awaitable[None]]) -> Job:
        """Return a job as it is; if it is young and ends soon, as it is after its end.

        Args:
            actor: Who reads.
            job: What they were given just now.
            leaves: Returns when the client has left. Called only for a read that is held.

        Raises:
            NotFound: The job was deleted during the hold.
            Unauthenticated: The token was revoked during the hold.
        """
        if not (self._is_young(job) and await self._ends_soon(job)):
            return job
        if job.id in self._jobs or self._accounts[actor.account] >= _HELD_EACH:
            self.full += 1
            return job
        with self._place(actor.account, job.id):
            found = await self._hold(actor, job, leaves)
        await self._confirm(actor)
        return found

    def _is_young(self, job: Job) -> bool:
        if job.state not in (JobState.QUEUED, JobState.RUNNING) or job.queued_at is None:
            return False
        return self._hold_s > 0 and self._now_ms() - job.queued_at < _YOUNG_MS

    async def _ends_soon(self, job: Job) -> bool:
        end_in_s = await self._forecast.end_in_s(job)
        return end_in_s is not None and end_in_s <= self._hold_s

    @contextmanager
    def _place(self, account: str, job: str) -> Iterator[None]:
        self._jobs.add(job)
        self._accounts[account] += 1
        try:
            yield
        finally:
            self._jobs.discard(job)
            self._accounts[account] -= 1
            if not self._accounts[account]:
                del self._accounts[account]

    async def _hold(self, actor: Actor, job: Job, leaves: Callable[[], Awaitable[None]]) -> Job:
        end = asyncio.ensure_future(self._waiting.for_end(actor, job.id, self._hold_s, job.door))
        left = asyncio.ensure_future(leaves())
        try:
            await asyncio.wait({end, left}, return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                self.held["left"] += 1
                return job
            found = end.result().job
        finally:
            for task in (end, left):
                task.cancel()
            await asyncio.gather(end, left, return_exceptions=True)
        self.held["ended" if found.state.is_final else "late"] += 1
        return found
