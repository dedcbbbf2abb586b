"""SQLite: one writer thread that commits in groups, and readers beside it.

The writer drains a queue of operations into one transaction, a savepoint each, so that a refusal
harms no neighbour and many submits share one flush to disk. Look-ups by key run directly on the
loop (microseconds); lists run in two reader threads with a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from qwicket.model.errors import StorageFull, Unavailable
from qwicket.store import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qwicket.store.changes import Changed
    from qwicket.store.database import Row, Tx

T = TypeVar("T")

WORDS: Final = {
    "autoincrement": "autoincrement",
    "blob": "blob",
    "greatest": "max",
    "serial": "integer",
    "skip_locked": "",
}

_GROUP: Final = 256
_BUSY_TIMEOUT_S: Final = 5.0
_SCAN_DEADLINE_S: Final = 5.0
_STEPS_PER_CHECK: Final = 10_000

_OUR_FAULTS: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)

_log = logging.getLogger(__name__)


class SQLiteTx:
    """Statements by name on one connection."""

    def __init__(self, connection: sqlite3.Connection, sql: dict[str, str]) -> None:
        self._connection = connection
        self._sql = sql
        self.changes: list[Changed] = []

    def one(self, name: str, /, **params: Any) -> Row | None:
        rows = self.all(name, **params)
        return rows[0] if rows else None

    def all(self, name: str, /, **params: Any) -> list[Row]:
        return self._connection.execute(self._sql[name], params).fetchall()

    def run(self, name: str, /, **params: Any) -> int:
        return self._connection.execute(self._sql[name], params).rowcount

    def changed(self, change: Changed) -> None:
        self.changes.append(change)

    def expire_when(self, is_over: Callable[[], bool]) -> None:
        """End a statement that still runs when `is_over` says so."""
        self._connection.set_progress_handler(is_over, _STEPS_PER_CHECK)


class _Request(Generic[T]):
    """One operation on its way through the writer, and the future that awaits it."""

    __slots__ = ("durable", "error", "future", "operation", "result")

    def __init__(
        self, operation: Callable[[Tx], T], durable: bool, future: asyncio.Future[T] | Future[T]
    ) -> None:
        self.operation = operation
        self.durable = durable
        self.future = future
        self.result: T | None = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # T, set by the writer


class SQLite:
    """A database in one file.

    Args:
        path: The file; made when absent.
        publish: Called on the event loop with what each commit changed.
    """

    def __init__(self, path: Path, publish: Callable[[Sequence[Changed]], None]) -> None:
        self._path = path
        self._publish = publish
        self._sql = statements.load(WORDS)
        self._queue: queue.SimpleQueue[_Request[Any] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        writer, by_key = self._open()
        self._by_key = SQLiteTx(by_key, self._sql)
        self._local = threading.local()
        self._scan_connections: list[sqlite3.Connection] = []
        self._scanners = ThreadPoolExecutor(2, "sqlite-scan")
        self._writer = threading.Thread(
            target=self._write_loop, args=(writer,), name="sqlite-writer", daemon=True
        )
        self._writer.start()

    async def write(self, operation: Callable[[Tx], T], *, durable: bool = True) -> T:
        """Run `operation` in the writer's next group.

        Raises:
            StorageFull: The disk is full; nothing of the operation is stored.
            Unavailable: The database cannot be written now.
        """
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = self._loop.create_future()
        self._enqueue(_Request(operation, durable, future))
        return await future

    def submit(self, operation: Callable[[Tx], T]) -> Future[T]:
        future: Future[T] = Future()
        self._enqueue(_Request(operation, False, future))
        return future

    async def read(self, operation: Callable[[Tx], T]) -> T:
        try:
            return operation(self._by_key)
        except sqlite3.Error as error:
            raise _translate(error) from error

    async def scan(self, operation: Callable[[Tx], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._scanners, self._scan, operation
        )

    @property
    def is_alive(self) -> bool:
        return self._writer.is_alive()

    async def close(self) -> None:
        """Finish what is queued, then close every connection."""
        self._is_closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        self._scanners.shutdown()
        for connection in (self._by_key._connection, *self._scan_connections):
            connection.close()

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """Return the writer's and the loop's connection to a database that is up to date."""
        with contextlib.ExitStack() as opened:
            try:
                writer = opened.enter_context(contextlib.closing(self._connect()))
                _migrate(writer)
                by_key = opened.enter_context(contextlib.closing(self._connect(readonly=True)))
            except sqlite3.Error as error:
                name = self._path.name
                raise Unavailable(f"{name} cannot be opened as a database: {error}.") from error
            opened.pop_all()
        return writer, by_key

    def _connect(self, *, readonly: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma foreign_keys = on")
            if readonly:
                connection.execute("pragma query_only = on")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _enqueue(self, request: _Request[Any]) -> None:
        if self._is_closed:
            raise Unavailable("The server is stopping.")
        self._queue.put(request)

    def _scan(self, operation: Callable[[Tx], T]) -> T:
        deadline = time.monotonic() + _SCAN_DEADLINE_S
        try:
            tx = self._scanner()
            tx.expire_when(lambda: time.monotonic() > deadline)
            return operation(tx)
        except sqlite3.Error as error:
            raise _translate(error) from error

    def _scanner(self) -> SQLiteTx:
        """Return this thread's own reader."""
        tx: SQLiteTx | None = getattr(self._local, "tx", None)
        if tx is None:
            connection = self._connect(readonly=True)
            self._scan_connections.append(connection)
            tx = self._local.tx = SQLiteTx(connection, self._sql)
        return tx

    def _write_loop(self, connection: sqlite3.Connection) -> None:
        tx = SQLiteTx(connection, self._sql)
        is_open = True
        while is_open:
            group: list[_Request[Any]] = []
            request = self._queue.get()
            while request is not None:
                group.append(request)
                if len(group) == _GROUP or self._queue.empty():
                    break
                request = self._queue.get()
            is_open = request is not None
            if group:
                self._settle(group, _commit(tx, group))
        connection.close()

    def _settle(self, group: list[_Request[Any]], changes: list[Changed]) -> None:
        for request in group:
            if isinstance(request.future, Future):
                request.settle()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver, group, changes)

    def _deliver(self, group: list[_Request[Any]], changes: list[Changed]) -> None:
        for request in group:
            request.settle()
        if changes:
            self._publish(changes)


def _commit(tx: SQLiteTx, group: list[_Request[Any]]) -> list[Changed]:
    """Run a group in one transaction; leave each request's result or error in it."""
    connection = tx._connection
    tx.changes = []
    durable = any(request.durable for request in group)
    try:
        # Outside a transaction the pragma takes effect at once; see docs/decisions/0003.
        connection.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
        connection.execute("begin immediate")
        for request in group:
            _run_one(tx, request)
        connection.execute("commit")
    except Exception as error:
        # Whatever it is, this thread must live: without it every write would wait for ever.
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("rollback")
        translated = _translate(error)
        for request in group:
            request.error = translated
        return []
    return tx.changes


def _run_one(tx: SQLiteTx, request: _Request[Any]) -> None:
    connection, told = tx._connection, len(tx.changes)
    connection.execute("savepoint operation")
    try:
        request.result = request.operation(tx)
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite gave up the whole transaction (a full disk): nobody's work stands
        connection.execute("rollback to operation")
        del tx.changes[told:]
        request.error = _translate(error)
    connection.execute("release operation")


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date; each migration is one transaction, counted in user_version."""
    migrations = statements.migrations(WORDS)
    (present,) = connection.execute("pragma user_version").fetchone()
    if present > migrations[-1][0]:
        raise Unavailable("The database was written by a newer version of Qwicket.")
    for number, text in migrations:
        connection.execute("begin immediate")
        (present,) = connection.execute("pragma user_version").fetchone()
        if present >= number:
            connection.execute("rollback")
            continue
        for statement in text.split(";"):
            connection.execute(statement)
        connection.execute(f"pragma user_version = {number}")
        connection.execute("commit")


def _translate(error: Exception) -> Exception:
    """Return what a caller may know of an error; what the database says goes to the log.

    What trying again cannot mend (a broken rule, a value that does not fit) stays as it is: it is
    a fault of ours, and its caller treats it as one.
    """
    if isinstance(error, _OUR_FAULTS) or not isinstance(error, sqlite3.Error | MemoryError):
        return error
    _log.error("database error", exc_info=error)
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return StorageFull()
    return Unavailable("The database did not answer.", retry_after_s=1.0)
