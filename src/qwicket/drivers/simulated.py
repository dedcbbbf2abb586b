"""Simulated devices: an engine of the device's family, on the compute."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from qwicket.compute import (
    NotStarted,
    OutOfMemory,
    OutOfTime,
    Stopped,
    Work,
    WorkerDied,
    WorkError,
)
from qwicket.drivers import Died, NotBegun
from qwicket.model.outcomes import Failure

if TYPE_CHECKING:
    from qwicket.compute import Compute
    from qwicket.model.jobs import Assignment, Completion

_log = logging.getLogger(__name__)


class SimulatedDriver:
    """Runs every simulated device of this server on one compute.

    Args:
        compute: Where engines run.
        family: The engines' family.
        run_time_s: Longest run of one job.
    """

    def __init__(self, compute: Compute, family: str, run_time_s: float) -> None:
        self._compute = compute
        self._family = family
        self._run_time_s = run_time_s

    @property
    def slots(self) -> int:
        return self._compute.slots

    async def run(self, assignment: Assignment) -> Completion | Failure:
        work = Work(assignment.circuits, assignment.options, self._family, self._run_time_s)
        try:
            return await self._compute.run(work)
        except WorkerDied as death:
            raise Died(str(death)) from death
        except (NotStarted, Stopped) as failure:
            raise NotBegun(str(failure)) from failure
        except OutOfTime as failure:
            return Failure(
                "run_time_exceeded",
                f"The job was stopped after {failure.limit_s:g} s, the most that one job may run"
                " (limit run_time_s).",
            )
        except OutOfMemory as failure:
            allowed = "all there is" if failure.limit_bytes is None else _mib(failure.limit_bytes)
            return Failure(
                "out_of_memory",
                f"The job needed more memory than one job may use: {_mib(assignment.est_bytes)}"
                f" were estimated, {allowed} is allowed (limit memory_bytes).",
            )
        except WorkError as failure:
            _log.error("engine failed on job %s: %s", assignment.lease.job, failure.trace)
            return Failure("engine_error", "The engine failed; the log has it under the job's id.")


def _mib(size: int) -> str:
    return f"{size >> 20} MiB"
