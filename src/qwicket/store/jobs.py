"""Operations on jobs: submit, read, list, cancel, delete; and read their results."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import structs

from qwicket.model.errors import Conflict, Forbidden, KeyReused, TooManyRequests
from qwicket.model.ids import created_ms
from qwicket.model.jobs import KEY_LIFE_MS, Job, JobQuery, NewJob, as_queued
from qwicket.model.limits import INT64_MAX, NO_STORED_LIMIT
from qwicket.model.states import JobState
from qwicket.store import fair_share, job_groups, outcomes, quotas, rows, search
from qwicket.store.changes import publish, record
from qwicket.store.database import Deferred
from qwicket.store.events import note
from qwicket.store.lease_steps import give_back_all
from qwicket.store.operations import Operations, read, scan, write, write_unflushed
from qwicket.store.rows import existing
from qwicket.store.statements import ROW_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from qwicket.circuits.outcomes import PartResult
    from qwicket.model.errors import QwicketError
    from qwicket.model.failures import Failure
    from qwicket.model.jobs import Lease
    from qwicket.model.limits import StoredLimit
    from qwicket.store.database import Row, Tx

_CANCELLED_AT_ONCE: Final = 200
"""Jobs that one operation cancels at most, so that others write in between."""
_NO_VENDOR_FIELDS: Final = b"{}"
_TAKEN: Final = 2
"""Version of a job that a runner takes with its submission."""


class JobEvent(NamedTuple):
    """An event of a job: what an actor did to it when its version became `version`."""

    version: int
    at: int
    before: str
    after: str
    actor: str
    reason: str


class Program(NamedTuple):
    """A program as it was submitted."""

    format: str
    source: bytes


class SubmittedProgram(NamedTuple):
    """A program as it was submitted, with its inputs as JSON and its packed options."""

    format: str
    source: bytes
    inputs: str
    options: bytes


class PackedProgram(NamedTuple):
    """The circuits and options of a job, packed, and its device."""

    device: str
    circuits: bytes
    options: bytes


class JobSizes(NamedTuple):
    """Bytes of a job's program and of its stored results."""

    program: int
    results: int


class Jobs(Operations):
    """Operations on jobs, except running them (see `leases`).

    An empty `devices` selects the jobs on all devices.
    """

    @write
    def add(
        tx: Tx,
        new: NewJob,
        *,
        waiting_limit: int,
        member_limit: int = INT64_MAX,
        unfinished_limit: int | None = None,
        stored_limit: StoredLimit = NO_STORED_LIMIT,
        offer: Lease | None = None,
    ) -> Job | Deferred[Job]:
        """Store a job with its program and vendor fields; on disk when this returns.

        If the idempotency key of `new` has created a job within the key's life, return that job.

        Args:
            tx: The transaction.
            new: The job.
            waiting_limit: Limit on the jobs of the project that wait.
            member_limit: Limit on those of the account, if the project has other members.
            unfinished_limit: Limit on its jobs on this device that have not ended; None sets none.
            stored_limit: Bytes that project and account may store.
            offer: Lease with which a runner takes the job at once, if no other job waits for the
                device, no administrator or reservation holds it, and no budget counts it. Then the
                job is stored as running; what this returns is the job as it was queued.

        Raises:
            KeyReused: The key came with other content.
            TooManyRequests: The project has `waiting_limit` jobs waiting or the account
                `member_limit`, or the project has `unfinished_limit` on this device that have not
                ended; or the account has too many waiting in an exam.
            Forbidden: The account is a reader of the project.
            NotFound: The account has no such group.
            Conflict: The group is closed, or was opened for another device.
            BudgetSpent: A budget of the project has no room for the job; or the token has bounds
                and may not submit it (`bounds.check`).
            LimitExceeded: The group is full, or project or account would store more than
                `stored_limit`.
        """
        if new.idempotency_key is not None:
            earlier = Jobs.by_idempotency_key(
                tx,
                account=new.account,
                dialect=new.dialect,
                key=new.idempotency_key,
                digest=new.digest,
                now=new.now,
                life_ms=new.key_life_ms,
            )
            if earlier is not None:
                return earlier
        quotas.check_unfinished(tx, new, unfinished_limit)
        quotas.check_exam(tx, new)
        quotas.check_bounds(tx, new)
        if new.group is not None:
            job_groups.check_accepts_job(tx, new.group, new.account, new.device, new.now)
        state = JobState.FAILED if new.error else new.state
        columns = _columns(new, new.id) | {"state": state, "runner": offer and offer.runner}
        added = _insert(tx, columns, waiting_limit, member_limit)
        size = ROW_BYTES + quotas.text_bytes(columns["name"], columns["tags"], new.choice or "")
        if state is JobState.QUEUED:
            added = quotas.reserve_if_needed(tx, new, added)
            size += quotas.program_bytes(new)
            tx.run("program_add", **columns)
            # A claim in this batch must see that the job waits.
            if offer is None or not (tx.reads_late or added()[1] == _TAKEN):
                fair_share.enter(tx, new, new.now)
        if new.vendor_fields != _NO_VENDOR_FIELDS:
            size += len(new.vendor_fields)
            tx.run("vendor_fields_add", **columns)
        quotas.count_bytes(tx, new, size, stored_limit)
        if new.idempotency_key is not None:
            tx.run("idempotency_put", **columns)
        return Deferred(lambda: _added(tx, _inserted_job(new, columns, added()), new.now, offer))

    @write_unflushed
    def add_unflushed(tx: Tx, /, new: NewJob, **limits: Any) -> Job | Deferred[Job]:
        """Store a job like `add`; a power cut before the next durable write may lose it."""
        return Jobs.add(tx, new, **limits)

    @write
    def admit(
        tx: Tx, draft: str, ready: NewJob, *, stored_limit: StoredLimit = NO_STORED_LIMIT
    ) -> Job | Deferred[Job]:
        """Queue a draft whose program has passed all checks.

        Vendor fields, if there are any, replace those of the draft; the upload is deleted.

        Args:
            tx: The transaction.
            draft: Id of the job.
            ready: The program and its numbers. Account and device are those of the draft.
            stored_limit: Bytes that its project and account may store.

        Raises:
            Conflict: The job is no longer a draft.
            LimitExceeded: Project or account would have over `stored_limit`; the draft stays.
            BudgetSpent: As for `add`; the draft stays.
            TooManyRequests: The account has too many jobs waiting in an exam; the draft stays.
        """
        quotas.check_exam(tx, ready)
        quotas.check_bounds(tx, ready)
        columns = _columns(ready, draft)
        row = tx.one("job_admit", **columns)
        if row is None:
            raise Conflict("The job is no longer a draft.")
        *admitted, has_budget = row
        job = record(tx, tuple(admitted), ready.now)
        if has_budget:
            quotas.reserve(tx, ready, draft, job.project)
        tx.run("program_add", **columns)
        growth = quotas.program_bytes(ready)
        tx.run("upload_forget", job=draft)
        if ready.vendor_fields != _NO_VENDOR_FIELDS:
            former = tx.one("vendor_fields_get", id=draft)
            growth += len(ready.vendor_fields) - (len(former[0]) if former else 0)
            tx.run("vendor_fields_put", **columns)
        quotas.count_bytes(tx, job, growth, stored_limit)
        fair_share.enter(tx, job, ready.now)
        return job

    @write
    def refuse(tx: Tx, draft: str, failure: Failure, now: int) -> Job:
        """Fail a draft whose program was refused or did not arrive in time.

        Raises:
            Conflict: The job is no longer a draft.
        """
        row = tx.one(
            "job_refuse", job=draft, now=now, now_us=now * 1000, **rows.failure_columns(failure)
        )
        if row is None:
            raise Conflict("The job is no longer a draft.")
        tx.run("upload_forget", job=draft)
        job = record(tx, row, now)
        note(tx, job, before=JobState.DRAFT, actor=job.account, reason=failure.code, now=now)
        return job

    @write
    def delete(tx: Tx, job: str) -> None:
        """Delete an ended job with all its rows, and bytes that no other result shares.

        Raises:
            Conflict: The job has not ended.
            NotFound: The job was deleted.
        """
        tx.write_sums()  # what it has used outlives it
        large = tx.all("outcome_blobs", job=job)
        tx.run("account_outlive", job=job)
        found = existing(tx.one("job_size", job=job), "There is no such job.")
        if not tx.count("job_delete", job=job):
            raise Conflict("Only a job that has ended can be deleted.")
        project, account, size = found
        quotas.add_bytes(tx, quotas.Owner(project, account), -int(size))
        for (sha256,) in large:
            tx.run("blob_drop", sha256=sha256)

    @write
    def delete_all(tx: Tx, jobs: Sequence[str]) -> None:
        """Delete several ended jobs in one write, all or none.

        Raises:
            Conflict: One of them has not ended.
            NotFound: One of them was deleted.
        """
        for job in jobs:
            Jobs.delete(tx, job)

    @read
    def by_idempotency_key(
        tx: Tx,
        *,
        account: str,
        dialect: str,
        key: str,
        digest: bytes,
        now: int,
        life_ms: int = KEY_LIFE_MS,
    ) -> Job | None:
        """Return the job that this idempotency key created within its life.

        Raises:
            KeyReused: The key came with other content.
        """
        row = tx.one("idempotency_get", account=account, dialect=dialect, key=key)
        if row is None or row[2] < now - life_ms:
            return None
        if row[0] != digest:
            raise KeyReused(field="Idempotency-Key")
        return Jobs.get(tx, row[1])

    @read
    def key_of(tx: Tx, job: str) -> str | None:
        """Return the idempotency key that created a job, if it is stored."""
        row = tx.one("idempotency_of", made_at=created_ms(job), job=job)
        return row[0] if row else None

    @write_unflushed
    def forget_key(tx: Tx, *, account: str, dialect: str, key: str, job: str) -> None:
        """Delete an idempotency key, unless it belongs to another job by now."""
        tx.run("idempotency_forget", account=account, dialect=dialect, key=key, job=job)

    @read
    def get(tx: Tx, job: str) -> Job | None:
        row = tx.one("job_get", id=job)
        return rows.job(row) if row else None

    @read
    def visible(tx: Tx, job: str, account: str) -> Job | None:
        """Return the job if this account may read it."""
        row = tx.one("job_visible", id=job, account=account)
        return rows.job(row) if row else None

    @read
    def visible_with_vendor_fields(tx: Tx, job: str, account: str) -> tuple[Job, bytes] | None:
        """Return a readable job and its vendor fields (`{}` by default)."""
        row = tx.one("job_visible_with_vendor_fields", id=job, account=account)
        return (rows.job(row[:-1]), row[-1] or _NO_VENDOR_FIELDS) if row else None

    @scan
    def visible_all(tx: Tx, jobs: Sequence[str], account: str) -> list[Job]:
        """Return the jobs among these that this account may read."""
        found = [Jobs.visible(tx, job, account) for job in jobs]
        return [job for job in found if job]

    @scan
    def page(tx: Tx, query: JobQuery) -> list[Job]:
        """Return jobs newest first, or oldest first if the query asks for it."""
        return search.page(tx, query)

    @scan
    def page_with_vendor_fields(tx: Tx, query: JobQuery) -> list[tuple[Job, bytes]]:
        """Return jobs of a dialect with their vendor fields (`{}` by default), newest first."""
        found = search.page_with_vendor_fields(tx, query)
        return [(job, fields or _NO_VENDOR_FIELDS) for job, fields in found]

    @scan
    def page_of_all(tx: Tx, query: JobQuery) -> list[Job]:
        """Return jobs of all accounts, or of the account or the projects that the query names."""
        return search.page_of_all(tx, query)

    @scan
    def tally_of_all(tx: Tx, query: JobQuery) -> Mapping[JobState, int]:
        """Return the number of jobs that `page_of_all` lists by state; see `search.tally`."""
        return search.tally_of_all(tx, query)

    @scan
    def changed(
        tx: Tx, account: str, change: int, limit: int, devices: Collection[str] = ()
    ) -> list[Job]:
        """Return an account's jobs (on these devices) that changed after a `change`, in order."""
        parameters = {"account": account, "change": change, "limit": limit}
        found = tx.all("job_changed_list", **parameters, devices=rows.filter_text(devices))
        return [rows.job(row) for row in found]

    async def last_change(self, account: str, devices: Collection[str] = ()) -> int:
        """Return the number of the last change of an account's jobs (on these devices), or 0."""
        database = self._database
        only = rows.filter_text(devices)
        row = await (database.scan if devices else database.read)(
            lambda tx: tx.one("job_last_change", account=account, devices=only)
        )
        return int(row[0]) if row else 0

    @scan
    def tally(tx: Tx, query: JobQuery) -> dict[JobState, int]:
        """Return the number of a dialect's jobs that a search finds in each displayed state."""
        found = tx.all("job_tally", **search.parameters(query))
        return {JobState(state): number for state, number in found}

    @scan
    def tally_up_to_limit(tx: Tx, query: JobQuery) -> Mapping[JobState, int]:
        """Return the number of an account's newest jobs by state; see `search.tally`."""
        return search.tally(tx, query)

    @scan
    def tally_unfinished(tx: Tx, limit: int) -> dict[JobState, tuple[int, int]]:
        """Return the number of unfinished jobs of all accounts by state, counting up to `limit`.

        With each number comes the time at which the oldest of them was created.
        """
        found = tx.all("job_tally_unfinished", limit=limit)
        return {JobState(state): (int(number), int(at)) for state, number, at in found}

    @scan
    def tally_ended(tx: Tx, since: int, limit: int) -> dict[tuple[JobState, int], int]:
        """Return the number of jobs that have ended since a time, by state and full hours since it.

        Of more than `limit` jobs of all accounts, the newest are counted.
        """
        found = tx.all("job_tally_ended", since=since, limit=limit)
        return {(JobState(state), int(hour)): int(number) for state, hour, number in found}

    @scan
    def oldest_waiting(tx: Tx, limit: int) -> dict[str, int]:
        """Return since when the oldest waiting job of each device waits, in Unix milliseconds.

        Held jobs do not count. Of more than `limit` unfinished jobs, the oldest are looked at.
        """
        found = tx.all("job_oldest_waiting", limit=limit)
        return {device: int(at) for device, at in found if at is not None}

    @scan
    def tally_failed(tx: Tx, since: int, limit: int) -> list[tuple[str, str, int]]:
        """Return the numbers of jobs that failed since a time, by device and code, most first.

        Of more than `limit` jobs that ended, the newest are counted.
        """
        found = tx.all("job_tally_failed", since=since, limit=limit)
        return [(device, code, int(number)) for device, code, number in found]

    @scan
    def recent_labels(
        tx: Tx, account: str, limit: int, devices: Collection[str] = ()
    ) -> tuple[Counter[str], Counter[str]]:
        """Count each name and each tag of an account's `limit` newest jobs (on these devices)."""
        names: Counter[str] = Counter()
        tags: Counter[str] = Counter()
        parameters = {"account": account, "limit": limit, "devices": rows.filter_text(devices)}
        for name, text, number in tx.all("job_recent_labels", **parameters):
            if name:
                names[name] += number
            for tag in rows.texts(text):
                tags[tag] += number
        return names, tags

    @scan
    def run_ms(tx: Tx, query: JobQuery) -> int:
        """Return the total run time of the ended jobs that a search finds, in milliseconds."""
        row = tx.one("job_run_ms", **search.parameters(query))
        return int(row[0]) if row else 0

    @read
    def only_with_id_between(
        tx: Tx, account: str, low: str, high: str, devices: Collection[str] = ()
    ) -> Job | None:
        """Return the account's only job (on these devices) whose id is within bounds.

        Return None if there is no such job, or more than one.
        """
        parameters = {
            "account": account,
            "low": low,
            "high": high,
            "devices": rows.filter_text(devices),
        }
        found = tx.all("job_by_prefix", **parameters)
        return rows.job(found[0]) if len(found) == 1 else None

    @read
    def vendor_fields(tx: Tx, job: str) -> bytes:
        """Return the vendor fields of a job (`{}` by default)."""
        row = tx.one("vendor_fields_get", id=job)
        return row[0] if row else _NO_VENDOR_FIELDS

    async def program(self, job: str, *, is_quick: bool = False) -> Program:
        """Return the program of a job.

        Args:
            job: Id of the job.
            is_quick: Whether the program is small, so that it is read without a snapshot.

        Raises:
            NotFound: The job has no program, because it was refused, is a draft or was deleted.
        """
        read = self._database.read if is_quick else self._database.scan
        row = await read(lambda tx: tx.one("program_get", id=job))
        return Program(*existing(row, "The job has no program."))

    @scan
    def submitted(tx: Tx, job: str) -> SubmittedProgram | None:
        """Return the program of a job with its inputs and options, if it has one."""
        row = tx.one("program_submitted", id=job)
        return SubmittedProgram(*row) if row else None

    @scan
    def circuits(tx: Tx, job: str) -> bytes:
        """Return the packed circuits of a job.

        Raises:
            NotFound: As for `program`.
        """
        row = tx.one("program_circuits", id=job)
        return bytes(existing(row, "The job has no program.")[0])

    async def results(
        self, job: str, part: int | None = None, *, count: int = 1, is_quick: bool = False
    ) -> list[PartResult]:
        """Return the results of the parts (or of some), in order.

        The list is empty before the job has ended, and while they are withheld.

        Args:
            job: Id of the job.
            part: Index of the first part; None is all parts.
            count: Number of parts from `part` on.
            is_quick: Whether the results are few and small, so that they are read without
                a snapshot.
        """
        read = self._database.read if is_quick else self._database.scan
        return await read(lambda tx: outcomes.read(tx, job, part, count))

    @scan
    def events(tx: Tx, job: str) -> list[JobEvent]:
        """Return the events of a job.

        Its submission, starts, completion and changes of its name or tags are not events.
        """
        return [JobEvent(*row) for row in tx.all("event_list", id=job)]

    @write
    def set_name_and_tags(
        tx: Tx,
        job: str,
        name: str | None,
        tags: tuple[str, ...] | None,
        now: int,
        *,
        stored_limit: StoredLimit = NO_STORED_LIMIT,
    ) -> Job:
        """Change the name or tags of a job; None leaves them.

        Raises:
            NotFound: There is no such job.
            LimitExceeded: They are longer, and project or account would store more than
                `stored_limit`.
        """
        before = rows.job(existing(tx.one("job_get", id=job), "There is no such job."))
        growth = 0
        if name is not None:
            growth += quotas.text_bytes(name) - quotas.text_bytes(before.name)
        column = None if tags is None else rows.from_texts(tags)
        if column is not None:
            growth += quotas.text_bytes(column) - quotas.text_bytes(rows.from_texts(before.tags))
        quotas.count_bytes(tx, before, growth, stored_limit, "name")
        row = tx.one("job_set_name_and_tags", job=job, name=name, tags=column, now_us=now * 1000)
        return record(tx, existing(row, "There is no such job."), now, keeps_state=True)

    @scan
    def packed(tx: Tx, jobs: Sequence[str]) -> dict[str, PackedProgram]:
        """Return the circuits and options of jobs by id, without jobs that have no program."""
        found = {job: tx.one("program_packed", job=job) for job in jobs}
        return {job: PackedProgram(*row) for job, row in found.items() if row is not None}

    @read
    def sizes(tx: Tx, job: str) -> JobSizes:
        row = tx.one("job_sizes", id=job)
        return JobSizes(*map(int, row)) if row else JobSizes(0, 0)

    @write
    def cancel(
        tx: Tx, job: str, *, actor: str, now: int, withdrawn: Sequence[Lease] = ()
    ) -> Job | None:
        """Cancel a waiting job at once; ask the runner of a running one to stop it.

        `withdrawn` has its lease if it was withdrawn from the backlog. Return the job, unchanged if
        it has ended or is being stopped; None if it was deleted.
        """
        give_back_all(tx, withdrawn, now)
        before = Jobs.get(tx, job)
        for step in ("job_withdraw", "job_ask_cancel"):
            row = tx.one(step, job=job, now=now, now_us=now * 1000)
            if row is not None and before is not None:
                after = record(tx, row, now)
                note(
                    tx, after, before=before.state, actor=actor, reason="cancel requested", now=now
                )
                if before.state is JobState.QUEUED:
                    fair_share.leave(tx, after)
                    quotas.settle(tx, after, 0, 0, 0.0)
                return after
        return before

    @write
    def cancel_all(
        tx: Tx,
        jobs: Sequence[str],
        *,
        actor: str,
        now: int,
        withdrawn: Sequence[Lease] = (),
    ) -> list[Job]:
        """Cancel several jobs in one write, as `cancel` does; deleted ones are left out."""
        give_back_all(tx, withdrawn, now)
        found = [Jobs.cancel(tx, job, actor=actor, now=now) for job in jobs]
        return [job for job in found if job is not None]

    async def cancel_group(
        self, group: str, *, actor: str, now: int, devices: Collection[str] = ()
    ) -> list[str]:
        """Cancel a group's unfinished jobs (on these devices) in batches; return the ids."""
        parameters = {"id": group, "devices": rows.filter_text(devices)}
        return await self._cancel_found("group_unfinished", parameters, actor=actor, now=now)

    async def cancel_account(self, account: str, *, actor: str, now: int) -> list[str]:
        """Cancel all unfinished jobs of an account in batches; return the ids."""
        parameters = {"account": account}
        return await self._cancel_found(
            "job_of_account_unfinished", parameters, actor=actor, now=now
        )

    async def _cancel_found(
        self, statement: str, parameters: Mapping[str, str | None], *, actor: str, now: int
    ) -> list[str]:
        cancelled: list[str] = []
        after = 0
        while True:
            some = await self._cancel_some(statement, parameters, after, actor=actor, now=now)
            cancelled += [job for job, _ in some]
            if len(some) < _CANCELLED_AT_ONCE:
                return cancelled
            after = some[-1][1]

    @write
    def _cancel_some(
        tx: Tx,
        statement: str,
        parameters: Mapping[str, str | None],
        after: int,
        *,
        actor: str,
        now: int,
    ) -> list[Row]:
        """Cancel a batch of the jobs that a statement finds after a `seq`; return id and `seq`."""
        jobs = tx.all(statement, **parameters, after=after, limit=_CANCELLED_AT_ONCE)
        for job, _ in jobs:
            Jobs.cancel(tx, job, actor=actor, now=now)
        return jobs


def _columns(new: NewJob, job: str) -> dict[str, Any]:
    """Return the parameters of the statements that store a submission as the job `job`."""
    return {
        **structs.asdict(new),
        "id": job,
        "job": job,
        "tags": rows.from_texts(new.tags),
        "inputs": msgspec.json.encode(new.inputs).decode(),
        "express": f"{new.device}/{new.account}/{new.project}" if new.express else None,
        "key": new.idempotency_key,
        "now_us": new.now * 1000,
        **rows.failure_columns(new.error),
        **quotas.bill_columns(new),
    }


def _inserted_job(new: NewJob, columns: Mapping[str, Any], row: Row) -> Job:
    """Return the job that `job_add` has inserted and of which it returned `row`."""
    seq, version, change, created_at, _ = row
    is_taken = version == _TAKEN
    state = JobState.RUNNING if is_taken else columns["state"]
    return Job(
        id=new.id,
        seq=seq,
        account=new.account,
        project=new.project,
        device=new.device,
        dialect=new.dialect,
        group=new.group,
        state=state,
        version=version,
        name=new.name,
        tags=new.tags,
        shots=new.shots,
        n_circuits=new.n_circuits,
        n_qubits=new.n_qubits,
        n_ops_1q=new.n_ops_1q,
        n_ops_2q=new.n_ops_2q,
        est_bytes=new.est_bytes,
        est_seconds=new.est_seconds,
        priority=new.priority,
        attempts=0,
        calibration=new.calibration,
        change=change,
        created_at=created_at,
        queued_at=created_at if columns["state"] is JobState.QUEUED else None,
        started_at=created_at if is_taken else None,
        ended_at=created_at if state is JobState.FAILED else None,
        expires_at=new.expires_at,
        error_code=columns["error_code"],
        error_text=columns["error_text"],
        runner=columns["runner"] if is_taken else None,
        bill=columns["bill"],
        cost=columns["cost"],
        withheld_until=new.withheld_until,
        slurm_job=new.slurm_job,
        slurm_account=new.slurm_account,
        choice=new.choice,
    )


def _added(tx: Tx, job: Job, now: int, offer: Lease | None) -> Job:
    """Publish a job that was inserted; give its lease to the runner that offered to take it."""
    publish(tx, job, now, is_start=job.state is JobState.RUNNING)
    if offer is None:
        return job
    if job.state is not JobState.RUNNING:
        if tx.reads_late:
            fair_share.enter(tx, job, now)
            fair_share.leave(tx, job)  # if it was claimed in this batch
        return job
    tx.run("lease_start", job=job.id, nonce=offer.nonce, runner=offer.runner, now=now)
    fair_share.start(tx, job, now)
    return as_queued(job)


def _insert(
    tx: Tx, columns: dict[str, Any], waiting_limit: int, member_limit: int
) -> Callable[[], Row]:
    limits = {"waiting_limit": waiting_limit, "member_limit": member_limit}

    def refusal() -> QwicketError:
        owner = {"account": columns["account"], "project": columns["project"]}
        if tx.one("member_reads", **owner) is not None:
            return Forbidden("You are a reader of this project, and readers submit no jobs.")
        is_project = tx.one("project_has_room", id=columns["project"], limit=waiting_limit) is None
        what, limit, quota = (
            ("The project has {} jobs waiting", "waiting_jobs", waiting_limit)
            if is_project
            else ("You have {} jobs waiting in this project", "member_waiting_jobs", member_limit)
        )
        return TooManyRequests(
            f"{what.format(quota)} (limit {limit}).",
            retry_after_s=10.0,
            limit=limit,
            quota=quota,
        )

    return tx.require("job_add", refusal, **columns, **limits)
