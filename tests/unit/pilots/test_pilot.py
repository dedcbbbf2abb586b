"""A pilot with a server and worker processes that are replaced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from qwicket import schema
from qwicket.circuits.outcomes import RunResult
from qwicket.clients.native import ApiError
from qwicket.compute import EngineJob, WorkError, WorkFailed
from qwicket.pilots import Pilot, PilotAPI

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REPORTS = 10
"""Number of reports after which the test gives up waiting for an end."""


class Compute:
    """Runs no job: each ends with a result, or each fails."""

    slots = 1

    def __init__(self, failure: WorkFailed | None) -> None:
        self._failure = failure

    async def run(self, jobs: Sequence[EngineJob], *, timeout_s: float) -> list[RunResult]:
        if jobs and self._failure is not None:
            raise self._failure
        return [RunResult((), 0.0) for _ in jobs]

    async def close(self) -> None:
        """Nothing is open."""


class RefusingAPI(PilotAPI):
    """A server that offers one job and refuses every report on it."""

    def __init__(self) -> None:
        self.reports: list[schema.pilots.PilotResultBody | schema.pilots.PilotReleaseBody] = []
        self.has_offered = False
        self.is_given_up = asyncio.Event()

    async def pull(
        self, held: Sequence[schema.pilots.PilotLeaseBody], tasks: int, wait_s: float
    ) -> schema.pilots.PulledBody:
        if self.has_offered:
            if not held:
                self.is_given_up.set()
            await asyncio.sleep(0.01)
            return _pulled()
        self.has_offered = True
        lease = schema.agents.LeaseBody(id="job", fence=1, nonce="nonce")
        return _pulled(
            schema.pilots.TaskJobBody(
                lease=lease,
                device="simulator",
                family="qubits",
                circuits=b"",
                options=b"",
                est_bytes=1,
                est_seconds=1.0,
            )
        )

    async def report(
        self,
        results: Sequence[schema.pilots.PilotResultBody],
        releases: Sequence[schema.pilots.PilotReleaseBody],
        tasks: int,
        tiny_tasks: int,
    ) -> schema.pilots.PilotReportedBody:
        self.reports += [*results, *releases]
        if len(self.reports) >= MAX_REPORTS:
            self.is_given_up.set()
        await asyncio.sleep(0)
        raise ApiError(400, {"code": "invalid_request", "detail": "The body is malformed."})

    async def leave(self) -> None:
        """Nothing is stored."""

    async def close(self) -> None:
        """Nothing is open."""


def _pulled(*jobs: schema.pilots.TaskJobBody) -> schema.pilots.PulledBody:
    tasks = (jobs,) if jobs else ()
    return schema.pilots.PulledBody(tasks=tasks, pull_s=1.0, run_time_s=1.0, result_bytes=1 << 20)


class CancellingAPI(RefusingAPI):
    """A server whose response has a job and the directive to stop it, which came meanwhile."""

    async def pull(
        self, held: Sequence[schema.pilots.PilotLeaseBody], tasks: int, wait_s: float
    ) -> schema.pilots.PulledBody:
        found = await super().pull(held, tasks, wait_s)
        stop = schema.pilots.DirectiveBody(id="job", fence=1, directive="stop")
        directives = (stop,) if found.tasks else ()
        return msgspec.structs.replace(found, directives=directives)

    async def report(
        self,
        results: Sequence[schema.pilots.PilotResultBody],
        releases: Sequence[schema.pilots.PilotReleaseBody],
        tasks: int,
        tiny_tasks: int,
    ) -> schema.pilots.PilotReportedBody:
        self.reports += [*results, *releases]
        self.n_free_slots = tasks
        return schema.pilots.PilotReportedBody(states={}, tasks=())


def _kind(report: msgspec.Struct) -> str:
    """Return what a report says: a result, a code of a failure, or how a job is released."""
    if isinstance(report, schema.pilots.PilotReleaseBody):
        return "attempt" if report.counts_as_attempt else "release"
    assert isinstance(report, schema.pilots.PilotResultBody)
    return "result" if report.error is None else report.error.code


@pytest.mark.parametrize(
    ("failure", "reports"),
    [
        (None, ["result", "outcome_refused", "attempt"]),
        (WorkError("Error", "text"), ["engine_error", "outcome_refused", "attempt"]),
    ],
    ids=["result", "failure"],
)
def test_a_job_is_given_up_after_its_refused_failure_and_release(
    failure: WorkFailed | None, reports: list[str]
) -> None:
    async def serve() -> list[str]:
        api = RefusingAPI()
        serving = asyncio.create_task(Pilot(api, Compute(failure)).serve())
        async with asyncio.timeout(30):
            await api.is_given_up.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return [_kind(each) for each in api.reports]

    assert asyncio.run(serve()) == reports


def test_a_job_that_is_cancelled_before_it_begins_is_given_back_and_frees_its_slot() -> None:
    async def serve() -> CancellingAPI:
        api = CancellingAPI()
        serving = asyncio.create_task(Pilot(api, Compute(None)).serve())
        async with asyncio.timeout(30):
            await api.is_given_up.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return api

    api = asyncio.run(serve())
    assert [_kind(each) for each in api.reports] == ["release"]
    assert api.n_free_slots == 1
