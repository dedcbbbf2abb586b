"""One request of an owner begins in an iteration of the event loop while there are others."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.dialects.turns import Turns
from support.given_clock import GivenClock

pytestmark = pytest.mark.anyio


class Requests:
    """Requests that note in which iteration of the event loop they begin."""

    def __init__(self) -> None:
        self.clock = GivenClock()
        self.turns = Turns(self.clock.monotonic)
        self.begun: list[tuple[int, str]] = []
        self._iteration = 0

    async def send(self, *owners: str) -> None:
        """Send requests at the same time, and wait until all have begun."""
        tasks = [asyncio.create_task(self._begin(owner)) for owner in owners]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            self._iteration += 1

    async def _begin(self, owner: str) -> None:
        await self.turns.wait(owner)
        self.begun.append((self._iteration, owner))

    def n_iterations(self) -> int:
        """Return in how many iterations requests began, and forget them."""
        found = len({iteration for iteration, _ in self.begun})
        self.begun.clear()
        return found


async def test_a_request_of_another_owner_begins_among_the_first_of_many() -> None:
    requests = Requests()
    await requests.send("ada", *["eve"] * 32, "ada", "ada")
    assert [owner for _, owner in requests.begun[:4]] == ["ada", "eve", "ada", "eve"]
    assert requests.n_iterations() == 32


async def test_an_owner_that_is_alone_takes_no_turns() -> None:
    requests = Requests()
    await requests.send(*["eve"] * 32)
    assert requests.n_iterations() == 1
    await requests.send("ada", *["eve"] * 32)
    assert requests.n_iterations() == 32
    requests.clock.advance(0.9)
    await requests.send(*["eve"] * 32)
    assert requests.n_iterations() == 32
    requests.clock.advance(0.2)
    await requests.send(*["eve"] * 32)
    assert requests.n_iterations() == 1


async def test_a_request_that_was_cancelled_takes_no_turn() -> None:
    turns = Turns()
    await turns.wait("ada")
    first, cancelled, last = (asyncio.create_task(turns.wait("eve")) for _ in range(3))
    await asyncio.sleep(0)
    cancelled.cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(first, last)
    assert cancelled.cancelled()
