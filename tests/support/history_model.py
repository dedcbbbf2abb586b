"""A reference model of the queue in plain Python, written from the design, not from the SQL.

It applies operations in the order of their commits, and checks the store's answer to each and the
changes that the store published. Where the design leaves a choice (a nonce, the order inside one
operation) it follows the store.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qwicket.circuits.outcomes import PartResult, RunResult
from qwicket.model.devices import DeviceStatus
from qwicket.model.errors import Conflict, KeyReused, LimitExceeded, NotFound, TooManyRequests
from qwicket.model.failures import Failure
from qwicket.model.groups import Group, NewGroup
from qwicket.model.jobs import Assignment, Forward, Job, Lease, NewJob, Runner
from qwicket.model.states import INITIAL, JobState, allows
from qwicket.store import Claim, HeldLease, JobChange, StaleLease

DAY_MS = 24 * 3600 * 1000
HALF_LIFE_MS = DAY_MS
MAX_ADVANTAGE_S = 60.0
MIN_COST_S = 0.001
TINY_S = 0.005
BATCH_S = 0.02
DEATHS = 3
ALIKE = 1e-9
"""Relative difference below which uses are equal: the order of sums may differ."""

_S = JobState
ENDED = {_S.COMPLETED, _S.FAILED, _S.CANCELLED}
UNDER_LEASE = {_S.RUNNING, _S.CANCELLING, _S.UNCERTAIN}


class Mismatch(AssertionError):
    """The store did something that the design does not allow."""


def expect(found: object, promised: object, what: str) -> None:
    if found != promised:
        raise Mismatch(f"{what}: {found!r}, but {promised!r} was promised")


@dataclass
class ModelJob:
    """The expected state of one job."""

    new: NewJob
    seq: int
    state: JobState
    change: int
    created_at: int
    version: int = 1
    attempts: int = 0
    est_seconds: float = 0.0
    queued_at: int | None = None
    started_at: int | None = None
    claimed_at: int = 0
    ended_at: int | None = None
    expires_at: int | None = None
    error_code: str | None = None
    fence: int = 0
    nonce: str | None = None
    runner: str | None = None
    forward: Forward | None = None
    outcomes: tuple[PartResult, ...] = ()

    @property
    def account(self) -> str:
        return self.new.account

    @property
    def queue(self) -> tuple[str, str]:
        """Return the queue in which it waits: the device, and the project that is charged."""
        return self.new.device, self.new.project

    @property
    def member(self) -> tuple[str, str, str]:
        """Return whose turn it is among the members of the project when the job starts."""
        return *self.queue, self.new.account

    def holds(self, lease: Lease) -> bool:
        newest = (self.fence, self.nonce) == (lease.fence, lease.nonce)
        return newest and self.runner is not None and self.state in UNDER_LEASE

    def check(self, found: Job) -> None:
        """Compare with a row that the store returned."""
        promised = {name: getattr(self, name) for name in _PROMISED}
        shown = {name: getattr(found, name) for name in _PROMISED}
        expect(shown, promised, f"the row of {found.id}")
        expect((found.device, found.project), self.queue, f"the place of {found.id}")


_PROMISED = (
    *("state", "version", "attempts", "change", "created_at", "queued_at", "started_at"),
    *("ended_at", "expires_at", "error_code", "seq"),
)


class Model:
    """The expected state of a store.

    Args:
        shares: Shares by project.
        runners: Runners that exist at the start.
    """

    def __init__(self, shares: Mapping[str, int], runners: Iterable[str]) -> None:
        self._shares = shares
        self._runners = set(runners)
        self.jobs: dict[str, ModelJob] = {}
        self._groups: dict[str, Group] = {}
        self._keys: dict[tuple[str, str, str], tuple[bytes, str, int]] = {}
        self._off: dict[str, int | None] = {}
        self._used: dict[tuple[str, ...], float] = {}
        self._epoch: int | None = None
        self._times: dict[str, tuple[int, int]] = {}
        self._nonces: set[str] = set()
        self._changed: list[tuple[str, int, JobState]] = []
        self._published: tuple[JobChange, ...] = ()

    def apply(
        self, name: str, args: tuple[Any, ...], answer: Any, published: Iterable[JobChange]
    ) -> None:
        """Apply one operation.

        Raises:
            Mismatch: The answer or the published changes are not the expected ones.
        """
        self._changed, self._published = [], tuple(published)
        verb: Callable[..., None] = getattr(self, name.replace(".", "_"))
        verb(answer, *args)
        if not isinstance(answer, Exception):
            found = [(each.job, each.version, each.state) for each in self._published]
            expect(found, self._changed, f"what {name} published")

    # --- jobs

    def jobs_add(self, answer: Any, new: NewJob, limit: int) -> None:
        earlier = self._keyed(new)
        if earlier is not None and earlier[0] != new.digest:
            return _refused(answer, KeyReused)
        if earlier is not None and earlier[1] in self.jobs:
            return self._same(answer, earlier[1])
        refusal = self._group_refuses(new) or self._queue_refuses(new, limit)
        if refusal is not None:
            return _refused(answer, refusal)
        self._insert(new, _given(answer, Job).seq)
        if new.idempotency_key is not None:
            key = (new.account, new.dialect, new.idempotency_key)
            self._keys[key] = (new.digest, new.id, new.now)
        return self._same(answer, new.id)

    def _keyed(self, new: NewJob) -> tuple[bytes, str, int] | None:
        found = self._keys.get((new.account, new.dialect, new.idempotency_key or ""))
        return found if found and found[2] >= new.now - DAY_MS else None

    def _group_refuses(self, new: NewJob) -> type[Exception] | None:
        if new.group is None:
            return None
        group = self._groups.get(new.group)
        if group is None or group.account != new.account:
            return NotFound
        is_over = group.expires_at is not None and new.now >= group.expires_at
        if group.state == "closed" or is_over or group.device not in (None, new.device):
            return Conflict
        members = sum(job.new.group == new.group for job in self.jobs.values())
        is_full = group.jobs_limit is not None and members >= group.jobs_limit
        return LimitExceeded if is_full else None

    def _queue_refuses(self, new: NewJob, limit: int) -> type[Exception] | None:
        waiting = sum(
            job.new.project == new.project and job.state in (_S.DRAFT, _S.QUEUED)
            for job in self.jobs.values()
        )
        return TooManyRequests if new.error is None and waiting >= limit else None

    def _insert(self, new: NewJob, seq: int) -> None:
        expect(seq > max((job.seq for job in self.jobs.values()), default=0), True, "seq rises")
        state = _S.FAILED if new.error else new.state
        expect(state in INITIAL, True, f"a job begins as {state}")
        created, change = self._times.get(new.account, (0, 0))
        created, change = max(new.now, created + 1), max(new.now * 1000, change + 1)
        self._times[new.account] = (created, change)
        job = ModelJob(new, seq, state, change, created, est_seconds=new.est_seconds)
        job.expires_at = new.expires_at
        job.queued_at = created if state is _S.QUEUED else None
        if new.error:
            job.ended_at, job.error_code = created, new.error.code
        self.jobs[new.id] = job
        self._changed.append((new.id, 1, state))
        if state is _S.QUEUED:
            self._enter(job, new.now)

    def jobs_admit(self, answer: Any, draft: str, ready: NewJob) -> None:
        job = self.jobs.get(draft)
        if job is None or job.state is not _S.DRAFT:
            return _refused(answer, Conflict)
        job.est_seconds, job.expires_at = ready.est_seconds, None
        job.queued_at = max(ready.now, job.created_at)
        self._step(job, _S.QUEUED, ready.now)
        self._enter(job, ready.now)
        return self._same(answer, draft)

    def jobs_refuse(self, answer: Any, draft: str, failure: Failure, now: int) -> None:
        job = self.jobs.get(draft)
        if job is None or job.state is not _S.DRAFT:
            return _refused(answer, Conflict)
        job.error_code = failure.code
        self._step(job, _S.FAILED, now)
        return self._same(answer, draft)

    def maintenance_expire_drafts(self, answer: Any, now: int) -> None:
        late = self._late_drafts(now)
        expect({each.job for each in self._published}, late, "drafts that expired")
        for each in self._published:
            self.jobs[each.job].error_code = "draft_expired"
            self._step(self.jobs[each.job], _S.FAILED, now)
        expect(answer, len(late), "their number")

    def _late_drafts(self, now: int) -> set[str]:
        return {
            id_
            for id_, job in self.jobs.items()
            if job.state is _S.DRAFT and job.expires_at is not None and job.expires_at <= now
        }

    def jobs_cancel(self, answer: Any, id_: str, now: int) -> None:
        if id_ not in self.jobs:
            return expect(answer, None, "cancel of an absent job")
        self._cancel(self.jobs[id_], now)
        return self._same(answer, id_)

    def jobs_cancel_group(self, answer: Any, group: str, now: int) -> None:
        states = (_S.DRAFT, _S.QUEUED, _S.RUNNING, _S.UNCERTAIN)
        members = [
            job for job in self.jobs.values() if job.new.group == group and job.state in states
        ]
        expect(answer, [job.new.id for job in members], "what of the group was cancelled")
        for job in members:
            self._cancel(job, now)

    def _cancel(self, job: ModelJob, now: int) -> None:
        if job.state in (_S.DRAFT, _S.QUEUED):
            self._step(job, _S.CANCELLED, now)
        elif job.state in (_S.RUNNING, _S.UNCERTAIN):
            self._step(job, _S.CANCELLING, now)

    def jobs_delete(self, answer: Any, id_: str) -> None:
        if id_ not in self.jobs:
            return _refused(answer, NotFound)
        if self.jobs[id_].state not in ENDED:
            return _refused(answer, Conflict)
        del self.jobs[id_]
        return expect(answer, None, "the answer of delete")

    def maintenance_delete_ended(self, answer: Any, before: int) -> None:
        old = self._old_jobs(before)
        expect(answer, len(old), "jobs deleted for their age")
        for id_ in old:
            del self.jobs[id_]

    def _old_jobs(self, before: int) -> list[str]:
        return [id_ for id_, job in self.jobs.items() if (job.ended_at or before) < before]

    def maintenance_delete_expired_keys(self, answer: Any, now: int) -> None:
        old = self._old_keys(now)
        expect(answer, len(old), "keys forgotten")
        for key in old:
            del self._keys[key]

    def _old_keys(self, now: int) -> list[tuple[str, str, str]]:
        return [key for key, (_, _, made_at) in self._keys.items() if made_at < now - DAY_MS]

    def maintenance_repair_fair_share(self, answer: Any, now: int) -> None:
        self._weight(now)
        expect(answer, 0, "projects about which fair share was wrong")

    # --- groups and devices

    def job_groups_open(self, answer: Any, new: NewGroup) -> None:
        group = _given(answer, Group)
        shown = (group.id, group.account, group.device, group.state, group.jobs_limit)
        expect(shown, (new.id, new.account, new.device, "open", new.jobs_limit), "a new group")
        self._groups[new.id] = group

    def job_groups_close(self, answer: Any, id_: str, now: int) -> None:
        if id_ not in self._groups:
            return _refused(answer, NotFound)
        group = self._groups[id_]
        if group.state == "open":
            closed = {"state": "closed", "closed_at": now}
            group = Group(**{**{f: getattr(group, f) for f in group.__struct_fields__}, **closed})
        self._groups[id_] = group
        return expect(answer, group, "a closed group")

    def devices_set_status(self, answer: Any, name: str, status: DeviceStatus, now: int) -> None:
        expect(answer, None, "the answer of set_status")
        self._off.pop(name, None)
        if not status.is_on:
            self._off[name] = status.until_at

    # --- leases

    def leases_claim(self, answer: Any, device: str, runner: str, now: int, maximum: int) -> None:
        seconds, was_tiny = 0.0, True
        taken = _given(answer, Claim).taken
        for number, each in enumerate(taken):
            due = self._due(device, now)
            expect(each.lease.job in due, True, f"it was the turn of {each.lease.job}")
            job = self.jobs[each.lease.job]
            was_tiny = job.est_seconds <= TINY_S and job.started_at is None
            expect(was_tiny or not number, True, "only tiny jobs travel together")
            if job.started_at is None:
                job.started_at = max(now, job.queued_at or 0)
            job.claimed_at = now
            self._step(job, _S.RUNNING, now)
            self._count(job, self._estimate(job))
            self._lend(job, each, runner)
            seconds += job.est_seconds
        expect(answer.is_last, not self._due(device, now), "whether more waits")
        if len(taken) < maximum and seconds < BATCH_S and was_tiny:
            left = [self.jobs[id_] for id_ in self._due(device, now)]
            is_fit = [job.est_seconds <= TINY_S and job.started_at is None for job in left]
            expect(bool(left) and (not taken or all(is_fit)), False, "a job was left that is due")

    def _due(self, device: str, now: int) -> set[str]:
        """Return the jobs whose turn it is: one, or some if projects or members tie."""
        if device in self._off and (self._off[device] or math.inf) > now:
            return set()
        waiting: dict[str, list[ModelJob]] = {}
        for job in self.jobs.values():
            if job.state is _S.QUEUED and job.new.device == device:
                waiting.setdefault(job.new.project, []).append(job)
        due: set[str] = set()
        for project in self._least(waiting, device):
            jobs = waiting[project]
            urgent = [job for job in jobs if job.new.priority > 0]
            members: dict[str, list[ModelJob]] = {}
            for job in jobs:
                members.setdefault(job.account, []).append(job)
            first = (
                [urgent]
                if urgent
                else [members[name] for name in self._least(members, device, project)]
            )
            heads = (min(each, key=lambda job: (-job.new.priority, job.seq)) for each in first)
            due |= {job.new.id for job in heads}
        return due

    def _least(self, names: Iterable[str], *within: str) -> list[str]:
        """Return who has used the least, or those between whom there is a tie."""
        used = {name: self._used[(*within, name)] for name in names}
        minimum = min(used.values(), default=0.0)
        return [name for name, use in used.items() if use <= minimum + ALIKE * (abs(minimum) + 1)]

    def _lend(self, job: ModelJob, given: Assignment, runner: str) -> None:
        lease = given.lease
        expect(lease.fence, job.fence + 1, f"the fence of {lease.job}")
        expect(lease.nonce in self._nonces, False, "a nonce came twice")
        self._nonces.add(lease.nonce)
        job.fence, job.nonce, job.runner = lease.fence, lease.nonce, runner
        shown = (lease.runner, given.state, given.attempts, given.forward)
        expect(shown, (runner, job.state, job.attempts, job.forward), f"the claim of {lease.job}")

    def forwards_claim_unattended(self, answer: Any, device: str, runner: str) -> None:
        left = [
            job
            for job in self.jobs.values()
            if job.new.device == device and job.state in UNDER_LEASE and job.runner is None
        ]
        oldest = min(left, key=lambda job: job.seq, default=None)
        found = answer.lease.job if answer else None
        expect(found, oldest.new.id if oldest else None, "the oldest that nobody looks after")
        if oldest is not None:
            self._lend(oldest, answer, runner)

    def leases_finish(self, answer: Any, lease: Lease, ran: RunResult, now: int) -> None:
        job = self._held(lease)
        if job is None:
            return _refused(answer, StaleLease)
        parts = () if isinstance(ran.result, Failure) else ran.result
        bad = [part for part in (*parts, ran.result) if isinstance(part, Failure)]
        job.outcomes = parts
        job.error_code = bad[0].code if bad else None
        self._end(job, _S.FAILED if bad else _S.COMPLETED, now)
        self._settle(job, self._counted_s(job, ran.seconds, now), now)
        return self._same(answer, lease.job)

    def leases_release(
        self, answer: Any, lease: Lease, reason: str, now: int, counts_as_attempt: bool
    ) -> None:
        job = self._held(lease)
        if job is None:
            return _refused(answer, StaleLease)
        self._release(job, now, counts_as_attempt=counts_as_attempt)
        return self._same(answer, lease.job)

    def _release(self, job: ModelJob, now: int, *, counts_as_attempt: bool) -> None:
        if job.forward is not None:
            if job.state is _S.RUNNING and job.forward.vendor_job_id is None:
                self._step(job, _S.UNCERTAIN, now)
            job.runner = job.nonce = None
        elif job.state is _S.CANCELLING:
            self._stop(job, now)
        elif counts_as_attempt and job.attempts + 1 >= DEATHS:
            job.attempts, job.error_code = job.attempts + 1, "worker_died"
            self._end(job, _S.FAILED, now)
            self._settle(job, self._counted_s(job, job.est_seconds, now), now)
        else:
            job.attempts += counts_as_attempt
            job.runner = job.nonce = None
            self._step(job, _S.QUEUED, now)
            self._count(job, -self._estimate(job))

    def leases_cancel_stopped(self, answer: Any, lease: Lease, now: int) -> None:
        job = self._held(lease)
        if job is None or job.state is _S.RUNNING:
            return _refused(answer, StaleLease)
        self._stop(job, now)
        return self._same(answer, lease.job)

    def _stop(self, job: ModelJob, now: int) -> None:
        """End a job that was cancelled while it ran, and count the time that it ran."""
        self._end(job, _S.CANCELLED, now)
        ran_s = min(max(0, now - (job.started_at or now)) / 1000, job.est_seconds)
        self._settle(job, ran_s, now)

    def forwards_record_intent(self, answer: Any, lease: Lease, marker: str, now: int) -> None:
        job = self._held(lease)
        if job is None:
            return _refused(answer, StaleLease)
        job.forward = job.forward or Forward(marker, None, intent_at=now)
        return expect(answer, job.forward, f"the intent of {lease.job}")

    def forwards_forget_sent(self, answer: Any, lease: Lease) -> None:
        job = self._held(lease)
        if job is None:
            return _refused(answer, StaleLease)
        if job.forward is None:
            return _refused(answer, Conflict)
        job.forward = job.forward._replace(vendor_job_id=None)
        return expect(answer, job.forward, f"what is left of {lease.job}'s forwarding")

    def forwards_record_sent(self, answer: Any, lease: Lease, vendor_job_id: str, now: int) -> None:
        job = self._held(lease)
        if job is None:
            return _refused(answer, StaleLease)
        if any(
            each is not job
            and each.new.device == job.new.device
            and each.forward is not None
            and each.forward.vendor_job_id == vendor_job_id
            for each in self.jobs.values()
        ):
            return _refused(answer, Conflict)
        if job.forward is not None:
            job.forward = job.forward._replace(vendor_job_id=vendor_job_id)
        if job.state is _S.UNCERTAIN:
            self._step(job, _S.RUNNING, now)
        return self._same(answer, lease.job)

    def leases_void_runner(self, answer: Any, runner: str, now: int) -> None:
        self._void(answer, {runner}, now)

    def leases_void_orphaned_leases(self, answer: Any, now: int) -> None:
        holders = {job.runner for job in self.jobs.values() if job.runner is not None}
        self._void(answer, holders - self._runners, now)

    def _void(self, answer: Any, runners: set[str], now: int) -> None:
        held = {id_ for id_, job in self.jobs.items() if job.runner in runners}
        found = [job.id for job in _given(answer, list)]
        expect(sorted(found), sorted(held), f"what {runners} held")
        for job in answer:
            self._release(self.jobs[job.id], now, counts_as_attempt=False)
            self._same(job, job.id)
        self._runners -= runners

    def leases_record_heartbeat(self, answer: Any, runner: Runner, now: int) -> None:
        expect(answer, None, "the answer of a beat")
        self._runners.add(runner.id)

    # --- reads

    def shows(self, name: str, args: tuple[Any, ...], answer: Any) -> None:
        """Compare the answer of a read with the state of the model.

        Raises:
            Mismatch: They differ.
        """
        reads = {
            "jobs.get": self._shows_job,
            "jobs.results": self._shows_results,
            "leases.held": self._shows_held,
            "queues.state": self._shows_queue,
            "maintenance.expire_drafts": lambda done, now: self._none_due(
                done, self._late_drafts(now)
            ),
            "maintenance.delete_ended": lambda done, before: self._none_due(
                done, self._old_jobs(before)
            ),
            "maintenance.delete_expired_keys": lambda done, now: self._none_due(
                done, self._old_keys(now)
            ),
            "maintenance.repair_fair_share": self._shows_epoch,
        }
        reads[name](answer, args[0])

    def _none_due(self, answer: Any, due: Collection[object]) -> None:
        expect((answer, len(due)), (0, 0), "what was due when nothing was written")

    def _shows_epoch(self, answer: Any, now: int) -> None:
        expect((answer, self._epoch is None), (0, False), "fair share has an epoch")

    def _shows_job(self, answer: Any, id_: str) -> None:
        self._same(answer, id_) if id_ in self.jobs else expect(answer, None, "an absent job")

    def _shows_results(self, answer: Any, id_: str) -> None:
        present = self.jobs[id_].outcomes if id_ in self.jobs else ()
        expect(answer, list(present), f"the outcomes of {id_}")

    def _shows_held(self, answer: Any, runner: str) -> None:
        held = {
            HeldLease(
                Lease(job=id_, fence=job.fence, nonce=job.nonce or "", runner=runner), job.state
            )
            for id_, job in self.jobs.items()
            if job.runner == runner
        }
        expect(set(answer), held, f"what {runner} holds")

    def _shows_queue(self, answer: Any, device: str) -> None:
        waiting = [j for j in self.jobs.values() if j.new.device == device and j.state is _S.QUEUED]
        expect({each.id for each in answer.waiting}, {j.new.id for j in waiting}, "who waits")
        found = {share.project: share.vtime for share in answer.shares}
        expect(set(found), {job.new.project for job in waiting}, "projects with work")
        for project, vtime in found.items():
            used = self._used[device, project]
            is_near = math.isclose(vtime, used, rel_tol=ALIKE, abs_tol=ALIKE)
            expect(is_near, True, f"use of {project}: {vtime}, promised {used}")

    # --- what is common

    def _same(self, answer: Any, id_: str) -> None:
        found = _given(answer, Job)
        expect(found.id, id_, "the job answered")
        self.jobs[id_].check(found)

    def _counted_s(self, job: ModelJob, seconds: float, now: int) -> float:
        """Return a run time, or the time since the job's claim if that is less."""
        return min(seconds, max(1, now - job.claimed_at) / 1000)

    def _held(self, lease: Lease) -> ModelJob | None:
        job = self.jobs.get(lease.job)
        return job if job is not None and job.holds(lease) else None

    def _step(self, job: ModelJob, after: JobState, now: int) -> None:
        expect(allows(job.state, after), True, f"a step from {job.state} to {after}")
        created, change = self._times[job.account]
        job.change = max(now * 1000, change + 1)
        self._times[job.account] = (created, job.change)
        job.state = after
        job.version += 1
        if after in ENDED:
            job.ended_at = max(now, job.started_at or job.queued_at or job.created_at)
        self._changed.append((job.new.id, job.version, after))

    def _end(self, job: ModelJob, after: JobState, now: int) -> None:
        self._step(job, after, now)
        job.runner = job.nonce = None

    def _enter(self, job: ModelJob, now: int) -> None:
        """Let one that had no work begin at most the advantage below the others' least."""
        device, project = job.queue
        others = [
            other
            for other in self.jobs.values()
            if other is not job and other.new.device == device and other.state is _S.QUEUED
        ]
        members = {other.account for other in others if other.new.project == project}
        self._open((device,), project, {other.new.project for other in others}, now)
        self._open((device, project), job.account, members, now)

    def _open(self, within: tuple[str, ...], name: str, waiting: Collection[str], now: int) -> None:
        if name in waiting:
            return
        advantage = MAX_ADVANTAGE_S * self._weight(now)
        minimum = min((self._used[(*within, each)] for each in waiting), default=0.0)
        floor = max(0.0, minimum - advantage) if waiting else 0.0
        self._used[(*within, name)] = max(self._used.get((*within, name), 0.0), floor)

    def _estimate(self, job: ModelJob) -> float:
        """Return what a job counts until it ends: what is counted is what is given back."""
        assert job.started_at is not None
        return max(job.est_seconds, MIN_COST_S) * self._weight(job.started_at)

    def _settle(self, job: ModelJob, seconds: float, now: int) -> None:
        """Count the seconds that a job took, in place of its estimate."""
        self._count(job, max(seconds, MIN_COST_S) * self._weight(now) - self._estimate(job))

    def _count(self, job: ModelJob, used: float) -> None:
        self._used[job.queue] += used / self._shares[job.new.project]
        self._used[job.member] += used

    def _weight(self, now: int) -> float:
        """Return the weight of a second of use; decay is counted from the first use."""
        if self._epoch is None:
            self._epoch = now
        return float(2.0 ** ((now - self._epoch) / HALF_LIFE_MS))


def _given(answer: Any, kind: type[Any]) -> Any:
    if not isinstance(answer, kind):
        raise Mismatch(f"the answer is {answer!r}, but a {kind.__name__} was promised")
    return answer


def _refused(answer: Any, refusal: type[Exception]) -> None:
    expect(type(answer), refusal, f"a refusal ({answer!r})")
