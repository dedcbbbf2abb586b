"""Detection of dead runners: heartbeats that do not change, by the observer's own clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qwicket.model.accounts import Token
from qwicket.model.jobs import Runner
from qwicket.model.states import JobState
from qwicket.scheduling import LivenessMonitor
from qwicket.store import Store
from support.stores import NOW, add_job, make_token, open_new_sqlite

pytestmark = pytest.mark.anyio

LEASE_S = 40.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    await opened.leases.add_runner("me", "server", NOW)
    await opened.leases.add_runner("other", "server", NOW)
    yield opened
    await opened.close()


@pytest.fixture
async def ada(store: Store) -> Token:
    return await make_token(store)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(store: Store, clock: Clock) -> LivenessMonitor:
    return LivenessMonitor(store, "me", lambda: NOW, clock, lease_s=LEASE_S)


async def beat(store: Store, runner: str) -> None:
    await asyncio.wrap_future(store.leases.record_heartbeat(Runner(runner, "server", 0, 0), NOW))


async def look_for(monitor: LivenessMonitor, clock: Clock, seconds: float) -> list[str]:
    """Look every ten seconds; return who was found gone."""
    gone = await monitor.check()
    for _ in range(int(seconds / 10)):
        clock.now += 10
        gone += await monitor.check()
    return gone


async def test_a_heartbeat_that_stops_for_the_lease_time_voids_its_runner(
    store: Store, ada: Token, monitor: LivenessMonitor, clock: Clock
) -> None:
    job = await add_job(store, ada)
    await store.leases.claim("simulator", "other", NOW)
    assert await look_for(monitor, clock, LEASE_S - 10) == []
    assert monitor.leases_lost == 0
    assert await look_for(monitor, clock, 10) == ["other"]
    assert monitor.leases_lost == 1
    present = await store.jobs.get(job.id)
    assert present is not None
    assert (present.state, present.attempts) == (JobState.QUEUED, 0)
    assert [runner.id for runner in await store.leases.runners()] == ["me"]


@pytest.mark.parametrize(
    ("runner", "runs_jobs"),
    [
        (Runner("other", "server", 0, 0), False),
        (Runner("other", "server", 0, 2), True),
        (Runner("other", "server", 0, 0, device="elsewhere"), True),
        (Runner("other", "agent", 0, 0, device="lab"), True),
        (Runner("other", "pilot", 0, 1), True),
        (Runner("other", "scaler", 0, 0), True),
    ],
)
async def test_only_a_server_without_slots_is_no_runner_that_could_run_jobs(
    store: Store, monitor: LivenessMonitor, runner: Runner, runs_jobs: bool
) -> None:
    await store.leases.void_runner("other", NOW)
    await store.leases.register(runner, NOW)
    await monitor.look()
    assert monitor.has_runners is runs_jobs
    await store.leases.void_runner("other", NOW)
    await monitor.look()
    assert not monitor.has_runners


async def test_the_monitor_looks_four_times_in_a_lease_time(
    store: Store, ada: Token, clock: Clock
) -> None:
    """So a dead runner is void after five quarters of it: the first look is the one to compare."""
    pauses_s: list[float] = []

    async def sleep(seconds: float) -> None:
        if not watching.leases_lost:
            pauses_s.append(seconds)
        clock.now += seconds
        await asyncio.sleep(0)

    watching = LivenessMonitor(store, "me", lambda: NOW, clock, lease_s=LEASE_S, sleep=sleep)
    await add_job(store, ada)
    await store.leases.claim("simulator", "other", NOW)
    running = asyncio.create_task(watching.run())
    while not watching.leases_lost:
        await asyncio.sleep(0)
    running.cancel()
    assert pauses_s == [LEASE_S / 4] * 5


async def test_a_runner_that_beats_keeps_what_it_holds(
    store: Store, monitor: LivenessMonitor, clock: Clock
) -> None:
    for _ in range(10):
        assert await look_for(monitor, clock, LEASE_S - 10) == []
        await beat(store, "other")


async def test_no_runner_voids_itself(store: Store, monitor: LivenessMonitor, clock: Clock) -> None:
    assert await look_for(monitor, clock, 3 * LEASE_S) == ["other"]


async def test_a_watcher_that_slept_has_seen_no_stillness(
    store: Store, monitor: LivenessMonitor, clock: Clock
) -> None:
    await look_for(monitor, clock, LEASE_S - 10)
    clock.now += 100 * LEASE_S
    assert await look_for(monitor, clock, LEASE_S - 10) == []
    assert await look_for(monitor, clock, 10) == ["other"]


async def test_a_runner_that_comes_back_is_watched_anew(
    store: Store, monitor: LivenessMonitor, clock: Clock
) -> None:
    assert await look_for(monitor, clock, LEASE_S) == ["other"]
    await beat(store, "other")
    assert await look_for(monitor, clock, LEASE_S - 10) == []
    assert await look_for(monitor, clock, 10) == ["other"]


async def test_a_heartbeat_that_waits_for_a_slow_disk_counts(
    store: Store, ada: Token, monitor: LivenessMonitor, clock: Clock
) -> None:
    job = await add_job(store, ada)
    await store.leases.claim("simulator", "other", NOW)
    is_written = threading.Event()
    store._database.submit(lambda _: is_written.wait(10))
    beating = asyncio.ensure_future(beat(store, "other"))
    looking = asyncio.ensure_future(look_for(monitor, clock, LEASE_S))
    while clock.now < 1_000.0 + LEASE_S:
        await asyncio.sleep(0)
    is_written.set()
    assert await looking == []
    await beating
    present = await store.jobs.get(job.id)
    assert present is not None
    assert present.state is JobState.RUNNING
    assert await look_for(monitor, clock, LEASE_S) == ["other"]


async def test_a_heartbeat_after_the_last_look_does_not_count_where_the_clock_jumped(
    store: Store, ada: Token, monitor: LivenessMonitor, clock: Clock
) -> None:
    job = await add_job(store, ada)
    await store.leases.claim("simulator", "other", NOW)
    await monitor.look()
    clock.now += LEASE_S
    await beat(store, "other")
    assert await monitor.void_silent(ignore_newer=True) == ["other"]
    present = await store.jobs.get(job.id)
    assert present is not None
    assert present.state is JobState.QUEUED


async def test_a_look_that_takes_long_hides_no_newer_heartbeat(
    store: Store, monitor: LivenessMonitor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_read, may_return = asyncio.Event(), asyncio.Event()
    read = store.leases.runners

    async def read_slowly() -> list[Runner]:
        found = await read()
        if not has_read.is_set():
            has_read.set()
            await may_return.wait()
        return found

    monkeypatch.setattr(store.leases, "runners", read_slowly)
    slow = asyncio.ensure_future(monitor.look())
    await has_read.wait()
    await beat(store, "other")
    quick = asyncio.ensure_future(monitor.look())
    await asyncio.wait({quick}, timeout=0.2)
    may_return.set()
    await asyncio.gather(slow, quick)
    clock.now += LEASE_S
    assert await monitor.void_silent() == ["other"]
