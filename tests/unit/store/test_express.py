"""Short jobs that start beside the worker slots: who is next, and what an overrun means."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qwicket.devices import built_in
from qwicket.model.accounts import Token
from qwicket.model.devices import DeviceStatus
from qwicket.model.jobs import Assignment, Job
from qwicket.model.states import JobState
from qwicket.store import StaleLease, Store, statements
from qwicket.store.postgres import SQL_FRAGMENTS
from support.stores import NOW, add_job, make_token, new_job

pytestmark = pytest.mark.anyio

DEVICES = ("simulator", "clifford")
MINUTE = 60_000


@pytest.fixture
async def bob(store: Store) -> Token:
    return await make_token(store, "bob")


async def short(store: Store, token: Token, **changes: Any) -> Job:
    return await add_job(store, token, **{"express": True, "est_seconds": 1.0, **changes})


async def many(store: Store, token: Token, number: int, **changes: Any) -> None:
    for start in range(0, number, 250):
        batch = range(min(250, number - start))
        await asyncio.gather(*(add_job(store, token, **changes) for _ in batch))


async def copies(store: Store, token: Token, number: int, **changes: Any) -> None:
    """Add a job, and copies of it in the database: rows that others have to be found among."""
    job = await add_job(store, token, **changes)

    def copy(tx: Any) -> None:
        found = tx._connection.execute("select * from job limit 0").description
        columns = ", ".join(f'"{column[0]}"' for column in found if column[0] not in {"id", "seq"})
        tx._connection.execute(f"""
            insert into job (id, {columns})
            with recursive number (n) as (
                select 1 union all select n + 1 from number where n < {number - 1}
            )
            select id || '-' || n, {columns} from job, number where id = '{job.id}'
        """)

    await store._database.write(copy)


async def claim(store: Store, now: int = NOW) -> Assignment:
    (assignment,) = (await store.leases.claim_express(DEVICES, "runner", now)).taken
    return assignment


async def is_empty(store: Store, now: int = NOW) -> bool:
    return not (await store.leases.claim_express(DEVICES, "runner", now)).taken


async def vtime(store: Store, project: str) -> float:
    """Return what a project was charged; a job that waits shows it."""
    shares = (await store.queues.state("simulator", NOW, limit=100)).shares
    return next(share.vtime for share in shares if share.project == project)


async def test_a_short_job_is_claimed_with_all_that_a_driver_needs(
    store: Store, ada: Token, runner: str
) -> None:
    job = await short(store, ada, circuits=b"packed", options=b"options")
    assignment = await claim(store)
    assert (assignment.circuits, assignment.options) == (b"packed", b"options")
    assert (assignment.lease.job, assignment.lease.runner) == (job.id, runner)
    present = await store.jobs.get(job.id)
    assert present is not None
    assert (present.state, present.started_at) == (JobState.RUNNING, NOW)


async def test_long_jobs_are_never_claimed(store: Store, ada: Token, runner: str) -> None:
    await add_job(store, ada, est_seconds=0.001)
    assert await is_empty(store)


async def test_a_worker_slot_may_take_short_jobs_as_well(
    store: Store, ada: Token, runner: str
) -> None:
    job = await short(store, ada)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    assert assignment.lease.job == job.id
    assert await is_empty(store)


@pytest.mark.both_databases
async def test_many_claims_at_once_take_each_job_once(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    jobs = [await short(store, token) for token in (ada, bob) for _ in range(5)]
    found = await asyncio.gather(
        *(store.leases.claim_express(DEVICES, runner, NOW) for _ in range(20))
    )
    taken = [each.lease.job for one in found for each in one.taken]
    while rest := (await store.leases.claim_express(DEVICES, runner, NOW)).taken:
        taken += [each.lease.job for each in rest]
    assert sorted(taken) == sorted(job.id for job in jobs)


async def test_priority_orders_the_jobs_of_one_account(
    store: Store, ada: Token, runner: str
) -> None:
    plain, urgent = await short(store, ada), await short(store, ada, priority=5)
    assert [(await claim(store)).lease.job for _ in range(2)] == [urgent.id, plain.id]


async def test_accounts_take_turns_however_many_jobs_one_of_them_has(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 60, express=True)
    for _ in range(30):
        await claim(store)
    few = {(await short(store, bob)).id for _ in range(3)}
    started = [(await claim(store)).lease.job for _ in range(6)]
    assert set(started[0::2]) == few or set(started[1::2]) == few


async def test_use_of_worker_slots_does_not_keep_an_account_waiting_for_its_turn(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    """Fair share of the slots counts hours; a turn in the express slot is two seconds at most."""
    await many(store, bob, 20, est_seconds=3600.0)
    for _ in range(20):
        await store.leases.claim("simulator", runner, NOW)
    await many(store, ada, 60, express=True)
    for _ in range(5):
        await claim(store)
    job = await short(store, bob)
    assert job.id in {(await claim(store)).lease.job for _ in range(2)}


async def test_jobs_of_other_devices_and_of_devices_that_are_off_wait(
    store: Store, ada: Token, runner: str
) -> None:
    await store.devices.seed(built_in(), "builtin")
    off = DeviceStatus(is_on=False, reason="maintenance", until_at=NOW + 1000)
    await store.devices.set_status("clifford", off, NOW)
    await short(store, ada, device="clifford")
    await short(store, ada, device="fridge")
    job = await short(store, ada)
    assert (await claim(store)).lease.job == job.id
    assert await is_empty(store)
    assert (await claim(store, NOW + 1000)).device == "clifford"


@pytest.mark.both_databases
async def test_an_overrun_waits_for_a_worker_slot_uncounted_and_unpaid(
    store: Store, ada: Token, runner: str
) -> None:
    job, mate = await short(store, ada), await short(store, ada)
    before = await vtime(store, ada.project)
    lease = (await claim(store)).lease
    assert await vtime(store, ada.project) > before
    again = await store.leases.requeue_overrun(lease, "too long", NOW, barred_until=NOW + MINUTE)
    assert (again.id, again.state, again.attempts) == (job.id, JobState.QUEUED, 0)
    assert await vtime(store, ada.project) == pytest.approx(before)
    (event,) = await store.jobs.events(job.id)
    assert event.reason == "too long"
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    assert assignment.lease.job == job.id
    assert (await claim(store, NOW + MINUTE)).lease.job == mate.id, "not the one that overran"


async def test_an_account_whose_job_overran_has_no_turn_for_a_while_and_others_have(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await short(store, ada)
    lease = (await claim(store)).lease
    await store.leases.requeue_overrun(lease, "too long", NOW, barred_until=NOW + MINUTE)
    mine, other = await short(store, ada), await short(store, bob)
    assert (await claim(store)).lease.job == other.id
    assert await is_empty(store, NOW + MINUTE - 1)
    assert (await claim(store, NOW + MINUTE)).lease.job == mine.id


async def test_an_overrun_that_was_asked_to_stop_is_cancelled(
    store: Store, ada: Token, runner: str
) -> None:
    job = await short(store, ada)
    lease = (await claim(store)).lease
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    ended = await store.leases.requeue_overrun(lease, "too long", NOW, barred_until=NOW + MINUTE)
    assert ended.state is JobState.CANCELLED
    with pytest.raises(StaleLease):
        await store.leases.requeue_overrun(lease, "too long", NOW, barred_until=NOW + MINUTE)


async def test_a_death_in_the_express_slot_counts_as_every_other(
    store: Store, ada: Token, runner: str
) -> None:
    await short(store, ada)
    for attempts in (1, 2):
        job = await store.leases.release(
            (await claim(store)).lease, "SIGKILL", NOW, counts_as_attempt=True
        )
        assert (job.state, job.attempts) == (JobState.QUEUED, attempts)
    job = await store.leases.release(
        (await claim(store)).lease, "SIGKILL", NOW, counts_as_attempt=True
    )
    assert (job.state, job.error_code) == (JobState.FAILED, "worker_died")


async def test_a_draft_that_turns_out_short_may_start_there(
    store: Store, ada: Token, runner: str
) -> None:
    draft = new_job(ada, state=JobState.DRAFT, expires_at=NOW + MINUTE)
    await store.jobs.add(draft, waiting_limit=10)
    assert await is_empty(store)
    await store.jobs.admit(draft.id, new_job(ada, express=True))
    assert (await claim(store)).lease.job == draft.id


async def steps_of_a_look(store: Store) -> int:
    """Return how many steps SQLite takes to find whose short job is next."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    def look(tx: Any) -> None:
        tx._connection.set_progress_handler(count, 1)
        try:
            tx.all("express_next", now=NOW, limit=100)
        finally:
            tx._connection.set_progress_handler(None, 0)

    await store._database.write(look)
    return taken


@pytest.mark.parametrize("open_store", ["sqlite"], indirect=True)
async def test_a_look_takes_as_many_steps_beside_thousands_of_jobs(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await short(store, ada)
    await short(store, bob)
    before = await steps_of_a_look(store)
    await copies(store, ada, 3_000)
    await copies(store, ada, 1_000, express=True)
    await copies(store, bob, 3_000, est_seconds=99.0)
    assert await steps_of_a_look(store) <= before + 10


@pytest.mark.only_postgres
async def test_postgres_finds_the_next_by_index_beside_a_hundred_thousand_jobs(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    same = [name for name in Job.__struct_fields__ if name not in {"id", "seq"}]
    columns = ", ".join(f'"{name}"' for name in same)
    copy = f"""
        insert into job (id, {columns}) select id || number, {columns}
        from job, generate_series(1, 100000) as number
    """
    sql = _literal("express_next", now=NOW, limit=100)

    def plan(tx: Any) -> str:
        # Without triggers: each would count a job in the same row, a version of it for each.
        triggers = "session_replication_role"
        for text in (f"set {triggers} = replica", copy, f"reset {triggers}", "analyze job"):
            tx._connection.execute(text)
        return "\n".join(row[0] for row in tx._connection.execute(f"explain {sql}").fetchall())

    found = await store._database.write(plan)
    assert "Seq Scan on job" not in found, found
    job = await store.jobs.add(new_job(ada, express=True), waiting_limit=1_000_000)
    assert (await claim(store)).lease.job == job.id


def _literal(name: str, **params: int) -> str:
    sql = statements.load(SQL_FRAGMENTS)[name]
    for key, value in params.items():
        sql = sql.replace(f":{key}", str(value))
    return sql
