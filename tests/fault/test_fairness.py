"""Somebody sends thousands of jobs; whoever comes later with ten does not wait for them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest

from qwicket.drivers import Desk
from qwicket.model.accounts import Token
from qwicket.model.jobs import Assignment, Job, Ran
from qwicket.model.outcomes import Encoded
from qwicket.scheduling import Dispatcher
from qwicket.store import Store
from support.history_callers import OpenStores
from support.history_stores import two_on_postgres, two_on_sqlite
from support.stores import NOW, add_job, make_token

pytestmark = pytest.mark.anyio

MANY = 5_000
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


async def test_ten_jobs_after_five_thousand_are_among_the_next_twenty(
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
    """A driver that notes in which order jobs begin, and holds back when told to."""

    forwards = False
    slots = 2
    batch = 8

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_go_on = asyncio.Event()
        self.pause_at = BEFORE

    async def run(self, assignments: Sequence[Assignment], desk: Desk) -> list[Ran]:
        self.begun += [each.lease.job for each in assignments]
        if len(self.begun) >= self.pause_at:
            await self.may_go_on.wait()
        return [Ran((Encoded(b"body", b"sha"),), 1.0) for _ in assignments]


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
