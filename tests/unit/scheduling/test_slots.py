from __future__ import annotations

import asyncio

import pytest

from qwicket.scheduling.slots import Slots

pytestmark = pytest.mark.anyio


class Workers:
    """A number of slots that the test sets."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.slots = Slots(lambda: self.count)
        self.served: list[str] = []

    def ask(self, name: str) -> asyncio.Task[None]:
        async def take() -> None:
            await self.slots.acquire()
            self.served.append(name)

        return asyncio.create_task(take())

    def resize(self, count: int) -> None:
        self.count = count
        self.slots.resize()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_slots_are_given_in_the_order_of_asking() -> None:
    workers = Workers(1)
    for name in "abc":
        workers.ask(name)
    await settle()
    assert workers.served == ["a"]
    workers.slots.release()
    late = workers.ask("d")
    await settle()
    assert workers.served == ["a", "b"]
    late.cancel()


async def test_more_workers_serve_those_who_wait() -> None:
    workers = Workers(0)
    for name in "abc":
        workers.ask(name)
    await settle()
    assert workers.served == []
    workers.resize(2)
    await settle()
    assert workers.served == ["a", "b"]


async def test_fewer_workers_give_no_slot_until_enough_are_released() -> None:
    workers = Workers(2)
    for name in "abc":
        workers.ask(name)
    await settle()
    workers.resize(1)
    workers.slots.release()
    await settle()
    assert workers.served == ["a", "b"]
    workers.slots.release()
    await settle()
    assert workers.served == ["a", "b", "c"]


async def test_one_who_is_cancelled_while_waiting_takes_no_slot() -> None:
    workers = Workers(1)
    workers.ask("a")
    gone = workers.ask("b")
    workers.ask("c")
    await settle()
    gone.cancel()
    workers.slots.release()
    await settle()
    assert workers.served == ["a", "c"]


async def test_one_who_is_cancelled_as_a_slot_is_given_passes_it_on() -> None:
    workers = Workers(1)
    workers.ask("a")
    await settle()
    gone = workers.ask("b")
    workers.ask("c")
    await settle()
    workers.slots.release()
    gone.cancel()
    await settle()
    assert workers.served == ["a", "c"]
