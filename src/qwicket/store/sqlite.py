"""SQLite: one file, one writer that commits in batches, and concurrent readers.

Quick look-ups, mostly by key, run on the event loop, as they take microseconds. Lists and large
values are read in two threads, with a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwicket.model.errors import StorageFull, Unavailable
from qwicket.store import statements
from qwicket.store.batch import Session
from qwicket.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from qwicket.store.batch import Batch
    from qwicket.store.changes import JobChange
    from qwicket.store.database import Row, Tx
    from qwicket.store.writer import Publish

T = TypeVar("T")

SQL_FRAGMENTS: Final = {
    "autoincrement": "autoincrement",
    "blob": "blob",
    "database_bytes": "(select page_count * page_size from pragma_page_count, pragma_page_size)",
    "database_free_bytes": "(select freelist_count * page_size from pragma_freelist_count,"
    " pragma_page_size)",
    "database_version": "'SQLite ' || sqlite_version()",
    "each_tag": "json_each(job.tags) as borne",
    "each_text": "json_each(:tags) as asked",
    "each_job": "json_each(:jobs) as asked",
    "greatest": "max",
    "least": "min",
    "only_postgres": "-- ",
    "only_sqlite": "",
    "position": "instr",
    "lower": "lower_unicode",
    "serial": "integer",
    "text_bytes": "length(cast({} as blob))",
}

_MAX_OPERATIONS: Final = 256
"""Limit on the operations of one batch, which share a flush to disk."""
_BUSY_TIMEOUT_S: Final = 5.0
_SCAN_DEADLINE_S: Final = 5.0
_STEPS_PER_CHECK: Final = 10_000
"""Instructions of SQLite's virtual machine between two checks of the deadline."""

_CONDITIONS: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
"""Errors that say how the disk or another process is; no line of code is their cause."""
_OUR_FAULTS: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)

_log = logging.getLogger(__name__)


@cache
def named_statements() -> Mapping[str, str]:
    """Return every named statement. All stores of a process share them, so nothing changes them."""
    return MappingProxyType(statements.load(SQL_FRAGMENTS))


class SQLiteTx(Session):
    """Statements by name on one connection."""

    def __init__(self, connection: sqlite3.Connection, sql: Mapping[str, str]) -> None:
        super().__init__()
        self._connection = connection
        self._sql = sql

    def one(self, name: str, /, **params: Any) -> Row | None:
        row: Row | None = self._connection.execute(self._sql[name], params).fetchone()
        return row

    def all(self, name: str, /, **params: Any) -> list[Row]:
        return self._connection.execute(self._sql[name], params).fetchall()

    def run(self, name: str, /, **params: Any) -> None:
        self._connection.execute(self._sql[name], params)

    def run_each(self, name: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        self._connection.executemany(self._sql[name], rows)

    def count(self, name: str, /, **params: Any) -> int:
        return self._connection.execute(self._sql[name], params).rowcount

    @property
    def is_open(self) -> bool:
        return self._connection.in_transaction

    def command(self, *texts: str) -> None:
        for text in texts:
            self._connection.execute(text)

    def expire_when(self, is_over: Callable[[], bool]) -> None:
        """Interrupt statements, from now on, while `is_over` returns True."""
        self._connection.set_progress_handler(is_over, _STEPS_PER_CHECK)


class SQLite(Writer):
    """A database in one file.

    Args:
        path: The file; created if missing.
        publish: Called on the event loop with the changes of each commit.
        scan_deadline_s: Seconds after which a list is interrupted.
    """

    def __init__(
        self, path: Path, publish: Publish, *, scan_deadline_s: float = _SCAN_DEADLINE_S
    ) -> None:
        self._path = path
        self.folder: Path | None = path.parent
        self._scan_deadline_s = scan_deadline_s
        self._sql = named_statements()
        writing, by_key = self._open()
        self._writing = SQLiteTx(writing, self._sql)
        # Only the server of this folder writes webhooks, so from here on it knows them.
        self._writing.has_webhooks = self._writing.one("webhook_any") is not None
        self._is_flushing: bool | None = None
        self._by_key = SQLiteTx(by_key, self._sql)
        self._local = threading.local()
        self._scan_connections: list[sqlite3.Connection] = []
        self._scanners = ThreadPoolExecutor(2, "sqlite-scan")
        super().__init__(publish, max_operations=_MAX_OPERATIONS)
        self.has_webhooks = self._writing.has_webhooks

    async def read(self, operation: Callable[[Tx], T]) -> T:
        try:
            return operation(self._by_key)
        except sqlite3.Error as error:
            raise self.translate(error) from error

    async def scan(self, operation: Callable[[Tx], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._scanners, self._scan, operation
        )

    async def close(self) -> None:
        """Commit the queued operations, then close all connections."""
        await super().close()
        self._scanners.shutdown()
        opened = (self._writing._connection, self._by_key._connection, *self._scan_connections)
        for connection in opened:
            connection.close()

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """Apply missing migrations; return the connections of the writer and of the event loop."""
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
        # SQLite's own `lower` knows the letters of ASCII alone.
        connection.create_function("lower_unicode", 1, str.lower, deterministic=True)
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
        deadline = time.monotonic() + self._scan_deadline_s
        try:
            tx = self._scanner()
            tx.expire_when(lambda: time.monotonic() > deadline)
            tx.command("begin")  # one snapshot for all statements
            try:
                return operation(tx)
            finally:
                if tx.is_open:
                    tx.command("rollback")
        except sqlite3.Error as error:
            raise self.translate(error) from error

    def _scanner(self) -> SQLiteTx:
        """Return this thread's own connection for reads."""
        tx: SQLiteTx | None = getattr(self._local, "tx", None)
        if tx is None:
            connection = self._connect(readonly=True)
            self._scan_connections.append(connection)
            tx = self._local.tx = SQLiteTx(connection, self._sql)
        return tx

    def attempt(self, batch: Batch) -> list[JobChange]:
        session = self._writing
        self._flush_if(batch.is_durable)
        session.command("begin immediate")
        batch.run(session)
        session.command("commit")
        if session.webhooks_were_removed:
            self._look_for_webhooks()
        self.has_webhooks = session.has_webhooks
        return session.changes

    def _look_for_webhooks(self) -> None:
        """Find out after a removal whether there are webhooks; an error changes nothing."""
        with contextlib.suppress(sqlite3.Error):
            self._writing.has_webhooks = self._writing.one("webhook_any") is not None
            self._writing.webhooks_were_removed = False

    def abandon(self, error: Exception) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._writing.is_open:
                self._writing.command("rollback")

    def translate(self, error: Exception) -> Exception:
        if isinstance(error, _OUR_FAULTS) or not isinstance(error, sqlite3.Error | MemoryError):
            return error
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        is_condition = code & 0xFF in _CONDITIONS  # the other bits say more of it
        _log.error("database error: %s", error, exc_info=None if is_condition else error)
        if code == sqlite3.SQLITE_FULL:
            return StorageFull()
        return Unavailable("The database did not respond.", retry_after_s=1.0)

    def _flush_if(self, durable: bool) -> None:
        """Set whether the next commit waits for the disk."""
        if durable is not self._is_flushing:
            # Outside a transaction the pragma takes effect at once; see docs/decisions/0003.
            self._writing.command(f"pragma synchronous = {'full' if durable else 'normal'}")
            self._is_flushing = durable


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that reads a database as it is now, without any migration.

    Raises:
        Unavailable: The file cannot be read.
    """
    try:
        path.open("rb").close()  # SQLite does not say why a file cannot be opened
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}.") from None
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
    )
    with contextlib.closing(connection):
        try:
            # One transaction for all that follows. Without it, each commit of a server would start
            # a backup again.
            connection.execute("begin")
            connection.execute("select count(*) from sqlite_schema").fetchone()
        except sqlite3.Error as error:
            raise Unavailable(f"{path} cannot be read as a database: {error}.") from None
        yield connection


def _statements(text: str) -> Iterator[str]:
    """Yield the statements of a migration; a trigger has semicolons in it."""
    statement = ""
    for part in text.split(";")[:-1]:
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply missing migrations, one transaction each, numbered in `user_version`.

    Raises:
        Unavailable: The database is newer, or a migration failed.
    """
    migrations = statements.migrations(SQL_FRAGMENTS)
    # After a power cut, the next start applies again what the disk does not have.
    connection.execute("pragma synchronous = normal")
    (present,) = connection.execute("pragma user_version").fetchone()
    if present > migrations[-1][0]:
        raise Unavailable("The database was written by a newer version of Qwicket.")
    for number, text in migrations:
        connection.execute("begin immediate")
        (present,) = connection.execute("pragma user_version").fetchone()
        if present >= number:
            connection.execute("rollback")
            continue
        try:
            for statement in _statements(text):
                connection.execute(statement)
            connection.execute(f"pragma user_version = {number}")
            connection.execute("commit")
        except sqlite3.Error as error:
            raise Unavailable(
                f"Migration {number} of the database failed, and was undone: {error}."
            ) from error
