"""A pilot with a server and worker processes that are replaced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from qwicket import schema
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.clients.native import ApiError
from qwicket.compute import EngineJob, WorkError, WorkFailed
from qwicket.pilots import Node, Pilot, PilotAPI
from support.for_each import for_each

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
        return _pulled(_job("job"))

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


def _job(id_: str) -> schema.pilots.TaskJobBody:
    return schema.pilots.TaskJobBody(
        lease=schema.pilots.LeaseBody(id=id_, fence=1, nonce="nonce"),
        device="simulator",
        family="qubits",
        circuits=b"",
        options=b"",
        est_bytes=1,
        est_seconds=1.0,
    )


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


class ScriptedServer:
    """A server with two jobs: the second comes with the response to the report on the first.

    Args:
        ticks: Turns of the event loop by which that response comes after an empty one to a pull.
    """

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._pulls = 0
        self._is_reporting = asyncio.Event()
        self._is_answered = asyncio.Event()
        self.claimed_by = 0
        self.is_released = False
        self.has_ended = asyncio.Event()
        self.api = self

    def send(self, _method: str, _path: str, body: object, *_: object, **_named: object) -> object:
        return body

    def delete(self, path: str) -> object:
        return path

    async def close(self) -> None:
        """Nothing is open."""

    async def run(self, body: object) -> object:
        if isinstance(body, str):  # the pilot leaves
            return None
        if isinstance(body, schema.pilots.PilotReportBody):
            return await self._on_report(body)
        assert isinstance(body, schema.pilots.PullBody)
        is_held = "second" in {each.id for each in body.held}
        if self.claimed_by and self.claimed_by <= body.settled and not is_held:
            self.is_released = True
        self._pulls += 1
        if self._pulls == 1:
            return _pulled(_job("first"))
        if self._pulls == 2:
            await self._is_reporting.wait()
            self._is_answered.set()
            return _pulled()
        self.has_ended.set()
        await asyncio.sleep(0.01)
        return _pulled()

    async def _on_report(
        self, body: schema.pilots.PilotReportBody
    ) -> schema.pilots.PilotReportedBody:
        if self._is_reporting.is_set():  # the report on the second job stays on its way
            await asyncio.sleep(30)
        self._is_reporting.set()
        await self._is_answered.wait()
        for _ in range(self._ticks):
            await asyncio.sleep(0)
        self.claimed_by = body.offer.request
        return schema.pilots.PilotReportedBody(states={}, tasks=((_job("second"),),))


@for_each("ticks", range(8))
def test_a_pull_gives_up_no_claim_whose_response_comes_while_it_is_made(ticks: int) -> None:
    async def serve() -> bool:
        server = ScriptedServer(ticks)
        api = PilotAPI("http://127.0.0.1:1", "qw_" + "s" * 43, "pilot", Node(2, 1 << 30))
        api._transport = server  # type: ignore[assignment]  # has its calls
        compute = Compute(None)
        compute.slots = 2
        serving = asyncio.create_task(Pilot(api, compute).serve())
        async with asyncio.timeout(30):
            await server.has_ended.wait()
            await asyncio.sleep(0.05)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return server.is_released

    assert not asyncio.run(serve())


class OfferedAPI(CancellingAPI):
    """A server that offers a short and a long job, and keeps the offer of the first report."""

    n_tiny_tasks = -1

    async def pull(
        self, held: Sequence[schema.pilots.PilotLeaseBody], tasks: int, wait_s: float
    ) -> schema.pilots.PulledBody:
        if self.has_offered:
            await asyncio.sleep(0.01)
            return _pulled()
        self.has_offered = True
        tasks_of = ((_job("short"),), (_job("long"),))
        return msgspec.structs.replace(_pulled(), tasks=tasks_of)

    async def report(
        self,
        results: Sequence[schema.pilots.PilotResultBody],
        releases: Sequence[schema.pilots.PilotReleaseBody],
        tasks: int,
        tiny_tasks: int,
    ) -> schema.pilots.PilotReportedBody:
        self.n_tiny_tasks = tiny_tasks
        self.is_given_up.set()
        return await super().report(results, releases, tasks, tiny_tasks)


def test_a_worker_with_many_slots_requests_no_more_tasks_than_a_server_takes() -> None:
    class Slow(Compute):
        slots = 1_024
        n_runs = 0

        async def run(self, jobs: Sequence[EngineJob], *, timeout_s: float) -> list[RunResult]:
            self.n_runs += len(jobs)
            if self.n_runs == 2:
                await asyncio.sleep(30)
            return await super().run(jobs, timeout_s=timeout_s)

    async def serve() -> int:
        api = OfferedAPI()
        serving = asyncio.create_task(Pilot(api, Slow(None)).serve())
        async with asyncio.timeout(30):
            await api.is_given_up.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return api.n_tiny_tasks

    offer = {"version": "1", "packing": 1, "request": 1, "slots": 1, "tasks": 1, "memory_bytes": 1}
    n_tiny_tasks = asyncio.run(serve())
    assert n_tiny_tasks > 0
    msgspec.convert({**offer, "tiny_tasks": n_tiny_tasks}, schema.pilots.OfferBody)


class AcceptingAPI(RefusingAPI):
    """A server that offers a task of four jobs, and notes the number of parts of each report."""

    def __init__(self) -> None:
        super().__init__()
        self.n_parts: list[int] = []

    async def pull(
        self, held: Sequence[schema.pilots.PilotLeaseBody], tasks: int, wait_s: float
    ) -> schema.pilots.PulledBody:
        if not self.has_offered:
            self.has_offered = True
            return _pulled(*(_job(f"job{k}") for k in range(4)))
        await asyncio.sleep(0.01)
        return _pulled()

    async def report(
        self,
        results: Sequence[schema.pilots.PilotResultBody],
        releases: Sequence[schema.pilots.PilotReleaseBody],
        tasks: int,
        tiny_tasks: int,
    ) -> schema.pilots.PilotReportedBody:
        self.n_parts.append(sum(len(each.parts or ()) for each in results))
        if sum(self.n_parts) == 4_000:
            self.is_given_up.set()
        return schema.pilots.PilotReportedBody(states={}, tasks=())


def test_results_of_many_small_parts_are_reported_in_several_requests() -> None:
    class Many(Compute):
        async def run(self, jobs: Sequence[EngineJob], *, timeout_s: float) -> list[RunResult]:
            return [RunResult((Encoded(b"", b"\0" * 32),) * 1_000, 0.0) for _ in jobs]

    async def serve() -> list[int]:
        api = AcceptingAPI()
        serving = asyncio.create_task(Pilot(api, Many(None)).serve())
        async with asyncio.timeout(30):
            await api.is_given_up.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return api.n_parts

    # A request has at most 1 MiB, of which each part takes 500 bytes.
    assert asyncio.run(serve()) == [1_000] * 4
