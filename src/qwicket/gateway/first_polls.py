"""Delays a status read of a young job until the job ends, if it is expected to end soon.

Vendors' clients read a job's status a millisecond after its submission, then sleep for 1 to 5 s. A
job that runs for a few milliseconds would almost always end just after the first read.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from qwicket.gateway.job_waiter import JobWaiter
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.scheduling import Forecaster

MAX_DELAY_MS: Final = 250
"""Default of the longest delay."""
_YOUNG_MS: Final = 1_000
"""Age below which a job is young, from when it was queued."""
_MAX_DELAYED_PER_ACCOUNT: Final = 32
"""Limit on delayed reads of one account at a time; each job has at most one at a time."""


class FirstPolls:
    """Delays status reads of young jobs that end soon.

    Args:
        waiter: Waits for the end of a job.
        forecaster: Estimates when a job ends.
        confirm: Refuses an actor whose token was revoked while a read was delayed.
        now_ms: Clock; returns Unix milliseconds.
        max_delay_ms: Longest delay in milliseconds; 0 delays nothing.

    Attributes:
        delayed: Number of delayed reads, by what ended the delay: `job_ended`, `timeout` (the job
            did not end, or the server stops), `disconnected` (the client has left).
        over_limit: Number of reads answered at once because of the limit per job or account.
    """

    def __init__(
        self,
        waiter: JobWaiter,
        forecaster: Forecaster,
        confirm: Callable[[Actor], Awaitable[None]],
        now_ms: Callable[[], int],
        max_delay_ms: int,
    ) -> None:
        self._waiter = waiter
        self._forecaster = forecaster
        self._confirm = confirm
        self._now_ms = now_ms
        self._max_delay_s = max_delay_ms / 1000
        self._jobs: set[str] = set()
        self._accounts: Counter[str] = Counter()
        self.delayed: Counter[str] = Counter(job_ended=0, timeout=0, disconnected=0)
        self.over_limit = 0

    async def wait_if_ending_soon(
        self, actor: Actor, job: Job, disconnected: Callable[[], Awaitable[None]]
    ) -> Job:
        """Return a job as it is, or after its end if it is young and ends soon.

        Args:
            actor: The reader.
            job: The job as just read.
            disconnected: Returns when the client has disconnected. Called only for delayed reads.

        Raises:
            NotFound: The job was deleted during the delay.
            Unauthenticated: The token was revoked during the delay.
        """
        if not (self._is_young(job) and await self._ends_soon(job)):
            return job
        if job.id in self._jobs or self._accounts[actor.account] >= _MAX_DELAYED_PER_ACCOUNT:
            self.over_limit += 1
            return job
        with self._counted(actor.account, job.id):
            found = await self._delay(actor, job, disconnected)
        await self._confirm(actor)
        return found

    def _is_young(self, job: Job) -> bool:
        if job.state not in (JobState.QUEUED, JobState.RUNNING) or job.queued_at is None:
            return False
        return self._max_delay_s > 0 and self._now_ms() - job.queued_at < _YOUNG_MS

    async def _ends_soon(self, job: Job) -> bool:
        end_in_s = await self._forecaster.end_in_s(job)
        return end_in_s is not None and end_in_s <= self._max_delay_s

    @contextmanager
    def _counted(self, account: str, job: str) -> Iterator[None]:
        self._jobs.add(job)
        self._accounts[account] += 1
        try:
            yield
        finally:
            self._jobs.discard(job)
            self._accounts[account] -= 1
            if not self._accounts[account]:
                del self._accounts[account]

    async def _delay(
        self, actor: Actor, job: Job, disconnected: Callable[[], Awaitable[None]]
    ) -> Job:
        end = asyncio.ensure_future(
            self._waiter.wait_for_end(actor, job.id, self._max_delay_s, job.dialect)
        )
        disconnection = asyncio.ensure_future(disconnected())
        try:
            await asyncio.wait({end, disconnection}, return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                self.delayed["disconnected"] += 1
                return job
            found = end.result().job
        finally:
            for task in (end, disconnection):
                task.cancel()
            await asyncio.gather(end, disconnection, return_exceptions=True)
        self.delayed["job_ended" if found.state.is_final else "timeout"] += 1
        return found
