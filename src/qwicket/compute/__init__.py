"""Where engines run: processes that can be killed.

Knows neither jobs nor the database. A piece of work ends with its result or one `WorkFailed`.
"""

from qwicket.compute.failures import (
    BadAnswer,
    NotStarted,
    OutOfMemory,
    OutOfTime,
    Stopped,
    WorkerDied,
    WorkError,
    WorkFailed,
)
from qwicket.compute.local import Compute, LocalCompute, Work
from qwicket.compute.pool import Pool, Task
from qwicket.compute.readers import Readers

__all__ = [
    "BadAnswer",
    "Compute",
    "LocalCompute",
    "NotStarted",
    "OutOfMemory",
    "OutOfTime",
    "Pool",
    "Readers",
    "Stopped",
    "Task",
    "Work",
    "WorkError",
    "WorkFailed",
    "WorkerDied",
]
