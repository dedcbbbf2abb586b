"""Pool of killable processes: one process, one private socket and one thread per slot.

Owns queueing, time limits, cancellation and the handling of dead processes. `worker_spawner.py`
and `fork_server.py` start processes; `worker.py` is the code inside one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar, TypeVarTuple, overload

import msgspec

from qwicket.compute import worker
from qwicket.compute.failures import (
    InvalidResponse,
    MemoryLimitExceeded,
    NotStarted,
    Stopped,
    TimeLimitExceeded,
    WorkerDied,
    WorkError,
    WorkFailed,
)
from qwicket.compute.fork_server import ForkServer
from qwicket.compute.worker_spawner import RequestNotDelivered, WorkerProcess, WorkerSpawner

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# The kernel may kill an idle process at any time, when memory is short. If three in a row died
# before they read a request, that is not by chance, and a fourth would not help.
_DELIVERIES: Final = 3
_RESPONSE_BYTES: Final = 256 << 20
_texts: Final = msgspec.msgpack.Decoder(tuple[str, str, str])

_log = logging.getLogger(__name__)


class Task(Generic[T]):
    """A submitted task. `future` ends with the function's result or a `WorkFailed`."""

    def __init__(
        self,
        function: Callable[..., T] | str,
        arguments: tuple[object, ...],
        timeout_s: float,
        returns: Any,
    ) -> None:
        self.future: Future[T] = Future()
        # A running future refuses its own cancel(), which could not kill the process.
        self.future.set_running_or_notify_cancel()
        self.timeout_s = timeout_s
        self._returns = returns
        self._call: tuple[object, tuple[object, ...]] | None = (function, arguments)
        self._lock = threading.Lock()
        self._child: WorkerProcess | None = None
        self._is_cancelled = False
        self._is_over = False

    def cancel(self) -> None:
        """Stop the task. A waiting task never begins; the process of a running one is killed.

        The future then fails with `Stopped`, for a running task once its process has ended. An
        ended task is unaffected.
        """
        with self._lock:
            if self._is_over:
                return
            self._is_cancelled = True
            if self._child is not None:
                # Under the lock: otherwise the kill could hit the next task of this process.
                self._child.kill()
                return
        self._end(Stopped())

    def _request(self) -> bytes:
        call = self._call
        if call is None:  # cancelled while it waited
            raise Stopped
        try:
            return worker.pack(*call, self.timeout_s)
        except Exception as error:
            raise WorkError(type(error).__name__, str(error)) from None

    def _hold(self, child: WorkerProcess | None) -> None:
        """Set the process that `cancel` kills; with None, `cancel` ends the future itself."""
        with self._lock:
            if self._is_cancelled:
                raise Stopped
            self._child = child

    def _end(self, outcome: T | WorkFailed) -> None:
        with self._lock:
            was_over, self._is_over = self._is_over, True
            self._child = self._call = None
        if was_over:
            return
        if self._is_cancelled:
            outcome = Stopped()
        if isinstance(outcome, WorkFailed):
            # Its frames refer to the request, which may be large, in a cycle with the future.
            outcome.__traceback__ = outcome.__context__ = None
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Pool:
    """Processes that run functions, each of which can be killed without the others.

    A task that crashes, hangs or exhausts memory fails alone: its process is replaced within
    milliseconds. A process that died while idle fails no task. Processes start with `start` or the
    first task, whichever comes first.

    Args:
        slots: Number of tasks that run at the same time.
        fork_server: What forks the processes; by default one of its own, without a warm-up.
        memory_bytes: Address space that a task may add to its warm process; None sets no limit.
        is_background: Whether the processes make way for all others.
        response_bytes: Maximum size of a response in bytes.
    """

    def __init__(
        self,
        slots: int,
        *,
        fork_server: ForkServer | None = None,
        memory_bytes: int | None = None,
        is_background: bool = False,
        response_bytes: int = _RESPONSE_BYTES,
    ) -> None:
        self.slots = slots
        self.memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._is_closed = False
        self._waiting: SimpleQueue[Task[Any] | None] = SimpleQueue()
        self._spawner = WorkerSpawner(fork_server or ForkServer(), memory_bytes, is_background)
        self._slots = [
            _Slot(self._waiting, self._spawner, memory_bytes, response_bytes) for _ in range(slots)
        ]
        self._threads = [
            threading.Thread(target=slot.serve, name=f"slot-{k}", daemon=True)
            for k, slot in enumerate(self._slots)
        ]
        self._has_started = False

    def start(self) -> None:
        """Start the processes, without waiting for them. The first `submit` does so, too."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        if self._has_started or self._is_closed:
            return
        self._spawner.open()
        self._has_started = True
        for thread in self._threads:
            thread.start()

    @overload
    def submit(
        self, function: str, /, *args: object, timeout_s: float, returns: Any = ...
    ) -> Task[object]: ...
    @overload
    def submit(
        self, function: Callable[[*Ts], T], /, *args: *Ts, timeout_s: float, returns: Any = ...
    ) -> Task[T]: ...
    def submit(
        self,
        function: Callable[..., T] | str,
        /,
        *args: object,
        timeout_s: float,
        returns: Any = Any,
    ) -> Task[T] | Task[object]:
        """Queue a call. Returns at once.

        Args:
            function: Importable by the worker, or "module:function", which this process then
                never imports itself.
            args: Its arguments; they are pickled when the call's turn comes.
            timeout_s: Time it may run, counted from when it is sent to a process.
            returns: Type of the decoded response; by default plain values, where a tuple
                has become a list.

        Raises:
            Stopped: The pool is closed.
        """
        task = Task(function, args, timeout_s, returns)
        with self._lock:
            if self._is_closed:
                raise Stopped
            self._start()
            self._waiting.put(task)
        return task

    @property
    def busy(self) -> int:
        """Number of slots that run a task."""
        return sum(slot.is_busy for slot in self._slots)

    @property
    def deaths(self) -> int:
        """Number of tasks whose process died or sent an invalid response, without stopped ones."""
        return sum(slot.deaths for slot in self._slots)

    def pids(self) -> list[int]:
        """Return the ids of all living workers."""
        return self._spawner.pids()

    def close(self) -> None:
        """Kill all processes and wait for them. Unfinished tasks fail with `Stopped`."""
        with self._lock:
            self._is_closed = True
        if not self._has_started:
            return
        self._spawner.close()
        while (task := self._next_waiting()) is not None:
            task.cancel()
        self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._spawner.join()

    def _next_waiting(self) -> Task[Any] | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None


class _Slot:
    """Loop of one thread: send the next task to its process, and replace the process."""

    def __init__(
        self,
        waiting: SimpleQueue[Task[Any] | None],
        spawner: WorkerSpawner,
        memory_bytes: int | None,
        response_bytes: int,
    ) -> None:
        self._waiting = waiting
        self._spawner = spawner
        self._memory_bytes = memory_bytes
        self._response_bytes = response_bytes
        self._child: WorkerProcess | None = None
        self.is_busy = False
        self.deaths = 0

    def serve(self) -> None:
        self._replace_early()
        while (task := self._waiting.get()) is not None:
            self.is_busy = True
            self._perform(task)
            self.is_busy = False
            del task  # or an idle slot would keep the last result alive
            self._replace_early()
        self._waiting.put(None)  # One end mark serves all slots, so each passes it on.
        self._drop()

    def _replace_early(self) -> None:
        """Replace a lost process before the next task; if this fails, the task tries again."""
        if self._child is None:
            try:
                self._child = self._spawner.start(tries=1)
            except (NotStarted, Stopped):
                return

    def _perform(self, task: Task[Any]) -> None:
        try:
            outcome = self._outcome(task)
        except WorkFailed as failure:
            outcome = failure
        except Exception as error:
            # Without this, the slot's thread would end, and the pool would have one slot fewer.
            _log.exception("unexpected error in a slot")
            self._drop()
            outcome = WorkError(type(error).__name__, str(error))
        task._end(outcome)

    def _outcome(self, task: Task[Any]) -> Any:
        request = task._request()
        status = 0
        for _ in range(_DELIVERIES):
            child = self._living_child()
            task._hold(child)
            try:
                response = child.ask(request, task.timeout_s, self._response_bytes)
                return self._read(response, task._returns)
            except (worker.BadMessage, msgspec.DecodeError, RecursionError) as error:
                raise self._invalid_response(task, error) from None
            except TimeoutError:
                self._drop()
                raise TimeLimitExceeded(task.timeout_s) from None
            except EOFError:
                # The process had read the request. A retry could kill another process.
                raise self._death(task, self._drop(is_ending=True)) from None
            except RequestNotDelivered:
                # The process died before it read the request, so the task is not the cause.
                status = self._drop(is_ending=True)
                task._hold(None)
            if status == worker.NO_MEMORY_STATUS:
                break  # the request does not fit into the memory of any other process either
        if status == worker.FAULT_STATUS:
            raise NotStarted("no new worker could begin")
        raise self._death(task, status)

    def _living_child(self) -> WorkerProcess:
        if self._child is not None and not self._child.is_alive:
            self._drop()
        if self._child is None:
            self._child = self._spawner.start()
        return self._child

    def _read(self, response: bytearray, returns: Any) -> Any:
        """Return the result of the call.

        Raises:
            WorkError: The call raised.
            MemoryLimitExceeded: The call had too little memory.
            msgspec.DecodeError: The bytes are not a response.
        """
        with memoryview(response) as view:
            kind, content = bytes(view[:1]), view[1:]
            with content:
                if kind == worker.VALUE:
                    return msgspec.msgpack.decode(content, type=returns)
                if kind == worker.ERROR:
                    name, message, trace = _texts.decode(content)
                    maximum = worker.MAX_MESSAGE_CHARS
                    raise WorkError(
                        name[:maximum], message[:maximum], trace[-worker.MAX_TRACE_CHARS :]
                    )
                if kind != worker.NO_MEMORY or content:
                    raise msgspec.DecodeError("unknown kind of response")
        # The process's address space may be too fragmented to give the next task all its memory.
        self._drop()
        raise MemoryLimitExceeded(self._memory_bytes)

    def _invalid_response(self, task: Task[Any], error: Exception) -> WorkFailed:
        """Kill a process after a malformed response, which counts as its death."""
        status = self._drop()
        if task._is_cancelled:
            return Stopped()
        self.deaths += 1
        _log.warning("a worker sent an invalid response, and was killed: %s", error)
        return InvalidResponse(status)

    def _death(self, task: Task[Any], status: int) -> WorkFailed:
        if self._spawner.is_closed or task._is_cancelled:
            return Stopped()
        self.deaths += 1
        _log.warning("a worker ended during a task with status %d", status)
        if status == worker.NO_MEMORY_STATUS:
            return MemoryLimitExceeded(self._memory_bytes)
        return WorkerDied(status)

    def _drop(self, *, is_ending: bool = False) -> int:
        child, self._child = self._child, None
        return self._spawner.discard(child, is_ending=is_ending) if child is not None else 0
