"""The memory budget of large responses: waiting, refusals, and that all memory is given back."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.gateway.response_budget import ResponseBudget, ResponseMemory
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.model.accounts import Actor
from qwicket.model.errors import QwicketError, TooManyRequests, Unauthenticated, Unavailable
from qwicket.model.limits import ResponseLimits
from support.response_memory import response_memory

pytestmark = pytest.mark.anyio

LIMITS = ResponseLimits(
    responses_bytes=100, responses_bytes_each=40, responses_waiting_each=3, responses_wait_s=0.3
)


@pytest.fixture
def budget() -> ResponseBudget:
    return ResponseBudget(LIMITS)


async def taken_slowly(budget: ResponseBudget, account: str, size: int) -> ResponseMemory:
    made = response_memory(account, budget)
    await made.begin()
    await made.hold(size)
    return made


async def refusal(made: ResponseMemory) -> QwicketError:
    with pytest.raises(QwicketError) as refused:
        await made.begin()
    return refused.value


async def test_an_account_with_too_much_untaken_is_refused_and_no_other(
    budget: ResponseBudget,
) -> None:
    first = await taken_slowly(budget, "ada", 30)
    second = await taken_slowly(budget, "ada", 30)  # may exceed the limit, as it began below
    error = await refusal(response_memory("ada", budget))
    assert isinstance(error, TooManyRequests)
    assert (error.limit, error.quota) == ("responses_bytes_each", 40)
    assert error.retry_after_s
    other = await taken_slowly(budget, "bob", 30)
    assert (budget.held_bytes, budget.refusals) == (90, 1)
    for each in (first, second, other):
        await each.close()
    assert budget.held_bytes == 0


async def test_everyone_together_has_a_bound(budget: ResponseBudget) -> None:
    made = [await taken_slowly(budget, name, 35) for name in ("ada", "bob", "eve")]
    error = await refusal(response_memory("mallory", budget))
    assert isinstance(error, Unavailable)
    assert "responses_bytes)" in error.detail
    await made[0].close()
    await (await taken_slowly(budget, "mallory", 35)).close()


async def test_a_response_larger_than_the_budget_is_possible(budget: ResponseBudget) -> None:
    whole = await taken_slowly(budget, "ada", 1_000)
    await whole.close()
    assert budget.held_bytes == 0


async def test_memory_that_is_freed_in_time_goes_to_a_waiting_response(
    budget: ResponseBudget,
) -> None:
    first = await taken_slowly(budget, "ada", 50)
    second = asyncio.create_task(taken_slowly(budget, "ada", 50))
    await asyncio.sleep(0)
    first.release(50)
    await (await second).close()
    assert (budget.held_bytes, budget.refusals) == (0, 0)


async def test_one_account_makes_one_at_a_time_and_two_are_made_in_all(
    budget: ResponseBudget,
) -> None:
    ada, bob = response_memory("ada", budget), response_memory("bob", budget)
    await ada.begin()
    again = asyncio.create_task(response_memory("ada", budget).begin())
    await bob.begin()
    third = response_memory("eve", budget)
    assert "responses_wait_s" in (await refusal(third)).detail
    with pytest.raises(Unavailable):
        await again
    await ada.hold(10)
    await third.begin()
    for each in (ada, bob, third):
        await each.close()


async def test_an_account_without_budget_is_refused_although_no_turn_was_free(
    budget: ResponseBudget,
) -> None:
    held = await taken_slowly(budget, "ada", 50)
    others = [response_memory(name, budget) for name in ("bob", "eve")]
    for each in others:
        await each.begin()
    error = await refusal(response_memory("ada", budget))
    assert isinstance(error, TooManyRequests)
    assert error.limit == "responses_bytes_each"
    for each in (held, *others):
        await each.close()


async def test_few_of_one_account_wait(budget: ResponseBudget) -> None:
    ada = response_memory("ada", budget)
    await ada.begin()
    waiting = [asyncio.create_task(response_memory("ada", budget).begin()) for _ in range(3)]
    await asyncio.sleep(0)
    error = await refusal(response_memory("ada", budget))
    assert isinstance(error, TooManyRequests)
    assert error.limit == "responses_waiting_each"
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in results)
    await ada.close()


async def test_who_is_cancelled_while_waiting_leaves_nothing_behind(budget: ResponseBudget) -> None:
    ada = response_memory("ada", budget)
    await ada.begin()
    waiting = asyncio.create_task(response_memory("ada", budget).begin())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await ada.close()
    for name in ("ada", "bob"):
        await (await taken_slowly(budget, name, 10)).close()
    assert budget.held_bytes == 0
    assert not budget._n_waiting


async def test_a_response_held_without_waiting_is_refused_without_budget(
    budget: ResponseBudget,
) -> None:
    first = await taken_slowly(budget, "ada", 50)
    with pytest.raises(TooManyRequests):
        await response_memory("ada", budget).hold(5)
    assert budget.held_bytes == 50
    await first.close()


async def test_closing_twice_gives_back_once(budget: ResponseBudget) -> None:
    made = await taken_slowly(budget, "ada", 50)
    made.release(20)
    await made.close()
    await made.close()
    made.release(20)
    assert budget.held_bytes == 0


async def test_responses_without_a_sign_in_are_not_counted(budget: ResponseBudget) -> None:
    made = response_memory("", budget)
    await made.hold(1_000)
    assert budget.held_bytes == 0
    made.release(1_000)
    await made.close()
    assert budget.held_bytes == 0


async def test_who_waited_must_still_be_welcome_and_who_did_not_need_not_be() -> None:
    asked = []

    async def confirm(actor: Actor) -> None:
        asked.append(actor.account)
        raise Unauthenticated("The token was revoked.")

    budget = ResponseBudget(LIMITS, confirm)
    first = await taken_slowly(budget, "ada", 50)
    waits = response_memory("ada", budget)
    waiting = asyncio.create_task(waits.begin())
    await asyncio.sleep(2 * CACHE_TTL_S)
    await first.close()
    assert not asked
    with pytest.raises(Unauthenticated):
        await waiting
    assert asked == ["ada"]
    await waits.close()
    await (await taken_slowly(budget, "ada", 10)).close()
    assert asked == ["ada"]
