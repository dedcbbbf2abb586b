"""One account sends thousands of jobs: another that sends ten later does not wait for them all."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.drivers import ForwardLog
from qwicket.model.accounts import Token
from qwicket.model.jobs import Assignment, Job, JobQuery
from qwicket.scheduling import Dispatcher
from qwicket.store import Store
from support.crowded_project import MEMBERS, crowd_project, jain
from support.history_callers import OpenStores
from support.history_stores import two_on_postgres, two_on_sqlite
from support.repetitions import databases, runs
from support.stores import NOW, add_job, make_token

pytestmark = pytest.mark.anyio

MANY = runs(1_000, long=5_000)
FEW = 10
SOON = 20
BEFORE = 40


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    open_stores: OpenStores = two_on_sqlite
    if request.param == "postgres":
        open_stores = partial(two_on_postgres, request.getfixturevalue("postgres"))
    async with open_stores() as stores:
        yield stores[0]


@pytest.fixture
async def flooded(store: Store) -> Token:
    """Ada's many jobs wait; returns bob."""
    ada = await make_token(store, "ada")
    for _ in range(MANY // 250):
        await asyncio.gather(*(add_job(store, ada, est_seconds=1.0) for _ in range(250)))
    await store.leases.add_runner("runner", "server", NOW)
    return await make_token(store, "bob")


async def come_late(store: Store, bob: Token) -> list[Job]:
    return [await add_job(store, bob, est_seconds=1.0) for _ in range(FEW)]


@pytest.mark.parametrize("store", databases("postgres"), indirect=True)
async def test_ten_jobs_after_thousands_are_among_the_next_twenty(
    store: Store, flooded: Token
) -> None:
    for _ in range(BEFORE):
        await store.leases.claim("simulator", "runner", NOW)
    late = await come_late(store, flooded)
    started: list[str] = []
    for _ in range(SOON):
        (assignment,) = (await store.leases.claim("simulator", "runner", NOW)).taken
        started.append(assignment.lease.job)
    assert {job.id for job in late} <= set(started)


class Recorder:
    """A driver that records the order in which jobs begin, and can be paused."""

    forwards = False
    slots = 2
    jobs_per_task = 8

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_go_on = asyncio.Event()
        self.pause_at = BEFORE

    async def run(self, assignments: Sequence[Assignment], desk: ForwardLog) -> list[RunResult]:
        self.begun += [each.lease.job for each in assignments]
        if len(self.begun) >= self.pause_at:
            await self.may_go_on.wait()
        return [RunResult((Encoded(b"body", b"sha"),), 1.0) for _ in assignments]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_dispatcher_begins_them_among_the_next_twenty_too(
    store: Store, flooded: Token
) -> None:
    driver = Recorder()
    dispatcher = Dispatcher(store, driver, ["simulator"], "runner", lambda: NOW)
    dispatcher.start()
    async with asyncio.timeout(60):
        while len(driver.begun) < BEFORE + 1:  # both slots are held
            await asyncio.sleep(0.005)
        late = await come_late(store, flooded)
        driver.may_go_on.set()
        while len(driver.begun) < BEFORE + 1 + SOON:
            await asyncio.sleep(0.005)
    await dispatcher.stop(5)
    assert {job.id for job in late} <= set(driver.begun[BEFORE + 1 : BEFORE + 1 + SOON])


HUGE = runs(10_000, long=100_000)
RIVALS = ("carol", "dave")


async def flood(store: Store, token: Token, number: int) -> None:
    """Have so many jobs of an account wait, straight in the database."""
    await add_job(store, token, est_seconds=1.0, express=True)
    same = [name for name in Job.__struct_fields__ if name not in {"id", "seq"}]
    columns = ", ".join([f'"{name}"' for name in same] + ["express"])
    copy = f"""
        insert into job (id, {columns})
        with recursive number (n) as (
            select 1 union all select n + 1 from number where n < {number}
        )
        select id || '-' || n, {columns} from job, number where account = '{token.account}'
    """

    def run(tx: Any) -> None:
        tx._connection.execute(copy)
        tx._connection.execute("analyze")

    await store._database.write(run)


async def test_a_hundred_thousand_waiting_jobs_delay_others_by_one_job_of_each_rival(
    store: Store,
) -> None:
    """Ten thousand in the short form."""
    ada = await make_token(store, "ada")
    await flood(store, ada, HUGE)
    for name in RIVALS:
        rival = await make_token(store, name)
        await asyncio.gather(*(add_job(store, rival, est_seconds=1.0) for _ in range(50)))
    await store.leases.add_runner("runner", "server", NOW)
    for _ in range(3 * (1 + len(RIVALS))):
        await store.leases.claim("simulator", "runner", NOW)
    bob = await make_token(store, "bob")
    job = await add_job(store, bob, est_seconds=1.0)
    before = 0
    while job.id not in [each.lease.job for each in await taken(store)]:
        before += 1
    assert before <= 1 + len(RIVALS)


async def taken(store: Store) -> Sequence[Assignment]:
    return (await store.leases.claim("simulator", "runner", NOW)).taken


async def test_lists_and_claims_are_quick_beside_a_hundred_thousand_waiting_jobs(
    store: Store,
) -> None:
    ada, bob = await make_token(store, "ada"), await make_token(store, "bob")
    await flood(store, ada, HUGE)
    await store.leases.add_runner("runner", "server", NOW)
    job = await add_job(store, bob, express=True)
    assert await quickest(lambda: store.jobs.page(JobQuery(account=ada.account, limit=100))) < 0.1
    assert await quickest(lambda: store.jobs.page(JobQuery(account=bob.account, limit=100))) < 0.1
    assert await quickest(lambda: store.leases.claim("simulator", "runner", NOW)) < 0.1
    found: list[str] = []

    async def claim_short() -> None:
        claimed = await store.leases.claim_express(["simulator"], "runner", NOW)
        found.extend(each.lease.job for each in claimed.taken)

    assert await quickest(claim_short) < 0.1
    assert len(found) == 3
    present = await store.jobs.get(job.id)
    assert present is not None
    assert present.state == "running", "it had its turn"


async def quickest(call: Any) -> float:
    """Return the best of three times: neighbours on this machine slow one or another."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        await call()
        times.append(time.perf_counter() - began)
    return min(times)


class Sleeper:
    """A driver whose jobs take the time that they were estimated at; it records what each used."""

    forwards = False
    slots = 16
    jobs_per_task = 1

    def __init__(self, store: Store) -> None:
        self._store = store
        self.first_starts: dict[str, int] = {}
        self.n_starts: Counter[str] = Counter()
        self.used_ms: Counter[str] = Counter()

    async def run(self, assignments: Sequence[Assignment], desk: ForwardLog) -> list[RunResult]:
        (assignment,) = assignments
        job = await self._store.jobs.get(assignment.lease.job)
        assert job is not None
        self.first_starts.setdefault(job.account, self.n_starts.total())
        self.n_starts[job.account] += 1
        self.used_ms[job.account] += round(1000 * job.est_seconds)
        await asyncio.sleep(job.est_seconds)
        return [RunResult((Encoded(b"body", b"sha"),), job.est_seconds)]


@pytest.mark.extended
@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_thousand_members_share_a_project_beside_one_who_floods_it(store: Store) -> None:
    """For 30 s, and on a slow machine until each has had three turns.

    On PostgreSQL, too, the same is true in simulated time: `unit/store/test_fair_share.py`.
    """
    crowd = await crowd_project(store, run_s=0.1, long_s=0.5, jobs_each=20)
    await store.leases.add_runner("runner", "server", NOW)
    driver, began = Sleeper(store), time.monotonic()
    dispatcher = Dispatcher(store, driver, ["simulator"], "runner", lambda: NOW)
    dispatcher.start()
    async with asyncio.timeout(200):
        while (
            time.monotonic() - began < 30
            or len(driver.n_starts) < MEMBERS
            or min(driver.n_starts[each] for each in crowd.members[1:]) < 3
        ):
            await asyncio.sleep(0.05)
    used = Counter({each: driver.used_ms[each] for each in crowd.members})
    await dispatcher.stop(5)
    assert jain(used) >= 0.95
    assert max(driver.first_starts.values()) < 2 * MEMBERS
    assert used[crowd.flooder] >= 500, "it had a long job"
