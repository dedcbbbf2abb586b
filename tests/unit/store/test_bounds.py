"""Bounds of tokens: what their jobs may use in a day, and questions to a person."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Scope, Token
from qwicket.model.bounds import ANSWER_MS, OPEN_MS, Bounds, Confirmation
from qwicket.model.budgets import DAY_MS, MICRO, TokenUse, period_start
from qwicket.model.devices import DeviceCost
from qwicket.model.errors import (
    BoundReached,
    ConfirmationNeeded,
    Conflict,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    TooManyRequests,
)
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job, NewJob
from qwicket.model.states import JobState
from qwicket.store import Store, open_postgres
from support.postgres import PostgresServer
from support.stores import NOW, PLENTY, add_job, make_token, new_job

pytestmark = pytest.mark.anyio

COST = DeviceCost(per_job=1.0, per_shot=0.01, per_second=0.0)
DAY = period_start("day", NOW)
QUESTION = b"what is asked"


def bounded(token: Token, bounds: Bounds, **changes: Any) -> NewJob:
    return new_job(token, token=token.id, bounds=bounds, **changes)


async def used(store: Store, token: Token, day: int = DAY) -> TokenUse:
    return await store.bounds.used(token.id, day)


async def add(store: Store, job: NewJob) -> Job:
    return await store.jobs.add(job, waiting_limit=PLENTY)


async def all_at_once(*jobs: tuple[Store, NewJob]) -> list[BaseException]:
    """Add jobs, on SQLite in one batch; return the refusals."""
    found = await asyncio.gather(
        *(store.jobs.add(job, waiting_limit=PLENTY) for store, job in jobs), return_exceptions=True
    )
    return [each for each in found if isinstance(each, BaseException)]


@pytest.mark.both_databases
async def test_jobs_submitted_at_once_use_a_day_exactly(store: Store, ada: Token) -> None:
    bounds = Bounds(daily_shots=250)
    jobs = [bounded(ada, bounds) for _ in range(5)]
    refused = await all_at_once(*((store, job) for job in jobs))
    assert len(refused) == 3
    assert isinstance(refused[0], BoundReached)
    assert refused[0].detail == (
        "This token may use 250 shots a day (bound daily_shots): 50 shots left, and this job needs"
        " 100 shots. The next day begins at 2025-10-10T00:00Z."
    )
    assert (await used(store, ada)).shots == 200
    present = [await store.jobs.get(job.id) for job in jobs]
    assert len([job for job in present if job is not None]) == 2
    last = bounded(ada, bounds, shots=50)
    await add(store, last)
    with pytest.raises(BoundReached, match=r"0 shots left, and this job needs 1 shot\."):
        await add(store, bounded(ada, bounds, shots=1))


async def test_two_servers_share_the_day_of_a_token(postgres: PostgresServer) -> None:
    with postgres.database() as url:
        stores = [open_postgres(url) for _ in range(2)]
        try:
            ada = await make_token(stores[0])
            bounds = Bounds(daily_shots=1_000, ask_above_shots=50)
            asked = bounded(ada, bounds, question=QUESTION)
            question = await stores[0].bounds.ask(asked)
            await confirm(stores[1], ada, question)
            plain = [bounded(ada, bounds) for _ in range(20)]
            refused = await all_at_once(*zip(stores * 10, plain, strict=True))
            assert len(refused) == 10
            assert {type(each) for each in refused} == {BoundReached}
            assert (await used(stores[1], ada)).shots == 1_000
            other = Bounds(ask_above_shots=50)
            same = [bounded(ada, other, question=QUESTION) for _ in range(6)]
            refused = await all_at_once(*zip(stores * 3, same, strict=True))
            assert [type(each) for each in refused] == [ConfirmationNeeded] * 5
        finally:
            for each in stores:
                await each.close()


@pytest.mark.both_databases
async def test_the_first_job_of_a_day_and_each_bound_count(store: Store, ada: Token) -> None:
    cheap = Bounds(daily_cost=3 * MICRO)
    with pytest.raises(BoundReached, match="3 credits left, and this job needs 11 credits"):
        await add(store, bounded(ada, cheap, shots=1_000, cost=COST))
    await add(store, bounded(ada, cheap, cost=COST))
    with pytest.raises(BoundReached, match=r"1 credit left, and this job needs 1\.5 credits"):
        await add(store, bounded(ada, cheap, shots=50, cost=COST))
    assert await used(store, ada) == TokenUse(ada.id, DAY, 100, 2 * MICRO)
    tomorrow = NOW + DAY_MS
    await add(store, bounded(ada, cheap, cost=COST, now=tomorrow))
    assert (await used(store, ada, DAY + DAY_MS)).cost == 2 * MICRO
    bob = await make_token(store, "bob")
    await add(store, bounded(bob, cheap, cost=COST))


async def test_a_batch_counts_the_sum_and_other_jobs_count_nothing(
    store: Store, ada: Token
) -> None:
    bounds = Bounds(daily_shots=1_000)
    with pytest.raises(BoundReached, match="this job needs 1,100 shots"):
        await add(store, bounded(ada, bounds, n_circuits=11))
    await add(store, bounded(ada, bounds, n_circuits=10))
    await add_job(store, ada)
    await add_job(store, ada, cost=COST)
    assert (await used(store, ada)).shots == 1_000


@pytest.mark.both_databases
async def test_what_a_job_has_used_replaces_what_it_has_reserved(
    store: Store, ada: Token, runner: str
) -> None:
    per_second = DeviceCost(per_job=0.0, per_shot=0.0, per_second=1.0)
    bounds = Bounds(daily_cost=10 * MICRO)
    job = bounded(ada, bounds, est_seconds=5.0, cost=per_second)
    await add(store, job)
    assert (await used(store, ada)).cost == 5 * MICRO
    (assignment,) = (await store.leases.claim("simulator", runner, NOW - 2_000)).taken
    result = RunResult((Encoded(b"r", b"small"),), 2.0)
    await store.leases.finish(assignment.lease, result, NOW)
    assert await used(store, ada) == TokenUse(ada.id, DAY, 100, 2 * MICRO)
    waiting = await add(store, bounded(ada, bounds, est_seconds=3.0, cost=per_second))
    await store.jobs.cancel(waiting.id, actor=ada.account, now=NOW)
    assert await used(store, ada) == TokenUse(ada.id, DAY, 100, 2 * MICRO)


async def test_a_job_that_is_refused_for_another_reason_counts_nothing(
    store: Store, ada: Token
) -> None:
    bounds = Bounds(daily_shots=1_000, ask_above_shots=50)
    question = await store.bounds.ask(bounded(ada, bounds, question=QUESTION))
    await confirm(store, ada, question)
    job = bounded(ada, bounds, question=QUESTION)
    with pytest.raises(TooManyRequests):
        await store.jobs.add(job, waiting_limit=0)
    assert (await used(store, ada)).shots == 0
    await add(store, job)


async def test_a_repeated_submission_counts_and_uses_a_confirmation_once(
    store: Store, ada: Token
) -> None:
    bounds = Bounds(daily_shots=100, ask_above_shots=50)
    again = {"question": QUESTION, "idempotency_key": "key", "digest": b"same"}
    await confirm(store, ada, await store.bounds.ask(bounded(ada, bounds, **again)))
    first = await add(store, bounded(ada, bounds, **again))
    second = await add(store, bounded(ada, bounds, **again))
    assert second.id == first.id
    assert (await used(store, ada)).shots == 100


async def test_an_uploaded_program_counts_when_it_is_admitted(store: Store, ada: Token) -> None:
    draft = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 1)
    bounds = Bounds(daily_shots=150)
    job = await store.jobs.admit(draft.id, bounded(ada, bounds))
    assert (await used(store, ada)).shots == 100
    await store.jobs.cancel(job.id, actor=ada.account, now=NOW)
    assert (await used(store, ada)).shots == 0
    other = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + 1)
    with pytest.raises(BoundReached):
        await store.jobs.admit(other.id, bounded(ada, bounds, shots=151))


# --- questions ------------------------------------------------------------------------------------


async def confirm(
    store: Store, token: Token, question: Confirmation, now: int = NOW, *, yes: bool = True
) -> Confirmation:
    return await store.bounds.answer(
        token.account, question.id, is_confirmed=yes, answered_by="", now=now
    )


ASKING = Bounds(ask_above_shots=50)


def asking(token: Token, now: int = NOW, question: bytes = QUESTION, **changes: Any) -> NewJob:
    return bounded(token, ASKING, now=now, question=question, **changes)


@pytest.mark.both_databases
async def test_a_confirmation_holds_once_and_for_five_minutes(store: Store, ada: Token) -> None:
    with pytest.raises(ConfirmationNeeded):
        await add(store, asking(ada))
    question = await store.bounds.ask(asking(ada, name="scan", cost=COST))
    assert (question.name, question.device, question.shots) == ("scan", "simulator", 100)
    assert (question.program, question.cost, question.token) == ("source", 2 * MICRO, ada.id)
    assert await store.bounds.waiting(ada.account, NOW) == [question]
    assert (await store.bounds.ask(asking(ada, NOW + 1))).id == question.id
    with pytest.raises(ConfirmationNeeded):
        await add(store, asking(ada))
    answered = await confirm(store, ada, question, NOW + 10)
    assert (answered.answered_at, answered.state_at(NOW + 10)) == (NOW + 10, "confirmed")
    assert await store.bounds.waiting(ada.account, NOW + 10) == []
    with pytest.raises(ConfirmationNeeded):
        await add(store, asking(ada, NOW + 11, b"something else"))
    bob = await make_token(store, "bob")
    with pytest.raises(ConfirmationNeeded):
        await add(store, asking(bob, NOW + 11))
    refused = await all_at_once(*[(store, asking(ada, NOW + 11)) for _ in range(4)])
    assert [type(each) for each in refused] == [ConfirmationNeeded] * 3
    after = await store.bounds.confirmation(ada.account, question.id)
    assert after.state_at(NOW + 11) == "used"
    with pytest.raises(Conflict, match="answered already"):
        await confirm(store, ada, question, NOW + 12)
    late = await store.bounds.ask(asking(ada, NOW + 12))
    assert late.id != question.id
    await confirm(store, ada, late, NOW + 12)
    too_late = NOW + 12 + ANSWER_MS
    with pytest.raises(ConfirmationNeeded):
        await add(store, asking(ada, too_late))
    assert (await store.bounds.ask(asking(ada, too_late))).id != late.id
    await add(store, asking(ada, too_late - 1))


async def test_an_answer_is_given_once_to_its_account_and_in_time(store: Store, ada: Token) -> None:
    question = await store.bounds.ask(asking(ada))
    bob = await make_token(store, "bob")
    with pytest.raises(NotFound):
        await confirm(store, bob, question)
    with pytest.raises(NotFound):
        await store.bounds.confirmation(bob.account, question.id)
    await confirm(store, ada, question, yes=False)
    again = await confirm(store, ada, question, NOW + 5, yes=False)
    assert again.answered_at == NOW, "the same answer again changes nothing"
    with pytest.raises(Conflict, match="answered already"):
        await confirm(store, ada, question, NOW + 5)
    with pytest.raises(ConfirmationNeeded):
        await add(store, asking(ada))
    asked = await store.bounds.ask(asking(ada, NOW + 5))
    assert (asked.id, asked.state_at(NOW + 5)) == (question.id, "refused")
    later = await store.bounds.ask(asking(ada, NOW + ANSWER_MS))
    assert later.id != question.id
    expired = NOW + ANSWER_MS + OPEN_MS
    assert await store.bounds.waiting(ada.account, expired) == []
    with pytest.raises(Conflict, match="more than an hour ago"):
        await confirm(store, ada, later, expired)
    await confirm(store, ada, later, expired - 1)


async def test_few_questions_of_a_token_wait(store: Store, ada: Token) -> None:
    for number in range(20):
        await store.bounds.ask(asking(ada, question=b"%d" % number))
    with pytest.raises(LimitExceeded, match="20 jobs of this token wait"):
        await store.bounds.ask(asking(ada))
    await store.bounds.ask(asking(ada, question=b"7"))
    await store.bounds.ask(asking(ada, NOW + OPEN_MS))


@pytest.mark.both_databases
async def test_old_days_and_questions_are_deleted(store: Store, ada: Token) -> None:
    await add(store, bounded(ada, Bounds(daily_shots=1_000)))
    question = await store.bounds.ask(asking(ada))
    assert await store.maintenance.delete_of_bounds(DAY) == 0
    assert await store.maintenance.delete_of_bounds(NOW + 1) == 2
    assert (await used(store, ada)).shots == 0
    with pytest.raises(NotFound):
        await store.bounds.confirmation(ada.account, question.id)


async def test_a_program_that_is_no_text_is_shown_as_far_as_it_is(store: Store, ada: Token) -> None:
    question = await store.bounds.ask(asking(ada, source=b"\xff\0" + b"x" * 10_000))
    assert question.program == "\N{REPLACEMENT CHARACTER}" * 2 + "x" * 3_998


@pytest.mark.both_databases
async def test_a_token_with_bounds_can_have_only_the_usual_scopes(store: Store, ada: Token) -> None:
    async def made(bounds: Bounds, *scopes: Scope) -> Token:
        token = structs.replace(ada, id=new_id(NOW), scopes=scopes, bounds=bounds)
        digest = new_id(NOW).encode()
        return await store.accounts.add_token(token, account="ada", project=None, digest=digest)

    for scope in set(Scope) - {Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ}:
        with pytest.raises(InvalidRequest, match=f", not {scope}"):
            await made(ASKING, Scope.JOBS_READ, scope)
    with pytest.raises(InvalidRequest, match="at least one"):
        await made(Bounds(), Scope.JOBS_READ)
    full = Bounds(daily_shots=1, daily_cost=2, ask_above_shots=3, ask_above_cost=4)
    assert (await made(full, Scope.JOBS_WRITE)).bounds == full
    (found,) = [each for each in await store.accounts.tokens(ada.account) if each.bounds]
    assert found.bounds == full
