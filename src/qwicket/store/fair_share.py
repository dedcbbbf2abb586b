"""Fair share: records usage, for the operations that submit, claim, finish and release jobs.

Each step counts twice: for the project among the projects, and for the account among the members of
its project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.model.fair_share import HALF_LIFE_S, MAX_ADVANTAGE_S, REBASE_AFTER, charge_s, weight

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.model.jobs import Job, NewJob
    from qwicket.store.database import Row, Tx

_EPOCH: Final = "epoch"
_PENDING: Final = "epoch, pending"
"""Keys of `Tx.memo`: the epoch (the time at which the weight of usage is 1), and a pending read of
it."""


def enter(tx: Tx, job: Job | NewJob, now: int) -> None:
    """Record that a job of a project and of its member waits."""
    opened = _opened(job)
    if opened in tx.memo:  # another one of this batch still waits
        return
    tx.write_sums()
    tx.memo[opened] = True
    advantage = MAX_ADVANTAGE_S * weight(now, _epoch(tx, now))
    member = _member(job)
    tx.run("share_open", device=job.device, project=job.project, advantage=advantage)
    tx.run("member_share_open", **member, advantage=advantage)


def prefetch(tx: Tx) -> None:
    """Queue the read of the epoch, so that it shares the round trip of the next read."""
    if _EPOCH not in tx.memo:
        tx.memo[_PENDING] = tx.later("epoch_get")


def charge(tx: Tx, job: Job, now: int) -> None:
    """Count the estimate of a job that starts, until `refund` or `settle`.

    At once, because the next claim depends on it.
    """
    estimate = _estimate(tx, job, now)
    tx.run("share_charge", device=job.device, project=job.project, charge=estimate)
    tx.run("member_share_charge", **_member(job), charge=estimate)
    tx.memo.pop(_opened(job), None)


def start(tx: Tx, job: Job, now: int) -> None:
    """Count the estimate of a job that was claimed with its submission, as `charge` does."""
    estimate = _estimate(tx, job, now)
    tx.add_up("share_start", "charge", estimate, device=job.device, project=job.project)
    tx.add_up("member_share_start", "charge", estimate, **_member(job))


def refund(tx: Tx, job: Job, now: int) -> None:
    """Refund the estimate of a job that is queued again."""
    _count(tx, job, -_estimate(tx, job, now))


def settle(tx: Tx, job: Job, seconds: float, now: int) -> None:
    """Replace the estimate of an ended job by its measured time."""
    used = charge_s(seconds) * weight(now, _epoch(tx, now))
    _count(tx, job, used - _estimate(tx, job, now))


def leave(tx: Tx, job: Job) -> None:
    """Record that a job no longer waits, so that perhaps none of its member or project does."""
    _count(tx, job, 0.0)
    tx.memo.pop(_opened(job), None)


def is_rebase_due(tx: Tx, now: int) -> bool:
    """Return whether the usage numbers must be rescaled."""
    row = tx.one("epoch_get")
    return row is None or _is_old(row[0], now)


def rebase(tx: Tx, now: int) -> bool:
    """Rescale the usage numbers if that is due, as `is_rebase_due` says; return whether it was."""
    epoch = _epoch(tx, now)
    if not _is_old(epoch, now):
        return False
    tx.write_sums()
    for statement in ("share_rebase", "member_share_rebase"):
        tx.run(statement, factor=1 / weight(now, epoch))
    tx.run("epoch_put", at=now)
    del tx.memo[_EPOCH]
    return True


def _is_old(epoch: int, now: int) -> bool:
    # An epoch far ahead comes from a wrong clock. Until then usage would not decay, because
    # `weight` is bounded below.
    return abs(now - epoch) >= 1000 * HALF_LIFE_S * REBASE_AFTER


def _estimate(tx: Tx, job: Job, now: int) -> float:
    """Return the weighted estimate of a job that has started.

    Its weight is that at the job's first start, which no later step changes. With the weight at
    `now`, a job that ends days later would pay back more than it was charged.
    """
    at = now if job.started_at is None else job.started_at
    return charge_s(job.est_seconds) * weight(at, _epoch(tx, now))


def _count(tx: Tx, job: Job, charge: float) -> None:
    tx.add_up("share_charge", "charge", charge, device=job.device, project=job.project)
    tx.add_up("member_share_charge", "charge", charge, **_member(job))


def _member(job: Job | NewJob) -> dict[str, str]:
    """Return the key of a member's usage."""
    return {"device": job.device, "project": job.project, "account": job.account}


def _opened(job: Job | NewJob) -> str:
    """Return the key of `Tx.memo` that says that a job has begun to wait, and still does."""
    return f"{job.device} of {job.project} by {job.account}"


def _epoch(tx: Tx, now: int) -> int:
    epoch: int | None = tx.memo.get(_EPOCH)
    if epoch is None:
        pending: Callable[[], Row | None] | None = tx.memo.pop(_PENDING, None)
        row = pending() if pending else tx.one("epoch_get")
        if row is None:
            tx.run("epoch_put", at=now)
        epoch = tx.memo[_EPOCH] = row[0] if row else now
    return epoch
