"""Threads for what would block the event loop, such as parsing, hashing and compression.

Many requests of one account do not delay the others.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

OWNER: Final[ContextVar[Callable[[], str]]] = ContextVar("owner", default=str)
"""Returns for whom a task works: an account, or before sign-in an address; empty for the server."""

_MAX_THREADS: Final = 32


class FairThreads(ThreadPoolExecutor):
    """Threads that owners get in round-robin order, at most one per owner at a time.

    `asyncio.to_thread` uses them once they are the default executor of the event loop. Calls of the
    server itself are not limited to one thread, because some of them wait for others.

    Args:
        threads: Number of threads; by default as many as those of asyncio.
    """

    def __init__(self, threads: int | None = None) -> None:
        super().__init__(threads or min(_MAX_THREADS, (os.cpu_count() or 1) + 4), "owner")
        self._lock = Lock()
        # Waiting calls of each owner that has a call in the queue of the threads or in a thread.
        self._waiting: dict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = {}

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call of the current owner in a thread, after the owner's earlier calls."""
        owner = OWNER.get()()
        if not owner:
            return super().submit(call, *args, **kwargs)
        future: Future[T] = Future()
        bound = partial(call, *args, **kwargs)
        with self._lock:
            if owner in self._waiting:
                self._waiting[owner].append((future, bound))
            else:
                super().submit(self._run, owner, future, bound)
                self._waiting[owner] = deque()
        return future

    def _run(self, owner: str, future: Future[Any], call: Callable[[], Any]) -> None:
        """Run a call, and queue the owner's next one behind those of other owners."""
        while True:
            _run_one(future, call)
            with self._lock:
                waiting = self._waiting[owner]
                if not waiting:
                    del self._waiting[owner]
                    return
                future, call = waiting.popleft()
                try:
                    super().submit(self._run, owner, future, call)
                except RuntimeError:
                    continue  # the threads are being shut down: what waits runs in this one
                return


def _run_one(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
        del future, call  # the error refers to this frame
    else:
        future.set_result(result)
