"""Operations on jobs: submit, read, list, cancel, results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.model.errors import KeyReused, TooManyRequests
from qwicket.model.jobs import Job, JobQuery, NewJob
from qwicket.model.limits import INT64_MAX
from qwicket.model.outcomes import Encoded, Failure, PartResult
from qwicket.store import rows
from qwicket.store.changes import Changed

if TYPE_CHECKING:
    from qwicket.store.database import Database, Row, Tx

_KEY_LIFE_MS: Final = 24 * 3600 * 1000
_BLOB_PART_BYTES: Final = 1 << 20


class JobEvent(NamedTuple):
    version: int
    at: int
    before: str
    after: str
    actor: str
    reason: str


class Jobs:
    """Everything about jobs but running them (see `leases`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: NewJob, *, waiting_limit: int) -> Job:
        """Store a job with its program and wire document; on disk when this returns.

        With an idempotency key seen within 24 h, returns the job that it made then.

        Raises:
            KeyReused: The key came with other content.
            TooManyRequests: The project has `waiting_limit` jobs waiting.
        """
        return await self._database.write(lambda tx: _add(tx, new, waiting_limit))

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

    async def page(self, query: JobQuery) -> list[Job]:
        """Return jobs newest first."""
        return await self._database.scan(lambda tx: _list(tx, query))

    async def wire(self, job: str) -> bytes:
        """Return the vendor's opaque document of a job, `{}` when it has none."""
        row = await self._database.read(lambda tx: tx.one("wire_get", id=job))
        return row[0] if row else b"{}"

    async def results(self, job: str, part: int | None = None) -> list[PartResult]:
        """Return what the parts gave (or one part), in order; empty before the job has ended."""
        return await self._database.scan(lambda tx: _results(tx, job, part))

    async def events(self, job: str) -> list[JobEvent]:
        """Return what happened to a job beside the happy path."""
        found = await self._database.scan(lambda tx: tx.all("event_list", id=job))
        return [JobEvent(*row) for row in found]

    async def cancel(self, job: str, *, actor: str, now: int) -> Job | None:
        """Cancel a waiting job at once, ask a running one to stop, leave an ended one alone."""
        return await self._database.write(lambda tx: _cancel(tx, job, actor, now))


def record(tx: Tx, row: Row) -> Job:
    """Return a written row as a job, and tell that it changed."""
    job = rows.job(row)
    tx.changed(Changed(job.id, job.version, job.state, job.device))
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


def add_result(tx: Tx, job: str, part: int, result: PartResult) -> None:
    """Keep what one part gave; a large body goes to `blob` in parts."""
    if isinstance(result, Failure):
        tx.run(
            "outcome_add",
            job=job,
            part=part,
            body=None,
            sha256=None,
            error_code=result.code,
            error_text=result.message,
        )
        return
    is_large = len(result.body) > _BLOB_PART_BYTES
    if is_large:
        for number, start in enumerate(range(0, len(result.body), _BLOB_PART_BYTES)):
            piece = result.body[start : start + _BLOB_PART_BYTES]
            tx.run("blob_add", sha256=result.sha256, part=number, bytes=piece)
    tx.run(
        "outcome_add",
        job=job,
        part=part,
        body=None if is_large else result.body,
        sha256=result.sha256,
        error_code=None,
        error_text=None,
    )


def _add(tx: Tx, new: NewJob, waiting_limit: int) -> Job:
    if new.idempotency_key is not None:
        earlier = _repeated(tx, new.account, new.door, new.idempotency_key, new.digest, new.now)
        if earlier is not None:
            return earlier
    waiting = tx.one("job_waiting_count", project=new.project, limit=waiting_limit)
    if waiting and waiting[0] >= waiting_limit:
        raise TooManyRequests(
            f"The project has {waiting_limit} jobs waiting (limit waiting_jobs).",
            retry_after_s=10.0,
        )
    last_created, last_change = tx.one("job_last_times", account=new.account) or (0, 0)
    row = tx.one(
        "job_add",
        id=new.id,
        account=new.account,
        project=new.project,
        device=new.device,
        door=new.door,
        name=new.name,
        tags=rows.from_texts(new.tags),
        shots=new.shots,
        n_circuits=new.n_circuits,
        n_qubits=new.n_qubits,
        n_ops_1q=new.n_ops_1q,
        n_ops_2q=new.n_ops_2q,
        est_bytes=new.est_bytes,
        est_seconds=new.est_seconds,
        priority=new.priority,
        change=max(new.now * 1000, last_change + 1),
        created_at=max(new.now, last_created + 1),
    )
    assert row is not None
    tx.run(
        "program_add",
        id=new.id,
        format=new.format,
        source=new.source,
        inputs=msgspec.json.encode(new.inputs).decode(),
        circuits=new.circuits,
        options=new.options,
        reader_version=new.reader_version,
    )
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
    return record(tx, row)


def _repeated(tx: Tx, account: str, door: str, key: str, digest: bytes, now: int) -> Job | None:
    row = tx.one("idempotency_get", account=account, door=door, key=key)
    if row is None or row[2] < now - _KEY_LIFE_MS:
        return None
    if row[0] != digest:
        raise KeyReused(field="Idempotency-Key")
    return _job(tx.one("job_get", id=row[1]))


def _job(row: Row | None) -> Job | None:
    return rows.job(row) if row else None


def _list(tx: Tx, query: JobQuery) -> list[Job]:
    found = tx.all(
        "job_list" if query.door is None else "job_list_of_door",
        account=query.account,
        door=query.door,
        device=query.device,
        states="|" + "|".join(query.states) + "|" if query.states else None,
        before=INT64_MAX if query.before is None else query.before,
        limit=query.limit,
    )
    return [rows.job(row) for row in found]


def _results(tx: Tx, job: str, part: int | None) -> list[PartResult]:
    if part is None:
        found = tx.all("outcome_list", id=job)
    else:
        found = tx.all("outcome_get", id=job, part=part)
    return [_result(tx, row) for row in found]


def _result(tx: Tx, row: Row) -> PartResult:
    _, body, sha256, error_code, error_text = row
    if error_code is not None:
        return Failure(error_code, error_text)
    if body is None:
        body = b"".join(piece for (piece,) in tx.all("blob_get", sha256=sha256))
    return Encoded(body, sha256)


def _cancel(tx: Tx, job: str, actor: str, now: int) -> Job | None:
    before = _job(tx.one("job_get", id=job))
    for step in ("job_withdraw", "job_ask_cancel"):
        row = tx.one(step, job=job, now=now, now_us=now * 1000)
        if row is not None and before is not None:
            after = record(tx, row)
            note(tx, after, before=before.state, actor=actor, reason="cancel asked", now=now)
            return after
    return before
