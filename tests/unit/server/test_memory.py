"""Young objects are collected by time, because Python's count of them can stay low."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import deque
from collections.abc import AsyncIterator

import pytest

from qwicket.server.memory import collect_periodically

pytestmark = pytest.mark.anyio

N = 30_000


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


def n_young() -> int:
    return sum(len(gc.get_objects(generation=each)) for each in (0, 1))


@pytest.fixture
async def collecting() -> AsyncIterator[None]:
    task = asyncio.create_task(collect_periodically(["a connection"]))
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_young_objects_do_not_come_together_while_as_many_old_ones_go(
    collecting: None,
) -> None:
    objects: deque[list[int]] = deque([] for _ in range(N))
    gc.collect()
    for _ in range(N):  # each new object goes with the end of an old one
        objects.append([])
        objects.popleft()
    assert n_young() >= N, "Python's own collections have begun to take them"
    async with asyncio.timeout(5):
        while n_young() >= N / 10:
            await asyncio.sleep(0.05)
