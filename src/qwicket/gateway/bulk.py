"""Bulk operations on behalf of an actor: one look-up and one atomic write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwicket.model.accounts import Scope
from qwicket.model.errors import Conflict, Forbidden, LimitExceeded, NotFound
from qwicket.model.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.gateway.job_waiter import JobWaiter
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits
    from qwicket.store import Store


class Bulk:
    """Cancels and deletes up to `list_page` jobs at a time.

    Args:
        store: Stores jobs.
        limits: Contains `list_page`.
        now_ms: Clock; returns Unix milliseconds.
        waiter: Waits for jobs to end.
    """

    def __init__(
        self, store: Store, limits: Limits, now_ms: Callable[[], int], waiter: JobWaiter
    ) -> None:
        self._store = store
        self._limits = limits
        self._now_ms = now_ms
        self._waiter = waiter

    async def cancel(
        self, actor: Actor, ids: Sequence[str], *, dialect: str | None, wait_s: float = 0.0
    ) -> list[str]:
        """Cancel waiting jobs, stop running ones, leave ended ones unchanged.

        Args:
            actor: Owner of the jobs.
            ids: Ids of the jobs.
            dialect: Jobs of other dialects count as unknown; None allows any.
            wait_s: Seconds to wait for running jobs to end.

        Returns:
            The ids of the jobs, each once.

        Raises:
            NotFound: One of them is unknown; none was cancelled. Or, with `wait_s`, one was deleted
                after all were cancelled.
            Forbidden: One of them belongs to another account; none was cancelled.
            LimitExceeded: There are too many.
        """
        jobs = [job.id for job in await self._own(actor, ids, dialect, "cancel")]
        with self._store.backlog.withdrawn(jobs) as withdrawn:
            after = await self._store.jobs.cancel_all(
                jobs, actor=actor.account, now=self._now_ms(), withdrawn=withdrawn
            )
        ending = [job.id for job in after if not job.state.is_final]
        if wait_s:
            await asyncio.gather(
                *(self._waiter.wait_for_end(actor, job, wait_s, dialect) for job in ending)
            )
        return jobs

    async def delete(self, actor: Actor, ids: Sequence[str], *, dialect: str | None) -> None:
        """Delete ended jobs with their programs and results: all or none.

        Raises:
            NotFound: One of them is unknown.
            Forbidden: One of them belongs to another account.
            Conflict: One of them has not ended.
            LimitExceeded: There are too many.
        """
        jobs = await self._own(actor, ids, dialect, "delete")
        if not all(job.state.is_final for job in jobs):
            raise Conflict("Only jobs that have ended can be deleted.")
        await self._store.jobs.delete_all([job.id for job in jobs])

    async def _own(
        self, actor: Actor, ids: Sequence[str], dialect: str | None, verb: str
    ) -> list[Job]:
        """Return the jobs of some ids, each once, if this actor may change all of them."""
        actor.require(Scope.JOBS_WRITE)
        maximum = self._limits.requests.list_page
        if len(ids) > maximum:
            raise LimitExceeded(f"At most {maximum} jobs at once (limit list_page).", field="ids")
        refs = [parse_id(text) for text in ids]
        jobs = list(dict.fromkeys(ref.job for ref in refs if ref and ref.part is None))
        visible = await self._store.jobs.visible_all(jobs, actor.account)
        found = [job for job in visible if actor.sees(job.device)]
        are_whole = all(ref is not None and ref.part is None for ref in refs)
        are_known = all(dialect in (None, job.dialect) for job in found)
        if not are_whole or len(found) < len(jobs) or not are_known:
            raise NotFound("There is no such job.")
        if any(job.account != actor.account for job in found):
            raise Forbidden(f"Only the account that submitted a job may {verb} it.")
        return found
