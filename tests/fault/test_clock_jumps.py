"""Clocks jump by an hour, and back: no time is negative, and no lease ends."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.gateway.signin import SignIn, digest
from qwicket.model.accounts import DEFAULT_SCOPES, Token
from qwicket.model.errors import Unauthenticated
from qwicket.model.groups import NewGroup
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job, JobQuery, Runner
from qwicket.model.limits import SignInLimits
from qwicket.model.states import JobState
from qwicket.scheduling import Forecaster, LivenessMonitor, MaintenanceLoop
from qwicket.store import Store
from support.history_callers import OpenStores
from support.history_stores import two_on_postgres, two_on_sqlite
from support.stores import NOW, add_job, make_token

pytestmark = [pytest.mark.anyio, pytest.mark.promise]

HOUR_MS = 3_600_000
LEASE_S = 40.0
DONE = RunResult((Encoded(b"body", b"sha"),), 1.0)


class WrongClock:
    """A wall clock that jumps an hour ahead, back, and an hour behind; seconds go on as always."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.offset_ms = 0

    def now_ms(self) -> int:
        return NOW + self.offset_ms + int(1000 * self.seconds)

    def monotonic(self) -> float:
        return 1_000.0 + self.seconds

    def jump(self, hours: int) -> None:
        self.offset_ms = hours * HOUR_MS


JUMPS = (0, 1, 0, -1, 0, -1, 1)


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    open_stores: OpenStores = two_on_sqlite
    if request.param == "postgres":
        open_stores = partial(two_on_postgres, request.getfixturevalue("postgres"))
    async with open_stores() as stores:
        yield stores[0]


@pytest.fixture
async def ada(store: Store) -> Token:
    await store.leases.add_runner("runner", "server", NOW, slots=1)
    return await make_token(store)


@pytest.fixture
def clock() -> WrongClock:
    return WrongClock()


async def claim(store: Store, clock: WrongClock) -> Job:
    (assignment,) = (await store.leases.claim("simulator", "runner", clock.now_ms())).taken
    job = await store.jobs.get(assignment.lease.job)
    assert job is not None
    return job


async def test_times_of_jobs_and_accounts_never_run_backwards(
    store: Store, ada: Token, clock: WrongClock
) -> None:
    group = await store.job_groups.open(
        NewGroup(
            id=new_id(NOW), account=ada.account, project=ada.project, dialect="native", now=NOW
        )
    )
    seen: list[Job] = []
    for hours in JUMPS * 3:
        clock.jump(hours)
        clock.seconds += 0.001
        seen += [await add_job(store, ada, clock.now_ms(), group=group.id) for _ in range(4)]
        clock.jump(random.Random(len(seen)).choice(JUMPS))
        for each in (
            await store.leases.claim("simulator", "runner", clock.now_ms(), maximum=3)
        ).taken:
            clock.jump(random.Random(len(seen)).choice(JUMPS))
            await store.leases.finish(each.lease, DONE, clock.now_ms())
        if len(seen) % 8 == 0:
            newest = await store.jobs.cancel(seen[-1].id, actor="ada", now=clock.now_ms())
            assert newest is not None
            seen.append(newest)
            await store.jobs.delete(newest.id)  # the newest times go with it, and yet count
    created = [job.created_at for job in seen if job.version == 1]
    assert created == sorted(set(created))
    changes = [job.change for job in seen]
    assert changes == sorted(set(changes))
    for job in await store.jobs.page(JobQuery(account=ada.account, limit=1_000)):
        times = [job.created_at, job.queued_at, job.started_at, job.ended_at]
        known = [time for time in times if time is not None]
        assert known == sorted(known)
    assert (await store.job_groups.use(group.id)).run_ms >= 0


async def test_no_jump_takes_a_lease(store: Store, ada: Token, clock: WrongClock) -> None:
    monitor = LivenessMonitor(store, "me", clock.now_ms, clock.monotonic, lease_s=LEASE_S)
    await add_job(store, ada)
    job = await claim(store, clock)
    for hours in JUMPS * 3:
        clock.jump(hours)
        clock.seconds += 10
        beat = store.leases.record_heartbeat(Runner("runner", "server", 0, 0), clock.now_ms())
        await asyncio.wrap_future(beat)
        assert await monitor.check() == []
        assert await store.leases.void_orphaned_leases(clock.now_ms()) == []
    present = await store.jobs.get(job.id)
    assert present is not None
    assert present.state is JobState.RUNNING
    gone = []
    for hours in (1, 0, -1, 0, 1):  # and a runner that is really gone is noticed all the same
        clock.jump(hours)
        clock.seconds += 10
        gone += await monitor.check()
    assert gone == ["runner"]


EXPIRING, REVOKED = ("qw_" + letter * 43 for letter in "er")


async def test_no_jump_revives_a_token(store: Store, ada: Token, clock: WrongClock) -> None:
    await add_token(store, EXPIRING, expires_at=NOW + HOUR_MS // 2)
    revoked = await add_token(store, REVOKED, expires_at=None)
    await store.accounts.revoke(revoked.id, clock.now_ms())
    sign_in = SignIn(store, SignInLimits(), clock.now_ms)
    maintenance = MaintenanceLoop(store, "runner", clock.now_ms, keep_days=None)
    await sign_in.by_token(EXPIRING, "127.0.0.1")
    for hours in (1, 0, -1, 0):
        clock.jump(hours)
        assert await maintenance.run_once()
        for secret in (EXPIRING, REVOKED):
            with pytest.raises(Unauthenticated):
                await sign_in.by_token(secret, "127.0.0.1")


async def add_token(store: Store, secret: str, *, expires_at: int | None) -> Token:
    blank = Token(
        id=new_id(NOW),
        account="",
        project="",
        scopes=DEFAULT_SCOPES,
        devices=(),
        created_at=NOW,
        expires_at=expires_at,
    )
    return await store.accounts.add_token(blank, account="ada", project=None, digest=digest(secret))


async def test_the_forecast_stays_with_what_jobs_are_estimated_to_take(
    store: Store, ada: Token, clock: WrongClock
) -> None:
    for _ in range(5):
        await add_job(store, ada, est_seconds=2.0)
    await claim(store, clock)
    for hours in JUMPS:
        clock.jump(hours)
        forecast = await Forecaster(store, clock.now_ms).forecast("simulator")
        assert forecast.start_in_s is not None
        assert 0 <= forecast.start_in_s <= 5 * 2.0


async def test_two_projects_go_on_sharing_evenly(
    store: Store, ada: Token, clock: WrongClock
) -> None:
    bob = await make_token(store, "bob")
    for owner in (ada, bob):
        await asyncio.gather(*(add_job(store, owner, est_seconds=1.0) for _ in range(140)))
    started: Counter[str] = Counter()
    for hours in JUMPS * 20:
        clock.jump(hours)
        started[(await claim(store, clock)).project] += 1
    # A second counts 2^(1/24) = 1.03 an hour later: over all of it some few jobs of difference.
    assert abs(started[ada.project] - started[bob.project]) <= 0.06 * 140
    assert await store.maintenance.repair_fair_share(clock.now_ms()) == 0
