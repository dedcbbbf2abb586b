"""Worker processes that run engines and parsers, and can be killed.

The package knows no queue and no database. Each task ends with its result or a `WorkFailed`.
"""

from qwicket.compute.failures import (
    ClusterUnavailable,
    InvalidResponse,
    MemoryLimitExceeded,
    NotStarted,
    Stopped,
    TimeLimitExceeded,
    WorkerDied,
    WorkerLost,
    WorkError,
    WorkFailed,
)
from qwicket.compute.fork_server import ForkServer
from qwicket.compute.local import Cluster, Compute, EngineJob, LocalCompute
from qwicket.compute.parser_pool import ParserPool
from qwicket.compute.pool import Pool, Task

__all__ = [
    "Cluster",
    "ClusterUnavailable",
    "Compute",
    "EngineJob",
    "ForkServer",
    "InvalidResponse",
    "LocalCompute",
    "MemoryLimitExceeded",
    "NotStarted",
    "ParserPool",
    "Pool",
    "Stopped",
    "Task",
    "TimeLimitExceeded",
    "WorkError",
    "WorkFailed",
    "WorkerDied",
    "WorkerLost",
]
