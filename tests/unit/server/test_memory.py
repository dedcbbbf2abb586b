"""Young objects are collected soon, because Python's count of them can stay low."""

from __future__ import annotations

import asyncio
import gc
from collections import deque

import pytest

from qwicket.server.memory import Collector

pytestmark = pytest.mark.anyio

N = 30_000


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


def n_young() -> int:
    return sum(len(gc.get_objects(generation=each)) for each in (0, 1))


async def test_young_objects_do_not_come_together_while_as_many_old_ones_go() -> None:
    collector = Collector()
    for _ in range(2):  # the second time after the first collection
        objects: deque[list[int]] = deque([] for _ in range(N))
        gc.collect()
        for _ in range(N):  # each new object goes with the end of an old one
            objects.append([])
            objects.popleft()
            collector.expect_objects()
        assert n_young() >= N, "Python's own collections have begun to take them"
        async with asyncio.timeout(30):
            while n_young() >= N / 10:
                await asyncio.sleep(0.05)
