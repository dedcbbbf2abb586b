"""Operations of runners on leases: claim, renew, finish, release; and runners' heartbeats."""

from __future__ import annotations

from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.errors import LimitExceeded, QwicketError, StaleLease
from qwicket.model.failures import Failure
from qwicket.model.jobs import (
    TINY_S,
    Assignment,
    Capacity,
    Job,
    Lease,
    Progress,
    Runner,
    scaler_duty,
    worker_group,
)
from qwicket.model.states import JobState
from qwicket.store import fair_share, outcomes, rows
from qwicket.store.backlog import TASK_OPERATIONS, TASK_S
from qwicket.store.changes import record
from qwicket.store.database import Deferred
from qwicket.store.devices import note_away, note_online
from qwicket.store.events import note
from qwicket.store.lease_steps import (
    assign,
    end,
    end_step,
    fail,
    give_back_all,
    job_of_lease,
    lease_key,
    step,
)
from qwicket.store.operations import Operations, read, scan, write, write_unflushed
from qwicket.store.queue_state import Claimable
from qwicket.store.quotas import add_bytes, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from concurrent.futures import Future

    from qwicket.model.jobs import RunnerKind
    from qwicket.store.database import Row, Tx

MAX_ATTEMPTS: Final = 3
"""Counted attempts after which a job fails."""

_NO_PROGRESS: Final[Mapping[str, Progress]] = MappingProxyType({})
_progress: Final = msgspec.json.Decoder(Progress)

_EXPRESS_CANDIDATES: Final = 100
"""Jobs read for one express claim: others may take the first ones or alone serve their devices."""

_NO_LIMIT: Final = Capacity()


class HeldLease(NamedTuple):
    """A lease, the state of its job, and the number of the pilot's request that claimed it.

    `request` is None unless a pilot holds the lease.
    """

    lease: Lease
    state: JobState
    request: int | None = None


class Claim(NamedTuple):
    """Result of a claim.

    Attributes:
        taken: Jobs, each with its lease: one, or several tiny ones.
        is_last: Whether another claim would be useless: nothing was claimed, or no more jobs wait
            for the device. An express claim that finds a job does not look for more: False.
    """

    taken: list[Assignment]
    is_last: bool


_NO_JOBS: Final = Claim([], is_last=True)


class Leases(Operations):
    """Lease operations, for the server's dispatcher and for pilots."""

    @write
    def add_runner(
        tx: Tx,
        runner: str,
        kind: RunnerKind,
        now: int,
        *,
        slots: int = 0,
        express_slots: int = 0,
    ) -> None:
        _add_runner(tx, Runner(runner, kind, 0, slots, express_slots=express_slots), now)

    @write
    def register(tx: Tx, runner: Runner, now: int) -> None:
        _add_runner(tx, runner, now)

    def record_heartbeat(self, runner: Runner, now: int) -> Future[None]:
        """Increment a runner's heartbeat and store its number of slots.

        It is called in a thread, because an event loop may stall. A runner that was declared
        dead is registered again, without its former leases.
        """
        return self._database.submit(lambda tx: _beat(tx, runner, now))

    @read
    def runners(tx: Tx) -> list[Runner]:
        return [rows.runner(row) for row in tx.all("runner_list")]

    @write
    def void_runner(tx: Tx, runner: str, now: int, reason: str = "its runner is dead") -> list[Job]:
        """Release all leases of a runner, without counting an attempt, and delete the runner."""
        released = [
            Leases.release(tx, each.lease, reason, now, counts_as_attempt=False)
            for each in Leases.held(tx, runner)
        ]
        note_away(tx, runner, now)
        tx.run("runner_remove", id=runner)
        return released

    @write
    def void_dead_runner(tx: Tx, runner: str, beat: int, now: int) -> list[Job] | None:
        """Void a runner whose last heartbeat is `beat`; return None if it has a newer one.

        On a slow disk, the newer one may have waited to be written for longer than the lease time.
        """
        if tx.one("runner_at_beat", id=runner, beat=beat) is None:
            return None
        return Leases.void_runner(tx, runner, now)

    async def void_orphaned_leases(self, now: int) -> list[Job]:
        """Release the leases whose runners no longer exist."""
        return await self._void_orphaned_leases(now) if await self._has_orphaned_leases() else []

    @scan
    def _has_orphaned_leases(tx: Tx) -> bool:
        return tx.one("lease_orphans") is not None

    @write
    def _void_orphaned_leases(tx: Tx, now: int) -> list[Job]:
        orphans = tx.all("lease_orphans")
        return [job for (runner,) in orphans for job in Leases.void_runner(tx, runner, now)]

    async def claim(
        self,
        device: str,
        runner: str,
        now: int,
        *,
        maximum: int = 1,
        n_tasks: int = 1,
        durable: bool = False,
        capacity: Capacity = _NO_LIMIT,
        only_tiny: bool = False,
        request: int | None = None,
    ) -> Claim:
        """Claim the next job of a device, or up to `maximum` tiny ones.

        By default the claim is not flushed to disk. A power cut then queues the jobs again, which
        is harmless for simulations but not for a lab (`durable`).

        Args:
            device: Name of the device.
            runner: Id of the runner.
            now: Unix milliseconds.
            maximum: Limit on jobs.
            n_tasks: Number of tasks that they fill at most.
            durable: Whether the claim is on disk when this returns.
            capacity: Only jobs that fit are claimed.
            only_tiny: Whether to claim nothing if the next job is not tiny, or ran before.
            request: Number of the pilot's request; None for other runners.
        """
        return await self._database.write(
            lambda tx: _claim(
                tx, device, runner, now, maximum, n_tasks, capacity, request, only_tiny=only_tiny
            ),
            durable=durable,
        )

    @read
    def claimable(tx: Tx, now: int) -> Claimable:
        """Return the devices with jobs that may start now, without a write transaction."""
        *found, (_, due_at, reserves_slots) = tx.all("share_devices", now=now)
        return Claimable({device for device, _, _ in found}, due_at, bool(reserves_slots))

    async def claim_express(self, devices: Collection[str], runner: str, now: int) -> Claim:
        """Claim the next short job of some devices. If none waits, nothing is written.

        Accounts take turns, the least recently served first.
        """
        for job, device in await self._express_jobs(now):
            if device in devices and (claimed := await self._claim_express(job, runner, now)).taken:
                return claimed
        return _NO_JOBS

    @scan
    def _express_jobs(tx: Tx, now: int) -> list[Row]:
        return tx.all("express_next", now=now, limit=_EXPRESS_CANDIDATES)

    @write_unflushed
    def _claim_express(tx: Tx, job: str, runner: str, now: int) -> Claim | Deferred[Claim]:
        fair_share.prefetch(tx)
        row = tx.one("job_claim_express", job=job, runner=runner, now=now, now_us=now * 1000)
        if row is None:  # another runner claimed it, or its user cancelled it
            return _NO_JOBS
        claimed = record(tx, row, now)
        fair_share.charge(tx, claimed, now)
        tx.run("express_turn", account=claimed.account)
        assigned = assign(tx, claimed, runner, now)
        return Deferred(lambda: Claim([assigned()], is_last=False))

    @write
    def requeue_overrun(tx: Tx, lease: Lease, reason: str, now: int, *, barred_until: int) -> Job:
        """Queue a job that exceeded the bounds of an express slot, now for worker slots alone.

        Its account is barred from express slots until `barred_until` (Unix ms). The attempt is not
        counted, and its project's usage is refunded. A `cancelling` job is cancelled instead.

        Raises:
            StaleLease: As for `finish`.
        """
        job = Leases.release(tx, lease, reason, now, counts_as_attempt=False)
        tx.run("job_leave_express", job=job.id)
        tx.run("express_bar", account=job.account, until=barred_until)
        return job

    @write_unflushed
    def renew(
        tx: Tx,
        runner: Runner,
        known: Collection[Lease],
        settled: int,
        now: int,
        progress: Mapping[str, Progress] = _NO_PROGRESS,
        *,
        maximum: int | None = None,
    ) -> list[HeldLease]:
        """Increment a pilot's heartbeat, and compare its list of leases with the stored ones.

        A stored lease that is not in `known` is released if the request that claimed it is not
        pending: the pilot has its response, or no longer awaits it. A pilot that was declared dead
        is registered again, without its former leases.

        Args:
            tx: The transaction.
            runner: The pilot; an agent has a device.
            known: Leases that it reports to hold.
            settled: Number up to which none of its requests is pending.
            now: Unix milliseconds.
            progress: Reported progress by job.
            maximum: Limit on pilots, or on the agents of its device; None sets no limit.

        Returns:
            The valid leases of the pilot, with the state of each job.

        Raises:
            LimitExceeded: The pilot is new and there are `maximum` already.
        """
        if not tx.count("runner_beat", **rows.runner_columns(runner)):
            _check_room(tx, runner, maximum)
            _add_runner(tx, runner, now)
        if runner.device is not None:
            tx.run("device_seen", name=runner.device, now=now)
        held = []
        for held_lease in Leases.held(tx, runner.id):
            lease, request = held_lease.lease, held_lease.request
            if lease not in known and request is not None and request <= settled:
                reason = "its claim was made, but its worker did not receive it"
                Leases.release(tx, lease, reason, now, counts_as_attempt=False)
                continue
            held.append(held_lease)
            if lease in known and lease.job in progress:
                text = msgspec.json.encode(progress[lease.job]).decode()
                tx.run("lease_progress", **lease_key(lease), progress=text)
        return held

    @read
    def holds(tx: Tx, lease: Lease) -> bool:
        """Return whether a lease is the newest of its job and still belongs to its runner."""
        return tx.one("lease_of_runner", **lease_key(lease), runner=lease.runner) is not None

    @read
    def held_by(tx: Tx, job: str) -> Lease | None:
        """Return the lease of a job, or None if no runner holds one."""
        row = tx.one("lease_of_job", job=job)
        return Lease(job=job, fence=row[0], nonce=row[1], runner=row[2]) if row else None

    @read
    def progress(tx: Tx, job: str) -> Progress | None:
        """Return the progress that the holder of a job's lease last reported."""
        row = tx.one("lease_progress_get", job=job)
        return _progress.decode(row[0]) if row else None

    @scan
    def held(tx: Tx, runner: str) -> list[HeldLease]:
        """Return the stored leases of a runner, with the states of their jobs."""
        tx.write_sums()
        return [
            HeldLease(
                Lease(job=job, fence=fence, nonce=nonce, runner=runner), JobState(state), request
            )
            for job, fence, nonce, state, request in tx.all("lease_states", runner=runner)
        ]

    async def finish(self, lease: Lease, result: RunResult, now: int) -> Job:
        """End a job with its results or its failure, in one operation.

        Its run time counts as at most the time since its claim. For a job at another cloud that is
        the first claim.

        Large results are written in chunks before, so that others write in between.

        Raises:
            StaleLease: The job has been queued again, another runner has it, or it has ended.
        """
        await self._write_large(result)
        try:
            return await self._finish(lease, result, now)
        except StaleLease:
            with suppress(QwicketError):  # a starting server deletes leftovers
                for body in _large(result):
                    await self._drop_chunks(body.sha256)
            raise

    async def finish_all(self, ended: Sequence[tuple[Lease, RunResult]], now: int) -> list[Job]:
        """End several jobs as `finish` does, in one operation: all of them or none.

        Raises:
            StaleLease: As for `finish`, for any of them.
        """
        for _, result in ended:
            await self._write_large(result)
        return await self._finish_all(ended, now)

    @write
    def _finish_all(tx: Tx, ended: Sequence[tuple[Lease, RunResult]], now: int) -> list[Job]:
        return [Leases._finish(tx, lease, result, now) for lease, result in ended]

    async def _write_large(self, result: RunResult) -> None:
        for body in _large(result):
            for number, chunk in enumerate(outcomes.chunks(body)):
                await self._add_chunk(body.sha256, number, chunk)

    @write_unflushed
    def _add_chunk(tx: Tx, sha256: bytes, number: int, chunk: bytes) -> None:
        tx.run("blob_add", sha256=sha256, part=number, bytes=chunk)

    @write_unflushed
    def _drop_chunks(tx: Tx, sha256: bytes) -> None:
        """Delete chunks that no stored result refers to."""
        tx.run("blob_drop", sha256=sha256)

    @write
    def _finish(tx: Tx, lease: Lease, result: RunResult, now: int) -> Job:
        if isinstance(result.result, Failure):
            return fail(tx, lease, result.result, result.seconds, now)
        failure = next((part for part in result.result if isinstance(part, Failure)), None)
        fair_share.prefetch(tx)
        if failure is None:
            small = outcomes.if_small(result.result)
            job, seconds = end_step(tx, "job_complete", lease, now, result.seconds, small)
            parts = job.n_circuits
        else:
            before = job_of_lease(tx, lease).state
            columns = rows.failure_columns(failure)
            parts = sum(not isinstance(part, Failure) for part in result.result)
            given = {**columns, "counts_as_attempt": 0, "parts": parts}
            job, seconds = end_step(tx, "job_fail", lease, now, result.seconds, **given)
            note(tx, job, before=before, actor=lease.runner, reason=failure.code, now=now)
        outcomes.add(tx, job.id, result.result)
        stored = sum(map(outcomes.size, result.result))
        # Without a limit, because the work is done.
        add_bytes(tx, job, stored)
        end(tx, job, seconds, now, shots=job.shots * parts)
        return job

    @write
    def release(
        tx: Tx,
        lease: Lease,
        reason: str,
        now: int,
        *,
        counts_as_attempt: bool,
        actor: str | None = None,
    ) -> Job:
        """Queue the job again; fail it if this is its third counted attempt.

        A forwarded job instead continues at its vendor and waits to be adopted; if it is unknown
        whether it arrived there, it becomes `uncertain`. Any other `cancelling` job is cancelled,
        because no runner works on it any more. The event of a queued job names `actor`, by default
        the runner.

        Raises:
            StaleLease: As for `finish`.
        """
        job = job_of_lease(tx, lease)
        if tx.one("forward_get", job=job.id) is not None:
            from qwicket.store.forwards import release  # late: few servers forward jobs

            return release(tx, lease, job, reason, now)
        if job.state is JobState.CANCELLING:
            return Leases.cancel_stopped(tx, lease, now)
        if counts_as_attempt and job.attempts + 1 >= MAX_ATTEMPTS:
            text = f"The job ended its worker {MAX_ATTEMPTS} times: {reason.rstrip('.')}."
            return fail(
                tx, lease, Failure("worker_died", text), job.est_seconds, now, counts_as_attempt=1
            )
        job = step(tx, "job_release", lease, now, counts_as_attempt=int(counts_as_attempt))
        tx.run("lease_void", job=job.id)
        fair_share.refund(tx, job, now)
        note(tx, job, before=JobState.RUNNING, actor=actor or lease.runner, reason=reason, now=now)
        return job

    @write_unflushed
    def give_back(tx: Tx, leases: Sequence[Lease], now: int) -> None:
        """Queue jobs again that were claimed with their submission and have not begun.

        To their owners they have waited all the time, so they have not started. One that is
        `cancelling` is cancelled, and has used nothing. Those whose lease is stale are left out.
        """
        give_back_all(tx, leases, now)

    @write
    def cancel_stopped(tx: Tx, lease: Lease, now: int) -> Job:
        """Cancel a job that certainly runs no longer, here or at another cloud.

        The time since its first start counts as used. After a second claim this time may include
        waiting, so it counts up to the estimate. For fair share it never counts more than that.

        Raises:
            StaleLease: As for `finish`.
        """
        before = job_of_lease(tx, lease)
        assert before.started_at is not None
        seconds = max(0, now - before.started_at) / 1000
        if lease.fence > 1:
            seconds = min(seconds, before.est_seconds)
        job = step(tx, "job_cancel", lease, now, used_us=round(seconds * 1e6))
        tx.gather("lease_end", job.id)
        fair_share.settle(tx, job, min(seconds, job.est_seconds), now)
        settle(tx, job, 1, 0, seconds)
        note(tx, job, before=before.state, actor=lease.runner, reason="stopped", now=now)
        return job


def _large(result: RunResult) -> list[Encoded]:
    """Return the results that are stored in chunks."""
    parts = () if isinstance(result.result, Failure) else result.result
    return [each for each in parts if isinstance(each, Encoded) and outcomes.chunks(each)]


def _beat(tx: Tx, runner: Runner, now: int) -> None:
    if not tx.count("runner_beat", **rows.runner_columns(runner)):
        _add_runner(tx, runner, now)
    tx.run("runner_slots", id=runner.id, slots=runner.slots)


def _add_runner(tx: Tx, runner: Runner, now: int) -> None:
    if runner.device is not None:
        note_online(tx, runner.device, now)
    if runner.kind == "pilot":
        tx.run("duty_count", name=scaler_duty(worker_group(runner.id)))
    tx.run("runner_add", now=now, **rows.runner_columns(runner))


def _check_room(tx: Tx, runner: Runner, maximum: int | None) -> None:
    """Refuse a new agent or worker beyond the limit."""
    if runner.device is None:
        row = tx.one("runner_count", kind=runner.kind)
        what = "There are {} workers on other machines (limit pilots). Dead ones"
    else:
        row = tx.one("device_presence", name=runner.device)
        what = f"{runner.device} has {{}} agents (limit device_agents). Dead agents"
    if maximum is not None and row is not None and int(row[0]) >= maximum:
        raise LimitExceeded(
            f"{what.format(maximum)} are removed after their lease time.", field="pilot"
        )


def _claim(
    tx: Tx,
    device: str,
    runner: str,
    now: int,
    maximum: int,
    n_tasks: int,
    capacity: Capacity,
    request: int | None,
    *,
    only_tiny: bool,
) -> Claim | Deferred[Claim]:
    taken: list[Callable[[], Assignment]] = []
    seconds, operations = 0.0, 0
    filters = {
        "device": device,
        "runner": runner,
        "now": now,
        "now_us": now * 1000,
        "max_bytes": capacity.memory_bytes,
        "max_seconds": capacity.seconds,
        **rows.project_columns(capacity.projects),
    }
    tx.write_sums()
    fair_share.prefetch(tx)
    while (
        len(taken) < maximum
        and seconds < n_tasks * TASK_S
        and operations < n_tasks * TASK_OPERATIONS
    ):
        row = tx.one("job_claim", **filters, longest=TINY_S if taken or only_tiny else None)
        if row is None:
            break
        *columns, n_leases = row
        job = record(tx, tuple(columns), now)
        fair_share.charge(tx, job, now)
        taken.append(assign(tx, job, runner, now, request))
        seconds += job.est_seconds
        operations += job.n_ops_1q + job.n_ops_2q
        if job.est_seconds > TINY_S or n_leases:
            break  # a job that ran before runs alone, because it may kill its worker
    if not taken:
        return _NO_JOBS
    more = tx.later("share_waits", device=device)
    return Deferred(lambda: Claim([each() for each in taken], is_last=more() is None))
