"""The one writer of a database: a thread that commits operations in batches, one flush for each."""

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

    from qwicket.store.changes import Changed
    from qwicket.store.database import Committed, Deferred, Tx

    Publish = Callable[[Sequence[Changed]], None]

T = TypeVar("T")
_DATABASE_ERRORS: Final = (StorageFull, Unavailable)
_SAVEPOINTS_S: Final = 1.0
"""How long batches begin with savepoints after a refusal. Refusals come in floods, of a project
with too many jobs; then savepoints cost less than doing a batch again."""


class Writer(ABC):
    """The half of a database that writes; a subclass supplies the transactions.

    Args:
        publish: Called on the event loop with what each commit changed.
        most: Operations of one batch at most.
    """

    def __init__(self, publish: Publish, *, most: int) -> None:
        self._publish = publish
        self._most = most
        self._committed: Committed | None = None
        self._savepoints_until = 0.0
        self._queue: queue.SimpleQueue[Request[Any] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @abstractmethod
    def attempt(self, batch: Batch) -> list[Changed]:
        """Run and commit a batch in its mode; return what was changed.

        Raises:
            NeedsSavepoints: As for `Batch.run`.
            NeedsOneByOne: It is not known which operation failed.
            Exception: The batch failed, or its outcome is unknown.
        """

    @abstractmethod
    def abandon(self, error: Exception) -> None:
        """End the transaction that `attempt` left open by raising `error`."""

    @abstractmethod
    def translate(self, error: Exception) -> Exception:
        """Return what a caller may know of an error; what the database says goes to the log.

        What trying again cannot mend (a broken rule, a value that does not fit) stays as it is: it
        is a fault of ours, and its caller treats it as one.
        """

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def on_commit(self, committed: Committed) -> None:
        """Call `committed` (quick, in the writer's thread) after every batch."""
        self._committed = committed

    async def write(self, operation: Callable[[Tx], T | Deferred[T]], *, durable: bool = True) -> T:
        """Run `operation` in the next batch and return what it returns.

        Raises:
            StorageFull: The disk is full; nothing of the operation is stored.
            Unavailable: The database cannot be written now; or the connection broke during the
                commit, and whether the operation is stored is not known.
        """
        return await self._queued(operation, durable=durable)

    def _queued(
        self, operation: Callable[[Tx], T | Deferred[T]], *, durable: bool
    ) -> asyncio.Future[T]:
        """Return the future of an operation.

        Who awaits it must not name it: an error's frames would hold the future, which holds the
        error, and only a garbage collection would free both.
        """
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = self._loop.create_future()
        self._enqueue(Request(operation, durable, future))
        return future

    def submit(self, operation: Callable[[Tx], T]) -> Future[T]:
        """As `write`, not flushed, for threads that have no event loop."""
        future: Future[T] = Future()
        self._enqueue(Request(operation, False, future))
        return future

    async def close(self) -> None:
        """Finish what is queued."""
        self._is_closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _enqueue(self, request: Request[Any]) -> None:
        if self._is_closed:
            raise Unavailable("The server is stopping.")
        self._queue.put(request)

    def _run(self) -> None:
        is_open = True
        while is_open:
            requests: list[Request[Any]] = []
            request = self._queue.get()
            while request is not None:
                requests.append(request)
                if len(requests) == self._most or self._queue.empty():
                    break
                request = self._queue.get()
            is_open = request is not None
            if requests:
                self._settle(requests, self._commit(requests))

    def _commit(self, requests: list[Request[Any]]) -> list[Changed]:
        began = time.perf_counter()
        is_flood = time.monotonic() < self._savepoints_until
        batch = Batch(requests, Mode.SAVEPOINTS if is_flood else Mode.OPTIMISTIC, self)
        changes = batch.commit()
        if batch.was_refused:
            self._savepoints_until = time.monotonic() + _SAVEPOINTS_S
        if self._committed is not None:
            n_failed = sum(isinstance(each.error, _DATABASE_ERRORS) for each in requests)
            self._committed(len(requests), n_failed, time.perf_counter() - began)
        return changes

    def _settle(self, requests: list[Request[Any]], changes: list[Changed]) -> None:
        for request in requests:
            if isinstance(request.future, Future):
                request.settle()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver, requests, changes)

    def _deliver(self, requests: list[Request[Any]], changes: list[Changed]) -> None:
        for request in requests:
            request.settle()
        if changes:
            self._publish(changes)
