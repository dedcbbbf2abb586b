"""What runs inside a Dask worker: its own pool of engine processes, and the task that uses it.

Bytes go in and out, so that Dask unpickles nothing of a job. Dask cannot stop a running task; this
module stops it by killing the engine process that does the work.
"""

from __future__ import annotations

import hashlib
import threading
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from distributed import WorkerPlugin, get_worker

from qwicket.compute import failures
from qwicket.compute.fork_server import ForkServer
from qwicket.compute.local import WARM_UP
from qwicket.compute.memory import available_bytes
from qwicket.compute.pool import Pool
from qwicket.compute.responses import JobResponse

if TYPE_CHECKING:
    from distributed import Scheduler, Worker

    from qwicket.compute.pool import Task

VERSION: Final = metadata.version("qwicket")
MEMORY_SHARE: Final = 0.8
"""Fraction of a Dask worker's memory limit, or of the available memory, for engine processes."""

_NO_POOL: Final = "the Dask worker has no engine processes; see its log"
_VALUE: Final = b"v"
_FAILURE: Final = b"f"
_FAILURES: Final = {
    kind.__name__: kind
    for kind in (
        failures.InvalidResponse,
        failures.MemoryLimitExceeded,
        failures.NotStarted,
        failures.Stopped,
        failures.TimeLimitExceeded,
        failures.WorkerDied,
        failures.WorkError,
    )
}

_responses: Final = msgspec.msgpack.Decoder(list[JobResponse])
_failures: Final = msgspec.msgpack.Decoder(tuple[str, list[Any]])


class PoolSettings(NamedTuple):
    """Settings of the pool in each Dask worker.

    Attributes:
        memory_bytes: Address space that a task may add to its process, if that is less than the
            process's share of the Dask worker's memory; None for that share.
        response_bytes: Maximum size of a task's response in bytes.
        engine: The function to run, as "module:function".
        warm_up: The function that their fork server calls first.
        version: Version of the server's package, which packs the circuits.
    """

    memory_bytes: int | None
    response_bytes: int
    engine: str = "qwicket.engines:run_jobs"
    warm_up: str | None = WARM_UP
    version: str = VERSION


class Capacity(NamedTuple):
    """Number of tasks that a Dask worker runs at the same time, and the memory of each in bytes."""

    slots: int
    memory_bytes: int


class EnginePlugin(WorkerPlugin):
    """Gives each Dask worker a pool with one engine process per thread of the worker.

    Servers with equal settings share the pools, because the name follows from the settings.
    """

    idempotent = True

    def __init__(self, settings: PoolSettings) -> None:
        digest = hashlib.sha256(repr(settings).encode()).hexdigest()
        self.name = f"qwicket-{digest[:16]}"
        self._settings = settings

    def setup(self, worker: Worker) -> None:
        settings = self._settings
        if settings.version != VERSION:
            raise RuntimeError(
                f"this Dask worker has qwicket {VERSION}, the server {settings.version}:"
                " install the same version"
            )
        n_slots = worker.state.nthreads
        memory = worker.memory_manager.memory_limit or available_bytes()
        share = int(MEMORY_SHARE * memory / n_slots)
        self.capacity = Capacity(n_slots, min(share, settings.memory_bytes or share))
        self._lock = threading.Lock()
        self._tasks: dict[str, Task[object]] = {}
        self._released_keys: set[str] = set()
        self._pool = Pool(
            n_slots,
            fork_server=ForkServer(settings.warm_up),
            memory_bytes=self.capacity.memory_bytes,
            response_bytes=settings.response_bytes,
        )
        self._pool.start()

    def teardown(self, worker: Worker) -> None:
        self._pool.close()

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Kill the process of a task that Dask has released.

        Dask releases a task when the server cancels it, and when the server or the scheduler dies.
        """
        if start in ("executing", "long-running") and finish == "released":
            with self._lock:
                task = self._tasks.get(key)
                # Not known here (yet): `run` has not submitted it, it has ended, or it is another
                # client's.
                if task is None:
                    self._released_keys.add(key)
                    return
            task.cancel()

    def run(self, key: str, jobs: bytes, timeout_s: float) -> bytes:
        """Run packed jobs; return their results or their failure, packed."""
        try:
            task = self._pool.submit(
                self._settings.engine,
                msgspec.msgpack.decode(jobs),
                timeout_s=timeout_s,
                returns=list[JobResponse],
            )
            with self._lock:
                self._tasks[key] = task
                if key in self._released_keys:
                    task.cancel()
            return _VALUE + msgspec.msgpack.encode(task.future.result())
        except failures.WorkFailed as failure:
            return _FAILURE + msgspec.msgpack.encode(_plain(failure))
        finally:
            with self._lock:
                self._tasks.pop(key, None)
                self._released_keys.discard(key)


def run_jobs(plugin: str, key: str, jobs: bytes, timeout_s: float) -> bytes:
    """Run jobs in the pool of this Dask worker; return what `EnginePlugin.run` returns.

    This function is Dask's task.
    """
    instance = get_worker().plugins.get(plugin)
    if not isinstance(instance, EnginePlugin):
        return _FAILURE + msgspec.msgpack.encode(_plain(failures.NotStarted(_NO_POOL)))
    return instance.run(key, jobs, timeout_s)


def capacity(plugin: str, dask_worker: Worker) -> Capacity | None:
    """Return the capacity of this Dask worker; None without a pool."""
    instance = dask_worker.plugins.get(plugin)
    return getattr(instance, "capacity", None)


def forbid_reruns(dask_scheduler: Scheduler) -> None:
    """Make a scheduler report a task whose worker died, instead of running it again.

    By default it runs such a task on four workers one after the other, and kills all of them if the
    task is the cause. The queue decides what runs again.
    """
    dask_scheduler.allowed_failures = 0


def read(packed: bytes) -> list[JobResponse]:
    """Return the results that `run_jobs` packed. The caller checks that they fit the jobs.

    Raises:
        WorkFailed: The task failed, or its response is malformed.
    """
    kind, content = packed[:1], memoryview(packed)[1:]
    try:
        if kind == _VALUE:
            return _responses.decode(content)
        name, arguments = _failures.decode(content)
        failure = _FAILURES[name](*arguments)
    except (msgspec.DecodeError, KeyError, TypeError):
        raise failures.InvalidResponse(0) from None
    raise failure


def _plain(failure: failures.WorkFailed) -> tuple[str, tuple[Any, ...]]:
    if isinstance(failure, failures.WorkError):
        return "WorkError", (failure.type_name, failure.message, failure.trace)
    return type(failure).__name__, failure.args
