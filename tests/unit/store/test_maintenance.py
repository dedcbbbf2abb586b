from __future__ import annotations

import asyncio

import msgspec
import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import JobsOfDeleted, Token
from qwicket.model.errors import Conflict, NotFound
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job
from qwicket.model.states import JobState
from qwicket.store import StaleLease, Store
from qwicket.store.database import Tx
from qwicket.store.sqlite import SQLiteTx
from support.stores import NOW, add_job, execute, make_token, new_job

pytestmark = pytest.mark.anyio

DAY_MS = 24 * 3600 * 1000
LARGE = Encoded(bytes(3 << 20), b"large")


async def ended(store: Store, token: Token, result: Encoded, now: int = NOW) -> Job:
    await add_job(store, token, now)
    (assignment,) = (await store.leases.claim("simulator", "runner", now)).taken
    return await store.leases.finish(assignment.lease, RunResult((result,), 0.1), now)


@pytest.mark.both_databases
async def test_a_duty_has_one_holder_until_it_is_gone(store: Store, runner: str) -> None:
    await store.leases.add_runner("other", "server", NOW)
    took = await asyncio.gather(
        *(store.maintenance.take_duty("maintenance", who) for who in (runner, "other", runner))
    )
    assert sorted(took) in ([False, True, True], [False, False, True])
    holder, waiting = (runner, "other") if took[0] else ("other", runner)
    assert await store.maintenance.take_duty("maintenance", holder)
    assert not await store.maintenance.take_duty("maintenance", waiting)
    assert await store.maintenance.take_duty("another", waiting)
    await store.leases.void_runner(holder, NOW)
    assert await store.maintenance.take_duty("maintenance", waiting)
    assert not await store.maintenance.take_duty("maintenance", holder)


@pytest.mark.both_databases
async def test_drafts_expire(store: Store, ada: Token) -> None:
    late = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 10)
    early = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 20)
    assert await store.maintenance.expire_drafts(NOW + 10) == 1
    one, two = await store.jobs.get(late.id), await store.jobs.get(early.id)
    assert one is not None
    assert two is not None
    assert (one.state, one.error_code, two.state) == ("failed", "draft_expired", "draft")


@pytest.mark.both_databases
async def test_a_draft_whose_program_came_is_queued_and_claimed(
    store: Store, ada: Token, runner: str
) -> None:
    draft = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 10, shots=0)
    assert (await store.leases.claim("simulator", runner, NOW)).taken == []
    ready = new_job(ada, NOW + 5, shots=77, circuits=b"packed")
    job = await store.jobs.admit(draft.id, ready)
    assert (job.state, job.shots, job.queued_at) == (JobState.QUEUED, 77, NOW + 5)
    assert job.expires_at is None
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    assert (assignment.lease.job, assignment.circuits) == (draft.id, b"packed")
    with pytest.raises(Conflict):
        await store.jobs.admit(draft.id, ready)


@pytest.mark.both_databases
async def test_a_draft_whose_program_is_refused_fails_with_the_reason(
    store: Store, ada: Token
) -> None:
    draft = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 10)
    job = await store.jobs.refuse(draft.id, Failure("invalid_program", "line 3"), NOW)
    assert (job.state, job.error_code, job.error_text) == ("failed", "invalid_program", "line 3")
    (event,) = await store.jobs.events(job.id)
    assert event == (job.version, NOW, "draft", "failed", ada.account, "invalid_program")
    with pytest.raises(Conflict):
        await store.jobs.refuse(draft.id, Failure("x", "y"), NOW)


async def test_what_is_refused_after_a_2xx_is_a_failed_job(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada, error=Failure("invalid_program", "line 3"))
    assert (job.state, job.error_text, job.ended_at) == ("failed", "line 3", job.created_at)
    assert (await store.leases.claim("simulator", runner, NOW)).taken == []


@pytest.mark.parametrize("way", ["draft", "insert", "finish", "part"])
async def test_a_reason_that_quotes_a_nul_is_kept(
    store: Store, ada: Token, runner: str, way: str
) -> None:
    failure = Failure("invalid_program", "unexpected '\0'")
    if way == "insert":
        job = await add_job(store, ada, error=failure)
    elif way == "draft":
        draft = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 10)
        job = await store.jobs.refuse(draft.id, failure, NOW)
    else:
        await add_job(store, ada)
        (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
        result = failure if way == "finish" else (failure,)
        job = await store.leases.finish(assignment.lease, RunResult(result, 0.1), NOW)
    assert (job.state, job.error_text) == ("failed", "unexpected '\ufffd'")


@pytest.mark.both_databases
async def test_old_idempotency_keys_are_forgotten(store: Store, ada: Token) -> None:
    await add_job(store, ada, idempotency_key="old", digest=b"1")
    await add_job(store, ada, NOW + 1000, idempotency_key="new", digest=b"1")
    assert await store.maintenance.delete_expired_keys(NOW + DAY_MS + 1) == 1
    again = await store.jobs.by_idempotency_key(
        account=ada.account, dialect="native", key="new", digest=b"1", now=NOW + DAY_MS
    )
    assert again is not None


@pytest.mark.both_databases
async def test_very_many_expired_keys_are_deleted_in_several_writes(
    store: Store, ada: Token
) -> None:
    def add(tx: Tx) -> None:
        blob = "blob" if isinstance(tx, SQLiteTx) else "bytea"
        execute(
            tx,
            "insert into idempotency (account, dialect, key, digest, job, made_at)"
            " with recursive number (n) as (select 1 union all select n + 1 from number"
            f" where n < 25000) select '{ada.account}', 'native', 'key-' || n,"
            f" cast('digest' as {blob}), 'job', {NOW} + n"
            " from number",
        )

    await store._database.write(add)
    now = NOW + DAY_MS + 25_000
    assert await store.maintenance.delete_expired_keys(now) == 10_000
    assert await store.maintenance.delete_expired_keys(now) == 10_000
    assert await store.maintenance.delete_expired_keys(now) == 4_999
    assert await store.maintenance.delete_expired_keys(now) == 0


@pytest.mark.both_databases
async def test_ended_jobs_are_deleted_after_their_time_and_no_others(
    store: Store, ada: Token, runner: str
) -> None:
    old = await ended(store, ada, Encoded(b"1", b"a"))
    new = await ended(store, ada, Encoded(b"2", b"b"), NOW + 1000)
    waiting = await add_job(store, ada)
    assert await store.maintenance.delete_ended(NOW + 1000) == 1
    assert await store.jobs.get(old.id) is None
    assert await store.jobs.results(old.id) == []
    assert await store.jobs.results(new.id) == [Encoded(b"2", b"b")]
    assert await store.jobs.get(waiting.id) == waiting


async def test_bytes_that_two_results_share_go_with_the_last(
    store: Store, ada: Token, runner: str
) -> None:
    one, two = await ended(store, ada, LARGE), await ended(store, ada, LARGE)
    await store.jobs.delete(one.id)
    assert await store.jobs.results(two.id) == [LARGE]
    await store.jobs.delete(two.id)
    left = await store._database.read(lambda tx: tx.all("blob_get", sha256=LARGE.sha256))
    assert left == []


@pytest.mark.both_databases
async def test_pieces_of_a_result_that_was_never_finished_are_swept(
    store: Store, ada: Token
) -> None:
    await store.leases._write_large(RunResult((LARGE,), 0.1))  # and here the server died
    kept = await ended(store, ada, Encoded(bytes(2 << 20), b"other"))
    assert await store.maintenance.delete_orphaned_results() == 1
    assert await store._database.read(lambda tx: tx.all("blob_get", sha256=b"large")) == []
    assert (await store.jobs.results(kept.id))[0] == Encoded(bytes(2 << 20), b"other")


async def test_pieces_of_a_result_that_is_refused_are_dropped_at_once(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.leases.release(assignment.lease, "test", NOW, counts_as_attempt=False)
    with pytest.raises(StaleLease):
        await store.leases.finish(assignment.lease, RunResult((LARGE,), 0.1), NOW)
    assert await store._database.read(lambda tx: tx.all("blob_get", sha256=b"large")) == []
    assert await store.maintenance.delete_orphaned_results() == 0


async def test_a_large_result_is_whole_although_its_chunks_were_deleted_meanwhile(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    ran = RunResult((LARGE,), 0.1)
    await store.leases._write_large(ran)
    assert await store.maintenance.delete_orphaned_results() == 1
    await store.leases._finish(assignment.lease, ran, NOW)
    assert await store.jobs.results(job.id) == [LARGE]


@pytest.mark.both_databases
async def test_tokens_that_have_expired_are_ended_for_good(store: Store, ada: Token) -> None:
    blank = msgspec.structs.replace(ada, id=new_id(NOW), expires_at=NOW + 10)
    made = await store.accounts.add_token(blank, account="ada", project=None, digest=b"other")
    assert await store.maintenance.revoke_expired_tokens(NOW + 9) == 0
    assert await store.maintenance.revoke_expired_tokens(NOW + 10) == 1
    assert await store.maintenance.revoke_expired_tokens(NOW + 10) == 0
    revoked = {token.id: token.revoked_at for token in await store.accounts.tokens(ada.account)}
    assert revoked == {ada.id: None, made.id: NOW + 10}


@pytest.mark.both_databases
async def test_a_job_that_has_not_ended_is_not_deleted(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada)
    with pytest.raises(Conflict):
        await store.jobs.delete(job.id)
    await store.leases.claim("simulator", runner, NOW)
    with pytest.raises(Conflict):
        await store.jobs.delete(job.id)


@pytest.mark.both_databases
@pytest.mark.parametrize("jobs", ["keep", "remove"])
async def test_a_deleted_account_loses_its_name_and_perhaps_its_jobs(
    store: Store, ada: Token, runner: str, jobs: JobsOfDeleted
) -> None:
    made = await ended(store, ada, LARGE)
    await store.accounts.set_email("ada", "ada@example.org")
    await store.accounts.delete("ada", jobs, NOW)
    assert await store.maintenance.purge_accounts(NOW) == 0, "not before its time"
    while await store.maintenance.purge_accounts(NOW + 1):
        pass
    assert (await store.jobs.get(made.id) is None) == (jobs == "remove")
    with pytest.raises(NotFound):
        await store.accounts.restore("ada")
    assert await store.accounts.all(deleted=True) == []
    nameless = await store.accounts.by_id(ada.account)
    assert nameless is not None
    assert nameless.name == f"deleted-{ada.account}"
    assert "example.org" not in nameless.email
    again = await store.accounts.add(
        "ada", "member", email="ada@example.org", password_hash=None, now=NOW
    )
    assert again.id != ada.account, "name and address are free again"


@pytest.mark.both_databases
async def test_a_restored_account_is_disabled_if_it_was_before(store: Store, ada: Token) -> None:
    await store.accounts.disable("ada", NOW)
    await store.accounts.delete("ada", "keep", NOW + 5)
    assert (await store.accounts.restore("ada")).disabled_at == NOW
    await store.accounts.enable("ada")
    await store.accounts.delete("ada", "keep", NOW + 5)
    assert (await store.accounts.restore("ada")).disabled_at is None


@pytest.mark.both_databases
async def test_refused_sign_ins_are_added_up_listed_and_deleted_after_a_time(store: Store) -> None:
    await store.maintenance.add_refusals([(NOW, "192.0.2.1", 2), (NOW, "others", 5)])
    await store.maintenance.add_refusals([(NOW, "192.0.2.1", 1), (NOW + 60_000, "192.0.2.1", 1)])
    found = await store.maintenance.refusals(NOW + 10**6, 10)
    assert found == [(NOW + 60_000, "192.0.2.1", 1), (NOW, "others", 5), (NOW, "192.0.2.1", 3)]
    assert await store.maintenance.refusals(NOW + 60_000, 1) == found[1:]
    assert await store.maintenance.refusals(NOW, 1) == []
    await store.maintenance.delete_refusals(NOW + 60_000)
    assert await store.maintenance.refusals(NOW + 10**6, 10) == found[:1]


async def test_pages_of_refused_sign_ins_divide_no_minute(store: Store) -> None:
    minutes = [NOW, NOW + 60_000, NOW + 120_000]
    rows = [(minute, f"192.0.2.{number}", 1) for minute in minutes for number in range(7)]
    await store.maintenance.add_refusals(rows)
    found, before = [], NOW + 10**6
    while page := await store.maintenance.refusals(before, 5):
        found += page
        before = page[-1][0]
    assert found == sorted(rows, reverse=True)


@pytest.mark.both_databases
async def test_ended_jobs_of_one_project_are_deleted_within_a_time(
    store: Store, ada: Token, runner: str
) -> None:
    grace = await make_token(store, "grace")
    others = await ended(store, ada, LARGE)
    early, late = [await ended(store, grace, LARGE, NOW + at) for at in (10, 20)]
    assert await store.maintenance.retentions() == []
    assert (await store.accounts.set_retention("grace", 30)).retention_days == 30
    assert await store.maintenance.retentions() == [(grace.project, 30)]
    run = {ada.project: 1, grace.project: 2}
    today = NOW // DAY_MS * DAY_MS
    assert await store.uses.jobs_of([*run, "none"], today) == run
    assert await store.uses.jobs_of([*run], today + DAY_MS) == {}
    used = await store.uses.use_of(0, NOW + 100 * DAY_MS)
    of_grace = await store.uses.use_of(0, NOW + 100 * DAY_MS, project=grace.project)
    assert of_grace == [each for each in used if each.project == "grace"]
    delete = store.maintenance.delete_ended_of
    assert await delete(grace.project, NOW + 11, NOW + 20) == 0
    assert await delete(grace.project, 0, NOW + 20) == 1
    exist = [await store.jobs.get(job.id) is not None for job in (others, early, late)]
    assert exist == [True, False, True]
    assert await store.uses.use_of(0, NOW + 100 * DAY_MS) == used
    await store.accounts.set_retention("grace", None)
    assert await store.maintenance.retentions() == []
    with pytest.raises(NotFound):
        await store.accounts.set_retention("nothing", 1)
