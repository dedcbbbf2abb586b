"""Refused sign-ins are recorded in few rows, whoever sends how many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from qwicket.gateway.throttle import OTHER_ADDRESSES, Refusals, Refused
from qwicket.model.errors import Unavailable

pytestmark = pytest.mark.anyio
MINUTE = 60_000


class Recorder:
    """Keeps what is recorded; fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.rows: list[list[Refused]] = []
        self.failures = failures

    async def __call__(self, rows: list[Refused]) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("The database cannot be written.")
        self.rows.append(rows)

    async def wait(self, number: int) -> None:
        async with asyncio.timeout(30):
            while len(self.rows) < number:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(refusals: Refusals, recorder: Recorder) -> AsyncIterator[None]:
    task = asyncio.create_task(refusals.run(recorder, every_s=0.02))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_refusals_are_summed_by_minute_and_network() -> None:
    now = [5 * MINUTE + 1]
    refusals, recorder = Refusals(lambda: now[0]), Recorder()
    async with running(refusals, recorder):
        for address in ("192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2"):
            refusals.count(address)
        now[0] += MINUTE
        refusals.count("192.0.2.1")
        await recorder.wait(1)
        refusals.count("192.0.2.9")
        await recorder.wait(2)
    assert recorder.rows == [
        [
            *((5 * MINUTE, "192.0.2.1", 2), (5 * MINUTE, "2001:db8::/64", 2)),
            (6 * MINUTE, "192.0.2.1", 1),
        ],
        [(6 * MINUTE, "192.0.2.9", 1)],
    ]


async def test_a_thousand_addresses_make_few_rows() -> None:
    refusals, recorder = Refusals(lambda: MINUTE), Recorder()
    async with running(refusals, recorder):
        for number in range(1_000):
            refusals.count(f"192.0.{number // 250}.{number % 250}")
        await recorder.wait(1)
    (rows,) = recorder.rows
    assert len(rows) == 21
    assert {row.address: row.number for row in rows}[OTHER_ADDRESSES] == 980
    assert sum(row.number for row in rows) == 1_000


async def test_nothing_is_recorded_without_a_refusal() -> None:
    refusals, recorder = Refusals(lambda: MINUTE), Recorder()
    async with running(refusals, recorder):
        await asyncio.sleep(0.2)
    assert recorder.rows == []


async def test_what_cannot_be_recorded_is_recorded_later() -> None:
    refusals, recorder = Refusals(lambda: MINUTE), Recorder(failures=2)
    async with running(refusals, recorder):
        refusals.count("192.0.2.1")
        refusals.count("192.0.2.1")
        await recorder.wait(1)
    assert recorder.rows == [[(MINUTE, "192.0.2.1", 2)]]
