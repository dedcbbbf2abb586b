"""One slot per account, in rounds, whatever is cancelled on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from qwicket.compute.fair_slots import FairSlots

pytestmark = pytest.mark.anyio


class Stage:
    """People who come, take their place, and stay until they are sent home."""

    def __init__(self, places: int) -> None:
        self.turns = FairSlots(places)
        self.came: list[str] = []
        self._home: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def arrive(self, *names: str) -> None:
        """Let people arrive; the first letter of a name is its account."""
        for name in names:
            self._home[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._visit(name))
        await settle()

    async def leave(self, *names: str) -> None:
        for name in names:
            self._home[name].set()
            await self.tasks[name]
        await settle()

    async def _visit(self, name: str) -> None:
        async with self.turns.slot(name[0]):
            self.came.append(name)
            await self._home[name].wait()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_account_has_one_place_at_a_time() -> None:
    stage = Stage(2)
    await stage.arrive("a1", "a2", "b1")
    assert stage.came == ["a1", "b1"]
    await stage.leave("a1")
    assert stage.came == ["a1", "b1", "a2"]
    await stage.leave("b1", "a2")


async def test_accounts_take_turns_in_any_order_of_arrival() -> None:
    stage = Stage(1)
    await stage.arrive("a1", "a2", "a3", "b1", "c1", "b2")
    await stage.leave("a1", "b1", "c1", "a2", "b2", "a3")
    assert stage.came == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_a_returning_account_is_behind_waiting_ones() -> None:
    stage = Stage(1)
    await stage.arrive("a1", "b1")
    await stage.leave("a1")
    await stage.arrive("a2", "c1")
    await stage.leave("b1", "a2", "c1")
    assert stage.came == ["a1", "b1", "a2", "c1"]


async def test_who_gives_up_in_the_line_is_not_waited_for() -> None:
    stage = Stage(1)
    await stage.arrive("a1", "b1", "c1", "c2", "b2")
    stage.tasks["b1"].cancel()
    stage.tasks["c2"].cancel()
    await stage.leave("a1")
    assert (stage.turns.count("b"), stage.turns.count("c")) == (1, 1)
    await stage.leave(*stage.came[1:])
    await stage.leave(*stage.came[2:])
    assert sorted(stage.came) == ["a1", "b2", "c1"]
    assert stage.turns.count_all() == 0


async def test_a_place_is_free_again_when_its_owner_is_cancelled_or_fails() -> None:
    stage = Stage(1)
    await stage.arrive("a1", "b1")
    stage.tasks["a1"].cancel()
    await settle()
    assert stage.came == ["a1", "b1"]
    await stage.leave("b1")
    with pytest.raises(ZeroDivisionError):
        async with stage.turns.slot("a"):
            raise ZeroDivisionError
    await stage.arrive("c1")
    assert stage.came[-1] == "c1"
    await stage.leave("c1")


async def test_a_place_that_was_given_to_somebody_just_cancelled_goes_on() -> None:
    turns = FairSlots(1)
    order: list[str] = []

    async def visit(name: str, then: Callable[[], object] = lambda: None) -> None:
        async with turns.slot(name):
            order.append(name)
            await settle()
            then()

    # As a's block ends, b gets the place and is cancelled before it has run.
    loop = asyncio.get_running_loop()
    first = asyncio.create_task(visit("a", lambda: loop.call_soon(second.cancel)))
    second = asyncio.create_task(visit("b"))
    third = asyncio.create_task(visit("c"))
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert order == ["a", "c"]
    assert turns.count_all() == 0


async def test_waiting_and_placed_ones_are_counted() -> None:
    stage = Stage(1)
    await stage.arrive("a1", "a2", "b1")
    assert (stage.turns.count("a"), stage.turns.count("b"), stage.turns.count("c")) == (2, 1, 0)
    assert stage.turns.count_all() == 3
    await stage.leave("a1", "b1", "a2")
    assert stage.turns.count_all() == 0
