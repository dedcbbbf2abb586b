"""The clock of a test bed: sleepers and measured times go on when it is set back."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.testing.bed.clock import Clock

pytestmark = pytest.mark.anyio

YEAR_S = 365 * 86_400


async def test_a_sleeper_of_a_later_time_wakes_after_the_clock_was_set_back() -> None:
    clock = Clock()
    clock.move(by=YEAR_S, rate=0.0)
    sleeper = asyncio.create_task(clock.sleep(60))
    await asyncio.sleep(0)
    clock.restore()
    clock.move(rate=0.0)
    clock.move(by=59)
    await asyncio.sleep(0.05)
    assert not sleeper.done()
    clock.move(by=1)
    await asyncio.wait_for(sleeper, 5)


def test_what_has_passed_counts_jumps_forward_and_none_back() -> None:
    clock = Clock()
    clock.move(rate=0.0)
    before = clock.passed()
    clock.move(by=YEAR_S)
    assert clock.passed() == before + YEAR_S
    clock.move(at=0.0)
    assert clock.passed() == before + YEAR_S
    clock.move(by=1)
    assert clock.passed() == before + YEAR_S + 1


async def test_a_pause_takes_some_real_time_on_the_fastest_clock() -> None:
    clock = Clock()
    clock.move(rate=10_000)
    began = asyncio.get_running_loop().time()
    await clock.pause(1)
    assert asyncio.get_running_loop().time() - began > 0.04
