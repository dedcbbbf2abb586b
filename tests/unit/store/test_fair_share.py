"""Fair share: whose job is next."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.fair_share import HALF_LIFE_S, REBASE_AFTER, weight
from qwicket.model.jobs import Job
from qwicket.store import Store
from support.crowded_project import MEMBERS, crowd_project, jain
from support.stores import NOW, add_job, execute, make_token

pytestmark = pytest.mark.anyio

HALF_LIFE_MS = int(1000 * HALF_LIFE_S)


async def take(store: Store, now: int = NOW) -> str:
    """Claim the next job; return its project."""
    (assignment,) = (await store.leases.claim("simulator", "runner", now)).taken
    return await project_of(store, assignment.lease.job)


async def project_of(store: Store, job_id: str) -> str:
    job = await store.jobs.get(job_id)
    assert job is not None
    return job.project


async def many(store: Store, token: Token, number: int, **changes: Any) -> list[Job]:
    return [await add_job(store, token, **changes) for _ in range(number)]


@pytest.fixture
async def bob(store: Store) -> Token:
    return await make_token(store, "bob")


async def test_ten_jobs_beside_five_hundred_are_among_the_next_twenty(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 500, est_seconds=1.0)
    for _ in range(5):
        await take(store)
    await many(store, bob, 10, est_seconds=1.0)
    started = Counter([await take(store) for _ in range(20)])
    assert started[bob.project] == 10


async def test_projects_take_turns_by_what_their_jobs_cost(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 40, est_seconds=3.0)
    await many(store, bob, 40, est_seconds=1.0)
    started = Counter([await take(store) for _ in range(40)])
    assert started == {ada.project: 10, bob.project: 30}


@pytest.mark.both_databases
async def test_shares_weigh_what_a_project_gets(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await store.accounts.set_shares("ada", 3)
    await many(store, ada, 40, est_seconds=1.0)
    await many(store, bob, 40, est_seconds=1.0)
    started = Counter([await take(store) for _ in range(40)])
    assert started == {ada.project: 30, bob.project: 10}


async def test_jobs_that_were_estimated_too_low_are_paid_for_when_they_end(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 20, est_seconds=1.0)
    await many(store, bob, 20, est_seconds=1.0)
    started = Counter[str]()
    for _ in range(12):
        (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
        project = await project_of(store, assignment.lease.job)
        started[project] += 1
        seconds = 5.0 if project == ada.project else 1.0
        ended_at = NOW + round(1000 * seconds)
        result = RunResult((Encoded(b"", b""),), seconds)
        await store.leases.finish(assignment.lease, result, ended_at)
    assert started == {ada.project: 2, bob.project: 10}


async def test_jobs_that_are_estimated_at_nothing_still_take_turns(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 10, est_seconds=0.0)
    await many(store, bob, 10, est_seconds=0.0)
    started = Counter([await take(store) for _ in range(10)])
    assert started == {ada.project: 5, bob.project: 5}


async def test_what_was_given_back_is_not_paid_for(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 10, est_seconds=1.0)
    await many(store, bob, 10, est_seconds=1.0)
    for _ in range(6):
        (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
        if await project_of(store, assignment.lease.job) == ada.project:
            await store.leases.release(assignment.lease, "test", NOW, counts_as_attempt=False)
    line = await store.queues.state("simulator", NOW, limit=100)
    vtimes = {share.project: share.vtime for share in line.shares}
    assert vtimes[ada.project] == pytest.approx(0.0)


async def use_of(store: Store, project: str, now: int) -> float:
    """Return what a project with waiting jobs has used, in seconds of use at `now`."""
    line = await store.queues.state("simulator", now, limit=100)
    vtimes = {share.project: share.vtime for share in line.shares}
    return vtimes[project] / weight(now, NOW)


@pytest.mark.parametrize("claims", [1, 3])
async def test_what_was_given_back_after_a_week_is_paid_back_exactly(
    store: Store, ada: Token, runner: str, claims: int
) -> None:
    now = NOW
    await many(store, ada, 1, est_seconds=3600.0)
    for _ in range(claims):
        (assignment,) = (await store.leases.claim("simulator", runner, now)).taken
        now += 7 * HALF_LIFE_MS
        await store.leases.release(assignment.lease, "test", now, counts_as_attempt=False)
        assert await use_of(store, ada.project, now) == pytest.approx(0.0, abs=1e-6)
        now += 3 * HALF_LIFE_MS


async def test_a_job_that_ends_days_after_its_start_counts_what_was_measured(
    store: Store, ada: Token, runner: str
) -> None:
    await many(store, ada, 2, est_seconds=300_000.0)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    later = NOW + 2 * HALF_LIFE_MS
    result = RunResult((Encoded(b"", b""),), 1000.0)
    await store.leases.finish(assignment.lease, result, later)
    assert await use_of(store, ada.project, later) == pytest.approx(1000.0)


async def test_what_was_given_back_over_a_rescaling_is_paid_back_exactly(
    store: Store, ada: Token, runner: str
) -> None:
    await many(store, ada, 1, est_seconds=3600.0)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    later = NOW + int(1.5 * REBASE_AFTER * HALF_LIFE_MS)
    await store.maintenance.repair_fair_share(later)
    await store.leases.release(assignment.lease, "test", later, counts_as_attempt=False)
    line = await store.queues.state("simulator", later, limit=100)
    assert [share.vtime for share in line.shares] == pytest.approx([0.0], abs=1e-6)


async def test_absence_buys_no_monopoly(store: Store, ada: Token, bob: Token, runner: str) -> None:
    await many(store, ada, 400, est_seconds=10.0)
    for _ in range(100):  # 1,000 s of use, while bob is away
        await take(store)
    await many(store, bob, 100, est_seconds=10.0)
    started = Counter([await take(store) for _ in range(40)])
    assert started[bob.project] == pytest.approx(20 + 3, abs=1)  # 60 s of credit, then turns


async def test_use_of_yesterday_counts_half(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 60, est_seconds=10.0)
    for _ in range(12):
        await take(store)
    later = NOW + 24 * 3600 * 1000
    await many(store, bob, 60, now=later, est_seconds=10.0)
    for _ in range(6):  # ada's 120 s count 60 now
        assert await take(store, later) == bob.project
    started = Counter([await take(store, later) for _ in range(10)])
    assert started[ada.project] == 5


@pytest.mark.both_databases
async def test_numbers_are_made_small_again_and_the_order_stays(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 5)
    await many(store, bob, 5)
    await take(store)
    later = NOW + int(1.5 * REBASE_AFTER * HALF_LIFE_MS)
    await take(store, later)
    before = (await store.queues.state("simulator", NOW, limit=100)).shares
    assert await store.maintenance.repair_fair_share(later) == 0
    after = (await store.queues.state("simulator", NOW, limit=100)).shares
    assert [share.project for share in after] == [share.project for share in before]
    assert max(share.vtime for share in after) < 1.0 < max(share.vtime for share in before)
    await take(store, later + 1)


async def test_priority_orders_the_jobs_of_one_project_alone(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    plain = await add_job(store, ada, est_seconds=1.0)
    await many(store, bob, 5, priority=5, est_seconds=1.0)
    urgent = await add_job(store, ada, priority=9, est_seconds=1.0)
    order = []
    for _ in range(4):
        (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
        order.append(assignment.lease.job)
    own = [each for each in order if await project_of(store, each) == ada.project]
    assert own == [urgent.id, plain.id]


async def account_of_next(store: Store, now: int = NOW) -> str:
    """Claim the next job; return its account."""
    (assignment,) = (await store.leases.claim("simulator", "runner", now)).taken
    job = await store.jobs.get(assignment.lease.job)
    assert job is not None
    return job.account


@pytest.mark.both_databases
async def test_members_of_a_project_take_turns(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 200, est_seconds=1.0)
    for _ in range(5):
        await account_of_next(store)
    await many(store, bob, 10, project=ada.project, est_seconds=1.0)
    started = Counter([await account_of_next(store) for _ in range(20)])
    assert started[bob.account] == 10


async def test_members_weigh_what_an_administrator_gives_them(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await store.accounts.add_member("ada", "bob")
    await store.accounts.change_member("ada", "bob", shares=3)
    await many(store, ada, 40, est_seconds=1.0)
    await many(store, bob, 40, project=ada.project, est_seconds=1.0)
    started = Counter([await account_of_next(store) for _ in range(40)])
    assert started == {ada.account: 10, bob.account: 30}


async def test_a_priority_above_zero_comes_before_the_turns_of_members(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await many(store, ada, 3, est_seconds=1.0)
    await many(store, bob, 2, project=ada.project, est_seconds=1.0)
    await many(store, bob, 3, project=ada.project, priority=1, est_seconds=1.0)
    order = [await account_of_next(store) for _ in range(8)]
    assert order == [bob.account] * 3 + [ada.account] * 3 + [bob.account] * 2


async def test_jobs_that_no_share_of_a_member_counts_are_claimed_too(
    store: Store, ada: Token, runner: str
) -> None:
    await many(store, ada, 1)
    await store._database.write(lambda tx: execute(tx, "delete from member_share"))
    assert await take(store) == ada.project


async def test_cancelled_jobs_leave_no_place_in_the_line(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    job = await add_job(store, ada)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    assert (await store.queues.state("simulator", NOW, limit=10)).shares == []
    await add_job(store, bob)
    assert await take(store) == bob.project


async def test_a_job_that_is_cancelled_in_the_queue_costs_nothing(store: Store, ada: Token) -> None:
    job, _ = await many(store, ada, 2, est_seconds=300.0)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    assert await use_of(store, ada.project, NOW) == 0.0


@pytest.mark.parametrize(("ran_ms", "counted"), [(1_000, 1.0), (900_000, 300.0)])
async def test_a_running_job_that_is_cancelled_counts_the_time_that_it_ran(
    store: Store, ada: Token, runner: str, ran_ms: int, counted: float
) -> None:
    job = await add_job(store, ada, est_seconds=300.0)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    await store.leases.cancel_stopped(assignment.lease, NOW + ran_ms)
    await add_job(store, ada)
    (share,) = (await store.queues.state("simulator", NOW, limit=10)).shares
    assert share.vtime == pytest.approx(counted, rel=0.02)


async def test_use_decays_again_after_a_clock_that_was_far_ahead(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await store.maintenance.repair_fair_share(NOW + 300 * HALF_LIFE_MS)
    await store.maintenance.repair_fair_share(NOW)
    for token, seconds, now in ((ada, 1_000.0, NOW), (bob, 100.0, NOW + 10 * HALF_LIFE_MS)):
        await add_job(store, token, now, est_seconds=seconds)
        claimed_at = now - round(1000 * seconds)
        (assignment,) = (await store.leases.claim("simulator", runner, claimed_at)).taken
        await store.leases.finish(assignment.lease, RunResult((Encoded(b"", b""),), seconds), now)
    for token in (bob, ada):
        await add_job(store, token, now)
    assert await take(store, now) == ada.project


@pytest.mark.both_databases
async def test_maintenance_finds_nothing_to_mend_after_a_jobs_life(
    store: Store, ada: Token, runner: str
) -> None:
    jobs = await many(store, ada, 4)
    leases = [
        ((await store.leases.claim("simulator", runner, NOW)).taken)[0].lease for _ in range(3)
    ]
    await store.leases.release(leases[0], "test", NOW, counts_as_attempt=False)
    await store.leases.finish(leases[1], RunResult((Encoded(b"", b""),), 0.1), NOW)
    await store.jobs.cancel(jobs[3].id, actor="ada", now=NOW)
    assert await store.maintenance.repair_fair_share(NOW) == 0
    await store._database.write(lambda tx: execute(tx, "update share set has_work = 0"))
    assert await store.maintenance.repair_fair_share(NOW) == 1
    await store._database.write(lambda tx: execute(tx, "update member_share set has_work = 0"))
    assert await store.maintenance.repair_fair_share(NOW) == 1
    assert await take(store) == ada.project


@pytest.mark.both_databases
async def test_the_queue_shows_the_use_of_projects_that_have_just_run(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    job = await add_job(store, ada, est_seconds=2.0, priority=3)
    await make_token(store, "eve")  # has run nothing
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.leases.finish(assignment.lease, RunResult((Encoded(b"", b""),), 0.1), NOW)
    await add_job(store, bob, priority=-4)
    found = await store.queues.state("simulator", NOW, limit=10)
    assert [share.project for share in found.shares] == [bob.project]
    assert [share.project for share in found.idle_shares] == [ada.project]
    (ended,) = found.recent
    assert (ended.project, ended.priority, ended.queued_at) == (ada.project, 3, job.queued_at)
    (waiting,) = found.waiting
    assert (waiting.priority, waiting.queued_at) == (-4, NOW)


@pytest.mark.both_databases
async def test_of_too_many_jobs_a_queue_has_the_first_of_each_member(
    store: Store, ada: Token, bob: Token
) -> None:
    zoe = await make_token(store, "zoe")
    await many(store, ada, 9)
    await many(store, zoe, 9, project=ada.project)
    low = await many(store, bob, 3)
    urgent = await add_job(store, bob, priority=5)
    line = await store.queues.state("simulator", NOW, limit=6)
    assert Counter(job.account for job in line.waiting) == {
        ada.account: 2, bob.account: 2, zoe.account: 2
    }  # fmt: skip
    assert line.n_more == 16
    assert line.depths == {
        (ada.project, ada.account): 9, (ada.project, zoe.account): 9, (bob.project, bob.account): 4
    }  # fmt: skip
    assert [await store.queues.rank(job) for job in (urgent, *low)] == [0, 1, 2, 3]
    bobs = [job.id for job in line.waiting if job.project == bob.project]
    assert bobs == [urgent.id, low[0].id]
    whole = await store.queues.state("simulator", NOW, limit=23)
    assert (len(whole.waiting), whole.n_more) == (22, 0)
    assert (await store.queues.state("simulator", NOW, limit=1)).n_more == 21


async def test_a_thousand_members_share_a_project_equally_beside_a_flood_and_long_jobs(
    store: Store, runner: str
) -> None:
    """Ten minutes of 16 slots in simulated time: the first starts, and Jain's index of the use."""
    slots, minutes, run_s, long_s = 16, 10, 2.4, 60.0
    crowd = await crowd_project(store, run_s=run_s, long_s=long_s, jobs_each=6)
    used = Counter(dict.fromkeys(crowd.members, 0))
    first_start_s: dict[str, float] = {}
    free_at_s = [0.0] * slots
    while free_at_s[0] < 60 * minutes:
        at_s = free_at_s[0]
        (claimed,) = (await store.leases.claim("simulator", runner, NOW + round(1000 * at_s))).taken
        job = await store.jobs.get(claimed.lease.job)
        assert job is not None
        first_start_s.setdefault(job.account, at_s)
        used[job.account] += round(1000 * job.est_seconds)
        heapq.heapreplace(free_at_s, at_s + job.est_seconds)
    assert jain(used) >= 0.95
    assert len(first_start_s) == MEMBERS
    assert max(first_start_s.values()) <= 2 * MEMBERS * run_s / slots
    assert used[crowd.flooder] >= 1000 * long_s, "it had a long job"
