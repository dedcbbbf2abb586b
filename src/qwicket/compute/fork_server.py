"""The fork server as its owner, the process that uses workers, sees it.

It is one warm process, which is copied for each worker. `worker.py` is the code inside it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from qwicket.compute import worker
from qwicket.compute.error_output import ErrorLog
from qwicket.compute.failures import NotStarted, Stopped

_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "QULACS_NUM_THREADS": "1",
}
_PASSED_ON: Final = re.compile(
    "PATH|HOME|LANG|LC_[A-Z]+|TZ|LD_LIBRARY_PATH|PYTHON[A-Z0-9]+"  # Python's own have no "_"
)
"""Names of the environment variables that a child inherits: none of them holds a secret."""
_START_LIMIT_S: Final = 60.0
_REPLY_LIMIT_S: Final = 10.0
"""Far more than a fork takes, also on a busy machine. A fork server that was paused (SIGSTOP) must
not block all pools for longer."""
_EXIT_GRACE_S: Final = 0.5
"""Time for an ending process to end on its own, and again for its last output to be logged."""

_log = logging.getLogger(__name__)


class ForkServer:
    """Forks workers. Its process starts with the first worker, and again with the next if it ended.

    Pools may share one: each calls `open` once and `close` once. The last `close` ends the process
    and, with it, every worker that is left.

    The kernel kills a child when the thread that started it ends (`PR_SET_PDEATHSIG`). Therefore
    one thread, which lives until the last `close`, starts the process.

    Args:
        warm_up: "module:function" that the process calls first, or None.
        start_limit_s: Seconds in which the process must have started and warmed up.
    """

    def __init__(
        self, warm_up: str | None = None, *, start_limit_s: float = _START_LIMIT_S
    ) -> None:
        self.errors = ErrorLog()
        self._warm_up = warm_up
        self._start_limit_s = start_limit_s
        self._n_pools = 0
        self._count_lock = threading.Lock()
        self._fork_lock = threading.Lock()
        """Held by the one thread that forks, or waits until the process has started."""
        self._process: ForkServerProcess | None = None
        self._closing = threading.Event()
        self._starter = ThreadPoolExecutor(1, "fork-server", initializer=_block_signals)

    def open(self) -> None:
        """Count a pool.

        Raises:
            Stopped: The fork server is closed.
        """
        with self._count_lock:
            if self._closing.is_set():
                raise Stopped
            self._n_pools += 1

    def close(self) -> None:
        """Uncount a pool; after the last one, end the process."""
        with self._count_lock:
            self._n_pools -= 1
            if self._n_pools:
                return
            self._closing.set()
        process = self._process
        if process is not None:
            process.kill()
        self._starter.shutdown()
        with self._fork_lock:
            self._discard()

    def fork(
        self, channel: socket.socket, errors_fd: int, memory_bytes: int | None, is_background: bool
    ) -> tuple[ForkServerProcess, int]:
        """Fork a worker; return its parent and its process id.

        Args:
            channel: The worker's end of its channel.
            errors_fd: File descriptor for its standard error.
            memory_bytes: Address space that its work may add; None sets no limit.
            is_background: Whether it makes way for all other processes.

        Raises:
            NotStarted: No worker could be forked.
            Stopped: The fork server is closed.
        """
        with self._fork_lock:
            process = self._start_if_needed()
            try:
                return process, process.fork(channel, errors_fd, memory_bytes, is_background)
            except TimeoutError:
                self._discard()
                raise NotStarted("the fork server does not reply") from None
            except (EOFError, ConnectionError):
                raise self._ended() from None

    def _start_if_needed(self) -> ForkServerProcess:
        if self._process is not None and not self._process.is_alive:
            status = self._discard()
            if self._closing.is_set():  # `close` has killed it
                raise Stopped
            _log.warning("the fork server of workers ended with status %d", status)
        if self._process is not None:
            return self._process
        try:
            started = self._starter.submit(self._start).result()
        except RuntimeError as error:  # shut down, or no thread is left
            if self._closing.is_set():
                raise Stopped from None
            raise NotStarted(type(error).__name__) from None
        try:
            started.await_ready(self._start_limit_s)
        except TimeoutError:
            self._discard()
            limit_s = self._start_limit_s
            raise NotStarted(f"a new worker was not ready after {limit_s:g} s") from None
        except (EOFError, ConnectionError):
            raise self._ended() from None
        return started

    def _ended(self) -> Stopped | NotStarted:
        status = self._discard(is_ending=True)
        if self._closing.is_set():
            return Stopped()
        return NotStarted(f"a new worker ended with status {status}")

    def _discard(self, *, is_ending: bool = False) -> int:
        """End the process, if there is one; return its exit status (negative: signal)."""
        process, self._process = self._process, None
        return process.end(is_ending=is_ending) if process is not None else 0

    def _start(self) -> ForkServerProcess:
        """Start the process, in the thread of `_starter`.

        Raises:
            NotStarted: It could not be started.
        """
        # If `submit` found no thread, it failed, but its call stays queued and runs later.
        if self._process is not None:
            return self._process
        try:
            process = ForkServerProcess(self._warm_up, self.errors)
        except Exception as error:
            if isinstance(error, OSError):
                _log.error("the fork server of workers could not be started: %s", error.strerror)
            else:
                _log.exception("the fork server of workers could not be started")
            raise NotStarted(type(error).__name__) from None
        self._process = process
        if self._closing.is_set():  # `close` may have looked for a process before
            process.kill()
        return process


class ForkServerProcess:
    """One fork server, and the socket for its orders.

    It has a process group of its own, so that Ctrl-C in the owner's terminal does not reach it, and
    inherits no file descriptor but that socket, a pipe for standard error and /dev/null.
    """

    def __init__(self, warm_up: str | None, errors: ErrorLog) -> None:
        # Packets keep an order and its file descriptors together.
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        """Held for one order and its reply."""
        pipe, stderr = os.pipe()
        fd = theirs.fileno()
        # Without -P the modules of this folder would hide installed ones of the same name.
        command = [sys.executable, "-P", worker.__file__, str(fd), str(os.getpid()), warm_up or ""]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(fd,),
                process_group=0,
                env=_environment(),
            )
        except BaseException:
            self._orders.close()
            os.close(pipe)
            raise
        finally:
            theirs.close()
            os.close(stderr)
        self._errors = errors.follow(pipe, self._process.pid)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def await_ready(self, limit_s: float) -> None:
        """Wait until it has warmed up.

        Raises:
            TimeoutError: That takes longer than `limit_s`.
            EOFError: It died.
        """
        self._orders.settimeout(limit_s)
        if not self._orders.recv(len(worker.READY)):
            raise EOFError
        self._orders.settimeout(min(limit_s, _REPLY_LIMIT_S))

    def fork(
        self, channel: socket.socket, errors_fd: int, memory_bytes: int | None, is_background: bool
    ) -> int:
        """Fork a worker and return its process id. The arguments are those of `ForkServer.fork`.

        Raises:
            NotStarted: The system has too little memory or too many processes.
            TimeoutError: It does not reply.
            EOFError, ConnectionError: It died.
        """
        order = worker.ORDER.pack(0, memory_bytes or 0, is_background)
        pid = self._ask(order, channel.fileno(), errors_fd)
        if pid < 0:
            raise NotStarted(os.strerror(-pid))
        return pid

    def reap(self, pid: int) -> int:
        """Return the exit status of an ended worker, once: negative if a signal ended it."""
        try:
            return self._ask(worker.ORDER.pack(pid, 0, False))
        except (OSError, EOFError):
            self.kill()  # A late reply would be taken for that to the next order.
            return -signal.SIGKILL  # The kernel kills workers when the fork server ends.

    def _ask(self, order: bytes, *descriptors: int) -> int:
        with self._lock:
            socket.send_fds(self._orders, [order], descriptors)
            reply = self._orders.recv(worker.NUMBER.size)
        if not reply:
            raise EOFError
        (number,) = worker.NUMBER.unpack(reply)
        return int(number)

    def kill(self) -> None:
        self._process.kill()

    def end(self, *, is_ending: bool = False) -> int:
        """Kill the process, wait until it is gone, and return its exit status.

        Args:
            is_ending: Whether it seems to end on its own; it then gets time to do so, so that its
                own exit status is returned.
        """
        if is_ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_EXIT_GRACE_S)
        self.kill()
        status = self._process.wait()
        with self._lock:
            self._orders.close()
        self._errors.join(_EXIT_GRACE_S)  # so that its last output is logged before its end
        return status


def _block_signals() -> None:
    # An interrupt of the terminal reaches new processes until they have their own group. They
    # inherit this mask and discard what has arrived (worker.py).
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1})


def _environment() -> dict[str, str]:
    """Return the environment of a child, without tokens and passwords of databases."""
    passed = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    return passed | _ONE_THREAD
