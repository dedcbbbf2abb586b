"""Errors of tasks without a result.

    WorkFailed
    ├── WorkError    the function raised, or its arguments or result could not be encoded
    ├── WorkerDied   its process ended without a response: a crash, or a kill from outside
    │   └── InvalidResponse  its response is malformed, or does not fit the task
    ├── TimeLimitExceeded    it reached its time limit and was killed
    ├── MemoryLimitExceeded  it needs more memory than a worker may use, or than there is
    ├── Stopped      it was cancelled, or the pool closed
    ├── NotStarted   no worker could be started, so the work never began
    └── WorkerLost   the cluster's worker that had the work is gone; the reason is unknown

Each builds its message from its arguments, so that it survives pickling.
"""

from __future__ import annotations

import signal
from typing import ClassVar


class WorkFailed(Exception):
    """Base class. `code` is stable; the text has no traceback."""

    code: ClassVar[str] = "work_failed"


class WorkError(WorkFailed):
    """The function raised, or its arguments or result could not be encoded.

    Args:
        type_name: Name of the exception's class.
        message: The exception's text.
        trace: The worker's traceback, for the log and never for a response.
    """

    code = "work_error"

    def __init__(self, type_name: str, message: str, trace: str = "") -> None:
        self.type_name = type_name
        self.message = message
        self.trace = trace
        super().__init__(type_name, message)

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" if self.message else self.type_name


class WorkerDied(WorkFailed):
    """The process ended without a response.

    Args:
        exitcode: Exit status, or the negative number of the signal that ended it.
    """

    code = "worker_died"

    def __init__(self, exitcode: int) -> None:
        self.exitcode = exitcode
        super().__init__(exitcode)

    def __str__(self) -> str:
        if self.exitcode < 0:
            return f"The worker process was ended by {_signal_name(-self.exitcode)}."
        return f"The worker process ended with status {self.exitcode}."


class InvalidResponse(WorkerDied):
    """The process sent an invalid response: work took it over or damaged its memory.

    Args:
        exitcode: As for `WorkerDied`, of the kill that followed a malformed response. 0 if there
            was no kill: the response was well-formed but wrong, or Dask returned no readable one.
    """

    def __str__(self) -> str:
        return "The worker process sent a response that cannot be read."


class TimeLimitExceeded(WorkFailed):
    """The work ran for `limit_s` seconds and was killed."""

    code = "out_of_time"

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        super().__init__(limit_s)

    def __str__(self) -> str:
        return f"The work was stopped at its time limit of {self.limit_s:g} s."


class MemoryLimitExceeded(WorkFailed):
    """The work asked for more memory than there is, or than `limit_bytes` if that is set."""

    code = "out_of_memory"

    def __init__(self, limit_bytes: int | None) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(limit_bytes)

    def __str__(self) -> str:
        if self.limit_bytes is None:
            return "The work needed more memory than this machine could give."
        return f"The work needed more than its memory limit of {self.limit_bytes:,} bytes."


class Stopped(WorkFailed):
    """The work was cancelled, or the pool closed."""

    code = "stopped"

    def __str__(self) -> str:
        return "The work was stopped."


class NotStarted(WorkFailed):
    """No worker could be started, so the work never began and is not at fault.

    Args:
        reason: Why the last attempt failed.
    """

    code = "not_started"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"No worker could be started: {self.reason}."


class WorkerLost(WorkFailed):
    """The worker of a cluster that had the work is gone: killed, cut off, or ended by its site.

    Args:
        times: How often this has happened to the same work.
    """

    code = "worker_lost"

    def __init__(self, times: int = 1) -> None:
        self.times = times
        super().__init__(times)

    def __str__(self) -> str:
        text = "The worker of the cluster that had the work was lost"
        return f"{text}." if self.times == 1 else f"{text} ({self.times} times in all)."


class ClusterUnavailable(Exception):
    """A cluster cannot be used; the text says why."""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
