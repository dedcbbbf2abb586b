from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qwicket.scheduling.cluster_size import follow_queue, tasks_for
from support.stores import add_job, make_token, open_new_sqlite

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("jobs", "seconds", "tasks"),
    [
        (0, 0.0, 0),
        (1, 0.001, 1),
        (1, 900.0, 1),  # a job is one task, however long
        (1000, 4.0, 1),  # one worker does them before another has started
        (1000, 51.0, 11),
        (3, 900.0, 3),
    ],
)
def test_size_follows_the_work_that_waits(jobs: int, seconds: float, tasks: int) -> None:
    assert tasks_for(jobs, seconds) == tasks


class FakeCluster:
    busy = 2

    def __init__(self) -> None:
        self.wanted: asyncio.Queue[int] = asyncio.Queue()

    def set_size(self, n_tasks: int) -> None:
        self.wanted.put_nowait(n_tasks)


async def test_running_tasks_count_beside_those_that_wait(tmp_path: Path) -> None:
    store, cluster = open_new_sqlite(tmp_path), FakeCluster()
    ada = await make_token(store)
    await add_job(store, ada)
    following = asyncio.create_task(follow_queue(store, ["simulator"], cluster))
    async with asyncio.timeout(30):
        assert await cluster.wanted.get() == 3
    following.cancel()
    await store.close()
