"""The one writer of a database: operations in groups, one transaction and one flush for each.

A thread drains a queue of operations. When one is refused, its group runs again with each between
savepoints, so that a refusal harms no neighbour. How a group is committed is the database's
business.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from qwicket.model.errors import QwicketError, StorageFull, Unavailable
from qwicket.store.database import Later, Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.store.changes import Changed
    from qwicket.store.database import Committed

    Publish = Callable[[Sequence[Changed]], None]

T = TypeVar("T")
_DATABASE_ERRORS: Final = (StorageFull, Unavailable)
_CAREFUL_S: Final = 1.0
"""Refusals come in floods, of a project with too many jobs; then savepoints cost less than doing a
group again."""


class Session(Tx, Protocol):
    """A connection inside a transaction: the `Tx` that operations see, and what runs it."""

    changes: list[Changed]

    @property
    def is_open(self) -> bool:
        """Whether the transaction still stands: databases give up on some errors."""

    def command(self, *texts: str) -> None:
        """Run statements that have neither name nor rows."""

    def settle(self) -> None:
        """Wait for everything that was sent."""


class Request(Generic[T]):
    """One operation on its way through the writer, and the future that awaits it."""

    __slots__ = ("durable", "error", "future", "operation", "result")

    def __init__(
        self,
        operation: Callable[[Tx], T | Later[T]],
        durable: bool,
        future: asyncio.Future[T] | Future[T],
    ) -> None:
        self.operation = operation
        self.durable = durable
        self.future = future
        self.result: T | Later[T] | None = None
        self.error: BaseException | None = None

    def refuse(self, error: Exception) -> None:
        """Keep an error; a refusal without its frames, which hold this request in turn."""
        expected = isinstance(error, QwicketError)
        self.error = error.with_traceback(None) if expected else error

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # T, set by the writer


Group = list[Request[Any]]


class Refused(Exception):
    """An operation of a group was refused, and none was expected to be."""


class Hope:
    """Whether no operation of the next group is expected to be refused."""

    def __init__(self) -> None:
        self._lost_until = 0.0

    def __bool__(self) -> bool:
        return time.monotonic() >= self._lost_until

    def lose(self) -> None:
        """Expect refusals for a moment: one was met."""
        self._lost_until = time.monotonic() + _CAREFUL_S


class Writer:
    """The thread.

    Args:
        commit: Runs and commits a group, leaves result or error in each request, and returns what
            was changed. It must not raise: without this thread every write would wait for ever.
        publish: Called on the event loop with what each commit changed.
        most: Operations of one group at most.
    """

    def __init__(
        self, commit: Callable[[Group], list[Changed]], publish: Publish, *, most: int
    ) -> None:
        self._commit = commit
        self._publish = publish
        self._most = most
        self._committed: Committed = _nobody
        self._queue: queue.SimpleQueue[Request[Any] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def on_commit(self, committed: Committed) -> None:
        """Call `committed` (quick, in the writer's thread) after every group."""
        self._committed = committed

    async def write(self, operation: Callable[[Tx], T | Later[T]], *, durable: bool) -> T:
        """Run `operation` in the next group and return what it returns."""
        return await self._queued(operation, durable=durable)

    def _queued(
        self, operation: Callable[[Tx], T | Later[T]], *, durable: bool
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
            group: Group = []
            request = self._queue.get()
            while request is not None:
                group.append(request)
                if len(group) == self._most or self._queue.empty():
                    break
                request = self._queue.get()
            is_open = request is not None
            if group:
                began = time.perf_counter()
                changes = self._commit(group)
                n_failed = sum(isinstance(each.error, _DATABASE_ERRORS) for each in group)
                self._committed(len(group), n_failed, time.perf_counter() - began)
                self._settle(group, changes)

    def _settle(self, group: Group, changes: list[Changed]) -> None:
        for request in group:
            if isinstance(request.future, Future):
                request.settle()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver, group, changes)

    def _deliver(self, group: Group, changes: list[Changed]) -> None:
        for request in group:
            request.settle()
        if changes:
            self._publish(changes)


def _nobody(_operations: int, _failed: int, _seconds: float) -> None:
    """Hear nothing."""


def run_group(
    session: Session,
    group: Group,
    translate: Callable[[Exception], Exception],
    *,
    is_hopeful: bool,
) -> None:
    """Run the operations of a group in the open transaction of `session`.

    Args:
        session: The connection.
        group: The operations.
        translate: What their callers may know of an error.
        is_hopeful: Whether no refusal is expected. Then there are no savepoints.

    Raises:
        Refused: There was one nevertheless: roll back, and run the group again without hope.
        Exception: What ended the whole transaction; then nobody's work stands.
    """
    session.changes = []
    session.memo.clear()
    if is_hopeful:
        for request in group:
            _run_hopefully(session, request)
        return
    marks = ["savepoint operation"]
    for request in group:
        session.command(*marks)
        _run_one(session, request, translate)
        marks = ["release savepoint operation", "savepoint operation"]


def read_later(session: Session, group: Group) -> None:
    """Put what operations left for later in its place.

    Raises:
        Exception: As `run_group`.
    """
    if not any(isinstance(request.result, Later) for request in group):
        return
    session.settle()
    for request in group:
        if isinstance(request.result, Later):
            request.result = request.result.value()
    # A job's changes in their order: some were told only now.
    session.changes.sort(key=_version)


def _version(change: Changed) -> int:
    return change.version


def fail(group: Group, error: Exception) -> None:
    """Leave the same error in every request of a group whose work does not stand."""
    for request in group:
        request.error = error


def _run_hopefully(session: Session, request: Request[Any]) -> None:
    request.error = None
    try:
        request.result = request.operation(session)
    except Exception as error:
        if not session.is_open:
            raise
        raise Refused from error


def _run_one(
    session: Session, request: Request[Any], translate: Callable[[Exception], Exception]
) -> None:
    told = len(session.changes)
    request.result = request.error = None
    try:
        request.result = request.operation(session)
    except Exception as error:
        if not session.is_open:
            raise
        session.command("rollback to savepoint operation")
        del session.changes[told:]
        session.memo.clear()
        request.refuse(translate(error))
