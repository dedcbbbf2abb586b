from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.ids import new_id
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.scheduling import MaintenanceLoop
from qwicket.store import Store
from qwicket.store.database import Tx
from support.stores import NOW, add_job, make_token, open_new_sqlite, sqlite

pytestmark = pytest.mark.anyio

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    await opened.leases.add_runner("me", "server", NOW)
    await opened.leases.add_runner("other", "server", NOW)
    yield opened
    await opened.close()


async def test_one_server_does_the_maintenance_of_all(store: Store) -> None:
    mine = MaintenanceLoop(store, "me", lambda: NOW, keep_days=None)
    others = MaintenanceLoop(store, "other", lambda: NOW, keep_days=None)
    assert await mine.run_once()
    assert not await others.run_once()
    await store.leases.void_runner("me", NOW)
    assert await others.run_once()


@pytest.mark.parametrize(("keep_days", "is_kept"), [(None, True), (31.0, True), (30.0, False)])
async def test_ended_jobs_are_kept_as_long_as_the_operator_says(
    store: Store, keep_days: float | None, is_kept: bool
) -> None:
    ada = await make_token(store)
    jobs = [await add_job(store, ada) for _ in range(250)]
    for assignment in (await store.leases.claim("simulator", "me", NOW)).taken:
        await store.leases.finish(assignment.lease, RunResult((Encoded(b"", b""),), 0.1), NOW)
    for job in jobs[1:]:
        await store.jobs.cancel(job.id, actor="ada", now=NOW)
    later = NOW + 30 * DAY_MS + len(jobs)  # each was created a millisecond after the one before
    await MaintenanceLoop(store, "me", lambda: later, keep_days=keep_days).run_once()
    assert [await store.jobs.get(job.id) is not None for job in jobs] == [is_kept] * len(jobs)


async def ended(store: Store, token: Token, now: int) -> str:
    job = await add_job(store, token, now)
    await store.jobs.cancel(job.id, actor="ada", now=now)
    return job.id


async def test_ended_jobs_of_a_project_are_kept_as_long_as_its_retention_says(
    store: Store,
) -> None:
    now = NOW

    async def exist(*jobs: str) -> list[bool]:
        await loop.run_once()
        return [await store.jobs.get(job) is not None for job in jobs]

    loop = MaintenanceLoop(store, "me", lambda: now, keep_days=None, clock=lambda: now / 1000)
    ada, grace = await make_token(store), await make_token(store, "grace")
    kept, first = await ended(store, ada, NOW), await ended(store, grace, NOW)
    waiting = await add_job(store, grace, NOW)
    later = await ended(store, grace, NOW + DAY_MS)
    await store.accounts.set_retention("grace", 10)
    now = NOW + 10 * DAY_MS
    assert await exist(first) == [True]
    now += 60_000
    assert await exist(first, waiting.id, later, kept) == [False, True, True, True]
    await store.accounts.set_retention("grace", 20)
    assert await exist(later) == [True]
    await store.accounts.set_retention("grace", 9)
    assert await exist(later) == [False]
    await store.accounts.set_retention("grace", None)
    now += 1000 * DAY_MS
    assert await exist(kept, waiting.id) == [True, True]


async def test_what_retention_deletes_is_in_the_audit_once_an_hour_and_at_the_end(
    store: Store,
) -> None:
    now = NOW + 40 * DAY_MS
    loop = MaintenanceLoop(
        store, "me", lambda: now, keep_days=30, every_s=3600, clock=lambda: now / 1000
    )

    async def noted() -> list[dict[str, Any]]:
        acts = await store.audit.page(INT64_MAX, 10)
        assert {(each.action, each.actor_name) for each in acts} <= {
            ("delete_old_jobs", "retention")
        }
        return [json.loads(each.details) for each in acts]

    ada, grace = await make_token(store), await make_token(store, "grace")
    await loop.run_once()
    assert await noted() == []
    for _ in range(201):
        await ended(store, ada, NOW)
    await loop.run_once()
    assert await noted() == [{"deleted": 201, "projects": {}}]
    await store.accounts.set_retention("grace", 10)
    await ended(store, grace, NOW + 20 * DAY_MS)
    await ended(store, ada, NOW)
    now += 60_000
    await loop.run_once()
    assert len(await noted()) == 1, "not each minute"
    now += 3_540_000
    await loop.run_once()
    assert (await noted())[0] == {"deleted": 2, "projects": {"grace": 1}}
    await ended(store, ada, NOW)
    running = asyncio.create_task(loop.run())
    while await store.jobs.page(JobQuery(account=ada.account, limit=1)):
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await noted())[0] == {"deleted": 1, "projects": {}}


async def test_a_clock_that_was_ahead_delays_no_deletion_by_a_retention(store: Store) -> None:
    now = NOW + 365 * DAY_MS
    loop = MaintenanceLoop(store, "me", lambda: now, keep_days=None, clock=lambda: now / 1000)
    ada = await make_token(store)
    await store.accounts.set_retention("ada", 7)
    await loop.run_once()
    now = NOW
    job = await ended(store, ada, now)
    for days, is_kept in ((6, True), (8, False)):
        now = NOW + days * DAY_MS
        await loop.run_once()
        assert (await store.jobs.get(job) is not None) == is_kept


@pytest.mark.parametrize("is_set_back", [True, False])
async def test_a_clock_that_was_set_ahead_deletes_nothing_for_an_hour(
    store: Store, caplog: pytest.LogCaptureFixture, is_set_back: bool
) -> None:
    now, passed_s = NOW, 0.0
    loop = MaintenanceLoop(store, "me", lambda: now, keep_days=30.0, clock=lambda: passed_s)
    ada = await make_token(store)
    await store.accounts.set_retention("ada", 7)
    job = (await ended(store, ada, NOW)), (await ended(store, ada, NOW))
    await store.accounts.add_token(
        msgspec.structs.replace(ada, id=new_id(NOW), expires_at=NOW + DAY_MS),
        account="ada",
        project=None,
        digest=b"another",
    )

    async def after(seconds: float) -> tuple[list[bool], list[bool]]:
        """Run a round after a time; return which jobs are kept, and which tokens count."""
        nonlocal now, passed_s
        now, passed_s = now + int(1000 * seconds), passed_s + seconds
        assert await loop.run_once()
        kept = [await store.jobs.get(id) is not None for id in job]
        return kept, [each.revoked_at is None for each in await store.accounts.tokens(ada.account)]

    everything = [True, True], [True, True]
    assert await after(60) == everything
    now += 40 * DAY_MS
    assert await after(60) == everything
    assert "the clock went ahead by 3456000 s" in caplog.text
    assert await after(1_800) == everything
    if is_set_back:
        now -= 40 * DAY_MS
        assert await after(7_200) == everything
    else:
        assert await after(1_900) == ([False, False], [True, False])


async def test_a_round_with_nothing_to_do_opens_no_write_transaction(store: Store) -> None:
    ada = await make_token(store)
    await add_job(store, ada)
    mine = MaintenanceLoop(store, "me", lambda: NOW, keep_days=30.0)
    assert await mine.run_once()
    commits: list[int] = []
    store.on_commit(lambda operations, _failed, _seconds: commits.append(operations))
    assert await mine.run_once()
    assert commits == []


async def test_drafts_expire_and_orphans_are_offered_again(store: Store) -> None:
    ada = await make_token(store)
    draft = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW)
    orphan = await add_job(store, ada)
    await store.leases.claim("simulator", "nobody", NOW)
    await MaintenanceLoop(store, "me", lambda: NOW, keep_days=None).run_once()
    present = [await store.jobs.get(job.id) for job in (draft, orphan)]
    assert [job.state for job in present if job] == ["failed", "queued"]


async def test_a_step_that_fails_keeps_no_other_from_running(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await make_token(store)
    orphan = await add_job(store, ada)
    await store.leases.claim("simulator", "nobody", NOW)
    job = await ended(store, ada, NOW)
    kept = "create trigger kept before delete on job begin select raise(abort, 'it is kept'); end"
    await store._database.write(lambda tx: sqlite(tx).execute(kept))
    loop = MaintenanceLoop(store, "me", lambda: NOW + 2 * DAY_MS, keep_days=1.0)
    assert await loop.run_once()
    assert "a step of maintenance failed" in caplog.text
    assert await store.jobs.get(job) is not None
    offered = await store.jobs.get(orphan.id)
    assert offered is not None
    assert offered.state is JobState.QUEUED


async def test_a_round_forgets_what_counts_no_more_and_mends_what_is_wrong(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await make_token(store)
    expiring = msgspec.structs.replace(ada, id=new_id(NOW), expires_at=NOW + 1)
    await store.accounts.add_token(expiring, account="ada", project=None, digest=b"other")
    await add_job(store, ada, idempotency_key="old", digest=b"1")
    draft = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 9 * DAY_MS)
    upload = new_id(NOW)
    await store.uploads.begin(upload, draft.id, ada.account, max_bytes=10, held_limit=10)
    await store.uploads.add(upload, 0, b"text")
    await store.uploads.finish(upload, 4)
    await store.jobs.cancel(draft.id, actor="ada", now=NOW)
    await store.leases._write_large(RunResult((Encoded(bytes(2 << 20), b"large"),), 0.1))
    await store._database.write(lambda tx: sqlite(tx).execute("update share set has_work = 0"))

    await MaintenanceLoop(store, "me", lambda: NOW + DAY_MS + 1, keep_days=None).run_once()

    left = {
        table: (await store._database.read(partial(_count, table=table)))
        for table in ("idempotency", "upload", "blob")
    }
    assert left == {"idempotency": 0, "upload": 0, "blob": 0}
    tokens = {each.id: each.revoked_at for each in await store.accounts.tokens(ada.account)}
    assert tokens == {ada.id: None, expiring.id: NOW + 1}
    assert len((await store.leases.claim("simulator", "me", NOW)).taken) == 1
    assert "fair share of 1 project" in caplog.text


def _count(tx: Tx, table: str) -> int:
    (count,) = sqlite(tx).execute(f"select count(*) from {table}").fetchone()
    return int(count)
