"""Waits for a change or the end of a job."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qwicket.gateway.views import WaitResult
from qwicket.model.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from qwicket.model.accounts import Actor
    from qwicket.model.ids import JobRef
    from qwicket.model.jobs import Job
    from qwicket.store import Changes, Watch

    Find = Callable[[Actor, str, str | None], Awaitable[Job]]


class LongPolls:
    """Requests that wait for a job, by account.

    Args:
        maximum: Limit per account.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._of_account: Counter[str] = Counter()

    @contextmanager
    def counted(self, account: str) -> Iterator[bool]:
        """Count a request while it waits; yield whether it is within the limit."""
        self._of_account[account] += 1
        try:
            yield self._of_account[account] <= self._maximum
        finally:
            self._of_account[account] -= 1
            if not self._of_account[account]:
                del self._of_account[account]


class JobWaiter:
    """Waits until jobs change.

    Args:
        changes: Notifies of changes.
        find: Reads a job that an actor may read, by id and dialect (None is any). Raises NotFound.
    """

    def __init__(self, changes: Changes, find: Find) -> None:
        self._changes = changes
        self.find = find

    async def wait_for_end(
        self, actor: Actor, id_text: str, timeout_s: float, dialect: str | None
    ) -> WaitResult:
        """Return the job when it has ended, after `timeout_s` seconds, or when the server stops.

        Raises:
            NotFound: The actor may read no such job.
        """
        deadline = time.monotonic() + timeout_s
        ref = parse_id(id_text)
        with self._changes.watch(ref.job if ref else "", awaits_end=True) as watch:
            job = _just_written(watch, actor, ref, dialect) if timeout_s > 0 else None
            job = job or await self.find(actor, id_text, dialect)
            results = None
            while not job.state.is_final and await watch.changed(deadline - time.monotonic()):
                latest = watch.latest
                found = latest.row if latest else None
                found = found or await self.find(actor, id_text, dialect)
                # A row that was read may be newer than this notification.
                if found.version >= job.version:
                    job, results = found, latest.results if latest else None
        if timeout_s > 0 and not job.state.is_final:  # it may have started meanwhile
            job = await self.find(actor, id_text, dialect)
        return WaitResult(job, results)

    async def wait_for_change(self, actor: Actor, job: Job, timeout_s: float) -> Job:
        """Return a job when it changes, after `timeout_s` seconds, or when the server stops.

        Raises:
            NotFound: The job was deleted, or the actor may not read it.
        """
        deadline = time.monotonic() + timeout_s
        with self._changes.watch(job.id) as watch:
            found = await self.find(actor, job.id, job.dialect)
            while found.version == job.version and await watch.changed(deadline - time.monotonic()):
                found = await self.find(actor, job.id, job.dialect)
        return found


def _just_written(
    watch: Watch, actor: Actor, ref: JobRef | None, dialect: str | None
) -> Job | None:
    """Return a job that this server has just written, if it is the actor's own."""
    job = watch.latest.row if watch.latest else None
    if job is None or ref is None or ref.part is not None:
        return None
    is_own = (
        job.account == actor.account and actor.sees(job.device) and dialect in (None, job.dialect)
    )
    return job if is_own else None
