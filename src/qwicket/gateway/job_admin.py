"""Administration of jobs of all accounts: list, read, cancel, hold, reorder and requeue them.

Leads of a project list its jobs here, and change many of them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from qwicket.gateway.jobs import no_job
from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, InvalidRequest, NotFound
from qwicket.model.ids import parse_id
from qwicket.model.jobs import JobQuery
from qwicket.model.states import FINAL, JobState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Holder, Job, JobAction
    from qwicket.model.limits import StoredLimit
    from qwicket.store import Store

MAX_COUNTED: Final = 10_001
"""Limit on the jobs that are counted for a page, which then says that there are more."""
_JOBS_AT_ONCE: Final = 200
"""Limit on the jobs that one write changes, so that other writes do not wait for all of them."""
_ACTOR: Final = "admin"
"""Name that a job's events give for who changed it."""
_UNFINISHED: Final = (JobState.DRAFT, JobState.QUEUED, JobState.RUNNING, JobState.UNCERTAIN)
"""Unfinished states except `cancelling`, in which no action changes a job."""

_STATES: Final[dict[JobAction, Collection[JobState]]] = {
    "cancel": _UNFINISHED,
    "hold": (JobState.QUEUED,),
    "release": (JobState.QUEUED,),
    "priority": (JobState.QUEUED,),
    "requeue": (JobState.RUNNING,),
    "delete": FINAL,
}
"""States that allow an action."""
_OF_LEADS: Final[tuple[JobAction, ...]] = ("cancel", "hold", "release", "priority")
"""What leads of a project do with jobs of its members."""
_SHOWN_IDS: Final = 1_000


class ChangedJobs(NamedTuple):
    """Jobs that an action changed, or would change.

    Attributes:
        number: Their number.
        ids: Ids of the first 1,000 of them, newest first.
        next: Where the action goes on, as `JobQuery.before`; None if it is complete.
    """

    number: int
    ids: list[str]
    next: int | None = None


class JobWithNames(NamedTuple):
    """A job of any account, with the names of account and project.

    Attributes:
        job: The job.
        account: Name of its account; empty once a deleted account can no longer be restored.
        project: Name of its project.
    """

    job: Job
    account: str
    project: str


class JobAdmin:
    """Administration of jobs.

    Jobs on devices that the actor's token is not for count as unknown.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self.store = store
        self.now_ms = now_ms

    async def jobs(
        self,
        actor: Actor,
        query: JobQuery,
        *,
        account: str | None = None,
        project: str | None = None,
    ) -> list[JobWithNames]:
        """Return jobs of all accounts, newest first.

        Args:
            actor: The administrator.
            query: Filters and position.
            account: Name or e-mail address of the only account.
            project: Name of the only project, with those below it.

        Raises:
            NotFound: There is no such account or project.
        """
        query = await self._named(actor, query, account, project)
        return await self._with_names(await self.store.jobs.page_of_all(query))

    async def jobs_of(self, account: str, limit: int) -> tuple[list[Job], Mapping[JobState, int]]:
        """Return the newest jobs of an account, given by id, and how many jobs do not rest.

        Unfinished jobs are counted by state, up to `MAX_COUNTED`.
        """
        jobs = self.store.jobs
        unfinished = JobQuery(account=account, states=_UNFINISHED, limit=MAX_COUNTED)
        newest = await jobs.page(JobQuery(account=account, limit=limit))
        return newest, await jobs.tally_up_to_limit(unfinished)

    async def unfinished(self) -> dict[JobState, tuple[int, int]]:
        """Return the number of unfinished jobs by state, up to `MAX_COUNTED`; see `store.jobs`."""
        return await self.store.jobs.tally_unfinished(MAX_COUNTED)

    async def ended_since(self, since: int) -> dict[tuple[JobState, int], int]:
        """Return the number of ended jobs by state and hour, up to `MAX_COUNTED`."""
        return await self.store.jobs.tally_ended(since, MAX_COUNTED)

    async def tally(
        self, actor: Actor, query: JobQuery, *, account: str | None, project: str | None
    ) -> Mapping[JobState, int]:
        """Return the number of jobs by state, as `Jobs.tally_up_to_limit` does.

        Raises:
            NotFound: As for `jobs`.
        """
        return await self.store.jobs.tally_of_all(await self._named(actor, query, account, project))

    async def job(self, actor: Actor, id_text: str) -> JobWithNames:
        """Return a job.

        Raises:
            NotFound: There is no such job.
        """
        return (await self._with_names([await self._job(actor, id_text)]))[0]

    async def cancel_job(self, actor: Actor, id_text: str) -> JobWithNames:
        """Cancel a waiting job at once, stop a running one, leave an ended one unchanged.

        Raises:
            NotFound: There is no such job.
        """
        job = await self._job(actor, id_text)
        with self.store.backlog.withdrawn([job.id]) as withdrawn:
            await self.store.jobs.cancel(
                job.id, actor=_ACTOR, now=self.now_ms(), withdrawn=withdrawn
            )
        return await self.job(actor, job.id)

    async def change_job(
        self,
        actor: Actor,
        id_text: str,
        *,
        is_held: bool | None = None,
        priority: int | None = None,
    ) -> JobWithNames:
        """Hold or release a waiting job, or change its priority; None leaves either unchanged.

        Raises:
            NotFound: There is no such job.
            Conflict: The job does not wait.
        """
        job = await self._job(actor, id_text)
        with self.store.backlog.withdrawn([job.id]) as withdrawn:
            await self.store.queue_control.change(
                job.id,
                "admin",
                is_held=is_held,
                priority=priority,
                actor=_ACTOR,
                now=self.now_ms(),
                withdrawn=withdrawn,
            )
        return await self.job(actor, job.id)

    async def requeue_job(self, actor: Actor, id_text: str) -> JobWithNames:
        """Take a running job from its runner and queue it again.

        Raises:
            NotFound: There is no such job.
            Conflict: The job does not run, runs at another cloud, or has ended with its results
                withheld.
        """
        job = await self._job(actor, id_text)
        await self.store.queue_control.requeue(job.id, actor=_ACTOR, now=self.now_ms())
        return await self.job(actor, job.id)

    async def resolve_job(self, actor: Actor, id_text: str, sent_as: str | None) -> JobWithNames:
        """State whether another cloud has a job, if it is unknown whether it was sent.

        Args:
            actor: The administrator.
            id_text: Id of the job.
            sent_as: The job's id at the other cloud; None if that does not have the job, which is
                then sent again.

        Raises:
            NotFound: There is no such job.
            Conflict: No decision is needed for this job, or another job has this id there.
            InvalidRequest: `sent_as` has characters that are not printable.
        """
        job = await self._job(actor, id_text)
        if sent_as is not None and not sent_as.isprintable():
            raise InvalidRequest("sent_as must be printable.", field="sent_as")
        forwards, now = self.store.forwards, self.now_ms()
        if sent_as is None:
            await forwards.resolve_absent(job.id, actor=_ACTOR, now=now)
        else:
            await forwards.resolve_sent(job.id, sent_as, actor=_ACTOR, now=now)
        return await self.job(actor, job.id)

    async def abandon_job(self, actor: Actor, id_text: str) -> JobWithNames:
        """End a job at another cloud as failed, whatever becomes of it there.

        Raises:
            NotFound: There is no such job.
            Conflict: The job is not at another cloud, or has ended.
        """
        job = await self._job(actor, id_text)
        await self.store.forwards.abandon(job.id, actor=_ACTOR, now=self.now_ms())
        return await self.job(actor, job.id)

    async def change_jobs(
        self,
        actor: Actor,
        action: JobAction,
        query: JobQuery,
        *,
        ids: Sequence[str] | None = None,
        account: str | None = None,
        project: str | None = None,
        priority: int = 0,
        is_dry_run: bool,
        is_late: Callable[[], bool] = lambda: False,
        stored_limit: StoredLimit | None = None,
    ) -> ChangedJobs:
        """Do one action on all jobs that a query finds and whose state allows it.

        Args:
            actor: The administrator, or a lead of the project.
            action: What is done.
            query: Filters, and where an earlier call left off; its limit is ignored.
            ids: The only jobs, in place of the filters; those that do not exist are left out.
            account: As for `jobs`.
            project: As for `jobs`.
            priority: The new priority, for the action of this name.
            is_dry_run: Whether the jobs are only found, not changed.
            is_late: Whether to leave the rest to another call; asked after some jobs.
            stored_limit: Bytes that project and account may store with a lead's changes, which are
                events.

        Raises:
            Forbidden: The action is not one of leads.
            LimitExceeded: Project or account would store more than `stored_limit`; the jobs of
                earlier writes were changed.
            NotFound: There is no such account or project.
        """
        by, name = _who(actor)
        if by != "admin" and action not in _OF_LEADS:
            raise Forbidden(
                f"action: only administrators {action} jobs of others. A lead of the project may"
                f" do one of {', '.join(_OF_LEADS)}.",
                field="action",
            )
        query = await self._named(actor, query, account, project)
        allowed = _STATES[action]
        states = tuple(each for each in allowed if not query.states or each in query.states)
        number, found, n_writes, rest = 0, list[str](), 0, None
        if not states:
            return ChangedJobs(number, found)
        query = replace(query, states=states, limit=_JOBS_AT_ONCE)
        async for page in self._pages(query) if ids is None else self._chosen(actor, query, ids):
            changed = [job.id for job in page if _is_to_change(job, action, priority, by)]
            if changed and not is_dry_run:
                changed = await self.store.queue_control.change_all(
                    changed,
                    action,
                    priority,
                    by=by,
                    actor=name,
                    now=self.now_ms(),
                    stored_limit=None if by == "admin" else stored_limit,
                )
                n_writes += 1
            number += len(changed)
            found += changed[: _SHOWN_IDS - len(found)]
            if len(page) == query.limit and is_late():
                rest = page[-1].seq
                break
        if n_writes > 1:  # the entry of the first write has the number of that one
            await self.store.audit.note_total({"changed_in_all": number})
        return ChangedJobs(number, found, rest)

    async def _chosen(
        self, actor: Actor, query: JobQuery, ids: Sequence[str]
    ) -> AsyncIterator[list[Job]]:
        """Yield the jobs with these ids whose states a query has, as `_pages` does."""
        found = []
        for each in dict.fromkeys(ids):
            with suppress(NotFound):
                found.append(await self._job(actor, each))
        jobs = sorted(found, key=lambda job: job.seq, reverse=True)
        yield [job for job in jobs if job.state in query.states][: query.limit]

    async def _pages(self, query: JobQuery) -> AsyncIterator[list[Job]]:
        before = query.before
        while jobs := await self.store.jobs.page_of_all(replace(query, before=before)):
            yield jobs
            before = jobs[-1].seq

    async def _job(self, actor: Actor, id_text: str) -> Job:
        ref = parse_id(id_text)
        found = None
        if ref is not None and ref.part is None:
            found = await self.store.jobs.get(ref.job)
        if found is None or not actor.sees(found.device):
            raise no_job()
        return found

    async def _named(
        self, actor: Actor, query: JobQuery, account: str | None, project: str | None
    ) -> JobQuery:
        """Restrict a search to an account, a tree of projects, and the token's devices."""
        accounts = self.store.accounts
        query = replace(query, devices=actor.devices)
        if account is not None:
            query = replace(query, account=(await accounts.by_name(account)).id)
        if project is not None:
            top = await accounts.project(project)
            below = await accounts.projects_below(top.id)
            query = replace(query, projects=frozenset(each.id for each in (top, *below)))
        return query

    async def _with_names(self, jobs: list[Job]) -> list[JobWithNames]:
        if not jobs:
            return []
        accounts = {
            each.id: each.name
            for deleted in (True, False)
            for each in await self.store.accounts.all(deleted=deleted)
        }
        projects = {each.id: each.name for each in await self.store.accounts.projects()}
        return [
            JobWithNames(job, accounts.get(job.account, ""), projects.get(job.project, ""))
            for job in jobs
        ]


def _who(actor: Actor) -> tuple[Holder, str]:
    """Return as whom an actor holds jobs, and the name that the jobs' events give."""
    return ("admin", _ACTOR) if Scope.ADMIN in actor.scopes else ("owner", actor.account)


def _is_to_change(job: Job, action: JobAction, priority: int, by: Holder) -> bool:
    """Return whether an action would change a job whose state allows it."""
    if action == "hold":
        return job.held_by not in ("admin", by)
    if action == "release":
        return job.held_by in ("owner", by)
    return action != "priority" or job.priority != priority
