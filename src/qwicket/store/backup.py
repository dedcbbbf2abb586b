"""Backup and restoration of the embedded database; summaries of embedded and PostgreSQL databases.

A backup is an SQLite database, so that SQLite's tools read it. Keys and uploads are in it, too, but
not the master keys of AWS's key pairs, which are in a file of their own.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.extras import NotInstalled
from qwicket.model.errors import Unavailable
from qwicket.model.states import JobState
from qwicket.store import statements
from qwicket.store.sqlite import SQL_FRAGMENTS, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

FILE: Final = "qwicket.db"

_PAGES: Final = 2_000
"""Pages copied between two reports of progress, 8 MB; Ctrl-C takes effect at a report."""
_COUNTS: Final = (
    "select count(*) from account",
    "select state, count(*) from job group by state",
    "select created_at from job order by seq desc limit 1",
)

Report = Callable[[float], None]
"""Called with the fraction that was copied, from 0 to 1."""


class Contents(NamedTuple):
    """Contents of a database.

    Attributes:
        schema: Number of the last migration of the database.
        accounts: Number of accounts.
        jobs: Number of jobs.
        unfinished: Number of jobs that have not ended.
        newest_at: Creation time of the newest job in Unix milliseconds; None without jobs.
    """

    schema: int
    accounts: int
    jobs: int
    unfinished: int
    newest_at: int | None


class Restored(NamedTuple):
    """Result of a restore: the contents, and the former database if it was replaced."""

    contents: Contents
    former: Path | None


def back_up(folder: Path, target: Path, report: Report = lambda _: None) -> Contents:
    """Copy the database of a folder into a new file; servers may write meanwhile.

    The copy shows the database as it was at the beginning. Writers do not wait, because in WAL mode
    a read transaction blocks none. The file gets its name when it is complete and checked.

    Raises:
        Unavailable: The database or the file cannot be used; the detail names which.
    """
    source = folder / FILE
    read(source)  # raises if it is not a database of ours
    if target.is_dir():
        raise Unavailable(f"{target} is a folder: name a file.")
    if target.exists():
        raise Unavailable(f"{target} exists: name another file, or remove it.")
    with _complete_copy(source, target.absolute(), report) as (copy, contents):
        copy.rename(target)
    _flush(target.absolute().parent)
    return contents


def restore(
    source: Path, folder: Path, *, replace: bool, report: Report = lambda _: None
) -> Restored:
    """Put a backup into a folder that no server uses.

    Args:
        source: The backup.
        folder: Folder of the database; created if missing.
        replace: Whether to replace a database. The old one is kept beside it as
            `qwicket.db.TIME.old`.
        report: Receives the progress.

    Raises:
        Unavailable: A server uses the folder, the file is not a backup that this version can read,
            there is a database already, or a file cannot be written.
    """
    from qwicket.store import lock_folder

    read(source)  # raises if it is not a database of ours
    database = folder.absolute() / FILE
    try:
        lock = lock_folder(folder)
    except OSError as error:
        raise Unavailable(f"{folder}: {error.strerror}.") from None
    try:
        if database.exists() and not replace:
            raise Unavailable(f"{database} exists: use --replace, or another --data-dir.")
        with _complete_copy(source, database, report) as (copy, contents):
            former = _keep(database)
            _give_to_owner(folder, copy, folder / "serve.lock")
            copy.rename(database)
        _flush(folder)
        return Restored(contents, former)
    finally:
        os.close(lock)


def compact(folder: Path) -> tuple[int, int]:
    """Give the free space in a database that no server uses back to the disk.

    It takes as much space in the folder meanwhile as the database has rows. A failure changes
    nothing.

    Returns:
        Its size in bytes before and after.

    Raises:
        Unavailable: A server uses the folder, or the database or the disk cannot be used.
    """
    from qwicket.store import lock_folder

    database = folder / FILE
    read(database)  # raises if it is not a database of ours
    try:
        lock = lock_folder(folder)
    except OSError as error:
        raise Unavailable(f"{folder}: {error.strerror}.") from None
    # The copy that SQLite makes may not fit where temporary files are by default.
    os.environ["SQLITE_TMPDIR"] = str(folder)
    try:
        _give_to_owner(folder, folder / "serve.lock")
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
            before = database.stat().st_size
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")
        return before, database.stat().st_size
    except sqlite3.Error as error:
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        reason = "no space left for a copy" if is_full else error
        raise Unavailable(f"{database} cannot be compacted: {reason}.") from None
    finally:
        os.close(lock)


def verify(path: Path) -> Contents:
    """Return the contents of a database after checking its integrity.

    Raises:
        Unavailable: The file cannot be read, is damaged, or is not a database of ours.
    """
    with reading(path) as connection:
        ((found,),) = connection.execute("pragma integrity_check(1)").fetchall()
        if found != "ok":
            raise Unavailable(f"{path} is damaged: {' '.join(str(found).split())[:200]}")
        return _contents(path, connection)


def read(path: Path) -> Contents:
    """Return the contents of a database, without checking every page.

    Raises:
        Unavailable: The file cannot be read, or is not a database of ours.
    """
    with reading(path) as connection:
        return _contents(path, connection)


def read_postgres(url: str) -> Contents:
    """Return the contents of a database on a PostgreSQL server, which stays unchanged.

    Raises:
        Unavailable: It does not respond, has no tables of ours, or those of a newer version; or the
            extra `postgres` is not installed.
    """
    with _postgres().reading(url) as connection:
        schema = _postgres().last_migration(connection)
        if not schema:
            raise Unavailable("The database has no tables of Qwicket: qwicket serve creates them.")
        _check_schema("The database", schema)
        return _counted(schema, *(connection.execute(text.encode()).fetchall() for text in _COUNTS))


def missing_migrations(folder: Path, url: str | None) -> int:
    """Return how many migrations `qwicket serve` would apply to a database, which stays unchanged.

    Args:
        folder: Folder of an embedded database.
        url: Address of a database on a PostgreSQL server, in place of the folder's.

    Raises:
        Unavailable: It cannot be read, was written by a newer version, or has no tables yet and the
            user may not create them.
    """
    if url:
        postgres = _postgres()
        with postgres.reading(url) as connection:
            schema = postgres.last_migration(connection)
            if not schema:
                postgres.check_may_create(connection, url)
    else:
        with reading(folder / FILE) as connection:
            (schema,) = connection.execute("pragma user_version").fetchone()
    if schema:
        _check_schema("The database", schema)
    return sum(number > schema for number, _ in statements.migrations(SQL_FRAGMENTS))


def without_password(url: str) -> str:
    """Return the address of a PostgreSQL database as libpq's connection string, without secrets.

    Raises:
        Unavailable: It is not an address, or the extra `postgres` is not installed.
    """
    address: str = _postgres().without_password(url)
    return address


def _postgres() -> ModuleType:
    try:
        from qwicket.store import postgres
    except ImportError:
        raise Unavailable(str(NotInstalled("PostgreSQL", "postgres"))) from None
    return postgres


@contextlib.contextmanager
def _complete_copy(source: Path, target: Path, report: Report) -> Iterator[tuple[Path, Contents]]:
    """Yield a checked copy beside `target`, under a temporary name; delete it if it remains."""
    try:
        # Only its owner can read the file, because it has password hashes and signing keys.
        number, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}-", suffix=".part"
        )
    except OSError as error:
        raise Unavailable(f"{target}: {error.strerror}.") from None
    os.close(number)
    copy = Path(name)
    try:
        _copy(source, copy, target, report)
        contents = verify(copy)
        _flush(copy)
        yield copy, contents
    except OSError as error:
        raise Unavailable(f"{target}: {error.strerror}.") from None
    finally:
        for each in (copy, Path(f"{copy}-journal")):
            each.unlink(missing_ok=True)


def _copy(source: Path, copy: Path, target: Path, report: Report) -> None:
    try:
        with (
            reading(source) as original,
            closing(sqlite3.connect(copy, isolation_level=None)) as writing,
        ):
            original.backup(
                writing,
                pages=_PAGES,
                progress=lambda _, left, total: report(1 - left / max(1, total)),
            )
            # In WAL mode a reader would create files beside the backup.
            writing.execute("pragma journal_mode = delete")
    except sqlite3.Error as error:
        # `reading` has explained errors of opening the source, so this one is about the target.
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise Unavailable(
            f"{target} cannot be written: {'no space left' if is_full else error}."
        ) from None


def _contents(path: Path, connection: sqlite3.Connection) -> Contents:
    try:
        (schema,) = connection.execute("pragma user_version").fetchone()
        _check_schema(str(path), schema)
        return _counted(schema, *(connection.execute(text).fetchall() for text in _COUNTS))
    except sqlite3.Error as error:
        raise Unavailable(f"{path} is not a database of Qwicket: {error}.") from None


def _check_schema(name: str, schema: int) -> None:
    newest, _ = statements.migrations(SQL_FRAGMENTS)[-1]
    if not schema:
        raise Unavailable(f"{name} is not a database of Qwicket.")
    if schema > newest:
        raise Unavailable(
            f"{name} was written by a newer version of Qwicket (schema {schema}; this version knows"
            f" {newest}): upgrade first."
        )


def _counted(schema: int, accounts: list[Any], states: list[Any], newest: list[Any]) -> Contents:
    jobs = {JobState(state): int(number) for state, number in states}
    unfinished = sum(number for state, number in jobs.items() if not state.is_final)
    newest_at = int(newest[0][0]) if newest else None
    return Contents(schema, int(accounts[0][0]), sum(jobs.values()), unfinished, newest_at)


def _give_to_owner(folder: Path, *files: Path) -> None:
    """Let the user of a folder's server own files that root made there."""
    if os.geteuid() == 0:
        owner = folder.stat()
        for each in files:
            os.chown(each, owner.st_uid, owner.st_gid)


def _keep(database: Path) -> Path | None:
    """Give a database, with its last commits, a second name; return it, or None without one.

    The database itself remains until the restored one replaces it in one step.
    """
    # Moves the last commits from the log into the database, so that the file alone is complete.
    with contextlib.suppress(sqlite3.Error):
        if database.exists():
            with closing(sqlite3.connect(database)) as old:
                old.execute("pragma wal_checkpoint(truncate)")
    kept = database.with_name(f"{FILE}.{time.strftime('%Y-%m-%dT%H%M%SZ', time.gmtime())}.old")
    former = None
    if database.exists():
        os.link(database, kept)
        former = kept
    # SQLite would apply a remaining log to the restored database.
    with contextlib.suppress(FileNotFoundError):
        Path(f"{database}-wal").rename(f"{kept}-wal")
    Path(f"{database}-shm").unlink(missing_ok=True)
    return former


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
