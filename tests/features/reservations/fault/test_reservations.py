"""Many accounts submit without a pause under a reservation: no job of others starts in it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.drivers import ForwardLog
from qwicket.model.accounts import Token
from qwicket.model.jobs import Assignment, JobQuery
from qwicket.model.states import JobState
from qwicket.scheduling import Dispatcher
from qwicket.store import Store
from support.history_callers import OpenStores
from support.history_stores import two_on_postgres, two_on_sqlite
from support.repetitions import databases, runs
from support.reservations import reserve
from support.stores import add_job, make_token

pytestmark = [pytest.mark.anyio, pytest.mark.extended]

ACCOUNTS = 200
OTHERS = 20
SECONDS = runs(30, long=300)
RUN_S = 0.1
MIN_FAIRNESS = 0.95


@pytest.fixture(params=databases("sqlite"))
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    open_stores: OpenStores = two_on_sqlite
    if request.param == "postgres":
        open_stores = partial(two_on_postgres, request.getfixturevalue("postgres"))
    async with open_stores() as stores:
        yield stores[0]


class Device:
    """A driver that takes its time and no processor, so that the device is what all wait for."""

    forwards = False
    slots = 8
    jobs_per_task = 1

    async def run(self, assignments: Sequence[Assignment], desk: ForwardLog) -> list[RunResult]:
        await asyncio.sleep(RUN_S)
        return [RunResult((Encoded(b"body", b"sha"),), RUN_S) for _ in assignments]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def jain(amounts: Sequence[float]) -> float:
    """Return the fairness index of Jain, Chiu and Hawe (DEC-TR-301, 1984): 1 if all are equal."""
    return sum(amounts) ** 2 / (len(amounts) * sum(amount**2 for amount in amounts))


async def submit_always(store: Store, token: Token, until: int) -> None:
    """Submit one job after the other until a time."""
    while (now := now_ms()) < until:
        job = await add_job(store, token, now, est_seconds=RUN_S)
        with store.changes.watch(job.id) as watch:
            while now_ms() < until:
                present = await store.jobs.get(job.id)
                if present is None or present.state.is_final:
                    break
                await watch.changed((until - now_ms()) / 1000)


@pytest.mark.timeout(SECONDS + 180)
async def test_no_job_of_others_starts_in_a_reservation_and_its_projects_share_it_equally(
    store: Store,
) -> None:
    """Accounts have one to four jobs at a time, and receive equal times of the device."""
    own = [await make_token(store, f"own-{n}") for n in range(ACCOUNTS)]
    others = [await make_token(store, f"other-{n}") for n in range(OTHERS)]
    begin = now_ms()
    end = begin + 1000 * SECONDS
    projects = [f"own-{n}" for n in range(ACCOUNTS)]
    await reserve(store, *projects, from_at=begin, until_at=end)
    await store.leases.add_runner("runner", "server", begin, slots=Device.slots)
    dispatcher = Dispatcher(store, Device(), ["simulator"], "runner", now_ms)
    dispatcher.start()
    await asyncio.gather(
        *(submit_always(store, each, end) for each in others),
        *(submit_always(store, each, end) for n, each in enumerate(own) for _ in range(1 + n % 4)),
    )
    used_s: defaultdict[str, float] = defaultdict(float)
    for token in own:
        for job in await store.jobs.page(JobQuery(account=token.account, limit=10_000)):
            if job.state is JobState.COMPLETED and (job.ended_at or 0) <= end:
                used_s[token.account] += RUN_S  # by its own clock: this machine may have paused
    waiting = {
        job.id: job.started_at
        for token in others
        for job in await store.jobs.page(JobQuery(account=token.account))
    }
    assert len(waiting) == OTHERS, "each has submitted one, and waits for it"
    assert not [at for at in waiting.values() if at is not None and at < end]
    assert jain([used_s[token.account] for token in own]) >= MIN_FAIRNESS
    async with asyncio.timeout(60):  # and now they run
        while [at for at in waiting.values() if at is None]:
            await asyncio.sleep(0.1)
            for each in waiting:
                present = await store.jobs.get(each)
                waiting[each] = present.started_at if present else None
    assert min(at or 0 for at in waiting.values()) >= end
    await dispatcher.stop(5)
