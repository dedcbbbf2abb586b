"""Reads large results of one cloud, each in a process of its own, with a memory limit.

Numbers in JSON take up to twelve times their bytes as Python's objects. So the server itself has
only the packed result in memory, and a result that needs too much memory ends its process alone.
"""

from __future__ import annotations

import os
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from qwicket.clients.http import bounds
from qwicket.compute import (
    ForkServer,
    MemoryLimitExceeded,
    NotStarted,
    Pool,
    Stopped,
    TimeLimitExceeded,
    WorkFailed,
)
from qwicket.compute.responses import JobResponse, validated
from qwicket.drivers.remote.clouds import CloudError, InvalidResult
from qwicket.drivers.remote.result_process import Unreadable
from qwicket.model.failures import Failure

if TYPE_CHECKING:
    from qwicket.circuits.outcomes import Completion
    from qwicket.clients.http.bounds import Turn
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RemoteProgram
    from qwicket.model.limits import Limits

_MODULE: Final = "qwicket.drivers.remote.result_process"
_PARSE_S: Final = 600.0
_MARGIN_BYTES: Final = 1 << 20
"""Bytes of failures, names and digests in a response, beside the results."""
_OF_CONNECTIONS: Final = frozenset(
    {
        "ALL_PROXY",
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)
"""Environment variables, in capitals, that concern connections to other clouds."""


class LargeResults:
    """Reads large results of one cloud.

    Args:
        remote: Where the device is.
        key: Key of the account there.
        formats: Formats that the device takes there.
        limits: `result_bytes` bounds a result, and `memory_bytes` the memory of its process.
    """

    def __init__(self, remote: Remote, key: str, formats: tuple[str, ...], limits: Limits) -> None:
        self._cloud = (remote, key, formats, limits)
        self._within = bounds.of_results(limits.jobs.result_bytes)
        self._memory_bytes = limits.jobs.memory_bytes
        self._lock = threading.Lock()
        self._is_closed = False
        self._task: Any = None

    def read(self, id: str, program: RemoteProgram, turn: Turn) -> tuple[Completion, float]:
        """Return the checked result of a completed job and its run time in seconds; blocks.

        Args:
            id: Id of the job there.
            program: The job.
            turn: One process of the cloud receives at a time, and one of all clouds parses.

        Raises:
            InvalidResult: As for `ResultReader.read`, or it needs too much memory.
            NoSuchJob: The job is gone.
            CloudError: It could not be read.
        """
        turn.receive()
        pool = Pool(
            1,
            fork_server=ForkServer(f"{_MODULE}:warm_up"),
            memory_bytes=self._memory_bytes,
            response_bytes=self._within.max_bytes + _MARGIN_BYTES,
        )
        environment = {k: v for k, v in os.environ.items() if k.upper() in _OF_CONNECTIONS}
        limit_s = self._within.total_s + bounds.SMALL.total_s
        try:
            with closing(pool):
                self._call(pool, limit_s, None, "receive", *self._cloud, environment, id, program)
                turn.parse()
                found = self._call(pool, _PARSE_S, JobResponse | Unreadable, "parse")
            if isinstance(found, Unreadable):
                raise found.error()
            (result,) = validated([found], 1)
        except WorkFailed as failure:
            raise _error(failure) from None
        assert not isinstance(result.result, Failure)
        return result.result, result.seconds

    def _call(self, pool: Pool, limit_s: float, returns: Any, name: str, *arguments: object) -> Any:
        """Call a function of `result_process`."""
        with self._lock:
            if self._is_closed:
                raise Stopped
            self._task = pool.submit(
                f"{_MODULE}:{name}", *arguments, timeout_s=limit_s, returns=returns
            )
        try:
            return self._task.future.result()
        finally:
            self._task = None  # or it would keep the result alive

    def close(self) -> None:
        """Stop a read, and begin no other one."""
        with self._lock:
            self._is_closed = True
            if self._task is not None:
                self._task.cancel()


def _error(failure: WorkFailed) -> CloudError | InvalidResult:
    if isinstance(failure, NotStarted | Stopped):
        return CloudError(str(failure))
    if isinstance(failure, TimeLimitExceeded):
        return InvalidResult(f"reading it takes more than {failure.limit_s:g} s")
    if isinstance(failure, MemoryLimitExceeded):
        limit = failure.limit_bytes
        allowed = "there is" if limit is None else f"{limit >> 20} MiB (limit memory_bytes)"
        return InvalidResult(f"reading it takes more memory than {allowed}")
    return InvalidResult(f"the process that read it failed: {failure}")
