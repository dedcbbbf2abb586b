"""Sets the size of a cluster by the work that waits for it."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Final, Protocol

from qwicket.scheduling.forward_log import log_failure

if TYPE_CHECKING:
    from collections.abc import Collection

    from qwicket.store import Store

_PAUSE_S: Final = 1.0
_WORK_S: Final = 5.0
"""Seconds of waiting work for each further slot. Less would be done before a worker has started."""
_MAX_JOBS: Final = 5_000
"""Limit on the waiting jobs of each device that are counted."""

_log = logging.getLogger(__name__)


class ScalableCluster(Protocol):
    """A cluster whose size can be set."""

    @property
    def busy(self) -> int:
        """Number of running tasks."""

    def set_size(self, n_tasks: int) -> None:
        """Set the number of tasks that the workers should be able to run at the same time."""


async def follow_queue(store: Store, devices: Collection[str], cluster: ScalableCluster) -> None:
    """Set the size of a cluster by the work that waits for its devices, every second for ever."""
    while True:
        try:
            waiting = await store.queues.waiting_work(devices, maximum=_MAX_JOBS)
        except Exception as error:
            log_failure("the waiting work could not be read", error)
        else:
            cluster.set_size(cluster.busy + tasks_for(waiting.jobs, waiting.seconds))
        await asyncio.sleep(_PAUSE_S)


def tasks_for(jobs: int, seconds: float) -> int:
    """Return how many tasks should run at the same time for work that waits.

    Args:
        jobs: Number of waiting jobs; a task is at least one of them.
        seconds: Sum of their estimated run times.
    """
    return min(jobs, math.ceil(seconds / _WORK_S))
