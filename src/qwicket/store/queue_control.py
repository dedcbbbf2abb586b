"""Operations on the order of a queue: hold, release, reorder and requeue jobs.

This module is imported when the first of them is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.model.errors import Conflict, Forbidden, NotFound
from qwicket.model.states import JobState
from qwicket.store import fair_share
from qwicket.store.changes import record
from qwicket.store.events import note
from qwicket.store.jobs import Jobs
from qwicket.store.lease_steps import give_back_all
from qwicket.store.leases import Leases
from qwicket.store.operations import Operations, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.model.jobs import Holder, Job, JobAction, Lease
    from qwicket.model.limits import StoredLimit
    from qwicket.store.database import Tx

_REQUEUED: Final = "queued again by an administrator"


class ChangedIds(list[str]):
    """Ids of jobs that an action changed."""

    def audited(self) -> Mapping[str, int]:
        """Return their number, for the audit."""
        return {"changed": len(self)}


class QueueControl(Operations):
    """Operations on jobs that wait or run. A change that is in effect already does nothing."""

    @write
    def change(
        tx: Tx,
        job: str,
        by: Holder,
        *,
        is_held: bool | None,
        priority: int | None,
        actor: str,
        now: int,
        stored_limit: StoredLimit | None = None,
        withdrawn: Sequence[Lease] = (),
    ) -> Job:
        """Hold or release a waiting job, or change its priority; None changes nothing.

        Args:
            tx: The transaction.
            job: Id of the job.
            by: Who holds or releases it.
            is_held: Whether it is kept from starting until it is released.
            priority: Priority among the jobs of its project.
            actor: Id of the account, for the job's events.
            now: Unix milliseconds.
            stored_limit: Bytes that its project and account may store: a hold and a priority are
                events.
                A release is, too, but needs a hold before it. None sets no limit.
            withdrawn: Its lease, if it was withdrawn from the backlog.

        Raises:
            NotFound: There is no such job.
            Forbidden: Its owner wants to release what an administrator holds.
            Conflict: The job does not wait.
            LimitExceeded: Project or account would store more than `stored_limit`.
        """
        give_back_all(tx, withdrawn, now)
        if is_held:
            QueueControl.hold(tx, job, by, actor=actor, now=now, stored_limit=stored_limit)
        elif is_held is not None:
            QueueControl.resume(tx, job, by, actor=actor, now=now)
        if priority is not None:
            QueueControl.prioritize(
                tx, job, priority, actor=actor, now=now, stored_limit=stored_limit
            )
        return _job(tx, job)

    @write
    def hold(
        tx: Tx,
        job: str,
        by: Holder,
        *,
        actor: str,
        now: int,
        stored_limit: StoredLimit | None = None,
    ) -> Job:
        """Keep a waiting job from starting until it is released.

        Raises:
            NotFound: There is no such job.
            Conflict: The job does not wait.
            LimitExceeded: Project or account would store more than `stored_limit`.
        """
        row = tx.one("job_hold", job=job, by=by, now_us=now * 1000)
        if row is None:
            return _waiting_job(tx, job, "held")
        held = record(tx, row, now)
        fair_share.leave(tx, held)
        _note(tx, held, actor, f"held by {_holder(held, by, actor)}", now, stored_limit)
        return held

    @write
    def resume(tx: Tx, job: str, by: Holder, *, actor: str, now: int) -> Job:
        """Let a held job start.

        Raises:
            NotFound: There is no such job.
            Forbidden: Its owner wants to release what an administrator holds.
            Conflict: The job does not wait.
        """
        row = tx.one("job_unhold", job=job, by=by, now_us=now * 1000)
        if row is None:
            found = _waiting_job(tx, job, "released")
            if found.is_held:
                raise Forbidden("An administrator holds this job, and only one can release it.")
            return found
        released = record(tx, row, now)
        fair_share.enter(tx, released, now)
        _note(tx, released, actor, "released", now)
        return released

    @write
    def prioritize(
        tx: Tx,
        job: str,
        priority: int,
        *,
        actor: str,
        now: int,
        stored_limit: StoredLimit | None = None,
    ) -> Job:
        """Change the priority of a waiting job among the jobs of its project.

        Raises:
            NotFound: There is no such job.
            Conflict: The job does not wait.
            LimitExceeded: Project or account would store more than `stored_limit`.
        """
        row = tx.one("job_prioritize", job=job, priority=priority, now_us=now * 1000)
        if row is None:
            return _waiting_job(tx, job, "reordered")
        changed = record(tx, row, now)
        _note(tx, changed, actor, f"priority {priority}", now, stored_limit)
        return changed

    @write
    def requeue(tx: Tx, job: str, *, actor: str, now: int) -> Job:
        """Take a running job from its runner and queue it again; its attempts stay.

        The runner stops when it notices that its lease is stale. Its result is refused.

        Raises:
            NotFound: There is no such job.
            Conflict: The job does not run, or runs at another cloud.
        """
        found = _job(tx, job)
        lease = Leases.held_by(tx, job)
        if found.state is JobState.RUNNING and found.withheld_until is not None and lease is None:
            raise Conflict("This job has ended; its results are withheld until the exam ends.")
        if found.state is not JobState.RUNNING or lease is None:
            raise Conflict(f"Only a running job can be requeued; this one is {found.state}.")
        if tx.one("forward_get", job=job) is not None:
            raise Conflict("This job runs at another cloud, where it cannot be requeued.")
        return Leases.release(tx, lease, _REQUEUED, now, counts_as_attempt=False, actor=actor)

    @write
    def change_all(
        tx: Tx,
        jobs: Sequence[str],
        action: JobAction,
        priority: int,
        *,
        by: Holder = "admin",
        actor: str,
        now: int,
        stored_limit: StoredLimit | None = None,
    ) -> ChangedIds:
        """Do one action on several jobs; return the ids of those that changed.

        Jobs that were deleted or whose state does not allow the action are left out, as are those
        that an administrator holds, if another person releases them. See `change` for the
        arguments.

        Raises:
            LimitExceeded: As for `change`; no job was changed.
        """
        changed = ChangedIds()
        for job in jobs:
            before = Jobs.get(tx, job)
            if before is None:
                continue
            if action == "delete":
                if before.state.is_final:
                    Jobs.delete(tx, job)
                    changed.append(job)
                continue
            try:
                after = _change(tx, job, action, priority, by, actor, now, stored_limit)
            except (Conflict, Forbidden):
                continue
            if after is not None and after.version != before.version:
                changed.append(job)
        return changed


def _change(
    tx: Tx,
    job: str,
    action: JobAction,
    priority: int,
    by: Holder,
    actor: str,
    now: int,
    stored_limit: StoredLimit | None,
) -> Job | None:
    """Do an action other than `delete` on a job; return the job, or None if it was deleted."""
    match action:
        case "cancel":
            return Jobs.cancel(tx, job, actor=actor, now=now)
        case "hold":
            return QueueControl.hold(tx, job, by, actor=actor, now=now, stored_limit=stored_limit)
        case "release":
            return QueueControl.resume(tx, job, by, actor=actor, now=now)
        case "priority":
            return QueueControl.prioritize(
                tx, job, priority, actor=actor, now=now, stored_limit=stored_limit
            )
    return QueueControl.requeue(tx, job, actor=actor, now=now)


def _holder(job: Job, by: Holder, actor: str) -> str:
    """Return who holds a job, as its events name them."""
    if by == "admin":
        return "an administrator"
    return "its owner" if actor == job.account else "a lead of its project"


def _job(tx: Tx, job: str) -> Job:
    found = Jobs.get(tx, job)
    if found is None:
        raise NotFound("There is no such job.")
    return found


def _waiting_job(tx: Tx, job: str, participle: str) -> Job:
    """Return a job that waits; `participle` is the action for the message, such as `held`.

    Raises:
        NotFound: There is no such job.
        Conflict: It does not wait.
    """
    found = _job(tx, job)
    if found.state is not JobState.QUEUED:
        raise Conflict(f"Only a waiting job can be {participle}; this one is {found.state}.")
    return found


def _note(
    tx: Tx, job: Job, actor: str, reason: str, now: int, stored_limit: StoredLimit | None = None
) -> None:
    note(tx, job, before=job.state, actor=actor, reason=reason, now=now, stored_limit=stored_limit)
