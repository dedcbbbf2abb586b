"""What each change of a job does besides: waiters are told, and events are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.states import JobState
from qwicket.store import quotas, rows
from qwicket.store.changes import JobChange
from qwicket.store.statements import EVENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.outcomes import PartResult
    from qwicket.model.jobs import Job
    from qwicket.store.database import Row, Tx


def record(
    tx: Tx,
    row: Row,
    now: int,
    *,
    keeps_state: bool = False,
    results: Sequence[PartResult] | None = None,
) -> Job:
    """Return a written row as a job, and publish the change, with `results` if given.

    If the results of a completed job are withheld, the change contains no row, so that waiters
    must read the job, which is then shown as running.
    """
    job = rows.job(row)
    if job.is_withheld:
        change = JobChange(job.id, job.version, JobState.RUNNING, job.device, written_at=now)
    else:
        shown = (job.id, job.version, job.state, job.device)
        change = JobChange(*shown, job, keeps_state, results, now)
    tx.changed(change)
    return job


def note(
    tx: Tx,
    job: Job,
    *,
    before: str,
    actor: str,
    reason: str,
    now: int,
    stored_limit: int | None = None,
) -> None:
    """Store an event of a job.

    Raises:
        LimitExceeded: The project would store over `stored_limit` bytes.
    """
    if stored_limit is None:
        tx.run("project_add_bytes", project=job.project, bytes=EVENT_BYTES)
    else:
        quotas.count_bytes(tx, job.project, EVENT_BYTES, stored_limit, "job")
    tx.run(
        "event_add",
        job=job.id,
        version=job.version,
        now=now,
        **{"from": before},
        to=job.state,
        actor=actor,
        reason=reason,
    )
