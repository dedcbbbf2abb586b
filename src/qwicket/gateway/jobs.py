"""Job operations on behalf of an actor: submit, read, wait, list, cancel, delete."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.circuits.outcomes import Encoded
from qwicket.gateway.job_waiter import JobWaiter, LongPolls
from qwicket.gateway.retries import retry_until_known, wait_for_capacity
from qwicket.gateway.views import JobPart, WaitResult
from qwicket.model.accounts import Scope
from qwicket.model.errors import ConfirmationNeeded, Conflict, Forbidden, NotFound
from qwicket.model.failures import Failure
from qwicket.model.ids import parse_id
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping

    from qwicket.gateway.admission import Admission
    from qwicket.gateway.choices import Choices
    from qwicket.gateway.job_groups import JobGroups
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, JobQuery, Submission
    from qwicket.model.limits import Limits
    from qwicket.store import JobEvent, Store, Watch
    from qwicket.store.bounds import TokenBounds
    from qwicket.store.queue_control import QueueControl

_NO_VENDOR_FIELDS: Final = b"{}"
LISTED_PROJECTS: Final = 50
"""Projects whose jobs are listed together: each is one more read of an index."""


class Jobs:
    """Job operations of a server.

    Args:
        store: Stores jobs.
        admission: Checks submissions.
        job_groups: Checks whether a job may join its group.
        limits: Bounds on jobs.
        now_ms: Clock; returns Unix milliseconds.
        choices: Returns the service that chooses devices.

    Attributes:
        admission: Checks submissions.
        waiter: Waits for changes of jobs.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission,
        job_groups: JobGroups,
        limits: Limits,
        now_ms: Callable[[], int],
        choices: Callable[[], Choices],
    ) -> None:
        self._store = store.jobs
        self._accounts = store.accounts
        self._queues = store.queues
        self._queue_control: Callable[[], QueueControl] = lambda: store.queue_control
        self._bounds: Callable[[], TokenBounds] = lambda: store.bounds
        self._changes = store.changes
        self._backlog = store.backlog
        self.admission = admission
        self._job_groups = job_groups
        self._limits = limits
        self._now_ms = now_ms
        self._choices = choices
        self._long_polls = LongPolls(limits.requests.polls_each)
        self.waiter = JobWaiter(store.changes, self._find)

    async def submit(
        self,
        actor: Actor,
        submission: Submission,
        *,
        keep_refused: bool = False,
        clients_repeat: bool = False,
        unfinished_limit: int | None = None,
    ) -> Job:
        """Validate and store a submission.

        The job is on disk when this returns. A job that is passed on to the device's own server is
        on disk only with the next durable write.

        Args:
            actor: Owner of the job.
            submission: Submission of the job.
            keep_refused: Whether an invalid program is stored as a failed job, because the dialect
                requires a 2xx response for it.
            clients_repeat: Whether clients of this dialect repeat a failed POST without an
                idempotency key, and fail on 429. If so, this waits for parser capacity, and raises
                Conflict if it stays unknown whether the job was stored.
            unfinished_limit: Limit on the project's unfinished jobs on this device.

        Raises:
            QwicketError: The submission is refused; nothing is stored.
            Conflict: It is unknown whether the job was stored (with `clients_repeat`).
        """
        job, _ = await self.submit_or_find(
            actor,
            submission,
            keep_refused=keep_refused,
            clients_repeat=clients_repeat,
            unfinished_limit=unfinished_limit,
        )
        return job

    async def submit_or_find(
        self,
        actor: Actor,
        submission: Submission,
        *,
        keep_refused: bool = False,
        clients_repeat: bool = False,
        unfinished_limit: int | None = None,
    ) -> tuple[Job, bool]:
        """Submit a job as `submit` does; return also whether it is new.

        It is not new if its idempotency key had created it before.

        Raises:
            QwicketError: As for `submit`.
        """
        actor.require(Scope.JOBS_WRITE)
        await self._check_priority(actor, actor.project, submission.priority)
        submission = await self.admission.complete(submission)
        # Before all checks: a repeated submission returns its job even if the device is off now.
        if submission.idempotency_key is not None:
            earlier = await self.admission.repeated(actor, submission)
            if earlier is not None:
                actor.require_device(earlier.device)
                return earlier, False
        if submission.group is not None:
            await self._job_groups.check_joins(actor, submission.group)
        if submission.candidates:
            submission = await self._choices().choose(actor, submission)
        admit = partial(self.admission.admit, actor, submission, keep_refused=keep_refused)
        new = await (wait_for_capacity(admit) if clients_repeat else admit())
        # A passed-on job needs no flush here: before its client gets a response, a later write is
        # flushed, the intent to send the job or its cancellation.
        add = partial(
            self._store.add_unflushed if submission.is_passed_on else self._store.add,
            new,
            waiting_limit=self._limits.quotas.waiting_jobs,
            member_limit=self._limits.quotas.waiting_jobs_of_member,
            unfinished_limit=unfinished_limit,
            stored_limit=self._limits.quotas.stored,
            offer=self._backlog.offer(new),
        )
        try:
            job = await (
                retry_until_known(add, partial(self._store.get, new.id))
                if clients_repeat
                else add()
            )
        except ConfirmationNeeded:
            from qwicket.gateway.bounds import ask  # late: few tokens have bounds

            raise await ask(self._bounds(), new) from None
        finally:
            self._backlog.end_offer(new.id)
        return job, job.id == new.id

    async def get(self, actor: Actor, id_text: str, *, dialect: str | None = None) -> Job:
        """Return a job that this actor may read.

        Args:
            actor: The reader.
            id_text: Any text; a malformed id is an unknown id.
            dialect: Restricts a vendor's dialect to its own jobs; None allows any.

        Raises:
            NotFound: The job does not exist, the actor may not read it, or it is another dialect's;
                without distinction.
        """
        actor.require(Scope.JOBS_READ)
        return await self._find(actor, id_text, dialect)

    async def get_with_vendor_fields(
        self, actor: Actor, id_text: str, *, dialect: str
    ) -> tuple[Job, bytes]:
        """Return a job as `get` does, with its opaque vendor fields, in one read.

        Raises:
            NotFound: As for `get`.
        """
        actor.require(Scope.JOBS_READ)
        return await self._find_with_vendor_fields(actor, _whole(id_text), dialect)

    async def part(self, actor: Actor, id_text: str, *, dialect: str) -> tuple[JobPart, bytes]:
        """Return a job or one of its parts.

        Raises:
            NotFound: As for `get`.
        """
        actor.require(Scope.JOBS_READ)
        ref = parse_id(id_text)
        if ref is None or ref.part is None:
            job, document = await self._find_with_vendor_fields(actor, _whole(id_text), dialect)
            return JobPart.whole(job), document
        job, document = await self._find_with_vendor_fields(actor, ref.job, dialect)
        if ref.part >= job.n_circuits:
            raise no_job()
        return await self.part_of(job, ref.part), document

    async def _find(self, actor: Actor, id_text: str, dialect: str | None) -> Job:
        job = await self._store.visible(_whole(id_text), actor.account)
        if job is None or not _may_read(actor, job) or dialect not in (None, job.dialect):
            raise no_job()
        return job

    async def _find_with_vendor_fields(
        self, actor: Actor, job: str, dialect: str
    ) -> tuple[Job, bytes]:
        found = await self._store.visible_with_vendor_fields(job, actor.account)
        if found is None or not _may_read(actor, found[0]) or found[0].dialect != dialect:
            raise no_job()
        return found

    async def part_of(self, job: Job, number: int) -> JobPart:
        """Return a part of a job that this actor has just read."""
        if job.state is not JobState.FAILED:
            return JobPart(job, number, job.state, None)
        for result in await self._store.results(job.id, number):
            if isinstance(result, Encoded):
                return JobPart(job, number, JobState.COMPLETED, None)
            return JobPart(job, number, JobState.FAILED, result)
        failure = Failure(job.error_code or "failed", job.error_text or "")
        return JobPart(job, number, JobState.FAILED, failure)

    async def wait(
        self, actor: Actor, id_text: str, timeout_s: float, *, dialect: str | None = None
    ) -> WaitResult:
        """Return the job when it has ended, after `timeout_s` seconds, or when the server stops.

        An account with `polls_each` waiting requests gets the job at once.

        Raises:
            NotFound: As for `get`.
        """
        actor.require(Scope.JOBS_READ)
        if timeout_s <= 0:
            return await self.waiter.wait_for_end(actor, id_text, 0.0, dialect)
        with self._long_polls.counted(actor.account) as may_wait:
            timeout_s = timeout_s if may_wait else 0.0
            return await self.waiter.wait_for_end(actor, id_text, timeout_s, dialect)

    async def wait_for_change(self, actor: Actor, job: Job, timeout_s: float) -> Job:
        """Return a job when it changes, after `timeout_s` seconds, or when the server stops.

        Raises:
            NotFound: The job was deleted, or the actor may not read it.
        """
        return await self.waiter.wait_for_change(actor, job, timeout_s)

    @contextmanager
    def watch(self, actor: Actor) -> Iterator[Watch]:
        """Watch all jobs of an actor's account. Begin before reading any, to miss no change."""
        actor.require(Scope.JOBS_READ)
        with self._changes.watch_account(actor.account) as watch:
            yield watch

    @contextmanager
    def watch_device(self, device: str) -> Iterator[Watch]:
        """Watch all jobs of a device: each may change the queue position of a waiting job."""
        with self._changes.watch_device(device) as watch:
            yield watch

    async def last_change(self, actor: Actor) -> int:
        """Return the highest `Job.change` of the account's jobs, or 0: their last change."""
        return await self._store.last_change(actor.account, actor.devices)

    async def changed(self, actor: Actor, change: int, limit: int) -> list[Job]:
        """Return the account's jobs whose `Job.change` is above `change`, in that order."""
        return await self._store.changed(actor.account, change, limit, actor.devices)

    @property
    def is_stopping(self) -> bool:
        """Whether the server is stopping, so that waiting requests should end."""
        return self._changes.is_closed

    async def page(self, actor: Actor, query: JobQuery) -> list[Job]:
        """Return the actor's own jobs, newest first."""
        return await self._store.page(_own_of(actor, query))

    async def page_with_vendor_fields(
        self, actor: Actor, query: JobQuery
    ) -> list[tuple[Job, bytes]]:
        """Return the actor's own jobs of a dialect with their vendor fields, newest first."""
        return await self._store.page_with_vendor_fields(_own_of(actor, query))

    async def tally(self, actor: Actor, query: JobQuery) -> dict[JobState, int]:
        """Return the number of the actor's own jobs of a dialect that a search finds, by state."""
        return await self._store.tally(_own_of(actor, query))

    async def tally_up_to_limit(self, actor: Actor, query: JobQuery) -> Mapping[JobState, int]:
        """Return the number of the actor's own newest jobs by state.

        If the sum reaches the limit of the query, older jobs may be missing. The limit bounds the
        time: counting 10⁵ jobs takes 200 ms.
        """
        return await self._store.tally_up_to_limit(_own_of(actor, query))

    async def page_of_projects(self, actor: Actor, query: JobQuery) -> list[Job]:
        """Return jobs of the actor's projects, whoever submitted them; see `_of_projects`."""
        return await self._store.page_of_all(await self._of_projects(actor, query))

    async def tally_of_projects(self, actor: Actor, query: JobQuery) -> Mapping[JobState, int]:
        """Return the number of jobs as `tally_up_to_limit` does, of the actor's projects."""
        return await self._store.tally_of_all(await self._of_projects(actor, query))

    async def _of_projects(self, actor: Actor, query: JobQuery) -> JobQuery:
        """Restrict a search to the first `LISTED_PROJECTS` of the actor's projects.

        Raises:
            NotFound: The search names a project that is not one of them.
        """
        actor.require(Scope.JOBS_READ)
        own = [each.id for each in await self._accounts.projects_of(actor.account)]
        if query.project is not None and query.project not in own:
            raise NotFound("There is no such project.", field="project")
        projects = frozenset(own[:LISTED_PROJECTS] if query.project is None else ())
        return structs.replace(query, account="", projects=projects, devices=actor.devices)

    async def recent_labels(self, actor: Actor, limit: int) -> tuple[Counter[str], Counter[str]]:
        """Count the names and the tags of the actor's newest jobs.

        Args:
            actor: The reader.
            limit: Number of jobs that are read.

        Returns:
            Number of jobs by name, and number of jobs by tag.
        """
        return await self._store.recent_labels(actor.account, limit, actor.devices)

    async def run_ms(self, actor: Actor, query: JobQuery) -> int:
        """Return the total run time in ms of the actor's own ended jobs that a search finds."""
        return await self._store.run_ms(_own_of(actor, query))

    async def by_prefix(self, actor: Actor, prefix: str, *, dialect: str) -> Job:
        """Return the actor's own job by a prefix of its id: hexadecimal digits without hyphens.

        Raises:
            NotFound: No job or several jobs match, or the job is another dialect's.
        """
        actor.require(Scope.JOBS_READ)
        low, high = (str(uuid.UUID(prefix.ljust(32, end))) for end in "0f")
        job = await self._store.only_with_id_between(actor.account, low, high, actor.devices)
        if job is None or job.dialect != dialect:
            raise no_job()
        return job

    async def unfinished(self, actor: Actor, project: str, device: str) -> int:
        """Return the number of a project's unfinished jobs on a device; 0 if it is not visible."""
        return await self._queues.count_unfinished(project, device) if actor.sees(device) else 0

    async def cancel(
        self, actor: Actor, id_text: str, *, dialect: str | None = None, wait_s: float = 0.0
    ) -> Job:
        """Cancel a waiting job at once, stop a running one, leave an ended one unchanged.

        Args:
            actor: Owner of the job, or a lead of its project.
            id_text: Id of the job.
            dialect: As for `get`.
            wait_s: Seconds to wait for a running job to end.

        Raises:
            NotFound: As for `get`.
            Forbidden: The job is readable, but belongs to another account.
            Conflict: The id is that of one part of a job.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self.own(actor, id_text, dialect, "cancel", may_lead=True)
        with self._backlog.withdrawn([job.id]) as withdrawn:
            await self._store.cancel(
                job.id, actor=actor.account, now=self._now_ms(), withdrawn=withdrawn
            )
        return (await self.waiter.wait_for_end(actor, job.id, wait_s, dialect)).job

    async def set_name_and_tags(
        self,
        actor: Actor,
        id_text: str,
        *,
        dialect: str | None = None,
        name: str | None = None,
        tags: tuple[str, ...] | None = None,
    ) -> Job:
        """Change the name or the tags of a job; None leaves either unchanged.

        Raises:
            NotFound: As for `get`.
            Forbidden: The job is readable, but belongs to another account.
            Conflict: The id is that of one part of a job.
            LimitExceeded: The name or a tag is too long, there are too many tags, or the project
                would store too many bytes.
            InvalidRequest: The name or a tag contains NUL.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self.own(actor, id_text, dialect, "change")
        self.admission.check_names(name or "", tags or ())
        return await self._store.set_name_and_tags(
            job.id, name, tags, self._now_ms(), stored_limit=self._limits.quotas.stored
        )

    async def change(
        self,
        actor: Actor,
        id_text: str,
        *,
        is_held: bool | None = None,
        priority: int | None = None,
    ) -> Job:
        """Hold or release a waiting job, or change its priority; None leaves either unchanged.

        Args:
            actor: Owner of the job, or a lead of its project.
            id_text: Id of the job.
            is_held: Whether the job may not start until it is released.
            priority: Priority among the jobs of its project.

        Raises:
            NotFound: As for `get`.
            Forbidden: The job is readable, but belongs to another account, an administrator holds
                it, or only a lead of its project may give it this priority.
            Conflict: The job does not wait, or the id is that of one part of a job.
            LimitExceeded: The project would store too many bytes, because each change is an event.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self.own(actor, id_text, None, "change", may_lead=True)
        if priority is not None:
            await self._check_priority(actor, job.project, priority)
        with self._backlog.withdrawn([job.id]) as withdrawn:
            return await self._queue_control().change(
                job.id,
                "owner",
                is_held=is_held,
                priority=priority,
                actor=actor.account,
                now=self._now_ms(),
                stored_limit=self._limits.quotas.stored,
                withdrawn=withdrawn,
            )

    async def delete(self, actor: Actor, id_text: str, *, dialect: str | None = None) -> None:
        """Delete an ended job with its program and results.

        Raises:
            NotFound: As for `get`.
            Forbidden: The job is readable, but belongs to another account.
            Conflict: The job has not ended, or the id is that of one part of a job.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self.own(actor, id_text, dialect, "delete")
        if not job.state.is_final:  # also while results are withheld: the job is shown as running
            raise Conflict("Only a job that has ended can be deleted.")
        await self._store.delete(job.id)

    async def own(
        self,
        actor: Actor,
        id_text: str,
        dialect: str | None,
        verb: str,
        *,
        may_lead: bool = False,
    ) -> Job:
        """Return a job that this actor may change, as a lead of its project, too, if `may_lead`.

        Parts are read-only.

        Raises:
            NotFound: As for `get`.
            Forbidden: The job is readable, but belongs to another account.
            Conflict: The id is that of one part of a job.
        """
        ref = parse_id(id_text)
        if ref is not None and ref.part is not None:
            job = await self._find(actor, ref.job, dialect)
            if job.n_circuits == 1 or ref.part >= job.n_circuits:
                raise no_job()
            raise Conflict(f"This is part of the job {job.id}: {verb} that one.")
        job = await self._find(actor, id_text, dialect)
        if job.account == actor.account or (may_lead and await self.leads(actor, job)):
            return job
        who = "the account that submitted a job"
        if may_lead:
            who += ", a lead of its project or an administrator"
        raise Forbidden(f"Only {who} may {verb} it.")

    async def leads(self, actor: Actor, job: Job) -> bool:
        """Return whether an actor is a lead of a job's project, who may hold and cancel it."""
        return await self._accounts.leads(actor.account, job.project)

    async def _check_priority(self, actor: Actor, project: str, priority: int) -> None:
        """Require that an actor may give this priority to a job of a project.

        Raises:
            Forbidden: It is above 0, and the actor is neither a lead of the project nor an
                administrator.
        """
        if (
            priority > 0
            and actor.role != "admin"
            and not await self._accounts.leads(actor.account, project)
        ):
            raise Forbidden(
                "priority: only leads of the project and administrators may give one above 0, such"
                f" as {priority}."
            )

    async def forget_key(self, job: Job, key: str) -> None:
        """Forget the idempotency key of a job, so that the same content makes another job."""
        await self._store.forget_key(account=job.account, dialect=job.dialect, key=key, job=job.id)

    async def forget_key_of(self, job: Job) -> None:
        """Forget the idempotency key of a job, if one is stored; else nothing is written."""
        key = await self._store.key_of(job.id)
        if key is not None:
            await self.forget_key(job, key)

    async def events(
        self, actor: Actor, id_text: str, *, dialect: str | None = None
    ) -> list[JobEvent]:
        """Return the events of a job: all except its submission, starts and completion.

        Raises:
            NotFound: As for `get`.
        """
        job = await self.get(actor, id_text, dialect=dialect)
        return await self._store.events(job.id)

    async def vendor_fields(self, job: Job) -> bytes:
        """Return the opaque vendor fields of a job.

        Raises:
            NotFound: The job was deleted since it was read.
        """
        found = await self._store.vendor_fields(job.id)
        if found == _NO_VENDOR_FIELDS and await self._store.get(job.id) is None:
            raise no_job()
        return found


def _may_read(actor: Actor, job: Job) -> bool:
    """Return whether an actor may read a job of theirs, of their projects or shared with them.

    While an exam withholds results, neither its project nor who has its id may copy the program.
    """
    is_in_exam = job.withheld_until is not None
    is_owner = job.account == actor.account or actor.role == "admin"
    return actor.sees(job.device) and (is_owner or not is_in_exam)


def _own_of(actor: Actor, query: JobQuery) -> JobQuery:
    """Restrict a search to the actor's own jobs on the devices of their token."""
    actor.require(Scope.JOBS_READ)
    return structs.replace(query, account=actor.account, devices=actor.devices)


def _whole(id_text: str) -> str:
    """Return the id of a job from text.

    Raises:
        NotFound: The text is the id of a part, or malformed.
    """
    ref = parse_id(id_text)
    if ref is None or ref.part is not None:
        raise no_job()
    return ref.job


def no_job() -> NotFound:
    """Return the error for a job that does not exist for the actor."""
    return NotFound("There is no such job.")
