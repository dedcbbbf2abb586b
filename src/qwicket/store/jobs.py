"""Operations on jobs: submit, read, list, cancel, results."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.model.errors import (
    Conflict,
    KeyReused,
    LimitExceeded,
    NotFound,
    TooManyRequests,
)
from qwicket.model.jobs import Job, JobQuery, NewJob
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.store import groups, outcomes, rows, search, shares
from qwicket.store.changes import Changed
from qwicket.store.database import Later
from qwicket.store.standing import Depth, EndedJob, Line, ProjectShare, RunningJob, WaitingJob

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from qwicket.model.outcomes import Failure, PartResult
    from qwicket.store.database import Database, Row, Tx

KEY_LIFE_MS: Final = 24 * 3600 * 1000
"""How long an idempotency key counts."""

_RECENT: Final = 30
_CANCELLED_AT_ONCE: Final = 200
"""Jobs of a group in one operation: others write in between."""
_NO_WIRE: Final = b"{}"


class JobEvent(NamedTuple):
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


class Sizes(NamedTuple):
    """Bytes of a job's program, and of its results as they are kept."""

    program: int
    results: int


class Jobs:
    """Everything about jobs but running them (see `leases`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        new: NewJob,
        *,
        waiting_limit: int,
        unfinished_limit: int | None = None,
        stored_limit: int = INT64_MAX,
    ) -> Job:
        """Store a job with its program and wire document; on disk when this returns.

        With an idempotency key seen within 24 h, returns the job that it made then.

        Raises:
            KeyReused: The key came with other content.
            TooManyRequests: The project has `waiting_limit` jobs waiting, or `unfinished_limit` on
                this device that have not ended.
            NotFound: The account has no such group.
            Conflict: The group is closed, or was opened for another device.
            LimitExceeded: The group has as many jobs as it takes, or the project would have over
                `stored_limit` bytes of programs and results.
        """
        return await self._database.write(
            lambda tx: _add(tx, new, waiting_limit, unfinished_limit, stored_limit)
        )

    async def admit(self, draft: str, ready: NewJob, *, stored_limit: int = INT64_MAX) -> Job:
        """Queue a draft whose program has come and passed every check.

        Its wire document takes the place of the draft's; its upload is not needed any more.

        Args:
            draft: The job.
            ready: The program and its numbers; who and where were settled with the draft.
            stored_limit: Bytes of programs and results that its project may have.

        Raises:
            Conflict: The job is no draft any more.
            LimitExceeded: The project would have over `stored_limit`; the draft stays.
        """
        return await self._database.write(lambda tx: _admit(tx, draft, ready, stored_limit))

    async def refuse(self, draft: str, failure: Failure, now: int) -> Job:
        """Fail a draft whose program was refused.

        Raises:
            Conflict: The job is no draft any more.
        """
        return await self._database.write(lambda tx: refuse(tx, draft, failure, now))

    async def delete(self, job: str) -> None:
        """Forget an ended job and all that belongs to it.

        Raises:
            Conflict: It has not ended.
            NotFound: It is gone.
        """
        await self._database.write(lambda tx: delete(tx, job))

    async def line(self, device: str, now: int, *, limit: int) -> Line:
        """Return who waits for a device, at most `limit` jobs, and what runs on it."""
        return await self._database.scan(lambda tx: _line(tx, device, now, limit))

    async def repeated(
        self, *, account: str, door: str, key: str, digest: bytes, now: int
    ) -> Job | None:
        """Return the job that this idempotency key made within 24 h.

        Raises:
            KeyReused: The key came with other content.
        """
        return await self._database.read(lambda tx: _repeated(tx, account, door, key, digest, now))

    async def get(self, job: str) -> Job | None:
        return await self._database.read(lambda tx: _job(tx.one("job_get", id=job)))

    async def visible(self, job: str, account: str) -> Job | None:
        """Return the job if this account may read it."""
        return await self._database.read(
            lambda tx: _job(tx.one("job_visible", id=job, account=account))
        )

    async def visible_kept(self, job: str, account: str) -> tuple[Job, bytes] | None:
        """Return the same and the vendor's opaque document of the job, `{}` when it has none."""
        row = await self._database.read(
            lambda tx: tx.one("job_visible_kept", id=job, account=account)
        )
        return (rows.job(row[:-1]), row[-1] or _NO_WIRE) if row else None

    async def visible_all(self, jobs: Sequence[str], account: str) -> list[Job]:
        """Return those of these jobs that this account may read."""
        found = await self._database.scan(
            lambda tx: [tx.one("job_visible", id=job, account=account) for job in jobs]
        )
        return [rows.job(row) for row in found if row]

    async def page(self, query: JobQuery) -> list[Job]:
        """Return jobs newest first."""
        return await self._database.scan(lambda tx: search.page(tx, query))

    async def changed(
        self, account: str, change: int, limit: int, devices: Collection[str] = ()
    ) -> list[Job]:
        """Return an account's jobs (on these devices) that changed after a `change`, in order."""
        asked = {"account": account, "change": change, "limit": limit}
        only = rows.choice(devices)
        found = await self._database.scan(
            lambda tx: tx.all("job_changed_list", **asked, devices=only)
        )
        return [rows.job(row) for row in found]

    async def last_change(self, account: str, devices: Collection[str] = ()) -> int:
        """Return the number of the last change of an account's jobs (on these devices), or 0."""
        read = self._database.scan if devices else self._database.read
        only = rows.choice(devices)
        row = await read(lambda tx: tx.one("job_last_change", account=account, devices=only))
        return int(row[0]) if row else 0

    async def tally(self, query: JobQuery) -> dict[JobState, int]:
        """Return how many jobs a search finds in each state, as doors show states."""
        found = await self._database.scan(lambda tx: tx.all("job_tally", **search.sought(query)))
        return {JobState(state): number for state, number in found}

    async def run_ms(self, query: JobQuery) -> int:
        """Return for how long the ended jobs that a search finds ran, in milliseconds."""
        row = await self._database.scan(lambda tx: tx.one("job_run_ms", **search.sought(query)))
        return int(row[0]) if row else 0

    async def starting(
        self, account: str, low: str, high: str, devices: Collection[str] = ()
    ) -> Job | None:
        """Return the account's one job (on these devices) whose id is within bounds."""
        asked = {"account": account, "low": low, "high": high, "devices": rows.choice(devices)}
        found = await self._database.read(lambda tx: tx.all("job_by_prefix", **asked))
        return rows.job(found[0]) if len(found) == 1 else None

    async def wire(self, job: str) -> bytes:
        """Return the vendor's opaque document of a job, `{}` when it has none."""
        row = await self._database.read(lambda tx: tx.one("wire_get", id=job))
        return row[0] if row else _NO_WIRE

    async def program(self, job: str) -> Program:
        """Return the program of a job.

        Raises:
            NotFound: It has none: it was refused, or its program is still to come.
        """
        row = await self._database.scan(lambda tx: tx.one("program_get", id=job))
        if row is None:
            raise NotFound("The job has no program.")
        return Program(*row)

    async def circuits(self, job: str) -> bytes:
        """Return the packed circuits of a job.

        Raises:
            NotFound: As for `program`.
        """
        row = await self._database.scan(lambda tx: tx.one("program_circuits", id=job))
        if row is None:
            raise NotFound("The job has no program.")
        return bytes(row[0])

    async def results(
        self, job: str, part: int | None = None, *, is_quick: bool = False
    ) -> list[PartResult]:
        """Return what the parts gave (or one part), in order; empty before the job has ended.

        Args:
            job: The job.
            part: Which part alone.
            is_quick: They are few and small, and no deletion that comes between harms.
        """
        read = self._database.read if is_quick else self._database.scan
        return await read(lambda tx: outcomes.read(tx, job, part))

    async def events(self, job: str) -> list[JobEvent]:
        """Return what happened to a job beside the happy path."""
        found = await self._database.scan(lambda tx: tx.all("event_list", id=job))
        return [JobEvent(*row) for row in found]

    async def rename(
        self, job: str, name: str | None, tags: tuple[str, ...] | None, now: int
    ) -> Job:
        """Give a job another name, other tags or both; None leaves them.

        Raises:
            NotFound: There is no such job.
        """
        return await self._database.write(lambda tx: _rename(tx, job, name, tags, now))

    async def sizes(self, job: str) -> Sizes:
        row = await self._database.read(lambda tx: tx.one("job_sizes", id=job))
        return Sizes(*map(int, row)) if row else Sizes(0, 0)

    async def unfinished(self, project: str, device: str) -> int:
        """Return how many jobs of a project on a device have not ended."""
        return await self._database.scan(lambda tx: _unfinished(tx, project, device, INT64_MAX))

    async def depths(self, devices: Sequence[str]) -> dict[str, Depth]:
        """Return how many jobs wait and run on each of these devices."""
        return await self._database.scan(lambda tx: {name: _depth(tx, name) for name in devices})

    async def cancel(self, job: str, *, actor: str, now: int) -> Job | None:
        """Cancel a waiting job at once, ask a running one to stop, leave an ended one alone."""
        return await self._database.write(lambda tx: cancel(tx, job, actor, now))

    async def cancel_all(self, jobs: Sequence[str], *, actor: str, now: int) -> list[Job]:
        """As `cancel`, of several in one write; what is gone is left out."""
        found = await self._database.write(lambda tx: [cancel(tx, job, actor, now) for job in jobs])
        return [job for job in found if job is not None]

    async def delete_all(self, jobs: Sequence[str]) -> None:
        """As `delete`, of several in one write: all of them or none.

        Raises:
            Conflict: One of them has not ended.
            NotFound: One of them is gone.
        """
        await self._database.write(lambda tx: _delete_all(tx, jobs))

    async def cancel_group(
        self, group: str, *, actor: str, now: int, devices: Collection[str] = ()
    ) -> list[str]:
        """Cancel a group's unfinished jobs (on these devices), some at a time; return the ids."""
        only = rows.choice(devices)
        cancelled: list[str] = []
        after = 0
        while True:
            some = await self._database.write(
                partial(_cancel_some, group=group, devices=only, after=after, actor=actor, now=now)
            )
            cancelled += [job for job, _ in some]
            if len(some) < _CANCELLED_AT_ONCE:
                return cancelled
            after = some[-1][1]


def record(
    tx: Tx, row: Row, *, is_renamed: bool = False, results: Sequence[PartResult] | None = None
) -> Job:
    """Return a written row as a job; tell that it changed, and what it gave if that is small."""
    job = rows.job(row)
    tx.changed(Changed(job.id, job.version, job.state, job.device, job, is_renamed, results))
    return job


def note(tx: Tx, job: Job, *, before: str, actor: str, reason: str, now: int) -> None:
    """Keep an event of a job that left the happy path."""
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


def cancel(tx: Tx, job: str, actor: str, now: int) -> Job | None:
    """Cancel what waits, ask what runs to stop, leave what has ended alone."""
    before = _job(tx.one("job_get", id=job))
    for step in ("job_withdraw", "job_ask_cancel"):
        row = tx.one(step, job=job, now=now, now_us=now * 1000)
        if row is not None and before is not None:
            after = record(tx, row)
            note(tx, after, before=before.state, actor=actor, reason="cancel asked", now=now)
            if before.state is JobState.QUEUED:
                shares.leave(tx, after, now)
            return after
    return before


def _cancel_some(
    tx: Tx, group: str, devices: str | None, after: int, actor: str, now: int
) -> list[Row]:
    """Cancel what has not ended of a group's jobs that come after a `seq`; return ids and `seq`."""
    asked = {"id": group, "devices": devices, "after": after, "limit": _CANCELLED_AT_ONCE}
    jobs = tx.all("group_unfinished", **asked)
    for job, _ in jobs:
        cancel(tx, job, actor, now)
    return jobs


def _rename(tx: Tx, job: str, name: str | None, tags: tuple[str, ...] | None, now: int) -> Job:
    column = None if tags is None else rows.from_texts(tags)
    row = tx.one("job_rename", job=job, name=name, tags=column, now_us=now * 1000)
    if row is None:
        raise NotFound("There is no such job.")
    return record(tx, row, is_renamed=True)


def _depth(tx: Tx, device: str) -> Depth:
    row = tx.one("job_depth", device=device)
    return Depth(*map(int, row)) if row else Depth(0, 0)


def _unfinished(tx: Tx, project: str, device: str, limit: int) -> int:
    row = tx.one("job_unfinished", project=project, device=device, limit=limit)
    return int(row[0]) if row else 0


def refuse(tx: Tx, draft: str, failure: Failure, now: int) -> Job:
    """Fail a draft."""
    row = tx.one("job_refuse", job=draft, now=now, now_us=now * 1000, **rows.words(failure))
    if row is None:
        raise Conflict("The job is no draft any more.")
    tx.run("upload_forget", job=draft)
    return record(tx, row)


def delete(tx: Tx, job: str) -> None:
    """Forget an ended job; bytes that no other result has go with it."""
    large = tx.all("outcome_blobs", job=job)
    tx.run("account_outlive", job=job)
    tx.run("project_free_bytes", job=job)
    if not tx.count("job_delete", job=job):
        if tx.one("job_get", id=job) is None:  # somebody else was faster
            raise NotFound("There is no such job.")
        raise Conflict("Only a job that has ended can be deleted.")
    for (sha256,) in large:
        tx.run("blob_drop", sha256=sha256)


def _delete_all(tx: Tx, jobs: Sequence[str]) -> None:
    for job in jobs:
        delete(tx, job)


def _add(
    tx: Tx, new: NewJob, waiting_limit: int, unfinished_limit: int | None, stored_limit: int
) -> Job | Later[Job]:
    if new.idempotency_key is not None:
        earlier = _repeated(tx, new.account, new.door, new.idempotency_key, new.digest, new.now)
        if earlier is not None:
            return earlier
    if unfinished_limit is not None and new.error is None:
        _check_unfinished(tx, new, unfinished_limit)
    if new.group is not None:
        groups.join(tx, new.group, new.account, new.device, new.now)
    state = JobState.FAILED if new.error else new.state
    reads = [_insert(tx, new, state, waiting_limit)]
    if state is JobState.QUEUED:
        reads.append(_store_bytes(tx, new.project, new, stored_limit))
        _add_program(tx, new.id, new)
        shares.enter(tx, new, new.now)
    if new.wire != _NO_WIRE:
        tx.run("wire_add", id=new.id, wire=new.wire)
    if new.idempotency_key is not None:
        tx.run(
            "idempotency_put",
            account=new.account,
            door=new.door,
            key=new.idempotency_key,
            digest=new.digest,
            job=new.id,
            now=new.now,
        )
    return Later(lambda: _recorded(tx, *(read() for read in reads)))


def _recorded(tx: Tx, row: Row | None, *others: Row | None) -> Job:
    assert row is not None
    assert None not in others
    return record(tx, row)


def _check_unfinished(tx: Tx, new: NewJob, limit: int) -> None:
    if _unfinished(tx, new.project, new.device, limit) >= limit:
        raise TooManyRequests(
            f"The project has {limit} jobs on {new.device} that have not ended.",
            field="jobs",
            retry_after_s=10.0,
            limit="ibm_jobs",
            quota=limit,
        )


def _insert(tx: Tx, new: NewJob, state: JobState, waiting_limit: int) -> Callable[[], Row | None]:
    def full() -> TooManyRequests:
        return TooManyRequests(
            f"The project has {waiting_limit} jobs waiting (limit waiting_jobs).",
            retry_after_s=10.0,
            limit="waiting_jobs",
            quota=waiting_limit,
        )

    return tx.later(
        "job_add",
        full,
        id=new.id,
        account=new.account,
        project=new.project,
        device=new.device,
        door=new.door,
        group=new.group,
        state=state,
        name=new.name,
        tags=rows.from_texts(new.tags),
        **_numbers(new),
        priority=new.priority,
        now=new.now,
        now_us=new.now * 1000,
        expires_at=new.expires_at,
        waiting_limit=waiting_limit,
        **rows.words(new.error),
    )


def _numbers(new: NewJob) -> dict[str, int | float | str | None]:
    """Return what is known of a job once its program was checked."""
    return {
        "shots": new.shots,
        "n_circuits": new.n_circuits,
        "n_qubits": new.n_qubits,
        "n_ops_1q": new.n_ops_1q,
        "n_ops_2q": new.n_ops_2q,
        "est_bytes": new.est_bytes,
        "est_seconds": new.est_seconds,
        "calibration": new.calibration,
        "express": f"{new.device}/{new.account}" if new.express else None,
    }


def _admit(tx: Tx, draft: str, ready: NewJob, stored_limit: int) -> Later[Job]:
    now = ready.now
    row = tx.one("job_admit", job=draft, now=now, now_us=now * 1000, **_numbers(ready))
    if row is None:
        raise Conflict("The job is no draft any more.")
    job = record(tx, row)
    _add_program(tx, draft, ready)
    counted = _store_bytes(tx, job.project, ready, stored_limit)
    tx.run("upload_forget", job=draft)
    if ready.wire != _NO_WIRE:
        tx.run("wire_put", id=draft, wire=ready.wire)
    shares.enter(tx, job, now)
    return Later(lambda: _counted(job, counted()))


def _counted(job: Job, stored: Row | None) -> Job:
    assert stored is not None
    return job


def _store_bytes(tx: Tx, project: str, new: NewJob, most: int) -> Callable[[], Row | None]:
    """Count a program for its project. The row is absent where that would be too much.

    Clients take the refusal for final: they repeat a 429 or 507, which helps nobody here.
    """

    def full() -> LimitExceeded:
        return LimitExceeded(
            f"The project would have over {most} bytes of programs and results (limit"
            " stored_bytes): delete some jobs.",
            field="program",
        )

    size = len(new.source) + len(new.circuits)
    return tx.later("project_store_bytes", full, project=project, bytes=size, most=most)


def _add_program(tx: Tx, job: str, new: NewJob) -> None:
    tx.run(
        "program_add",
        id=job,
        format=new.format,
        source=new.source,
        inputs=msgspec.json.encode(new.inputs).decode(),
        circuits=new.circuits,
        options=new.options,
        reader_version=new.reader_version,
    )


def _repeated(tx: Tx, account: str, door: str, key: str, digest: bytes, now: int) -> Job | None:
    row = tx.one("idempotency_get", account=account, door=door, key=key)
    if row is None or row[2] < now - KEY_LIFE_MS:
        return None
    if row[0] != digest:
        raise KeyReused(field="Idempotency-Key")
    return _job(tx.one("job_get", id=row[1]))


def _job(row: Row | None) -> Job | None:
    return rows.job(row) if row else None


def _line(tx: Tx, device: str, now: int, limit: int) -> Line:
    waiting = tx.all("job_waiting_list", device=device, now=now, limit=limit)
    return Line(
        [WaitingJob(*row) for row in waiting],
        [RunningJob(*row) for row in tx.all("job_running_list", device=device)],
        [ProjectShare(*row) for row in tx.all("share_list", device=device)],
        [EndedJob(*row) for row in tx.all("job_completed_list", device=device, limit=_RECENT)],
        (tx.one("epoch_get") or (0,))[0],
    )
