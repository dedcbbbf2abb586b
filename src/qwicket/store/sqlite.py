"""SQLite: one file, one writer that commits in groups, and readers beside it.

Look-ups by key run directly on the loop (microseconds); lists run in two reader threads with a
deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwicket.model.errors import StorageFull, Unavailable
from qwicket.store import statements
from qwicket.store.writer import Hope, Refused, Writer, fail, read_later, run_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from qwicket.store.changes import Changed
    from qwicket.store.database import Committed, Later, Row, Tx
    from qwicket.store.writer import Group, Publish

T = TypeVar("T")

WORDS: Final = {
    "autoincrement": "autoincrement",
    "blob": "blob",
    "each_tag": "json_each(job.tags) as borne",
    "each_text": "json_each(:tags) as asked",
    "greatest": "max",
    "only_postgres": "-- ",
    "position": "instr",
    "serial": "integer",
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
        self.memo: dict[str, Any] = {}

    def one(self, name: str, /, **params: Any) -> Row | None:
        rows = self.all(name, **params)
        return rows[0] if rows else None

    def all(self, name: str, /, **params: Any) -> list[Row]:
        return self._connection.execute(self._sql[name], params).fetchall()

    def run(self, name: str, /, **params: Any) -> None:
        self._connection.execute(self._sql[name], params)

    def run_each(self, name: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        self._connection.executemany(self._sql[name], rows)

    def later(
        self, name: str, refusal: Callable[[], Exception] | None = None, /, **params: Any
    ) -> Callable[[], Row | None]:
        row = self.one(name, **params)
        if row is None and refusal is not None:
            raise refusal()
        return lambda: row

    def count(self, name: str, /, **params: Any) -> int:
        return self._connection.execute(self._sql[name], params).rowcount

    def changed(self, change: Changed) -> None:
        self.changes.append(change)

    @property
    def is_open(self) -> bool:
        return self._connection.in_transaction

    def command(self, *texts: str) -> None:
        for text in texts:
            self._connection.execute(text)

    def settle(self) -> None:
        """Nothing is ever held back here."""

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all statements see the same moment."""
        self.command("begin")
        try:
            yield
        finally:
            if self.is_open:
                self.command("rollback")

    def expire_when(self, is_over: Callable[[], bool]) -> None:
        """End a statement that still runs when `is_over` says so."""
        self._connection.set_progress_handler(is_over, _STEPS_PER_CHECK)


class SQLite:
    """A database in one file.

    Args:
        path: The file; made when absent.
        publish: Called on the event loop with what each commit changed.
    """

    def __init__(self, path: Path, publish: Publish) -> None:
        self._path = path
        self._sql = statements.load(WORDS)
        writing, by_key = self._open()
        self._writing = SQLiteTx(writing, self._sql)
        self._is_flushing: bool | None = None
        self._hope = Hope()
        self._by_key = SQLiteTx(by_key, self._sql)
        self._local = threading.local()
        self._scan_connections: list[sqlite3.Connection] = []
        self._scanners = ThreadPoolExecutor(2, "sqlite-scan")
        self._writer = Writer(self._commit, publish, most=_GROUP)

    def on_commit(self, committed: Committed) -> None:
        self._writer.on_commit(committed)

    async def write(self, operation: Callable[[Tx], T | Later[T]], *, durable: bool = True) -> T:
        """Run `operation` in the writer's next group.

        Raises:
            StorageFull: The disk is full; nothing of the operation is stored.
            Unavailable: The database cannot be written now.
        """
        return await self._writer.write(operation, durable=durable)

    def submit(self, operation: Callable[[Tx], T]) -> Future[T]:
        return self._writer.submit(operation)

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
        return self._writer.is_alive

    async def close(self) -> None:
        """Finish what is queued, then close every connection."""
        await self._writer.close()
        self._scanners.shutdown()
        opened = (self._writing._connection, self._by_key._connection, *self._scan_connections)
        for connection in opened:
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

    def _scan(self, operation: Callable[[Tx], T]) -> T:
        deadline = time.monotonic() + _SCAN_DEADLINE_S
        try:
            tx = self._scanner()
            tx.expire_when(lambda: time.monotonic() > deadline)
            with tx.snapshot():
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

    def _commit(self, group: Group) -> list[Changed]:
        try:
            self._flush_if(any(request.durable for request in group))
            if self._hope:
                with contextlib.suppress(Refused):
                    return self._run(group, is_hopeful=True)
                self._hope.lose()
                self._roll_back()
            return self._run(group, is_hopeful=False)
        except Exception as error:
            with contextlib.suppress(sqlite3.Error):
                self._roll_back()
            fail(group, _translate(error))
            return []

    def _run(self, group: Group, *, is_hopeful: bool) -> list[Changed]:
        session = self._writing
        session.command("begin immediate")
        run_group(session, group, _translate, is_hopeful=is_hopeful)
        read_later(session, group)
        session.command("commit")
        return session.changes

    def _flush_if(self, durable: bool) -> None:
        """Say whether the next commit waits for the disk."""
        if durable is not self._is_flushing:
            # Outside a transaction the pragma takes effect at once; see docs/decisions/0003.
            self._writing.command(f"pragma synchronous = {'full' if durable else 'normal'}")
            self._is_flushing = durable

    def _roll_back(self) -> None:
        if self._writing.is_open:
            self._writing.command("rollback")


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
