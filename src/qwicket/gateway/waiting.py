"""Waiting for a job's end, or for anything new of it, without reading what was told anyway."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qwicket.gateway.views import Awaited
from qwicket.model.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from qwicket.model.accounts import Actor
    from qwicket.model.ids import JobRef
    from qwicket.model.jobs import Job
    from qwicket.store import Changes, Watch

    Find = Callable[[Actor, str, str | None], Awaitable[Job]]


class LongPolls:
    """Requests that wait for the end of a job, counted by account.

    Args:
        most: Bound on those of one account.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of_account: Counter[str] = Counter()

    @contextmanager
    def counted(self, account: str) -> Iterator[bool]:
        """Count one while it waits; yield whether it may."""
        self._of_account[account] += 1
        try:
            yield self._of_account[account] <= self._most
        finally:
            self._of_account[account] -= 1
            if not self._of_account[account]:
                del self._of_account[account]


class Waiting:
    """Waits for changes of jobs.

    Args:
        changes: Tells them.
        find: Reads a job that an actor may read: by its id in text, and by its door if one is
            given. Raises NotFound.
    """

    def __init__(self, changes: Changes, find: Find) -> None:
        self._changes = changes
        self._find = find

    async def for_end(
        self, actor: Actor, id_text: str, timeout_s: float, door: str | None
    ) -> Awaited:
        """Return the job when it has ended, or as it is after `timeout_s` seconds.

        Raises:
            NotFound: The actor may read no such job.
        """
        deadline = time.monotonic() + timeout_s
        ref = parse_id(id_text)
        with self._changes.watch(ref.job if ref else "") as watch:
            job = _just_written(watch, actor, ref, door) if timeout_s > 0 else None
            is_read = job is None
            job = job or await self._find(actor, id_text, door)
            results = None
            while not job.state.is_final and await watch.changed(deadline - time.monotonic()):
                latest = watch.latest
                found = latest.row if latest else None
                found = found or await self._find(actor, id_text, door)
                if found.version >= job.version:  # it may have been read ahead of its news
                    job, results = found, latest.results if latest else None
        if not (job.state.is_final or is_read):
            job = await self._find(actor, id_text, door)
        return Awaited(job, results)

    async def for_news(self, actor: Actor, job: Job, timeout_s: float) -> Job:
        """Return a job when it is not as it was, after `timeout_s` seconds, or at the server's end.

        Raises:
            NotFound: It is gone, or the actor may not read it.
        """
        deadline = time.monotonic() + timeout_s
        with self._changes.watch(job.id) as watch:
            found = await self._find(actor, job.id, job.door)
            while found.version == job.version and await watch.changed(deadline - time.monotonic()):
                found = await self._find(actor, job.id, job.door)
        return found


def _just_written(watch: Watch, actor: Actor, ref: JobRef | None, door: str | None) -> Job | None:
    """Return a job that this server wrote a moment ago, if it is the actor's own."""
    job = watch.latest.row if watch.latest else None
    if job is None or ref is None or ref.part is not None:
        return None
    is_own = job.account == actor.account and actor.sees(job.device) and door in (None, job.door)
    return job if is_own else None
