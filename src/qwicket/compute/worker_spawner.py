"""Worker processes as their owner sees them."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import threading
import time
from typing import Final

from qwicket.compute import worker
from qwicket.compute.failures import NotStarted, Stopped
from qwicket.compute.fork_server import ForkServer

_START_TRIES: Final = 3
_START_PAUSE_S: Final = 0.2
_EXIT_GRACE_S: Final = 0.5
"""Time for an ending process to end on its own, and again for its last output to be logged."""

_log = logging.getLogger(__name__)


class RequestNotDelivered(Exception):
    """The worker died before it had read the whole request: the work never began."""


class WorkerProcess:
    """One worker and the private socket to it. One slot uses it at a time; anyone may kill it.

    It has a process group of its own. Its parent is the fork server, which keeps its process id
    from reuse until `end`.

    Args:
        fork_server: What forks it.
        memory_bytes: Address space that its work may add; None sets no limit.
        is_background: Whether it makes way for all other processes.

    Raises:
        NotStarted: It could not be forked.
        Stopped: The fork server is closed.
    """

    def __init__(
        self, fork_server: ForkServer, memory_bytes: int | None, is_background: bool
    ) -> None:
        self._lock = threading.Lock()
        """Held while the process is looked at, killed or reaped."""
        self._is_reaped = False
        self._pidfd: int | None = None
        try:
            with contextlib.ExitStack() as undo, contextlib.ExitStack() as given_away:
                self._channel, theirs = socket.socketpair()
                undo.callback(self._channel.close)
                given_away.callback(theirs.close)
                pipe, stderr = os.pipe()
                undo.callback(os.close, pipe)
                given_away.callback(os.close, stderr)
                self._parent, self.pid = fork_server.fork(
                    theirs, stderr, memory_bytes, is_background
                )
                undo.callback(lambda: self._parent.reap(self.pid))
                with contextlib.suppress(AttributeError, OSError):  # forbidden by a sandbox
                    self._pidfd = os.pidfd_open(self.pid)
                    undo.callback(os.close, self._pidfd)
                undo.callback(self.kill)
                if not self._parent.is_alive:  # then the id may be another process's by now
                    raise NotStarted("the fork server ended")
                self._errors = fork_server.errors.follow(pipe, self.pid)
                undo.pop_all()
        except (OSError, RuntimeError) as error:  # no descriptor, or no thread, is left
            raise NotStarted(type(error).__name__) from None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs. An ended one is not reaped yet, so its group can be killed."""
        with self._lock:
            return not self._is_reaped and not self._has_ended()

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
        with self._lock:
            if self._is_reaped:
                return
            is_kept = self._parent.is_alive  # else another process may have its id
            with contextlib.suppress(ProcessLookupError):
                if self._pidfd is not None:
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                elif is_kept:
                    os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):  # It may have no group of its own yet.
                if is_kept:
                    os.killpg(self.pid, signal.SIGKILL)

    def end(self, *, is_ending: bool = False) -> int:
        """Kill the process, wait until it is gone, and return its exit status (negative: signal).

        Args:
            is_ending: Whether the process seems to end on its own; it then gets time to do so, so
                that its own exit status is returned.
        """
        if is_ending:
            self._has_ended(_EXIT_GRACE_S)
        self.kill()
        if self._pidfd is not None:
            self._has_ended(None)
        with self._lock:
            self._is_reaped = True
            if self._pidfd is not None:
                os.close(self._pidfd)
        status = self._parent.reap(self.pid)
        self._channel.close()
        self._errors.join(_EXIT_GRACE_S)  # so that its last output is logged before its death
        return status

    def _has_ended(self, limit_s: float | None = 0.0) -> bool:
        """Return whether the process has ended, after waiting up to `limit_s`; None is for ever."""
        poll = select.poll()
        if self._pidfd is not None:
            poll.register(self._pidfd, select.POLLIN)
        else:
            poll.register(self._channel, 0)  # reports a hang-up only
        return bool(poll.poll(None if limit_s is None else limit_s * 1_000))


class WorkerSpawner:
    """Starts the workers of a pool, and kills those that are left at its end."""

    def __init__(
        self, fork_server: ForkServer, memory_bytes: int | None, is_background: bool
    ) -> None:
        self._fork_server = fork_server
        self._memory_bytes = memory_bytes
        self._is_background = is_background
        self._lock = threading.Lock()
        self._workers: set[WorkerProcess] = set()
        self._closing = threading.Event()

    def open(self) -> None:
        self._fork_server.open()

    @property
    def is_closed(self) -> bool:
        return self._closing.is_set()

    def pids(self) -> list[int]:
        with self._lock:
            return [child.pid for child in self._workers if child.is_alive]

    def start(self, tries: int = _START_TRIES) -> WorkerProcess:
        """Start a worker.

        Args:
            tries: Number of attempts, each of which may start the fork server again.

        Raises:
            NotStarted: No worker started.
            Stopped: The spawner is closed.
        """
        for tries_left in reversed(range(tries)):
            if self.is_closed:
                raise Stopped
            try:
                child = WorkerProcess(self._fork_server, self._memory_bytes, self._is_background)
            except NotStarted as failure:
                if not tries_left:
                    raise
                _log.error("%s", failure)
                # Files, memory or processes may be short: an immediate retry would fail again.
                self._closing.wait(_START_PAUSE_S)
            else:
                break
        with self._lock:
            self._workers.add(child)
            # `close` may have killed the others before this child was in the set.
            if self.is_closed:
                child.kill()
        return child

    def discard(self, child: WorkerProcess, *, is_ending: bool = False) -> int:
        """End a worker and remove it; return its exit status, as `WorkerProcess.end` does."""
        status = child.end(is_ending=is_ending)
        with self._lock:
            self._workers.discard(child)
        return status

    def close(self) -> None:
        """Kill every worker and start no more. Follow with `join` when no slot uses one."""
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
            for child in self._workers:
                child.kill()
        self._fork_server.close()

    def join(self) -> None:
        with self._lock:
            remaining = list(self._workers)
        for child in remaining:
            self.discard(child)
