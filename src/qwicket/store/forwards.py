"""Operations on jobs that are forwarded to another cloud.

They record the intent to send a job, its id there and its response; runners adopt jobs that have
lost their runner, and a person resolves jobs of which it is uncertain whether they were sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.errors import Conflict, NotFound
from qwicket.model.failures import Failure
from qwicket.model.groups import ForwardedGroup
from qwicket.model.jobs import Forward, Lease
from qwicket.model.random_bits import random_bits
from qwicket.model.states import JobState
from qwicket.store import quotas, rows
from qwicket.store.changes import record
from qwicket.store.database import Deferred
from qwicket.store.devices import note_mirrored
from qwicket.store.events import note
from qwicket.store.jobs import Jobs
from qwicket.store.lease_steps import assign, fail, forward_of, job_of_lease, step
from qwicket.store.operations import Operations, read, write, write_unflushed

if TYPE_CHECKING:
    from qwicket.model.jobs import Assignment, Job
    from qwicket.store.database import Tx

ABANDONED: Final = "remote_abandoned"
_MAY_BE_ELSEWHERE: Final = (JobState.RUNNING, JobState.CANCELLING, JobState.UNCERTAIN)


class SubmissionResponse(NamedTuple):
    """What is known of the response to a submission that was passed on.

    Attributes:
        vendor_job_id: Id of the job at its vendor; None if it is unknown or there is none.
        content: The response; None if none is stored, as beside an id that a person has named.
    """

    vendor_job_id: str | None
    content: bytes | None


NO_RESPONSE: Final = SubmissionResponse(None, None)


class Forwards(Operations):
    """Operations of runners that forward jobs, and of the person who decides about one."""

    @write
    def record_intent(tx: Tx, lease: Lease, marker: str, now: int, sent_to: str = "") -> Forward:
        """Record durably that the job is about to be forwarded to another cloud under this marker.

        A person's former statement that the job is absent becomes void, because from now on the
        job may be there.

        Args:
            tx: The transaction.
            lease: The lease.
            marker: Text that finds the job there.
            now: Unix milliseconds.
            sent_to: Short hash of the address and key with which it is sent.

        Returns:
            The stored record, with the marker and the id of an earlier attempt if there was one.

        Raises:
            StaleLease: The lease is not the job's newest: another runner has it, or it has ended.
        """
        job_of_lease(tx, lease)
        tx.run("forward_intend", job=lease.job, marker=marker, sent_to=sent_to, now=now)
        forward = _forward(tx, lease.job)
        assert forward is not None
        return forward

    @write
    def record_sent(
        tx: Tx, lease: Lease, vendor_job_id: str, now: int, response: bytes | None = None
    ) -> Job:
        """Record the job's id at its vendor. An uncertain job is running again.

        Args:
            tx: The transaction.
            lease: The lease.
            vendor_job_id: The id.
            now: Unix milliseconds.
            response: Response of the device's own server to a submission that was passed on, which
                has this id.

        Raises:
            StaleLease: As for `record_intent`.
            Conflict: Another job of the device has this id.
        """
        job = job_of_lease(tx, lease)
        _check_unused(tx, job, vendor_job_id)
        tx.run("forward_sent", job=lease.job, vendor_job_id=vendor_job_id, now=now)
        if job.state is JobState.UNCERTAIN:
            job = step(tx, "job_adopt", lease, now)
            note(tx, job, before=JobState.UNCERTAIN, actor=lease.runner, reason="adopted", now=now)
        return job if response is None else _store_response(tx, lease, job, response, now)

    @write
    def forget_sent(tx: Tx, lease: Lease) -> Forward:
        """Forget the job's id at its vendor, because it is that of another job.

        Returns:
            The remaining record: from now on it is unknown again whether the vendor has the job.

        Raises:
            StaleLease: As for `record_intent`.
            Conflict: There is no intent.
        """
        job_of_lease(tx, lease)
        tx.run("forward_forget_sent", job=lease.job)
        forward = _forward(tx, lease.job)
        if forward is None:
            raise Conflict("This job has not been sent.")
        return forward

    @write
    def record_response(tx: Tx, lease: Lease, response: bytes, now: int) -> Job:
        """Record that the device's own server refused a submission that was passed on.

        Raises:
            StaleLease: As for `record_intent`.
        """
        return _store_response(tx, lease, job_of_lease(tx, lease), response, now)

    @read
    def response(tx: Tx, job: str) -> SubmissionResponse:
        """Return what is known of the response to a submission that was passed on."""
        row = tx.one("forward_response", job=job)
        if row is None:
            return NO_RESPONSE
        return SubmissionResponse(row[0], None if row[1] is None else bytes(row[1]))

    @read
    def of_vendor_job(tx: Tx, device: str, vendor_job_id: str, account: str) -> Job | None:
        """Return an account's job by its id at the server of its device."""
        row = tx.one(
            "job_of_vendor_job", device=device, vendor_job_id=vendor_job_id, account=account
        )
        return rows.job(row) if row else None

    @read
    def vendor_jobs(
        tx: Tx, device: str, account: str, before: int, limit: int
    ) -> list[tuple[int, str]]:
        """Return the `seq` and the vendor's id of an account's jobs, newest first.

        Jobs of an exam are left out until its end.

        Args:
            tx: The transaction.
            device: Their device.
            account: Their account.
            before: Only jobs with a lower `seq`.
            limit: Maximum number of jobs.
        """
        found = tx.all(
            "vendor_job_list", device=device, account=account, before=before, limit=limit
        )
        return [(seq, id) for seq, id in found]

    @read
    def group(tx: Tx, job: str, sent_to: str) -> ForwardedGroup | None:
        """Return the group of a job.

        Args:
            tx: The transaction.
            job: The job.
            sent_to: As for `record_intent`; jobs sent with another address or key do not count.
        """
        row = tx.one("forward_group", job=job, sent_to=sent_to)
        return ForwardedGroup(*row) if row else None

    @write
    def withdraw(tx: Tx, lease: Lease) -> None:
        """Forget the intent: the vendor has not accepted the job. A record with its id there stays.

        Raises:
            StaleLease: As for `record_intent`.
        """
        job_of_lease(tx, lease)
        tx.run("forward_withdraw", job=lease.job)

    @write
    def leave_to_person(tx: Tx, lease: Lease, reason: str, now: int) -> Job:
        """Release a job of which nothing shows whether the other cloud has it.

        No runner adopts it until a person resolves it.

        Raises:
            StaleLease: As for `record_intent`.
        """
        job = job_of_lease(tx, lease)
        tx.run("forward_leave", job=job.id, unresolved=reason)
        after = release(tx, lease, job, reason, now)
        if after.state is not job.state:
            return after
        return _add_event(tx, job, actor=lease.runner, reason=reason, now=now)

    @write
    def resolve_sent(tx: Tx, job: str, vendor_job_id: str, *, actor: str, now: int) -> Job:
        """Record a person's statement that the other cloud has a job under this id.

        Raises:
            NotFound: There is no such job.
            Conflict: The job does not wait for a person, or another job of the device has this id.
        """
        found = _unresolved(tx, job)
        _check_unused(tx, found, vendor_job_id)
        tx.run("forward_resolve_sent", job=job, vendor_job_id=vendor_job_id, now=now)
        reason = f"a person says that it was sent and is {vendor_job_id} there"
        return _add_event(tx, found, actor=actor, reason=reason, now=now)

    @write
    def resolve_absent(tx: Tx, job: str, *, actor: str, now: int) -> Job:
        """Record a person's statement that the other cloud does not have a job: it is sent again.

        Raises:
            NotFound: There is no such job.
            Conflict: The job does not wait for a person.
        """
        found = _unresolved(tx, job)
        tx.run("forward_absent", job=job)
        reason = "a person says that it was not sent"
        return _add_event(tx, found, actor=actor, reason=reason, now=now)

    @write
    def abandon(tx: Tx, job: str, *, actor: str, now: int) -> Job:
        """End a job at another cloud as failed, whatever becomes of it there.

        A runner that follows the job stops when it notices that its lease is stale. A job that was
        abandoned before stays as it is.

        Raises:
            NotFound: There is no such job.
            Conflict: The job is not at another cloud, or has ended.
        """
        found = _existing(tx, job)
        if found.error_code == ABANDONED:
            return found
        if found.state not in _MAY_BE_ELSEWHERE or _forward(tx, job) is None:
            raise Conflict(
                "Only a job that is, or may be, at another cloud can be abandoned; this one is"
                f" {found.state}{' here' if found.state in _MAY_BE_ELSEWHERE else ''}."
            )
        nonce = f"{random_bits(128):032x}"
        row = tx.one("lease_take", job=job, nonce=nonce, runner=actor, request=None, now=None)
        assert row is not None
        text = f"An administrator gave up on this job, which was sent to {found.device}."
        lease = Lease(job=job, fence=row[0], nonce=nonce, runner=actor)
        return fail(tx, lease, Failure(ABANDONED, text), 0.0, now)

    @write_unflushed
    def put_mirror(
        tx: Tx, device: str, now: int, *, is_online: bool, reason: str, n_waiting: int
    ) -> None:
        """Store the state of a device at another cloud."""
        note_mirrored(tx, device, reason, now, is_online=is_online)
        tx.run(
            "mirror_put",
            device=device,
            is_online=int(is_online),
            reason=reason,
            n_waiting=n_waiting,
            now=now,
        )

    @read
    def unattended_devices(tx: Tx) -> set[str]:
        """Return the devices for which `claim_unattended` finds jobs."""
        return {device for (device,) in tx.all("job_unattended_devices")}

    async def claim_unattended(self, device: str, runner: str) -> Assignment | None:
        """Adopt a job that was forwarded to another cloud and has no runner.

        The job is `uncertain`, `cancelling` or, if its vendor's id is known, `running`, until its
        vendor reports its state. The database is written only if there is such a job.
        """
        if not await self._has_unattended(device):
            return None
        return await self._claim_unattended(device, runner)

    @read
    def _has_unattended(tx: Tx, device: str) -> bool:
        return tx.one("job_unattended", device=device) is not None

    @write_unflushed
    def _claim_unattended(
        tx: Tx, device: str, runner: str
    ) -> Assignment | Deferred[Assignment | None] | None:
        row = tx.one("job_unattended", device=device)
        return Deferred(assign(tx, rows.job(row), runner, None)) if row else None


def release(tx: Tx, lease: Lease, job: Job, reason: str, now: int) -> Job:
    """Release a job that runs, or may run, at another cloud, for another runner to adopt."""
    forward = _forward(tx, job.id)
    if job.state is JobState.RUNNING and forward is not None and not forward.vendor_job_id:
        job = step(tx, "job_doubt", lease, now)
        note(tx, job, before=JobState.RUNNING, actor=lease.runner, reason=reason, now=now)
    tx.run("lease_void", job=job.id)
    return job


def _forward(tx: Tx, job: str) -> Forward | None:
    row = tx.one("forward_get", job=job)
    return forward_of(row) if row else None


def _store_response(tx: Tx, lease: Lease, job: Job, response: bytes, now: int) -> Job:
    former = tx.one("forward_response_bytes", job=job.id)
    growth = len(response) - (former[0] if former else 0)
    quotas.add_bytes(tx, job, growth)
    tx.run("forward_respond", job=job.id, response=response)
    return _add_event(tx, job, actor=lease.runner, reason="the device's server responded", now=now)


def _add_event(tx: Tx, job: Job, *, actor: str, reason: str, now: int) -> Job:
    """Add an event to a job whose state stays."""
    row = tx.one("job_remark", job=job.id, now_us=now * 1000)
    assert row is not None
    job = record(tx, row, now)
    note(tx, job, before=job.state, actor=actor, reason=reason, now=now)
    return job


def _check_unused(tx: Tx, job: Job, vendor_job_id: str) -> None:
    row = tx.one(
        "forward_of_vendor_job", job=job.id, device=job.device, vendor_job_id=vendor_job_id
    )
    if row is not None:
        raise Conflict(f"{vendor_job_id} is the id of the job {row[0]} there.", field="sent_as")


def _existing(tx: Tx, job: str) -> Job:
    found = Jobs.get(tx, job)
    if found is None:
        raise NotFound("There is no such job.")
    return found


def _unresolved(tx: Tx, job: str) -> Job:
    found = _existing(tx, job)
    row = tx.one("forward_unresolved", job=job)
    if found.state.is_final or row is None or row[0] is None:
        raise Conflict(
            "This job needs no decision: only a job of which another cloud does not say whether it"
            f" has it does; this one is {found.state}."
        )
    return found
