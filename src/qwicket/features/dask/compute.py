"""Engines in the workers of a Dask cluster.

Dask transports tasks and results, and tracks the workers. Each worker has its own pool, whose
processes can be killed (`worker.py`). Everything of Dask lives on an event loop in a thread of
its own, so that it cannot block the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from uuid import uuid4

import msgspec
from dask import config
from distributed import Client, KilledWorker
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError

from qwicket.compute.failures import (
    ClusterUnavailable,
    InvalidResponse,
    NotStarted,
    Stopped,
    WorkerDied,
    WorkerLost,
    WorkFailed,
)
from qwicket.compute.responses import validate_results
from qwicket.features.dask import worker as dask_worker
from qwicket.features.dask.worker import Capacity, EnginePlugin, PoolSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from distributed import Future
    from distributed.batched import BatchedSend

    from qwicket.circuits.outcomes import RunResult
    from qwicket.compute.local import EngineJob
    from qwicket.compute.responses import JobResponse
    from qwicket.features.dask.cluster import Cluster

T = TypeVar("T")

_SEND_INTERVAL_S: Final = 0.001
_RELEASE_S: Final = 0.2
"""Time in seconds after which ended tasks are released together."""
_ENDED_BYTES: Final = 1 << 20
"""Size of ended tasks' responses at which they are released at once."""
_REFRESH_S: Final = 1.0
"""Interval in seconds at which the list of workers is read."""
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses between attempts to connect; the last one repeats."""
_REFRESH_SOON_S: Final = 0.1
"""The same interval (`_REFRESH_S`) while a worker cannot run engines yet."""
_CALL_S: Final = 10.0
"""Time limit in seconds of a call; a scheduler that takes longer counts as lost."""
_CLOSE_S: Final = 2.0
"""Time limit in seconds of each step of closing."""
_NO_PLUGIN: Final = "see its log; is the same version of qwicket installed there?"
_REMEMBERED: Final = 10_000
"""Number of jobs whose losses of a worker are remembered."""
_LOST: Final = "the Dask scheduler does not respond"
_LOGGERS: Final = ("asyncio", "bokeh", "dask", "distributed", "tornado")
_LARGE_GRAPH: Final = {"distributed.admin.large-graph-warning-threshold": "1 TiB"}

_log = logging.getLogger(__name__)


class DaskCompute:
    """Runs engines in the workers of one Dask cluster, and connects again when it was lost.

    Args:
        cluster: Finds or starts the scheduler.
        settings: Settings of the pools in the workers.
        connect_s: Time in seconds for one attempt to connect.
    """

    def __init__(
        self, cluster: Cluster, settings: PoolSettings, *, connect_s: float = 10.0
    ) -> None:
        self._cluster = cluster
        self._connect_s = connect_s
        self._plugin = EnginePlugin(settings)
        self._client: Client | None = None
        self._stream: BatchedSend | None = None
        """The client's connection. Dask's client makes a new one by itself, perhaps to another
        scheduler, which has no pools."""
        self._workers: dict[str, Capacity] = {}
        self._slots = 0
        self._on_resize: Callable[[], None] = lambda: None
        self._losses: OrderedDict[bytes, int] = OrderedDict()
        """How often each job lost its worker, by the job's digest; the newest last."""
        self._is_closed = False
        self.busy = 0
        self.worker_deaths = 0
        self._ended: list[Future[Any]] = []
        self._ended_bytes = 0
        self._refresh_now = asyncio.Event()
        self._incapable: set[str] = set()
        self._reported: set[str] = set()
        self._connection: asyncio.Task[None] | None = None
        # Circuits are part of the task, and Dask would warn of large ones. This module reports
        # each loss once, where Dask would log tracebacks.
        config.set(_LARGE_GRAPH)
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        _use_one_log()
        # Not the server's uvloop, which Dask is not tested with.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dask", daemon=True)
        self._thread.start()

    async def connect(self) -> None:
        """Connect to the scheduler, and stay connected.

        Raises:
            ClusterUnavailable: There is no scheduler, or it or its workers cannot be used; the text
                says why.
        """
        await self._on_loop(self._connect_and_stay())

    def on_resize(self, call: Callable[[], None]) -> None:
        """Set a function to call on this event loop when the number of slots has changed."""
        loop = asyncio.get_running_loop()

        def call_there() -> None:
            loop.call_soon_threadsafe(call)

        self._on_resize = call_there

    @property
    def is_ours(self) -> bool:
        """Whether Qwicket starts the cluster and sets its size."""
        return self._cluster.is_ours

    @property
    def is_connected(self) -> bool:
        """Whether the scheduler responds."""
        return self._client is not None

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def memory_bytes(self) -> int | None:
        """Memory of one task in the smallest worker; None as long as there is no worker."""
        return min((worker.memory_bytes for worker in self._workers.values()), default=None)

    def set_size(self, n_tasks: int) -> None:
        """Size a cluster that Qwicket starts for this number of simultaneous tasks."""
        worker_slots = max((worker.slots for worker in self._workers.values()), default=1)
        n_workers = math.ceil(n_tasks / worker_slots)
        self._loop.call_soon_threadsafe(self._cluster.set_size, n_workers)

    async def run(self, jobs: Sequence[EngineJob], *, timeout_s: float) -> list[RunResult]:
        if self._is_closed:
            raise Stopped
        self.busy += 1
        try:
            response = await self._on_loop(self._run(jobs, timeout_s))
            return await validate_results(response, len(jobs))
        finally:
            self.busy -= 1

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        await self._on_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def _on_loop(self, call: Coroutine[Any, Any, T]) -> T:
        """Return the result of a call on Dask's event loop; cancelling this cancels the call."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._loop))

    # --- tasks: on Dask's event loop from here on ------------------------------------------------

    async def _run(self, jobs: Sequence[EngineJob], timeout_s: float) -> list[JobResponse]:
        client = self._client
        if client is None:
            raise NotStarted(_LOST)
        if not self._workers:  # the last one was lost since the claim
            raise NotStarted("the cluster has no worker")
        try:
            return dask_worker.read(await self._submit(client, jobs, timeout_s))
        except WorkerDied:
            self.worker_deaths += 1
            raise
        except WorkFailed:
            raise
        except KilledWorker:
            self._refresh_now.set()
            raise self._record_loss(jobs) from None
        except Exception as error:
            self._refresh_now.set()
            is_cut = isinstance(error, FutureCancelledError | CommClosedError)
            if is_cut or not self._is_connected(client):
                # The task may have begun, but the loss of its scheduler is no fault of the task.
                raise NotStarted(_LOST) from None
            _log.error("a task of Dask failed: %s: %s", type(error).__name__, error)
            raise InvalidResponse(0) from None

    async def _submit(self, client: Client, jobs: Sequence[EngineJob], timeout_s: float) -> bytes:
        key = f"qwicket-{uuid4().hex}"
        packed = msgspec.msgpack.encode([tuple(job) for job in jobs])
        task = client.submit(
            dask_worker.run_jobs, self._plugin.name, key, packed, timeout_s, key=key, pure=False
        )
        try:
            response = cast("bytes", await task)
        except BaseException:
            # No other client has this task, so Dask releases it, and its worker stops it.
            task.release()
            raise
        self._release_later(task, len(response))
        return response

    def _release_later(self, task: Future[Any], size_bytes: int) -> None:
        """Release an ended task together with others.

        Dask pauses for some milliseconds between two messages on a connection, so a message for
        each release would delay the next task.
        """
        if not self._ended:
            self._loop.call_later(_RELEASE_S, self._release_ended)
        self._ended.append(task)
        self._ended_bytes += size_bytes
        if self._ended_bytes > _ENDED_BYTES:
            self._release_ended()

    def _release_ended(self) -> None:
        ended, self._ended, self._ended_bytes = self._ended, [], 0
        for task in ended:
            task.release()

    def _record_loss(self, jobs: Sequence[EngineJob]) -> WorkerLost:
        """Record that the worker of these jobs was lost; return the error, with their losses."""
        self.worker_deaths += 1
        digests = [hashlib.sha256(msgspec.msgpack.encode(tuple(job))).digest() for job in jobs]
        times = 1 + max(self._losses.pop(digest, 0) for digest in digests)
        self._losses.update(dict.fromkeys(digests, times))  # re-added at the end: forgotten last
        while len(self._losses) > _REMEMBERED:
            self._losses.popitem(last=False)
        return WorkerLost(times)

    # --- connection ------------------------------------------------------------------------------

    async def _connect_and_stay(self) -> None:
        await self._connect()
        self._connection = asyncio.create_task(self._stay_connected())

    async def _connect(self) -> None:
        endpoint = await self._cluster.open()
        client: Client = Client(
            endpoint.address,
            asynchronous=True,
            security=endpoint.security,
            timeout=self._connect_s,
            set_as_default=False,
            name="qwicket",
        )
        try:
            await client
            self._stream = client.scheduler_comm
            if self._stream is not None:
                # By default Dask sends a message every 10 ms at most; tiny jobs run for less.
                self._stream.interval = _SEND_INTERVAL_S
            await client.run_on_scheduler(dask_worker.forbid_reruns)
            failure = await self._register(client)
            await self._refresh(client)
            # One worker that can run engines is enough; `_refresh` reports the others.
            if failure is not None and not self._slots:
                raise failure
        except BaseException as error:
            await _close(client)
            if isinstance(error, Exception):
                raise ClusterUnavailable(_reason(endpoint.address, error)) from error
            raise
        self._client = client

    async def _register(self, client: Client) -> Exception | None:
        """Start pools in all workers, also in later ones; return the error of one that failed."""
        try:
            await client.register_plugin(self._plugin)
        except OSError:
            raise
        except Exception as error:
            return error
        return None

    async def _stay_connected(self) -> None:
        while self._client is not None:
            await self._until_lost(self._client)
            lost, self._client = self._client, None
            self._set_workers({})
            _log.error("the Dask scheduler was lost; jobs wait. %s", self._cluster.remedy)
            await _close(lost)
            await self._reconnect()

    async def _until_lost(self, client: Client) -> None:
        while True:
            pause_s = _REFRESH_SOON_S if self._incapable else _REFRESH_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._refresh_now.wait()
            self._refresh_now.clear()
            if not self._is_connected(client):
                return
            try:
                async with asyncio.timeout(_CALL_S):
                    await self._refresh(client)
            except OSError:  # TimeoutError is one, too
                return
            except asyncio.CancelledError:
                if _is_cancelled():
                    raise
                return  # Dask has cancelled its own call
            except Exception as error:  # a connection that closes meanwhile fails in many ways
                _log.warning("a call of the Dask scheduler failed: %r", error)
                return

    def _is_connected(self, client: Client) -> bool:
        return client.status == "running" and client.scheduler_comm is self._stream

    async def _reconnect(self) -> None:
        tries = 0
        while self._client is None:
            try:
                await self._connect()
            except (ClusterUnavailable, asyncio.CancelledError) as error:
                if _is_cancelled():
                    raise
                (_log.warning if tries == 0 else _log.debug)("%s", error)
                await asyncio.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
                tries += 1
        _log.warning("the Dask scheduler is back")

    async def _refresh(self, client: Client) -> None:
        """Compare the workers that are known here with those of the scheduler."""
        present = await client.nthreads()
        known = {
            address: capacity for address, capacity in self._workers.items() if address in present
        }
        new = sorted(present.keys() - known.keys())
        # Each new worker's capacity; if it cannot run engines, an error or None.
        answers: dict[str, Any] = {}
        if new:
            answers = await client.run(
                dask_worker.capacity, self._plugin.name, workers=new, on_error="return"
            )
        capable = {
            address: answer for address, answer in answers.items() if isinstance(answer, Capacity)
        }
        incapable = answers.keys() - capable.keys()
        # Reported if two refreshes find the same: a new worker may still be starting its pool.
        for address in incapable & self._incapable - self._reported:
            error = answers[address] or _NO_PLUGIN
            _log.error("Dask worker %s cannot run engines: %s", address, error)
        self._reported |= incapable & self._incapable
        self._incapable = incapable
        self._set_workers(known | capable)

    def _set_workers(self, workers: dict[str, Capacity]) -> None:
        self._workers = workers
        n_slots = sum(worker.slots for worker in workers.values())
        if n_slots != self._slots:
            self._slots = n_slots
            self._on_resize()

    async def _close(self) -> None:
        if self._connection is not None:
            self._connection.cancel()
            await asyncio.wait([self._connection], timeout=_CLOSE_S)
        client, self._client = self._client, None
        if client is not None:
            await _close(client)
        await self._cluster.close()


def _use_one_log() -> None:
    """Give the records of Dask and its libraries the format of the server's log.

    Dask adds handlers of its own when it is imported.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate = True


def _is_cancelled() -> bool:
    """Return whether this task was cancelled from outside; Dask also cancels its own calls."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _close(client: Client) -> None:
    """Close a connection, with a time limit: if it is lost, Dask may wait for ever."""
    closing = asyncio.ensure_future(client.close())
    closing.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await asyncio.wait([closing], timeout=_CLOSE_S)
        closing.cancel()
        await asyncio.wait([closing], timeout=_CLOSE_S)
    finally:
        client.status = "closed"  # else Dask begins to close it once more when it is deleted


def _reason(address: str, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"no Dask scheduler responds at {address}"
    return f"the Dask scheduler at {address} refuses: {type(error).__name__}: {error}"
