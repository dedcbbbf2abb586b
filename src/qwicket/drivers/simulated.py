"""Driver of simulated devices, which runs engines in worker processes."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Final

from qwicket.circuits.outcomes import RunResult
from qwicket.compute import (
    EngineJob,
    MemoryLimitExceeded,
    NotStarted,
    Stopped,
    TimeLimitExceeded,
    WorkerDied,
    WorkerLost,
    WorkError,
    WorkFailed,
)
from qwicket.drivers import ExpressOverrun, JobNotStarted, ProcessDied, RetrySeparately
from qwicket.model.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.compute import Compute
    from qwicket.drivers import ForwardLog
    from qwicket.model.jobs import Assignment

_JOBS_PER_TASK: Final = 16
"""Limit on tiny jobs in one task of a worker. If the task fails, each job runs again alone."""

_log = logging.getLogger(__name__)


class SimulatedDriver:
    """Runs the jobs of simulated devices in the worker processes of one `Compute`.

    Args:
        compute: Runs engines in worker processes.
        families: Family of each device's programs, by the device's name.
        run_time_s: Time limit of one task, in seconds: of one job, or of several tiny ones.
        is_express: Whether `compute` is for short jobs only. Jobs that exceed its time or memory
            then do not fail, but are retried in worker slots.
    """

    jobs_per_task = _JOBS_PER_TASK
    forwards = False

    def __init__(
        self,
        compute: Compute,
        families: Mapping[str, str],
        run_time_s: float,
        *,
        is_express: bool = False,
    ) -> None:
        self._compute = compute
        self._families = families
        self._run_time_s = run_time_s
        self._is_express = is_express

    @property
    def slots(self) -> int:
        return self._compute.slots

    async def run(
        self, assignments: Sequence[Assignment], forward_log: ForwardLog | None = None
    ) -> list[RunResult]:
        jobs = [
            EngineJob(self._families[each.device], each.circuits, each.options)
            for each in assignments
        ]
        try:
            return await self._compute.run(jobs, timeout_s=self._run_time_s)
        except (NotStarted, Stopped) as failure:
            raise JobNotStarted(str(failure)) from failure
        except WorkFailed as failure:
            if len(assignments) > 1:
                raise RetrySeparately(str(failure)) from failure
            return [self._failed(assignments[0], failure)]

    def _failed(self, assignment: Assignment, failure: WorkFailed) -> RunResult:
        """Return the failed result of one job.

        Raises:
            ProcessDied: The worker of the job died, or a worker of a cluster was lost with the job
                for the second time or later.
            JobNotStarted: The worker of a cluster was lost, for the first time with this job; or
                the worker received SIGTERM.
            ExpressOverrun: The job exceeded the time or memory of an express slot.
        """
        if isinstance(failure, WorkerDied) and failure.exitcode == -signal.SIGTERM:
            # No job does this: a batch system that ends a machine sends it to every process.
            raise JobNotStarted(str(failure)) from failure
        if isinstance(failure, WorkerDied):
            raise ProcessDied(str(failure)) from failure
        if isinstance(failure, WorkerLost):
            # Nodes fail, are drained, or reach their time limit. The second time, the job may be
            # the cause.
            fault = JobNotStarted if failure.times == 1 else ProcessDied
            raise fault(str(failure)) from failure
        if self._is_express and isinstance(failure, TimeLimitExceeded | MemoryLimitExceeded):
            raise ExpressOverrun(str(failure)) from failure
        if isinstance(failure, TimeLimitExceeded):
            text = (
                f"The job was stopped after {failure.limit_s:g} s, the most that one job may run"
                " (limit run_time_s)."
            )
            return RunResult(Failure("run_time_exceeded", text), failure.limit_s)
        if isinstance(failure, MemoryLimitExceeded):
            limit = failure.limit_bytes
            allowed = "all free memory" if limit is None else _mib(limit)
            text = (
                f"The job needed more memory than one job may use: {_mib(assignment.est_bytes)}"
                f" were estimated, {allowed} is allowed (limit memory_bytes)."
            )
            return RunResult(Failure("out_of_memory", text), assignment.est_seconds)
        trace = failure.trace if isinstance(failure, WorkError) else str(failure)
        _log.error("engine failed: %s", trace, extra={"job": assignment.lease.job})
        text = "The engine failed; see the server's log under the job's id."
        return RunResult(Failure("engine_error", text), assignment.est_seconds)


def _mib(size_bytes: int) -> str:
    return f"{max(1, size_bytes >> 20)} MiB"
