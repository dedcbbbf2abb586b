"""How often the usage of an instance is read."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.vendors.ibm.dialect.runtime.platform.usage import UsageCache


class Sum:
    """A sum that grows with each read, which takes some seconds of a clock."""

    def __init__(self, seconds: float) -> None:
        self.now, self.reads = 100.0, 0
        self._seconds = seconds
        self.cache = UsageCache(lambda: self.now)

    async def _read(self) -> float:
        self.reads += 1
        self.now += self._seconds
        return float(self.reads)

    def get(self, key: str = "one") -> float:
        return asyncio.run(self.cache.get(key, self._read))


@pytest.mark.parametrize(("took_s", "kept_s"), [(0.25, 25.0), (0.002, 0.2), (5.0, 60.0)])
def test_a_sum_is_kept_a_hundred_times_as_long_as_it_took_but_a_minute_at_most(
    took_s: float, kept_s: float
) -> None:
    usage = Sum(took_s)
    assert usage.get() == usage.get() == 1
    usage.now += 0.99 * kept_s
    assert usage.get() == 1
    usage.now += 0.02 * kept_s
    assert usage.get() == 2


def test_each_key_has_a_sum_of_its_own() -> None:
    usage = Sum(0.25)
    assert [usage.get("one"), usage.get("two"), usage.get("one")] == [1, 2, 1]


def test_requests_during_a_read_take_the_old_sum() -> None:
    now = 0.0
    cache = UsageCache(lambda: now)

    async def first() -> float:
        return 1.0

    async def run() -> list[float]:
        nonlocal now
        await cache.get("one", first)
        now = 100.0
        may_end = asyncio.Event()

        async def second() -> float:
            await may_end.wait()
            return 2.0

        slow = asyncio.create_task(cache.get("one", second))
        await asyncio.sleep(0)
        meanwhile = await cache.get("one", second)
        may_end.set()
        return [meanwhile, await slow]

    assert asyncio.run(run()) == [1.0, 2.0]


def test_a_read_that_fails_is_an_error_and_nothing_is_kept() -> None:
    cache = UsageCache(lambda: 0.0)

    async def fail() -> float:
        raise LookupError

    async def succeed() -> float:
        return 3.0

    with pytest.raises(LookupError):
        asyncio.run(cache.get("one", fail))
    assert asyncio.run(cache.get("one", succeed)) == 3
