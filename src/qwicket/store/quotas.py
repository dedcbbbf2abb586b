"""Quotas: unfinished jobs, jobs in an exam, stored bytes, budgets.

Also counts what ended jobs have used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from qwicket.model.errors import LimitExceeded, TooManyRequests
from qwicket.registrations import hook
from qwicket.store.batch import NeedsSavepoints
from qwicket.store.queue_state import Queues

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.model.jobs import Job, NewJob
    from qwicket.model.limits import StoredLimit
    from qwicket.store.database import Row, Tx


class Owned(Protocol):
    """What counts for a project and an account: a job, a group, or an `Owner`."""

    @property
    def project(self) -> str: ...

    @property
    def account(self) -> str: ...


class Owner(NamedTuple):
    """Project and account of something that was deleted."""

    project: str
    account: str


def check_unfinished(tx: Tx, new: NewJob, limit: int | None) -> None:
    """Refuse a job of a project with `limit` unfinished ones on the device; None sets no limit."""
    if limit is None or new.error is not None:
        return
    if Queues.count_unfinished(tx, new.project, new.device, limit) >= limit:
        raise TooManyRequests(
            f"The project has {limit} jobs on {new.device} that have not ended.",
            field="jobs",
            retry_after_s=10.0,
            limit="unfinished_jobs",
            quota=limit,
        )


def check_exam(tx: Tx, new: NewJob) -> None:
    """Refuse a job of an account that has as many waiting as its exam allows, if it is in one."""
    limit = new.exam_waiting
    if limit is None or new.error is not None:
        return
    given = {"account": new.account, "project": new.project, "device": new.device}
    row = tx.one("job_waiting_of_account", **given, limit=limit)
    if row is not None and int(row[0]) >= limit:
        raise TooManyRequests(
            f"You have {limit} jobs waiting on {new.device}, as many as the exam allows.",
            field="jobs",
            retry_after_s=1.0,
            limit="exam_waiting",
            quota=limit,
        )


def check_bounds(tx: Tx, new: NewJob) -> None:
    """Refuse a job beyond the bounds of its token, and count any other one there."""
    if new.bounds is not None:
        from qwicket.store import bounds  # late: few tokens have bounds

        bounds.check(tx, new)


def text_bytes(*texts: str) -> int:
    """Return what texts count."""
    return sum(len(text.encode()) for text in texts)


def program_bytes(new: NewJob) -> int:
    """Return what the program of a job counts, as `job_bytes` in `statements` counts it."""
    return len(new.source) + len(new.circuits) + len(new.options)


def count_bytes(tx: Tx, of: Owned, size: int, limit: StoredLimit, field: str = "program") -> None:
    """Count what project and account of a job or group store from now on.

    `size` is negative if something became smaller. Beyond a limit it raises `LimitExceeded`, which
    clients treat as final. They would retry a 429 or 507 in vain, because it stays until somebody
    deletes jobs.
    """

    def full(who: str, maximum: int, name: str) -> LimitExceeded:
        text = f"{who} would store over {maximum} bytes (limit {name}): delete some jobs."
        return LimitExceeded(text, field=field)

    tx.add_up(
        *("project_store_bytes", "bytes", size),
        lambda: full("The project", limit.project, "stored_bytes"),
        project=of.project,
        maximum=limit.project,
    )
    tx.add_up(
        *("member_store_bytes", "bytes", size),
        lambda: full("In this project you", limit.member, "member_stored_bytes"),
        **_owner(of),
        maximum=limit.member,
    )


def add_bytes(tx: Tx, of: Owned, size: int) -> None:
    """Count like `count_bytes`, without a limit."""
    tx.add_up("project_add_bytes", "bytes", size, project=of.project)
    tx.add_up("member_add_bytes", "bytes", size, **_owner(of))


def _owner(of: Owned) -> dict[str, str]:
    return {"project": of.project, "account": of.account}


def bill_columns(new: NewJob) -> dict[str, str | int | None]:
    """Return the columns of a job's bill, cost and used shots, before it has reserved anything."""
    columns: dict[str, str | int | None] = {"bill": None, "cost": None, "used_shots": None}
    if new.is_dry_run:
        columns["used_shots"] = 0
    elif new.cost is not None or (new.bounds is not None and new.bounds.has_daily):
        from qwicket.store import use  # late: few jobs have a bill

        columns["bill"], columns["cost"] = use.bill_without_budgets(new)
    return columns


def reserve_if_needed(tx: Tx, new: NewJob, added: Callable[[], Row]) -> Callable[[], Row]:
    """Reserve what a new job needs of budgets; return a function for its row (see `Tx.later`).

    The row's last column says whether the project has a budget; without one, no further statement
    is run. If there is one and the database reads rows late, the batch is run again with
    savepoints, because in that mode rows are read at once.
    """
    if new.is_dry_run:
        return added
    if not tx.reads_late:
        if added()[-1]:
            reserve(tx, new, new.id, new.project)
        return added

    def checked() -> Row:
        row = added()
        if row[-1]:
            raise NeedsSavepoints
        return row

    return checked


def reserve(tx: Tx, new: NewJob, job: str, project: str) -> None:
    """Reserve what the job `job` needs of its project's budgets."""
    reserve_needed = hook("reserve")
    if reserve_needed is not None:
        reserve_needed(tx, new, job, project)


def settle(tx: Tx, job: Job, jobs: int, shots: int, seconds: float) -> None:
    """Count what an ended job has used; in budgets, it replaces what the job has reserved.

    Args:
        tx: The transaction.
        job: The job; without a bill it has reserved nothing.
        jobs: 1, or 0 if it did not run.
        shots: Shots of all circuits that were run.
        seconds: Its run time.
    """
    if job.bill is not None:
        from qwicket.store import use  # late: few jobs have a bill

        use.settle(tx, job, job.bill, jobs, shots, seconds)
    if jobs:
        tx.gather("use_add", job.id)
        if job.slurm_job or job.slurm_account:
            tx.gather("slurm_use_add", job.id)
