"""The writer of a database: one thread that commits operations in batches, one flush per batch."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwicket.model.errors import StorageFull, Unavailable
from qwicket.store.batch import Batch, Mode, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.store.changes import JobChange
    from qwicket.store.database import Committed, Deferred, Tx

    Publish = Callable[[Sequence[JobChange]], None]

T = TypeVar("T")
_DATABASE_ERRORS: Final = (StorageFull, Unavailable)
_SAVEPOINTS_S: Final = 1.0
"""Time for which batches begin with savepoints after one that ran again because of a refusal.
Refusals often come in series, for example if a project has too many jobs; then savepoints cost less
than running batches twice."""


class Writer(ABC):
    """Base class of databases, with a thread that commits operations in batches.

    The thread runs from the constructor to `close`. Subclasses implement the transactions.

    Args:
        publish: Called on the event loop with the changes of each commit.
        max_operations: Limit on operations of one batch.
    """

    def __init__(self, publish: Publish, *, max_operations: int) -> None:
        self._publish = publish
        self._max_operations = max_operations
        self._committed: Committed | None = None
        self._savepoints_until = 0.0
        self._queue: queue.SimpleQueue[Request[Any] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.has_webhooks = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @abstractmethod
    def attempt(self, batch: Batch) -> list[JobChange]:
        """Run and commit a batch in its mode; return the changes.

        Raises:
            NeedsSavepoints: As for `Batch.run`; or a required row is missing.
            NeedsOneByOne: A statement failed, and it is unknown of which operation; or the
                connection broke before the commit.
            Exception: The batch failed, or its outcome is unknown.
        """

    @abstractmethod
    def abandon(self, error: Exception) -> None:
        """End the transaction that `attempt` left open by raising `error`."""

    @abstractmethod
    def translate(self, error: Exception) -> Exception:
        """Return an error for callers; log the message of the database that it replaces.

        Errors that are not the database's are returned unchanged. So are most that a retry cannot
        fix (a violated constraint, an invalid value), because they are defects of this program.
        """

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def on_commit(self, committed: Committed) -> None:
        """Call `committed` after every batch, in the writer's thread; it must be quick.

        Its arguments are the number of operations, the number of those that failed because of the
        database, and the seconds that the batch took.
        """
        self._committed = committed

    async def write(self, operation: Callable[[Tx], T | Deferred[T]], *, durable: bool = True) -> T:
        """Run `operation` in the next batch and return what it returns.

        Raises:
            StorageFull: The disk is full; nothing of the operation is stored.
            Unavailable: The database cannot be written now; or the connection broke during the
                commit, and it is unknown whether the operation is stored.
        """
        if self._is_closed:
            raise _stopping()
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Request(operation, durable, future))
        try:
            return await future
        finally:
            # An error's frames would refer to the future, which refers to the error, and only the
            # garbage collector would free both.
            del future

    def submit(self, operation: Callable[[Tx], T]) -> Future[T]:
        """Run `operation` in the next batch, for threads without an event loop.

        The operation does not make the batch wait for a flush.

        Raises:
            Unavailable: The database is closed.
        """
        if self._is_closed:
            raise _stopping()
        future: Future[T] = Future()
        self._queue.put(Request(operation, False, future))
        return future

    async def close(self) -> None:
        """Commit the queued operations and stop the thread."""
        self._is_closed = True
        # Behind what was queued before, which is still committed: callers wait for it.
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        is_open = True
        while is_open:
            requests: list[Request[Any]] = []
            request = self._queue.get()
            while request is not None:
                requests.append(request)
                # No waiting for more operations: they gather in the queue while a batch commits.
                if len(requests) == self._max_operations or self._queue.empty():
                    break
                request = self._queue.get()
            is_open = request is not None
            if requests:
                self._settle(requests, self._commit(requests))

    def _commit(self, requests: list[Request[Any]]) -> list[JobChange]:
        began = time.perf_counter()
        # Refusals in the last second suggest that more will follow, see `_SAVEPOINTS_S`.
        is_flood = time.monotonic() < self._savepoints_until
        batch = Batch(requests, Mode.SAVEPOINTS if is_flood else Mode.OPTIMISTIC, self)
        changes = batch.commit()
        if batch.was_refused:
            self._savepoints_until = time.monotonic() + _SAVEPOINTS_S
        if self._committed is not None:
            n_failed = sum(isinstance(each.error, _DATABASE_ERRORS) for each in requests)
            self._committed(len(requests), n_failed, time.perf_counter() - began)
        return changes

    def _settle(self, requests: list[Request[Any]], changes: list[JobChange]) -> None:
        # Futures of threads first: a heartbeat must not depend on a stalled event loop.
        for request in requests:
            if isinstance(request.future, Future):
                request.settle()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed, and with it all waiters
                self._loop.call_soon_threadsafe(self._deliver, requests, changes)

    def _deliver(self, requests: list[Request[Any]], changes: list[JobChange]) -> None:
        for request in requests:
            request.settle()
        # After the results, so that a submitter sees its own job before others are notified.
        if changes:
            self._publish(changes)


def _stopping() -> Unavailable:
    return Unavailable("The server is stopping.")
