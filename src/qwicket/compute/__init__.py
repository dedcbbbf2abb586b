"""Worker processes that run engines and parsers, and can be killed.

Independent of jobs and the database. Each task ends with its result or one `WorkFailed`.
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
from qwicket.compute.parser_pool import ParserPool
from qwicket.compute.pool import Pool, Task

__all__ = [
    "BadAnswer",
    "Compute",
    "LocalCompute",
    "NotStarted",
    "OutOfMemory",
    "OutOfTime",
    "ParserPool",
    "Pool",
    "Stopped",
    "Task",
    "Work",
    "WorkError",
    "WorkFailed",
    "WorkerDied",
]
