"""Events of jobs, within the transactions that change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.store import quotas
from qwicket.store.statements import EVENT_BYTES, KEPT_EVENTS

if TYPE_CHECKING:
    from qwicket.model.jobs import Job
    from qwicket.model.limits import StoredLimit
    from qwicket.store.database import Tx


def note(
    tx: Tx,
    job: Job,
    *,
    before: str,
    actor: str,
    reason: str,
    now: int,
    stored_limit: StoredLimit | None = None,
) -> None:
    """Store an event of a job. Of very many, those in the middle are deleted.

    Raises:
        LimitExceeded: Project or account would store more than `stored_limit`.
    """
    if stored_limit is None:
        quotas.add_bytes(tx, job, EVENT_BYTES)
    else:
        quotas.count_bytes(tx, job, EVENT_BYTES, stored_limit, "job")
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
    if job.version > sum(KEPT_EVENTS):  # each event has a version of its own
        first, last = KEPT_EVENTS
        surplus = tx.count("event_trim", job=job.id, first=first, last=last)
        quotas.add_bytes(tx, job, -EVENT_BYTES * surplus)
