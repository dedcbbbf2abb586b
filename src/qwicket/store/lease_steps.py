"""Steps of jobs under a lease, within transactions: taken by leases and by forwards."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from qwicket.model.errors import StaleLease
from qwicket.model.jobs import Assignment, Forward, Job, Lease
from qwicket.model.random_bits import random_bits
from qwicket.model.states import JobState
from qwicket.store import fair_share, rows
from qwicket.store.changes import record
from qwicket.store.events import note
from qwicket.store.quotas import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.circuits.outcomes import PartResult
    from qwicket.model.failures import Failure
    from qwicket.store.database import Row, Tx

_LONGEST_S: Final = 1e9
"""Longest run time that is stored; no job is held for so long."""


def assign(
    tx: Tx, job: Job, runner: str, now: int | None, request: int | None = None
) -> Callable[[], Assignment]:
    """Give a runner the lease of a job; return a function for the assignment (see `Tx.later`).

    `now` is the time of the claim; None for a job that runs already, at another cloud.
    """
    nonce = f"{random_bits(128):032x}"
    taken = tx.later("lease_take", job=job.id, nonce=nonce, runner=runner, request=request, now=now)
    return lambda: _assignment(job, nonce, runner, taken())


def _assignment(job: Job, nonce: str, runner: str, taken: Row | None) -> Assignment:
    assert taken is not None
    fence, circuits, options, *forward = taken
    return Assignment(
        lease=Lease(job=job.id, fence=fence, nonce=nonce, runner=runner),
        device=job.device,
        state=job.state,
        attempts=job.attempts,
        est_bytes=job.est_bytes,
        est_seconds=job.est_seconds,
        n_operations=job.n_ops_1q + job.n_ops_2q,
        circuits=circuits,
        options=options,
        forward=forward_of(forward) if forward[0] else None,
    )


def forward_of(row: Sequence[Any]) -> Forward:
    """Return the columns of a forward as an object."""
    marker, vendor_job_id, is_absent, sent_to, intent_at = row
    return Forward(marker, vendor_job_id, bool(is_absent), sent_to, intent_at)


def lease_key(lease: Lease) -> dict[str, Any]:
    """Return the parameters by which statements find a lease."""
    return {"job": lease.job, "fence": lease.fence, "nonce": lease.nonce}


def job_of_lease(tx: Tx, lease: Lease) -> Job:
    """Return the job of a lease; raise `StaleLease` if the lease is not valid any more."""
    row = tx.one("job_of_lease", **lease_key(lease))
    if row is None:
        raise StaleLease
    return rows.job(row)


def step(tx: Tx, name: str, lease: Lease, now: int, /, **params: object) -> Job:
    """Change a job's state under its lease; raise `StaleLease` if that fails."""
    row = tx.one(name, **lease_key(lease), now=now, now_us=now * 1000, **params)
    if row is None:
        raise StaleLease
    return record(tx, row, now)


def give_back(tx: Tx, lease: Lease, now: int) -> Job:
    """Queue a job of the backlog again, which has not begun.

    To its owner it has waited all the time, so it has not started. A `cancelling` job is cancelled,
    and has used nothing.

    Raises:
        StaleLease: As for `step`.
    """
    before = job_of_lease(tx, lease)
    if before.state is JobState.CANCELLING:
        job = step(tx, "job_cancel", lease, now, used_us=0)
        tx.gather("lease_end", job.id)
        reason = "stopped"
    else:
        job = step(tx, "job_give_back", lease, now)
        tx.run("lease_give_back", job=job.id)
        reason = "it had not begun"
    note(tx, job, before=before.state, actor=lease.runner, reason=reason, now=now)
    fair_share.refund(tx, before, now)
    return job


def give_back_all(tx: Tx, leases: Sequence[Lease], now: int) -> None:
    """Give back jobs that have not begun, as `give_back` does, unless their leases are stale."""
    for lease in leases:
        with suppress(StaleLease):
            give_back(tx, lease, now)


def end_step(
    tx: Tx,
    name: str,
    lease: Lease,
    now: int,
    seconds: float,
    results: Sequence[PartResult] | None = None,
    /,
    **params: object,
) -> tuple[Job, float]:
    """End a job under its lease; return it, and the seconds that count as its run time.

    Those are the reported ones, or the time since its claim if that is less: agents, workers on
    other machines and clouds report them, and budgets and fair share count them.

    Raises:
        StaleLease: As for `step`.
    """
    # A worker that was taken over may report infinity, or no number at all.
    used_us = round(1e6 * min(_LONGEST_S, max(0.0, seconds)))
    given = {**lease_key(lease), **params, "used_us": used_us}
    row = tx.one(name, **given, now=now, now_us=now * 1000)
    if row is None:
        raise StaleLease
    *columns, counted_us = row
    return record(tx, tuple(columns), now, results=results), counted_us / 1e6


def fail(
    tx: Tx, lease: Lease, failure: Failure, seconds: float, now: int, *, counts_as_attempt: int = 0
) -> Job:
    """End a job under its lease with a failure; raise `StaleLease` if that fails."""
    before = job_of_lease(tx, lease).state
    columns = rows.failure_columns(failure)
    given = {**columns, "counts_as_attempt": counts_as_attempt, "parts": 0}
    job, counted_s = end_step(tx, "job_fail", lease, now, seconds, **given)
    note(tx, job, before=before, actor=lease.runner, reason=failure.code, now=now)
    end(tx, job, counted_s, now)
    return job


def end(tx: Tx, job: Job, seconds: float, now: int, *, shots: int = 0) -> None:
    """End the lease of a job that has run for so many seconds, and settle what it used."""
    tx.gather("lease_end", job.id)
    fair_share.settle(tx, job, seconds, now)
    has_run = shots > 0 or seconds > 0
    settle(tx, job, int(has_run), shots, seconds)
