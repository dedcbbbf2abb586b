"""A driver whose every move the test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.drivers import ForwardLog
from qwicket.model.jobs import Assignment, Job
from qwicket.model.states import JobState
from qwicket.store import Store

DONE = RunResult((Encoded(b"body", b"sha"),), 0.001)


class HandDriver:
    """Begins jobs and leaves it to the test how they end."""

    forwards = False

    def __init__(self, slots: int, jobs_per_task: int = 1) -> None:
        self.slots = slots
        self.jobs_per_task = jobs_per_task
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.ends: dict[str, asyncio.Future[RunResult]] = {}
        self.stopped: list[str] = []

    async def run(self, assignments: Sequence[Assignment], desk: ForwardLog) -> list[RunResult]:
        jobs = [each.lease.job for each in assignments]
        loop = asyncio.get_running_loop()
        self.ends.update((job, loop.create_future()) for job in jobs)
        for job in jobs:
            self.begun.put_nowait(job)
        try:
            return [await self.ends[job] for job in jobs]
        except asyncio.CancelledError:
            self.stopped += jobs
            raise


async def begun(driver: HandDriver) -> str:
    async with asyncio.timeout(30):
        return await driver.begun.get()


async def reach(store: Store, job: Job, state: JobState) -> Job:
    """Wait until the job is in a state."""
    with store.changes.watch(job.id) as watch:
        async with asyncio.timeout(30):
            while True:
                present = await store.jobs.get(job.id)
                assert present is not None
                if present.state is state:
                    return present
                await watch.changed(10)
