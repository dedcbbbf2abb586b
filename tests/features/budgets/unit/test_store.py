"""Budgets: what is reserved at submission, and settled by what was used."""

from __future__ import annotations

import asyncio
import math
import re
from functools import partial
from typing import Any

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.features.budgets.store import BudgetStore, project_budgets
from qwicket.model.accounts import Token
from qwicket.model.bounds import Bounds
from qwicket.model.budgets import (
    EACH,
    MICRO,
    Budget,
    BudgetPeriod,
    BudgetUnit,
    TokenUse,
    Use,
    period_start,
    to_stored_amount,
)
from qwicket.model.devices import DeviceCost
from qwicket.model.errors import BudgetSpent, Forbidden, LimitExceeded, NotFound
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job
from qwicket.model.states import JobState
from qwicket.store import Store, open_postgres, statements
from qwicket.store.database import Row, Tx
from qwicket.store.postgres import PostgresTx
from qwicket.store.sqlite import SQL_FRAGMENTS, SQLiteTx
from support.postgres import PostgresServer
from support.stores import NOW, PLENTY, add_job, execute, make_token, new_job

pytestmark = pytest.mark.anyio

DAY = 86_400_000
RESULT = Encoded(b"r", b"small")
COST = DeviceCost(per_job=1.0, per_shot=0.01, per_second=0.5)


async def put(
    store: Store,
    maximum: float,
    unit: BudgetUnit = "shots",
    period: BudgetPeriod = "total",
    *,
    device: str = "",
    now: int = NOW,
) -> str:
    made = await store.feature(BudgetStore).put(
        new_id(now), "ada", device, unit, period, to_stored_amount(unit, maximum), now
    )
    return made.budget.id


async def used(store: Store, unit: BudgetUnit = "shots", now: int = NOW) -> int:
    (found,) = [
        each.budget for each in await store.feature(BudgetStore).all() if each.budget.unit == unit
    ]
    return found.used_at(now)


async def run(store: Store, runner: str, result: Any, seconds: float = 1.0) -> Job:
    claimed_at = NOW - round(1000 * seconds)
    (assignment,) = (await store.leases.claim("simulator", runner, claimed_at)).taken
    return await store.leases.finish(assignment.lease, RunResult(result, seconds), NOW)


async def test_a_submission_beyond_the_budget_is_refused_and_leaves_nothing(
    store: Store, ada: Token
) -> None:
    await put(store, 250)
    jobs = [new_job(ada) for _ in range(3)]
    found = await asyncio.gather(  # in one group of writes
        *(store.jobs.add(job, waiting_limit=PLENTY) for job in jobs), return_exceptions=True
    )
    (refused,) = [each for each in found if isinstance(each, BaseException)]
    assert isinstance(refused, BudgetSpent)
    assert refused.status == 403
    assert refused.detail == (
        "The budget of 250 shots in total for the project ada is not enough: 200 shots are used or"
        " reserved, and this job needs 100 shots."
    )
    assert await used(store) == 200
    present = [await store.jobs.get(job.id) for job in jobs]
    assert len([job for job in present if job is not None]) == 2


@pytest.mark.both_databases
async def test_every_budget_that_applies_must_have_room(store: Store, ada: Token) -> None:
    await put(store, 1_000)
    await put(store, 1, "jobs", device="simulator")
    await add_job(store, ada)
    with pytest.raises(BudgetSpent, match="1 job in total for the project ada on simulator"):
        await add_job(store, ada)
    assert await used(store) == 100, "nothing of a refused job is reserved"
    await add_job(store, ada, device="clifford")
    assert await used(store) == 200
    bob = await make_token(store, "bob")
    await add_job(store, bob)
    assert await used(store) == 200


async def put_member(store: Store, member: str, shots: int) -> str:
    given = ("ada", "", "shots", "total", shots, NOW)
    made = await store.feature(BudgetStore).put(new_id(NOW), *given, member=member)
    return made.budget.id


@pytest.mark.both_databases
async def test_each_member_has_a_budget_of_their_own_within_the_projects(
    store: Store, ada: Token, runner: str
) -> None:
    bob = await make_token(store, "bob")
    with pytest.raises(NotFound, match="bob is not a member of ada"):
        await put_member(store, "bob", 100)
    await store.accounts.add_member("ada", "bob")
    await put(store, 500)
    await put_member(store, "each", 200)
    of_bob = partial(new_job, bob, project=ada.project)
    jobs = [*(new_job(ada) for _ in range(3)), *(of_bob() for _ in range(3))]
    found = await asyncio.gather(
        *(store.jobs.add(job, waiting_limit=PLENTY) for job in jobs), return_exceptions=True
    )
    refused = [each.detail for each in found if isinstance(each, BudgetSpent)]
    assert len(refused) == 2
    assert "200 shots in total for each member of the project ada is not enough" in refused[0]
    assert await of_project(store) == 400
    own = await put_member(store, "bob", 300)  # in place of that of each member
    await store.jobs.add(of_bob(), waiting_limit=PLENTY)
    await store.jobs.cancel(jobs[3].id, actor="bob", now=NOW)
    await run(store, runner, (Encoded(b"", b""),))
    for account, expected in ((ada.account, 200), (bob.account, 100)):
        budgets = await store.feature(BudgetStore).of_account(account)
        (shown,) = [each.budget for each in budgets if each.budget.member]
        assert shown.used == expected
    assert await of_project(store) == 400
    with pytest.raises(BudgetSpent, match="500 shots in total for the project ada is"):
        await store.jobs.add(of_bob(shots=201), waiting_limit=PLENTY)
    await put(store, 5_000)
    with pytest.raises(BudgetSpent, match="300 shots in total for bob of the project ada is"):
        await store.jobs.add(of_bob(shots=201), waiting_limit=PLENTY)
    await store.feature(BudgetStore).remove(own)
    assert [each.budget.member for each in await store.feature(BudgetStore).all()] == ["", "each"]


async def of_project(store: Store) -> int:
    (found,) = [
        each.budget for each in await store.feature(BudgetStore).all() if not each.budget.member
    ]
    return found.used


@pytest.mark.parametrize(
    ("unit", "reserved", "settled"),
    [("jobs", 1, 1), ("shots", 300, 300), ("seconds", 2.0, 0.25), ("cost", 5.0, 4.125)],
)
async def test_a_completed_job_is_settled_by_what_it_used(
    store: Store, ada: Token, runner: str, unit: BudgetUnit, reserved: float, settled: float
) -> None:
    await put(store, 1_000, unit)
    # 1 + 300 × 0.01 + 2 × 0.5 = 5 credits are reserved, 1 + 3 + 0.25 × 0.5 are used.
    job = await add_job(store, ada, n_circuits=3, est_seconds=2.0, cost=COST)
    assert await used(store, unit) == to_stored_amount(unit, reserved)
    after = await run(store, runner, (RESULT, RESULT, RESULT), 0.25)
    assert await used(store, unit) == to_stored_amount(unit, settled)
    assert after.id == job.id
    now = await store.jobs.get(job.id)
    assert now is not None
    assert (now.bill, now.cost) == (None, 4_125_000)


@pytest.mark.both_databases
async def test_what_is_cancelled_in_the_queue_is_given_back(store: Store, ada: Token) -> None:
    for unit in ("jobs", "shots", "seconds", "cost"):
        await put(store, 1_000, unit)
    job = await add_job(store, ada, cost=COST)
    await store.jobs.cancel(job.id, actor=ada.account, now=NOW)
    assert [each.budget.used for each in await store.feature(BudgetStore).all()] == [0, 0, 0, 0]
    await store.jobs.cancel(job.id, actor=ada.account, now=NOW)
    assert [each.budget.used for each in await store.feature(BudgetStore).all()] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("result", "seconds", "left"),
    [
        (Failure("run_time_exceeded", "too long"), 2.0, (1, 0, 2.0)),
        (Failure("driver_error", "never ran"), 0.0, (0, 0, 0.0)),
        ((RESULT, Failure("unsupported", "no")), 0.5, (1, 100, 0.5)),
    ],
)
async def test_a_failed_job_is_settled_by_what_it_used(
    store: Store,
    ada: Token,
    runner: str,
    result: Any,
    seconds: float,
    left: tuple[int, int, float],
) -> None:
    units: tuple[BudgetUnit, ...] = ("jobs", "shots", "seconds")
    for unit in units:
        await put(store, 1_000, unit)
    await add_job(store, ada, n_circuits=2)
    await run(store, runner, result, seconds)
    found = [await used(store, unit) for unit in units]
    assert found == [
        to_stored_amount(unit, amount) for unit, amount in zip(units, left, strict=True)
    ]


async def test_a_running_job_that_is_cancelled_has_used_its_time_and_no_shots(
    store: Store, ada: Token, runner: str
) -> None:
    for unit in ("jobs", "shots", "seconds"):
        await put(store, 1_000, unit)
    job = await add_job(store, ada)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW + 10)).taken
    await store.jobs.cancel(job.id, actor=ada.account, now=NOW + 20)
    assert await used(store) == 100, "it has not stopped yet"
    ended = await store.leases.release(
        assignment.lease, "stopped", NOW + 1_510, counts_as_attempt=False
    )
    assert ended.state is JobState.CANCELLED
    assert [each.budget.used for each in await store.feature(BudgetStore).all()] == [
        1,
        1_500_000,
        0,
    ]


@pytest.mark.both_databases
async def test_time_in_the_queue_between_two_starts_is_not_used(
    store: Store, ada: Token, runner: str
) -> None:
    await put(store, 1_000, "seconds")
    await add_job(store, ada, est_seconds=2.0)
    for now in (NOW, NOW + 3_600_000):
        (assignment,) = (await store.leases.claim("simulator", runner, now)).taken
        if now == NOW:
            await store.leases.release(assignment.lease, "test", now, counts_as_attempt=False)
    await store.jobs.cancel(assignment.lease.job, actor=ada.account, now=now)
    await store.leases.cancel_stopped(assignment.lease, now + 5_000)
    assert [each.budget.used for each in await store.feature(BudgetStore).all()] == [2_000_000]
    (use,) = await store.uses.use_of(0, 2 * NOW)
    assert use.use.seconds == 2_000_000


@pytest.mark.both_databases
async def test_use_is_summed_by_the_day_on_which_jobs_ended_and_outlives_them(
    store: Store, ada: Token, runner: str
) -> None:
    async def end(at: int, result: Any, seconds: float, **options: Any) -> Job:
        job = await add_job(store, ada, **options)
        claimed_at = at - round(1000 * seconds)
        (assignment,) = (await store.leases.claim("simulator", runner, claimed_at)).taken
        await store.leases.finish(assignment.lease, RunResult(result, seconds), at)
        return job

    today = NOW - NOW % DAY + DAY
    first = await end(today + 5, (RESULT, RESULT), 0.25, n_circuits=2, cost=COST)
    await end(today + DAY - 1, (RESULT, Failure("unsupported", "no")), 0.5, n_circuits=2)
    await end(today + DAY, Failure("run_time_exceeded", "too long"), 2.0)
    await end(today + DAY, Failure("driver_error", "never ran"), 0.0)
    waiting = await add_job(store, ada)
    await store.jobs.cancel(waiting.id, actor=ada.account, now=today + DAY)
    expected = {
        today: Use(jobs=2, shots=300, seconds=750_000, cost=3_125_000),
        today + DAY: Use(jobs=1, shots=0, seconds=2_000_000, cost=0),
    }
    assert await store.uses.use_by_day(ada.project, 0, today + 9 * DAY) == expected
    await store.jobs.delete(first.id)
    assert await store.uses.use_by_day(ada.project, 0, today + 9 * DAY) == expected
    (found,) = await store.uses.use_of(today, today + DAY)
    assert found.use == expected[today]
    assert len(await store.uses.use_of(0, today)) == 0

    def add_of_an_older_server(tx: Tx) -> None:
        columns = f"'{ada.project}', 'simulator', {today}, 10, 20, 30, 40"
        execute(tx, f"insert into daily_use values ({columns})")

    await store._database.write(add_of_an_older_server)
    both = Use(12, 320, 750_030, 3_125_040)
    assert (await store.uses.use_by_day(ada.project, today, today + DAY))[today] == both
    own = partial(store.uses.use_by_day, ada.project, today, today + DAY)
    assert await own(account=ada.account) == {today: expected[today]}
    assert await own(account="another") == {}
    assert await store.uses.jobs_of([ada.project], today) == {ada.project: 13}
    by_account = await store.uses.use_of(0, today + 9 * DAY, ("account", "day"))
    assert sorted(each[:5] for each in by_account) == [
        (None, "", None, today, Use(10, 20, 30, 40)),
        (None, "ada", None, today, expected[today]),
        (None, "ada", None, today + DAY, expected[today + DAY]),
    ]
    assert len(await store.uses.use_of(0, today + 9 * DAY, ("account", "day"), 2)) == 2


async def test_sums_of_absurd_times_stop_before_they_overflow(
    store: Store, ada: Token, runner: str
) -> None:
    for _ in range(102):
        await add_job(store, ada)
        await run(store, runner, Failure("run_time_exceeded", "too long"), 1e7)
    (found,) = await store.uses.use_of(0, NOW + DAY)
    assert (found.use.jobs, found.use.seconds) == (102, 10**15)

    def repeat(tx: Tx) -> None:
        for day in range(1, 101):
            execute(
                tx,
                f"insert into account_use select project, device, day + {day * DAY}, account,"
                f" jobs, shots, us, cost from account_use where day <= {NOW}",
            )

    await store._database.write(repeat)
    (found,) = await store.uses.use_of(0, NOW + 101 * DAY)
    assert found.use.seconds == 101 * 10**15


async def test_a_job_that_is_queued_again_keeps_its_reservation(
    store: Store, ada: Token, runner: str
) -> None:
    await put(store, 100)
    await add_job(store, ada)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.leases.release(assignment.lease, "its runner is dead", NOW, counts_as_attempt=False)
    assert await used(store) == 100
    await run(store, runner, (RESULT,))
    assert await used(store) == 100


async def test_a_period_begins_with_no_use_and_settles_none_of_the_last(
    store: Store, ada: Token, runner: str
) -> None:
    await put(store, 100, period="day")
    await add_job(store, ada)
    with pytest.raises(BudgetSpent, match=r"Its next period begins at 2025-10-10T00:00Z\."):
        await add_job(store, ada)
    await add_job(store, ada, NOW + DAY)
    assert await used(store, now=NOW + DAY) == 100
    with pytest.raises(BudgetSpent):
        await add_job(store, ada, NOW)  # of a server whose clock is a day behind
    await run(store, runner, Failure("driver_error", "never ran"), 0.0)
    assert await used(store, now=NOW + DAY) == 100, "the job of yesterday gives nothing back today"
    await run(store, runner, Failure("driver_error", "never ran"), 0.0)
    assert await used(store, now=NOW + DAY) == 0


@pytest.mark.both_databases
async def test_a_budget_that_is_set_again_keeps_its_use(store: Store, ada: Token) -> None:
    first = await put(store, 100)
    await add_job(store, ada)
    assert await put(store, 250) == first
    assert await used(store) == 100
    await add_job(store, ada)
    with pytest.raises(BudgetSpent):
        await add_job(store, ada)
    await store.feature(BudgetStore).remove(first)
    await add_job(store, ada)
    assert await store.feature(BudgetStore).all() == []
    with pytest.raises(NotFound):
        await store.feature(BudgetStore).remove(first)


async def test_a_budget_counts_what_is_submitted_after_it_was_set(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    await put(store, 100)
    await run(store, runner, (RESULT,))
    assert await used(store) == 0
    await add_job(store, ada)
    assert await used(store) == 100


@pytest.mark.both_databases
async def test_a_repeated_submission_reserves_once(store: Store, ada: Token) -> None:
    await put(store, 100)
    first = new_job(ada, idempotency_key="k", digest=b"d")
    again = new_job(ada, idempotency_key="k", digest=b"d")
    job = await store.jobs.add(first, waiting_limit=PLENTY)
    assert (await store.jobs.add(again, waiting_limit=PLENTY)).id == job.id
    assert await used(store) == 100


async def test_a_dry_run_and_a_refused_program_use_nothing(store: Store, ada: Token) -> None:
    await put(store, 0)
    await add_job(store, ada, is_dry_run=True, cost=COST)
    await add_job(store, ada, error=Failure("invalid_program", "no"))
    assert await used(store) == 0
    with pytest.raises(BudgetSpent):
        await add_job(store, ada)


@pytest.mark.both_databases
async def test_a_draft_reserves_when_its_program_is_admitted(store: Store, ada: Token) -> None:
    await put(store, 150)
    drafts = [
        await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 1_000) for _ in range(2)
    ]
    assert await used(store) == 0
    await store.jobs.admit(drafts[0].id, new_job(ada))
    assert await used(store) == 100
    with pytest.raises(BudgetSpent):
        await store.jobs.admit(drafts[1].id, new_job(ada))
    draft = await store.jobs.get(drafts[1].id)
    assert draft is not None
    assert draft.state is JobState.DRAFT
    await store.jobs.cancel(drafts[0].id, actor=ada.account, now=NOW)
    assert await used(store) == 0


@pytest.mark.both_databases
async def test_budgets_belong_to_a_known_project(store: Store, ada: Token) -> None:
    with pytest.raises(NotFound, match="no project bob"):
        await store.feature(BudgetStore).put(new_id(NOW), "bob", "", "jobs", "day", 1, NOW)
    assert await store.feature(BudgetStore).of_account(ada.account) == []
    await put(store, 1, device="simulator")
    ((budget, project),) = await store.feature(BudgetStore).of_account(ada.account)
    assert (budget.device, project) == ("simulator", "ada")
    bob = await make_token(store, "bob")
    assert await store.feature(BudgetStore).of_account(bob.account) == []


@pytest.mark.both_databases
@pytest.mark.parametrize("device", ["", "simulator"])
async def test_the_audit_finds_a_budget_by_its_id_and_by_what_it_is_for(
    store: Store, ada: Token, device: str
) -> None:
    made = await put(store, 250, "shots", "week", device=device)
    keys = (made, f"ada/{device}/shots/week")

    def found(tx: Tx) -> list[Row | None]:
        return [tx.one("audit_budget", key=key) for key in keys]

    for row in await store._database.scan(found):
        assert row is not None
        assert row[:6] == (made, "ada", device, "shots", "week", 250)


@pytest.mark.both_databases
async def test_a_project_has_64_budgets_at_most(store: Store, ada: Token) -> None:
    def some(tx: Tx) -> None:
        for number in range(63):
            tx.run(
                "budget_put",
                id=str(number),
                project=ada.project,
                device=str(number),
                unit="jobs",
                period="day",
                maximum=1,
                begun_at=0,
                now=NOW,
            )

    await store._database.write(some)
    await put(store, 1)
    with pytest.raises(LimitExceeded):
        await put(store, 1, "jobs")
    await put(store, 2)
    assert len(await store.feature(BudgetStore).all()) == 64


async def test_a_cancelled_job_is_given_back_to_the_budget_and_to_the_day_of_its_token(
    store: Store, ada: Token
) -> None:
    await put(store, 1_000)
    bounds = Bounds(daily_shots=1_000)
    job = await add_job(store, ada, token=ada.id, bounds=bounds, cost=COST)
    day = period_start("day", NOW)
    assert (await store.bounds.used(ada.id, day)).shots == await used(store) == 100
    await store.jobs.cancel(job.id, actor=ada.account, now=NOW)
    assert await store.bounds.used(ada.id, day) == TokenUse(ada.id, day, 0, 0)
    assert await used(store) == 0


async def test_without_a_budget_no_statement_on_budgets_is_run(
    store: Store, ada: Token, runner: str
) -> None:
    traced: list[str] = []
    words = ("update budget", "from budget\n", "set bill")

    def about_budgets(tx: Tx) -> bool:
        """Return whether this connection has run such a statement since it was first asked."""
        if isinstance(tx, SQLiteTx):
            tx._connection.set_trace_callback(traced.append)
            return any(word in text for text in traced for word in words)
        assert isinstance(tx, PostgresTx)  # which prepares each statement that it runs
        texts = [text.decode() for text, _ in tx._pipeline._prepared]
        return any(word in text for text in texts for word in words)

    assert not await store._database.write(about_budgets)
    await add_job(store, ada, cost=None)
    await run(store, runner, (RESULT,))
    assert not await store._database.write(about_budgets)
    await put(store, 1_000)
    await add_job(store, ada)
    assert await store._database.write(about_budgets)


async def test_another_server_knows_of_a_budget_at_its_next_submission(
    postgres: PostgresServer,
) -> None:
    with postgres.database() as url:
        stores = [open_postgres(url) for _ in range(2)]
        try:
            ada = await make_token(stores[0])
            await add_job(stores[1], ada)
            await put(stores[0], 0)
            with pytest.raises(BudgetSpent):
                await add_job(stores[1], ada)
        finally:
            for each in stores:
                await each.close()


def test_statements_read_the_columns_of_the_struct() -> None:
    sql = statements.load(SQL_FRAGMENTS)["budget_put"]
    found = re.findall(r"budget\.(\w+)", sql.partition("returning")[2])
    assert (*found, "member") == Budget.__struct_fields__


def test_amounts_are_exact_in_millionths() -> None:
    assert to_stored_amount("seconds", 0.1) * 10 == to_stored_amount("seconds", 1.0) == MICRO
    assert to_stored_amount("shots", 7) == 7


@pytest.mark.parametrize(
    ("result", "seconds"),
    [((RESULT,), 1e7), (Failure("run_time_exceeded", "too long"), 1e7), ((RESULT,), math.inf)],
)
async def test_a_reported_time_counts_at_most_as_long_as_the_lease(
    store: Store, ada: Token, runner: str, result: Any, seconds: float
) -> None:
    await add_job(store, ada)
    (first,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.leases.release(first.lease, "test", NOW, counts_as_attempt=False)
    (again,) = (await store.leases.claim("simulator", runner, NOW + DAY)).taken
    await store.leases.finish(again.lease, RunResult(result, seconds), NOW + DAY + 300)
    (found,) = await store.uses.use_of(NOW, NOW + 2 * DAY)
    assert found.use.seconds == 300_000, "neither the report nor the time since the first start"


@pytest.mark.both_databases
async def test_budgets_of_some_projects_are_read(store: Store, ada: Token) -> None:
    eve = await make_token(store, "eve")
    await put(store, 5)
    await store.feature(BudgetStore).put(new_id(NOW), "eve", "", "jobs", "total", 3, NOW)
    for projects, names in (([ada.project], ["ada"]), ([eve.project, "x"], ["eve"]), ([], [])):
        found = await project_budgets(store, projects)
        assert [each.project for each in found] == names


@pytest.mark.both_databases
async def test_a_lead_sets_and_removes_budgets_of_members_within_those_of_the_project(
    store: Store, ada: Token
) -> None:
    budgets = store.feature(BudgetStore)

    async def set_each(maximum: int, period: BudgetPeriod = "total") -> str:
        made = await budgets.put(
            *(new_id(NOW), "ada", "", "shots", period, maximum, NOW, EACH), is_within=True
        )
        return made.budget.id

    own = await put(store, 100)
    with pytest.raises(LimitExceeded, match="at most 100 shots, the project's own budget"):
        await set_each(101)
    await set_each(101, "day")
    each = await set_each(100)
    await make_token(store, "ben")
    projects = [(await store.accounts.project(name)).id for name in ("ada", "ben")]
    for budget, project, refused in (
        (own, projects[0], Forbidden),
        (own, projects[1], NotFound),
        (each, projects[1], NotFound),
    ):
        with pytest.raises(refused):
            await budgets.remove(budget, project, is_of_member=True)
    await budgets.remove(each, projects[0], is_of_member=True)
    await budgets.remove(own)
