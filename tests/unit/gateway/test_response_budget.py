"""The room for large answers: who waits, who is refused, and that all of it is given back."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.gateway.response_budget import Reservation, ResponseBudget
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.model.accounts import Actor
from qwicket.model.errors import QwicketError, TooManyRequests, Unauthenticated, Unavailable
from qwicket.model.limits import ResponseLimits
from support.answers import answer

pytestmark = pytest.mark.anyio

LIMITS = ResponseLimits(
    responses_bytes=100, responses_bytes_each=40, responses_waiting_each=3, responses_wait_s=0.3
)


@pytest.fixture
def room() -> ResponseBudget:
    return ResponseBudget(LIMITS)


async def taken_slowly(room: ResponseBudget, account: str, size: int) -> Reservation:
    made = answer(account, room)
    await made.begin()
    await made.hold(size)
    return made


async def refusal(made: Reservation) -> QwicketError:
    with pytest.raises(QwicketError) as refused:
        await made.begin()
    return refused.value


async def test_an_account_with_too_much_untaken_is_refused_and_no_other(
    room: ResponseBudget,
) -> None:
    first = await taken_slowly(room, "ada", 30)
    second = await taken_slowly(room, "ada", 30)  # the last that finds room may go beyond it
    error = await refusal(answer("ada", room))
    assert isinstance(error, TooManyRequests)
    assert (error.limit, error.quota) == ("responses_bytes_each", 40)
    assert error.retry_after_s
    other = await taken_slowly(room, "bob", 30)
    assert (room.held_bytes, room.refusals) == (90, 1)
    for each in (first, second, other):
        await each.close()
    assert room.held_bytes == 0


async def test_everyone_together_has_a_bound(room: ResponseBudget) -> None:
    made = [await taken_slowly(room, name, 35) for name in ("ada", "bob", "eve")]
    error = await refusal(answer("mallory", room))
    assert isinstance(error, Unavailable)
    assert "responses_bytes)" in error.detail
    await made[0].close()
    await (await taken_slowly(room, "mallory", 35)).close()


async def test_a_response_larger_than_the_budget_is_possible(room: ResponseBudget) -> None:
    whole = await taken_slowly(room, "ada", 1_000)
    await whole.close()
    assert room.held_bytes == 0


async def test_room_that_comes_free_in_time_goes_to_who_waits(room: ResponseBudget) -> None:
    first = await taken_slowly(room, "ada", 50)
    second = asyncio.create_task(taken_slowly(room, "ada", 50))
    await asyncio.sleep(0)
    first.taken(50)
    await (await second).close()
    assert (room.held_bytes, room.refusals) == (0, 0)


async def test_one_account_makes_one_at_a_time_and_two_are_made_in_all(
    room: ResponseBudget,
) -> None:
    ada, bob = answer("ada", room), answer("bob", room)
    await ada.begin()
    again = asyncio.create_task(answer("ada", room).begin())
    await bob.begin()
    third = answer("eve", room)
    assert "responses_wait_s" in (await refusal(third)).detail
    with pytest.raises(Unavailable):
        await again
    await ada.hold(10)
    await third.begin()
    for each in (ada, bob, third):
        await each.close()


async def test_an_account_without_budget_is_refused_although_no_turn_was_free(
    room: ResponseBudget,
) -> None:
    held = await taken_slowly(room, "ada", 50)
    others = [answer(name, room) for name in ("bob", "eve")]
    for each in others:
        await each.begin()
    error = await refusal(answer("ada", room))
    assert isinstance(error, TooManyRequests)
    assert error.limit == "responses_bytes_each"
    for each in (held, *others):
        await each.close()


async def test_few_of_one_account_wait(room: ResponseBudget) -> None:
    ada = answer("ada", room)
    await ada.begin()
    waiting = [asyncio.create_task(answer("ada", room).begin()) for _ in range(3)]
    await asyncio.sleep(0)
    error = await refusal(answer("ada", room))
    assert isinstance(error, TooManyRequests)
    assert error.limit == "responses_waiting_each"
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in results)
    await ada.close()


async def test_who_is_cancelled_while_waiting_leaves_nothing_behind(room: ResponseBudget) -> None:
    ada = answer("ada", room)
    await ada.begin()
    waiting = asyncio.create_task(answer("ada", room).begin())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await ada.close()
    for name in ("ada", "bob"):
        await (await taken_slowly(room, name, 10)).close()
    assert room.held_bytes == 0
    assert not room._n_waiting


async def test_a_response_held_without_waiting_is_refused_without_budget(
    room: ResponseBudget,
) -> None:
    first = await taken_slowly(room, "ada", 50)
    with pytest.raises(TooManyRequests):
        await answer("ada", room).hold(5)
    assert room.held_bytes == 50
    await first.close()


async def test_closing_twice_gives_back_once(room: ResponseBudget) -> None:
    made = await taken_slowly(room, "ada", 50)
    made.taken(20)
    await made.close()
    await made.close()
    made.taken(20)
    assert room.held_bytes == 0


async def test_responses_without_a_sign_in_are_not_counted(room: ResponseBudget) -> None:
    made = answer("", room)
    await made.hold(1_000)
    assert room.held_bytes == 0
    made.taken(1_000)
    await made.close()
    assert room.held_bytes == 0


async def test_who_waited_must_still_be_welcome_and_who_did_not_need_not_be() -> None:
    asked = []

    async def confirm(actor: Actor) -> None:
        asked.append(actor.account)
        raise Unauthenticated("The token was revoked.")

    room = ResponseBudget(LIMITS, confirm)
    first = await taken_slowly(room, "ada", 50)
    waits = answer("ada", room)
    waiting = asyncio.create_task(waits.begin())
    await asyncio.sleep(2 * CACHE_TTL_S)
    await first.close()
    assert not asked
    with pytest.raises(Unauthenticated):
        await waiting
    assert asked == ["ada"]
    await waits.close()
    await (await taken_slowly(room, "ada", 10)).close()
    assert asked == ["ada"]
