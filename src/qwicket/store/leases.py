"""Operations that run jobs: claim, renew, finish, release, and the runners that hold leases."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from qwicket.model.errors import Conflict
from qwicket.model.jobs import Assignment, Completion, Job, Lease
from qwicket.model.outcomes import Failure
from qwicket.model.states import JobState
from qwicket.store import rows
from qwicket.store.jobs import add_result, note, record

if TYPE_CHECKING:
    from concurrent.futures import Future

    from qwicket.store.database import Database, Tx

MAX_ATTEMPTS: Final = 3


class StaleLease(Conflict):
    """The lease is no longer the newest: what its holder says about the job counts for nothing."""

    code = "stale_lease"
    title = "This lease is no longer valid."
    remedy = "Stop working on the job: another runner has it, or it has ended."


class Leases:
    """The four verbs, for the server's dispatcher and for agents alike."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_runner(self, runner: str, kind: str, now: int) -> None:
        await self._database.write(lambda tx: tx.run("runner_add", id=runner, kind=kind, now=now))

    def beat(self, runner: str) -> Future[int]:
        """Raise a runner's beat, from a plain thread: loops stall, and beats must not."""
        return self._database.submit(lambda tx: tx.run("runner_beat", id=runner))

    async def void_runners(self, kind: str, now: int) -> list[Job]:
        """Offer again, uncounted, all that runners of this kind hold, and forget the runners."""
        return await self._database.write(lambda tx: _void_runners(tx, kind, now))

    async def claim(self, device: str, runner: str, now: int) -> Assignment | None:
        """Take the next job of a device. Not flushed: a claim lost to a power cut re-queues."""
        return await self._database.write(lambda tx: _claim(tx, device, runner, now), durable=False)

    async def finish(self, lease: Lease, completion: Completion, now: int) -> Job:
        """End a job with what its circuits gave: results and state in one operation.

        Raises:
            StaleLease: Another runner has the job, or it has ended.
        """
        return await self._database.write(lambda tx: _finish(tx, lease, completion, now))

    async def fail(self, lease: Lease, failure: Failure, now: int) -> Job:
        """End a job that gave nothing.

        Raises:
            StaleLease: As for `finish`.
        """
        return await self._database.write(lambda tx: _fail(tx, lease, failure, now))

    async def release(self, lease: Lease, reason: str, now: int, *, blamed: bool) -> Job:
        """Offer the job again; the third death that it is blamed for fails it.

        A job that was asked to stop is cancelled instead: nobody works on it any more.

        Raises:
            StaleLease: As for `finish`.
        """
        return await self._database.write(lambda tx: _release(tx, lease, reason, now, blamed))


def _claim(tx: Tx, device: str, runner: str, now: int) -> Assignment | None:
    row = tx.one("job_claim", device=device, now=now, now_us=now * 1000)
    if row is None:
        return None
    job = record(tx, row)
    nonce = secrets.token_hex(16)
    taken = tx.one("lease_take", job=job.id, nonce=nonce, runner=runner)
    program = tx.one("program_of_claim", job=job.id)
    assert taken is not None
    assert program is not None
    return Assignment(
        lease=Lease(job=job.id, fence=taken[0], nonce=nonce, runner=runner),
        device=device,
        attempts=job.attempts,
        est_bytes=job.est_bytes,
        circuits=program[0],
        options=program[1],
    )


def _held(tx: Tx, lease: Lease) -> Job:
    """Return the job of a lease that is the newest, or refuse."""
    row = tx.one("job_of_lease", job=lease.job, fence=lease.fence, nonce=lease.nonce)
    if row is None:
        raise StaleLease
    return rows.job(row)


def _step(tx: Tx, name: str, lease: Lease, now: int, **params: object) -> Job:
    """Take one step of a job's life under its lease, or refuse."""
    row = tx.one(
        name,
        job=lease.job,
        fence=lease.fence,
        nonce=lease.nonce,
        now=now,
        now_us=now * 1000,
        **params,
    )
    if row is None:
        raise StaleLease
    return record(tx, row)


def _finish(tx: Tx, lease: Lease, completion: Completion, now: int) -> Job:
    failures = [result for result in completion if isinstance(result, Failure)]
    if failures:
        job = _step(
            tx,
            "job_fail",
            lease,
            now,
            error_code=failures[0].code,
            error_text=failures[0].message,
            blamed=0,
        )
    else:
        job = _step(tx, "job_complete", lease, now)
    for part, result in enumerate(completion):
        add_result(tx, job.id, part, result)
    tx.run("lease_end", job=job.id)
    return job


def _fail(tx: Tx, lease: Lease, failure: Failure, now: int, *, blamed: int = 0) -> Job:
    before = _held(tx, lease).state
    job = _step(
        tx,
        "job_fail",
        lease,
        now,
        error_code=failure.code,
        error_text=failure.message,
        blamed=blamed,
    )
    tx.run("lease_end", job=job.id)
    note(tx, job, before=before, actor=lease.runner, reason=failure.code, now=now)
    return job


def _cancelled(tx: Tx, lease: Lease, now: int) -> Job:
    job = _step(tx, "job_cancel", lease, now)
    tx.run("lease_end", job=job.id)
    note(tx, job, before=JobState.CANCELLING, actor=lease.runner, reason="stopped", now=now)
    return job


def _release(tx: Tx, lease: Lease, reason: str, now: int, blamed: bool) -> Job:
    job = _held(tx, lease)
    if job.state is JobState.CANCELLING:
        return _cancelled(tx, lease, now)
    if blamed and job.attempts + 1 >= MAX_ATTEMPTS:
        text = f"The job ended its worker {MAX_ATTEMPTS} times: {reason}."
        return _fail(tx, lease, Failure("worker_died", text), now, blamed=1)
    job = _step(tx, "job_release", lease, now, blamed=int(blamed))
    tx.run("lease_void", job=job.id)
    note(tx, job, before=JobState.RUNNING, actor=lease.runner, reason=reason, now=now)
    return job


def _void_runners(tx: Tx, kind: str, now: int) -> list[Job]:
    released = []
    for (runner,) in tx.all("runner_list", kind=kind):
        for job, fence, nonce, holder in tx.all("lease_list", runner=runner):
            lease = Lease(job=job, fence=fence, nonce=nonce, runner=holder)
            released.append(_release(tx, lease, "its runner is gone", now, blamed=False))
        tx.run("runner_remove", id=runner)
    return released
