"""Worker processes as their owner sees them, and the one thread that starts them."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from queue import SimpleQueue
from typing import Final, NamedTuple

from qwicket.compute import worker
from qwicket.compute.error_output import ErrorLog
from qwicket.compute.failures import NotStarted, Stopped

_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "QULACS_NUM_THREADS": "1",
}
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_", "TZ", "LD_LIBRARY_PATH", "PYTHON")
"""Prefixes of the environment variables that a child inherits: none of them holds a secret."""
_START_PAUSE_S: Final = 0.2
_START_TRIES: Final = 3
_MAX_KILLED: Final = 20
"""Workers that may be found killed, beside the spares, before `acquire` gives up."""
_EXIT_GRACE_S: Final = 0.5
_EXIT_POLL_S: Final = 0.001
_WAIT_OPTIONS: Final = os.WEXITED | os.WNOHANG | os.WNOWAIT

_log = logging.getLogger(__name__)


def _environment() -> dict[str, str]:
    """Return the environment of a child, without tokens and passwords of databases."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
    return passed | _ONE_THREAD


class RequestNotDelivered(Exception):
    """The worker died before it had read the whole request: the work never began."""


class _KilledBeforeUse(Exception):
    """A worker was killed before its first work, which says nothing about the next one."""


class Setup(NamedTuple):
    """Settings of all processes of a pool.

    Attributes:
        warm_up: "module:function" that each process calls first, or None.
        memory_bytes: Address space that a task may add after the warm-up; None sets no limit.
        niceness: Difference of their nice level from that of the server.
        start_limit_s: Time in which a process must have started and warmed up.
    """

    warm_up: str | None
    memory_bytes: int | None
    niceness: int
    start_limit_s: float


class WorkerProcess:
    """One child and the private socket to it. One slot uses it at a time; anyone may kill it.

    The child has a session of its own, so that Ctrl-C in the owner's terminal does not reach it,
    and inherits no file descriptor but its socket, a pipe for standard error and /dev/null.
    """

    def __init__(self, setup: Setup, errors: ErrorLog) -> None:
        self._is_ready = False
        self._start_limit_s = setup.start_limit_s
        self._channel, theirs = socket.socketpair()
        pipe, stderr = os.pipe()
        fd = theirs.fileno()
        # Without -P the modules of this folder would hide installed ones of the same name.
        command = [sys.executable, "-P", worker.__file__]
        command += [str(fd), str(os.getpid()), str(setup.memory_bytes or 0)]
        command += [str(setup.niceness), setup.warm_up or ""]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(fd,),
                start_new_session=True,
                env=_environment(),
            )
        except BaseException:
            self._channel.close()
            os.close(pipe)
            raise
        finally:
            theirs.close()
            os.close(stderr)
        self._errors = errors.follow(pipe, self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs. An ended one is not reaped yet, so its group can be killed."""
        if self._process.returncode is not None:
            return False
        try:
            return os.waitid(os.P_PID, self._process.pid, _WAIT_OPTIONS) is None
        except ChildProcessError:  # another thread has reaped it since
            return False

    def await_ready(self) -> bool:
        """Wait until the child has warmed up. Return False if it is dead.

        Raises:
            TimeoutError: Its warm-up takes too long.
        """
        if not self._is_ready:
            try:
                deadline = time.monotonic() + self._start_limit_s
                worker.receive(self._channel, deadline, len(worker.READY))
            except (EOFError, ConnectionError, worker.BadMessage):
                return False
            self._is_ready = True
        return self.is_alive

    def ask(self, request: bytes, limit_s: float, max_bytes: int) -> bytearray:
        """Send a request and return the response, of `max_bytes` at most.

        Raises:
            BadMessage: The child sent something other than a response.
            RequestNotDelivered: The child died before it had read the request.
            EOFError: The child died after that.
            TimeoutError: Sending, running and receiving took longer than `limit_s`.
        """
        deadline = time.monotonic() + limit_s
        try:
            worker.set_deadline(self._channel, deadline)
            worker.send(self._channel, request)
            return worker.receive(self._channel, deadline, max_bytes)
        except ConnectionError as error:
            # Linux resets a Unix socket whose owner died with something unread, and only then.
            raise RequestNotDelivered from error

    def kill(self) -> None:
        """Kill the process and its own children, which are in its process group."""
        if self._process.returncode is None:  # not reaped, so no other process has its id
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self, *, is_ending: bool = False) -> int:
        """Kill the process, wait until it is gone, and return its exit status (negative: signal).

        Args:
            is_ending: Whether the process seems to end by itself; it then gets time to do so, so
                that its own exit status is returned.
        """
        ends_at = time.monotonic() + _EXIT_GRACE_S
        while is_ending and self.is_alive and time.monotonic() < ends_at:
            time.sleep(_EXIT_POLL_S)
        self.kill()
        status = self._process.wait()
        self._channel.close()
        self._errors.join(_EXIT_GRACE_S)  # so that its last output is logged before its death
        return status


class WorkerSpawner:
    """Starts workers, and keeps some of them ready.

    The kernel kills a child when the thread that started it ends (`PR_SET_PDEATHSIG`). Therefore
    one thread, which lives as long as the pool, starts all children, and no error may end it.
    """

    def __init__(self, setup: Setup, *, spares: int) -> None:
        self._setup = setup
        self._errors = ErrorLog()
        self._max_found_dead = spares + _MAX_KILLED
        self._lock = threading.Lock()
        self._workers: set[WorkerProcess] = set()
        self._closing = threading.Event()
        self._requests: SimpleQueue[bool] = SimpleQueue()
        self._started: SimpleQueue[WorkerProcess | NotStarted | None] = SimpleQueue()
        for _ in range(spares):
            self._requests.put(True)
        self._thread = threading.Thread(
            target=self._start_workers, name="worker-spawner", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        return self._closing.is_set()

    def pids(self) -> list[int]:
        with self._lock:
            return [child.pid for child in self._workers if child.is_alive]

    def acquire(self, tries: int = _START_TRIES) -> WorkerProcess:
        """Return a ready worker, the oldest spare first, and start its replacement.

        Args:
            tries: Limit on workers that fail to start. Workers that were killed from outside have
                a higher limit of their own, because spares may have been killed long ago.

        Raises:
            NotStarted: No worker became ready.
            Stopped: The spawner is closed.
        """
        n_failed = 0
        for _ in range(self._max_found_dead):
            try:
                return self._take_ready()
            except NotStarted as failure:
                n_failed += 1
                if n_failed == tries:
                    raise
                _log.error("%s", failure)
            except _KilledBeforeUse:
                _log.warning("a worker was killed before its first work")
        raise NotStarted("every new worker was killed")

    def discard(self, child: WorkerProcess, *, is_ending: bool = False) -> int:
        """End a worker and remove it; return its exit status, as `WorkerProcess.end` does."""
        status = child.end(is_ending=is_ending)
        with self._lock:
            self._workers.discard(child)
        return status

    def close(self) -> None:
        """Kill every worker and start no more. Follow with `join` when no slot uses one."""
        self._closing.set()
        self._requests.put(False)
        with self._lock:
            for child in self._workers:
                child.kill()

    def join(self) -> None:
        self._thread.join()
        with self._lock:
            left = list(self._workers)
        for child in left:
            self.discard(child)

    def _take_ready(self) -> WorkerProcess:
        child = self._take()
        try:
            if child.await_ready():
                return child
        except TimeoutError:
            self.discard(child)
            limit_s = self._setup.start_limit_s
            raise NotStarted(f"a new worker was not ready after {limit_s:g} s") from None
        status = self.discard(child, is_ending=True)
        if self.is_closed:
            raise Stopped
        # A negative status is a signal, from outside; a positive one is an error in the warm-up.
        if status < 0:
            raise _KilledBeforeUse
        raise NotStarted(f"a new worker ended with status {status}")

    def _take(self) -> WorkerProcess:
        self._requests.put(True)
        child = self._started.get()
        if child is None:
            self._started.put(None)  # for the other slots that wait
            raise Stopped
        if isinstance(child, NotStarted):
            raise child
        return child

    def _start_workers(self) -> None:
        # An interrupt of the terminal reaches new processes until they have their own session. They
        # inherit this mask and discard what has arrived (worker.py).
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        while self._requests.get() and not self.is_closed:
            self._started.put(self._start())
        self._started.put(None)

    def _start(self) -> WorkerProcess | NotStarted:
        try:
            child = WorkerProcess(self._setup, self._errors)
        except Exception as error:  # If this thread ended, its children would be killed.
            if isinstance(error, OSError):
                _log.error("a worker process could not be started: %s", error.strerror)
            else:
                _log.exception("a worker process could not be started")
            # Files, memory or processes are short, so an immediate retry would fail again.
            self._closing.wait(_START_PAUSE_S)
            return NotStarted(type(error).__name__)
        with self._lock:
            self._workers.add(child)
            # `close` may have killed the others before this child was in the set.
            if self.is_closed:
                child.kill()
        return child
