"""Whose fault it is when a job's process ends: the driver decides what is counted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

import pytest

from qwicket.circuits.outcomes import RunResult
from qwicket.compute import EngineJob, WorkerDied, WorkerLost, WorkFailed
from qwicket.drivers import JobNotStarted, ProcessDied, RetrySeparately
from qwicket.drivers.simulated import SimulatedDriver
from qwicket.model.jobs import Assignment, Lease
from qwicket.model.states import JobState


class Failing:
    """A `Compute` whose every run fails in the same way."""

    slots = 1

    def __init__(self, failure: WorkFailed) -> None:
        self._failure = failure

    async def run(self, jobs: Sequence[EngineJob], *, timeout_s: float) -> list[RunResult]:
        raise self._failure

    async def close(self) -> None:
        """Nothing is open."""


def assignment() -> Assignment:
    return Assignment(
        lease=Lease(job="job", fence=1, nonce="nonce", runner="runner"),
        device="simulator",
        state=JobState.RUNNING,
        attempts=0,
        est_bytes=1,
        est_seconds=1.0,
        circuits=b"",
        options=b"",
    )


@pytest.mark.parametrize(
    ("failure", "fault"),
    [
        (WorkerDied(-signal.SIGKILL), ProcessDied),
        (WorkerDied(-signal.SIGSEGV), ProcessDied),
        (WorkerDied(1), ProcessDied),
        (WorkerDied(-signal.SIGTERM), JobNotStarted),
        (WorkerLost(1), JobNotStarted),
        (WorkerLost(2), ProcessDied),
    ],
)
def test_an_attempt_is_counted_unless_somebody_ended_the_process(
    failure: WorkFailed, fault: type[Exception]
) -> None:
    driver = SimulatedDriver(Failing(failure), {"simulator": "qubit"}, 1.0)
    with pytest.raises(fault):
        asyncio.run(driver.run([assignment()]))
    with pytest.raises(RetrySeparately):
        asyncio.run(driver.run([assignment(), assignment()]))
