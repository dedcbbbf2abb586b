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


async def test_a_slot_that_is_lent_comes_back_when_one_is_free() -> None:
    workers, stop = Workers(1), asyncio.Event()
    await workers.slots.acquire()
    lending = asyncio.create_task(workers.slots.lend(0.01, stop))
    workers.ask("b")
    await asyncio.sleep(0.05)
    workers.ask("c")
    await settle()
    assert workers.served == ["b"]
    assert not lending.done(), "the other one has the slot"
    workers.slots.release()
    await lending
    assert workers.served == ["b"], "it was asked for later"
    workers.slots.release()
    await settle()
    assert workers.served == ["b", "c"]


async def test_no_more_slots_are_lent_than_there_are() -> None:
    workers, stop = Workers(1), asyncio.Event()
    await workers.slots.acquire()
    lending = [asyncio.create_task(workers.slots.lend(0.3, stop))]
    workers.ask("b")
    await settle()
    assert workers.served == ["b"]
    lending.append(asyncio.create_task(workers.slots.lend(0.01, stop)))
    workers.ask("c")
    await lending[1]
    assert workers.served == ["b"]
    workers.slots.release()
    await settle()
    assert workers.served == ["b", "c"]
    workers.slots.release()
    await lending[0]


@pytest.mark.parametrize("seconds", [0.0, 60.0])
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_who_stops_while_its_slot_is_lent_leaves_the_number_right(
    seconds: float, is_cancelled: bool
) -> None:
    workers, stop = Workers(1), asyncio.Event()
    await workers.slots.acquire()
    lending = asyncio.create_task(workers.slots.lend(seconds, stop))
    workers.ask("b")
    await asyncio.sleep(0.05)
    if is_cancelled:
        lending.cancel()
    else:
        stop.set()
    await asyncio.wait([lending])
    assert workers.served == ["b"]
    workers.ask("c")
    workers.slots.release()  # the one that stopped
    await settle()
    assert workers.served == ["b"]
    workers.slots.release()
    await settle()
    assert workers.served == ["b", "c"]


async def test_who_lent_its_slot_waits_no_longer_once_there_are_none() -> None:
    workers, stop = Workers(2), asyncio.Event()
    for _ in range(2):
        await workers.slots.acquire()
    lending = [asyncio.create_task(workers.slots.lend(each, stop)) for each in (0.01, 0.2)]
    for name in "ab":
        workers.ask(name)
    late = workers.ask("c")
    await asyncio.sleep(0.05)
    assert workers.served == ["a", "b"]
    assert not lending[0].done()
    workers.resize(0)
    await lending[0]
    assert not lending[1].done(), "its time is not over"
    await asyncio.wait_for(lending[1], 5)
    for _ in range(4):
        workers.slots.release()
    workers.resize(1)
    await settle()
    assert workers.served == ["a", "b", "c"]
    assert late.done()


async def test_who_was_adopted_waits_its_turn_without_a_slot() -> None:
    workers, stop = Workers(1), asyncio.Event()
    await workers.slots.wait_turn(stop)  # nothing to wait for
    await workers.slots.acquire()
    for _ in range(2):
        workers.slots.take()
    waiting = [asyncio.create_task(workers.slots.wait_turn(stop)) for _ in range(2)]
    await asyncio.sleep(0.05)
    workers.ask("c")
    await settle()
    assert not any(each.done() for each in waiting)
    workers.resize(0)
    workers.slots.release()
    await asyncio.sleep(0.05)
    assert not any(each.done() for each in waiting), "there are no slots"
    workers.resize(1)
    await asyncio.wait_for(waiting[0], 5)
    await settle()
    assert not waiting[1].done()
    stop.set()
    await asyncio.wait_for(waiting[1], 5)
    for _ in range(2):
        assert workers.served == []
        workers.slots.release()
        await settle()
    assert workers.served == ["c"]


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
