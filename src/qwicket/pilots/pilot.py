"""The loop of a pilot: pull tasks, run them in worker processes, send the results.

One loop keeps a pull open. Its responses contain tasks only while slots are free, and directives at
any time, so that a cancellation reaches a running job within one round trip. While all slots are
busy, the loop pauses before each pull (`_LISTEN_AFTER_S`), and directives wait for that pull.
Another loop sends finished reports, as many as fit into one request, whose response contains new
tasks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qwicket import schema
from qwicket.agents.api import is_transient, pause_s
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.clients.native import ApiError, ClientError
from qwicket.drivers import JobNotStarted, ProcessDied, RetrySeparately
from qwicket.drivers.simulated import SimulatedDriver
from qwicket.model.failures import Failure
from qwicket.model.jobs import Assignment, Lease
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.compute import Compute
    from qwicket.pilots.api import PilotAPI

    Report = schema.pilots.PilotResultBody | schema.pilots.PilotReleaseBody

_PULL_S: Final = 5.0
"""Wait of the first pull in seconds; each response says how long the next pull may wait."""
_LISTEN_AFTER_S: Final = 0.05
"""Seconds for which all slots are busy before a pull is sent that waits for directives alone."""
_LISTEN_TO_TINY_AFTER_S: Final = 1.0
"""The same while the tasks have less work than `_AHEAD_S` per slot: they end soon, and the response
to each report brings the next tasks."""
_AHEAD_S: Final = 0.1
"""Estimated work per slot, in seconds. While less is present, tiny tasks are requested in advance,
so that the processes do not wait for the network."""
_TINY_TASK_S: Final = 0.02
"""Assumed estimate of a task of several tiny jobs, in seconds."""
_MAX_TINY_TASKS: Final = 1_024
"""Limit of `OfferBody.tiny_tasks`."""
_NOT_STARTED_PAUSE_S: Final = 1.0
_BASE64: Final = 4 / 3
_REQUEST_OVERHEAD_BYTES: Final = 64 << 10
"""Bytes that a request with reports needs beside their outcomes, at most."""
_REPORT_FIELDS_BYTES: Final = 1_000
"""Assumed bytes of one report beside its parts."""
_PART_FIELDS_BYTES: Final = 500
"""Assumed bytes of one part beside its outcome; so no request has too many parts for the server."""
_LEAVING_REASON: Final = "its worker stops"
_LEAVE_S: Final = 5.0
"""Longest time in seconds for the last reports, and then for the request to leave."""
_WARM_UP_S: Final = 60.0
"""Time limit in seconds of the first process, which imports the engines."""
_REFUSES_PILOT: Final = frozenset({401, 403, 404, 409})
"""Statuses about the pilot, not about a report: its token, its version, a server without pilots."""
_OUTCOME_REFUSED: Final = "outcome_refused"
_MESSAGE_CHARS: Final = 1_000
"""Limit of `RunErrorBody.message`."""
_REASON_CHARS: Final = 200
"""Limit of `PilotReleaseBody.reason`."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Job:
    """A job that the pilot holds.

    Attributes:
        lease: Right to run the job.
        is_stopping: Whether the server has asked to stop it.
        is_lost: Whether another lease is newer, so that nothing is reported.
    """

    lease: schema.pilots.LeaseBody
    is_stopping: bool = False
    is_lost: bool = False


@dataclass(eq=False)
class _Task:
    """Jobs that run one after the other in one process."""

    jobs: list[_Job]
    est_seconds: float
    run: asyncio.Task[list[Report]] | None = None


class Pilot:
    """Serves simulated devices of one server.

    Args:
        api: The server.
        compute: Runs the jobs.
        grace_s: Seconds for which running jobs may continue after a request to stop.
        idle_s: Seconds without a job after which the pilot leaves; None means never.
    """

    def __init__(
        self,
        api: PilotAPI,
        compute: Compute,
        *,
        grace_s: float = 20.0,
        idle_s: float | None = None,
    ) -> None:
        self._api = api
        self._compute = compute
        self._grace_s = grace_s
        self._idle_s = idle_s
        self._idle_since = 0.0
        self._tasks: set[_Task] = set()
        self._jobs: dict[tuple[str, int], _Job] = {}
        self._reports: list[Report] = []
        self._has_reports = asyncio.Event()
        self._has_free_slot = asyncio.Event()
        self._requested = 0
        self._pull_s = _PULL_S
        self._run_time_s = 0.0
        self._result_bytes = 0
        self._leaving = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def leave(self, grace_s: float | None = None) -> None:
        """Take no more tasks, let running jobs continue for the grace time, and end `serve`.

        A second call releases running jobs at once.

        Args:
            grace_s: Another grace time in seconds; ignored in a second call.
        """
        if grace_s is not None and not self._leaving.is_set():
            self._grace_s = grace_s
        (self._stop_now if self._leaving.is_set() else self._leaving).set()

    async def serve(self) -> None:
        """Pull and run jobs until `leave` is called, or the idle time has passed.

        Raises:
            ApiError: The server refuses this pilot: its token, its version or its name.
            WorkFailed: No worker process could be started.
        """
        try:
            # No job is claimed before a process is warm.
            if await self._warm_up():
                await self._serve()
        finally:
            self._stop_all()
            await self._compute.close()
            with suppress(ClientError, TimeoutError):
                async with asyncio.timeout(_LEAVE_S):
                    await self._api.leave()
            await self._api.close()

    async def _warm_up(self) -> bool:
        """Wait until a process has warmed up; return False if `leave` is called first."""
        warm = asyncio.ensure_future(self._compute.run([], timeout_s=_WARM_UP_S))
        leaving = asyncio.ensure_future(self._leaving.wait())
        await asyncio.wait({warm, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not warm.done():
            await _cancel(warm)
            return False
        await warm
        return True

    async def _serve(self) -> None:
        self._idle_since = time.monotonic()
        pulling = asyncio.create_task(self._pull_always())
        sending = asyncio.create_task(self._send_reports_always())
        leaving = asyncio.create_task(self._until_leaving())
        running: set[asyncio.Task[Any]] = {pulling, sending, leaving}
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                await each  # raises the error with which pulling or sending has ended
            await _cancel(pulling)
            await self._drain()
        finally:
            await _cancel(*running)

    async def _until_leaving(self) -> None:
        """Wait for `leave`, or until there has been no job for the idle time."""
        while not self._leaving.is_set():
            wait_s = self._idle_s  # while a job runs, the idle time ends no sooner than this
            if self._idle_s is not None and self._is_idle.is_set():
                wait_s = self._idle_since + self._idle_s - time.monotonic()
                if wait_s <= 0:
                    _log.info("there was no job for %g s", self._idle_s)
                    self._leaving.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._leaving.wait()

    async def _drain(self) -> None:
        """Wait for running tasks and their reports for the grace time; then release the others."""
        # These pulls ask for no tasks, but keep the leases alive and receive cancellations.
        listening = asyncio.create_task(self._pull_always())
        stop_now = asyncio.create_task(self._stop_now.wait())
        done = asyncio.create_task(self._is_idle.wait())
        waits: set[asyncio.Task[Any]] = {stop_now, done}
        await asyncio.wait(waits, timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED)
        self._stop_all()
        await asyncio.wait({done}, timeout=_LEAVE_S)
        await _cancel(listening, stop_now, done)

    # --- tasks ------------------------------------------------------------------------------------

    def _take(self, tasks: Sequence[Sequence[schema.pilots.TaskJobBody]]) -> None:
        for bodies in tasks:
            self._is_idle.clear()
            est_seconds = sum(body.est_seconds for body in bodies)
            task = _Task([_Job(body.lease) for body in bodies], est_seconds)
            for job in task.jobs:
                self._jobs[job.lease.id, job.lease.fence] = job
            self._tasks.add(task)
            task.run = asyncio.create_task(self._reports_of(task, bodies))
            # A callback, because a task that is cancelled before it begins runs none of its code.
            task.run.add_done_callback(partial(self._end, task))

    def _end(self, task: _Task, run: asyncio.Task[list[Report]]) -> None:
        if not run.cancelled():
            reports = run.result()
        else:
            are_all_stopping = all(job.is_stopping for job in task.jobs)
            reason = "stopped" if are_all_stopping else "stopped together with another job"
            reason = _LEAVING_REASON if self._leaving.is_set() else reason
            reports = [_release(job, reason) for job in task.jobs]
        self._tasks.discard(task)
        for job, report in zip(task.jobs, reports, strict=True):
            if job.is_lost:
                self._forget(job.lease)
            else:
                self._reports.append(report)
        # The response to a report wakes the pull. Without a report, the free slot must wake it.
        (self._has_reports if self._reports else self._has_free_slot).set()

    async def _reports_of(
        self, task: _Task, bodies: Sequence[schema.pilots.TaskJobBody]
    ) -> list[Report]:
        families = {each.device: each.family for each in bodies}
        driver = SimulatedDriver(self._compute, families, self._run_time_s)
        try:
            results = await driver.run([_assignment(each) for each in bodies])
        except ProcessDied as death:
            return [_release(job, str(death), counts_as_attempt=True) for job in task.jobs]
        except RetrySeparately as reason:
            return [_release(job, str(reason)) for job in task.jobs]
        except JobNotStarted as reason:
            # A retry at once would fail the same way.
            with suppress(TimeoutError):
                async with asyncio.timeout(_NOT_STARTED_PAUSE_S):
                    await self._leaving.wait()
            return [_release(job, str(reason)) for job in task.jobs]
        except Exception:
            ids = ", ".join(job.lease.id for job in task.jobs)
            _log.exception("an unforeseen error ended %s", ids)
            text = "The worker failed; its log has the reason under the job's id."
            results = [RunResult(Failure("driver_error", text), 0.0)] * len(task.jobs)
        return [self._result(*each) for each in zip(task.jobs, results, strict=True)]

    def _result(self, job: _Job, result: RunResult) -> schema.pilots.PilotResultBody:
        lease, found = job.lease, result.result
        if not isinstance(found, Failure):
            size = _BASE64 * sum(len(each.body) for each in found if isinstance(each, Encoded))
            if size + _REQUEST_OVERHEAD_BYTES <= self._result_bytes:
                return schema.pilots.PilotResultBody(
                    id=lease.id,
                    fence=lease.fence,
                    nonce=lease.nonce,
                    seconds=result.seconds,
                    parts=tuple(map(_part, found)),
                )
            found = Failure(
                "result_too_large",
                f"The result has {size:,.0f} bytes as a worker on another machine sends it;"
                f" {self._result_bytes:,} are allowed (limit outcome_bytes).",
            )
        return schema.pilots.PilotResultBody(
            id=lease.id,
            fence=lease.fence,
            nonce=lease.nonce,
            seconds=result.seconds,
            error=_error(found),
        )

    def _forget(self, lease: schema.pilots.LeaseBody | Report) -> None:
        self._jobs.pop((lease.id, lease.fence), None)
        if not self._jobs:
            self._idle_since = time.monotonic()
            self._is_idle.set()

    def _stop_all(self) -> None:
        for task in self._tasks:
            if task.run is not None:
                task.run.cancel()

    def _tasks_to_request(self) -> int:
        """Return the number of tasks that can be requested."""
        free = self._compute.slots - len(self._tasks) - self._requested
        return 0 if self._leaving.is_set() else max(0, free)

    def _tiny_tasks_to_request(self) -> int:
        """Return the number of tasks of tiny jobs that can be requested in advance."""
        if self._leaving.is_set() or not self._tasks:
            return 0
        return max(0, min(_MAX_TINY_TASKS, int(self._ahead_s() / _TINY_TASK_S)))

    def _ahead_s(self) -> float:
        """Return the estimated seconds of tasks that may be requested in advance."""
        return _AHEAD_S * self._compute.slots - sum(task.est_seconds for task in self._tasks)

    # --- requests ---------------------------------------------------------------------------------

    async def _pull_always(self) -> None:
        tries = 0
        while True:
            if not self._tasks_to_request():
                self._has_free_slot.clear()
                is_tiny = self._ahead_s() > 0
                with suppress(TimeoutError):
                    async with asyncio.timeout(
                        _LISTEN_TO_TINY_AFTER_S if is_tiny else _LISTEN_AFTER_S
                    ):
                        await self._has_free_slot.wait()
            try:
                await self._pull()
                tries = 0
            except ClientError as error:
                if not is_transient(error):
                    raise
                tries += 1
                _log.warning("no jobs could be pulled: %s", error)
                await asyncio.sleep(pause_s(tries, error))

    async def _pull(self) -> None:
        """Pull once. A pull that asks for no task ends as soon as a slot is free."""
        tasks = self._tasks_to_request()
        self._requested += tasks
        pulling = asyncio.ensure_future(self._request(tasks))
        free_slot = asyncio.ensure_future(self._has_free_slot.wait())
        try:
            self._has_free_slot.clear()
            waits = {pulling} if tasks else {pulling, free_slot}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not pulling.done():
                return
            pulled = pulling.result()
        finally:
            self._requested -= tasks
            pulling.cancel()
            free_slot.cancel()
        self._pull_s, self._run_time_s = pulled.pull_s, pulled.run_time_s
        self._result_bytes = pulled.result_bytes
        self._take(pulled.tasks)
        for each in pulled.directives:
            self._apply(each)

    async def _request(self, tasks: int) -> schema.pilots.PulledBody:
        # The leases and the number of the request must be of the same moment: nothing is awaited
        # between them.
        held = [
            schema.pilots.PilotLeaseBody(
                id=job.lease.id,
                fence=job.lease.fence,
                nonce=job.lease.nonce,
                is_stopping=job.is_stopping,
            )
            for job in self._jobs.values()
        ]
        return await self._api.pull(held, tasks, self._pull_s)

    def _apply(self, directive: schema.pilots.DirectiveBody) -> None:
        job = self._jobs.get((directive.id, directive.fence))
        if job is None:  # it was reported meanwhile
            return
        job.is_stopping = True
        job.is_lost |= directive.directive == "lost"
        task = next((each for each in self._tasks if job in each.jobs), None)
        if task is not None and task.run is not None:
            task.run.cancel()
        elif job.is_lost:
            self._forget(job.lease)

    async def _send_reports_always(self) -> None:
        while True:
            await self._has_reports.wait()
            self._has_reports.clear()
            reports, self._reports = self._reports, []
            for batch in self._split(reports):
                await self._send_reports(batch)

    def _split(self, reports: Sequence[Report]) -> list[list[Report]]:
        """Return reports in lists that each fit into one request."""
        lists: list[list[Report]] = []
        left = 0.0
        for report in reports:
            size = _size(report)
            if not lists or size > left:
                lists.append([])
                left = self._result_bytes - _REQUEST_OVERHEAD_BYTES
            lists[-1].append(report)
            left -= size
        return lists

    async def _send_reports(self, reports: list[Report]) -> None:
        """Send reports until the server has accepted or refused them."""
        tries = 0
        while True:
            try:
                await self._send_reports_once(reports)
                return
            except ClientError as error:
                if is_transient(error):
                    tries += 1
                    _log.warning("results were not delivered: %s", error)
                    await asyncio.sleep(pause_s(tries, error))
                    continue
                if not isinstance(error, ApiError) or error.status in _REFUSES_PILOT:
                    raise
                _log.error("the server refused reports: %s", error)
                if len(reports) > 1:  # find the one that is refused
                    for each in reports:
                        await self._send_reports([each])
                    return
                substitute = _substitute(reports[0], error)
                if substitute is None:
                    self._forget(reports[0])
                    return
                reports = [substitute]

    async def _send_reports_once(self, reports: Sequence[Report]) -> None:
        tasks = self._tasks_to_request()
        self._requested += tasks
        try:
            response = await self._api.report(
                [each for each in reports if isinstance(each, schema.pilots.PilotResultBody)],
                [each for each in reports if isinstance(each, schema.pilots.PilotReleaseBody)],
                tasks=tasks,
                tiny_tasks=self._tiny_tasks_to_request(),
            )
        finally:
            self._requested -= tasks
        for report in reports:
            self._forget(report)
        self._take(response.tasks)
        if self._tasks_to_request():
            self._has_free_slot.set()


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _assignment(job: schema.pilots.TaskJobBody) -> Assignment:
    lease = job.lease
    # The driver of simulated devices needs neither the runner nor the attempts.
    return Assignment(
        lease=Lease(job=lease.id, fence=lease.fence, nonce=lease.nonce, runner=""),
        device=job.device,
        state=JobState.RUNNING,
        attempts=0,
        est_bytes=job.est_bytes,
        est_seconds=job.est_seconds,
        circuits=job.circuits,
        options=job.options,
    )


def _part(encoded: Encoded | Failure) -> schema.pilots.PartReportBody:
    if isinstance(encoded, Failure):
        return schema.pilots.PartReportBody(error=_error(encoded))
    return schema.pilots.PartReportBody(outcome=encoded.body, sha256=encoded.sha256.hex())


def _error(failure: Failure) -> schema.pilots.RunErrorBody:
    return schema.pilots.RunErrorBody(code=failure.code, message=failure.message[:_MESSAGE_CHARS])


def _release(
    job: _Job, reason: str, *, counts_as_attempt: bool = False
) -> schema.pilots.PilotReleaseBody:
    lease = job.lease
    return schema.pilots.PilotReleaseBody(
        id=lease.id,
        fence=lease.fence,
        nonce=lease.nonce,
        reason=reason[:_REASON_CHARS],
        counts_as_attempt=counts_as_attempt,
    )


def _substitute(report: Report, error: ApiError) -> Report | None:
    """Return what is reported in place of a refused report; None if nothing is left to try.

    A failure takes the place of a result, and a release that of a refused failure. The release
    counts as an attempt, so that a job whose reports are refused does not run for ever.
    """
    if isinstance(report, schema.pilots.PilotReleaseBody):
        return None
    if report.error is not None and report.error.code == _OUTCOME_REFUSED:
        return schema.pilots.PilotReleaseBody(
            id=report.id,
            fence=report.fence,
            nonce=report.nonce,
            reason="the server refused its result",
            counts_as_attempt=True,
        )
    text = f"The server refused the result: {error.detail}"[:_MESSAGE_CHARS]
    return schema.pilots.PilotResultBody(
        id=report.id,
        fence=report.fence,
        nonce=report.nonce,
        seconds=report.seconds,
        error=schema.pilots.RunErrorBody(code=_OUTCOME_REFUSED, message=text),
    )


def _size(report: Report) -> float:
    """Return the estimated bytes of a report in a request."""
    parts = getattr(report, "parts", None) or ()
    n_bytes = sum(len(part.outcome) for part in parts if part.outcome is not None)
    return _BASE64 * n_bytes + _PART_FIELDS_BYTES * len(parts) + _REPORT_FIELDS_BYTES
