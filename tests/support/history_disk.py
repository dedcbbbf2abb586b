"""A disk that loses power: what SQLite wrote and synced is recorded, then cut anywhere.

The model. A file's writes and truncations since its last completed sync may be lost: each sector
of 512 bytes of each of them reaches the disk or not, independently of all others and of their
order; a truncation likewise. What was synced before stays. A file
that was made or deleted since its directory was synced may be absent, or back with what it held;
SQLite syncs the directory with the first sync of each log that it makes. The database file itself
is there: its name lies in that directory, and was in it before the log's. `-shm` is memory.
Most disks lose less than this. Two losses are left out: a sector is never written in part, which
disks promise, and a completed sync is always durable.

SQLite and its files are real: a VFS forwards everything and records it. The standard library has no
interface for a VFS, so the recorded run uses apsw, which has its own copy of SQLite. After a cut,
the product's own store opens the files.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from qwicket.store import Changes, Store
from qwicket.store.sqlite import SQLite

if TYPE_CHECKING:
    from typing_extensions import Buffer

SECTOR = 512


class DiskOperation(NamedTuple):
    """One operation on a file: `write` at a place, `truncate` to a size, `sync` or `delete`."""

    kind: str
    file: str
    place: int = 0
    data: bytes = b""


class Disk(apsw.VFS):
    """Forwards everything to the real file system and records it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.operations: list[DiskOperation] = []
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        return _File(self.operations, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self.operations.append(DiskOperation("delete", Path(filename).name, int(syncdir)))


class _File(apsw.VFSFile):
    def __init__(self, operations: list[DiskOperation], name: Any, flags: list[int]) -> None:
        path = name if isinstance(name, str) or name is None else name.filename()
        self._operations, self._name = operations if path else [], Path(path or "temporary").name
        super().__init__("", name, flags)

    def xWrite(self, data: Buffer, offset: int) -> None:
        super().xWrite(data, offset)
        self._operations.append(DiskOperation("write", self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._operations.append(DiskOperation("truncate", self._name, newsize))

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._operations.append(DiskOperation("sync", self._name))


class RecordedSQLite(SQLite):
    """The product's own database on a recorded disk."""

    def __init__(self, path: Path, changes: Changes, vfs: str, *, syncs: bool) -> None:
        self._vfs = vfs
        self._syncs = syncs
        super().__init__(path, changes.publish)

    def _connect(self, *, readonly: bool = False) -> Any:
        connection = _Connection(apsw.Connection(str(self._path), vfs=self._vfs), syncs=self._syncs)
        connection.execute("pragma busy_timeout = 5000")
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma foreign_keys = on")
        if readonly:
            connection.execute("pragma query_only = on")
        else:
            connection.execute("pragma wal_autocheckpoint = 20")  # many checkpoints in a short run
        return connection


class _Connection:
    """An apsw connection with the interface of the standard library's."""

    def __init__(self, connection: apsw.Connection, *, syncs: bool) -> None:
        self._connection = connection
        self._syncs = syncs
        self.close = connection.close
        self.set_progress_handler = connection.set_progress_handler

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, text: str, parameters: Any = None) -> _Rows:
        if not self._syncs:
            text = text.replace("synchronous = full", "synchronous = off")
        try:
            rows = list(self._connection.execute(text, parameters))
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error
        return _Rows(rows, self._connection.changes())

    def executemany(self, text: str, rows: Iterable[Any]) -> None:
        for parameters in rows:
            self.execute(text, parameters)


class _Rows:
    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None


def recorded_store(folder: Path, disk: Disk, *, syncs: bool = True) -> Store:
    """Open a store whose disk is recorded; without syncs it acknowledges what a cut may lose."""
    changes = Changes()
    return Store(RecordedSQLite(folder / "qwicket.db", changes, disk.name, syncs=syncs), changes)


def cut(operations: Sequence[DiskOperation], rng: random.Random, folder: Path) -> None:
    """Write to `folder` what a disk may contain if power fails after these operations."""
    kept: dict[str, bytearray] = {}
    deleted: dict[str, bytearray] = {}
    pending: dict[str, list[DiskOperation]] = {}
    for operation in operations:
        if operation.kind == "sync":
            if operation.file not in kept:
                deleted.clear()  # SQLite syncs the directory with a new log's first sync
            for each in pending.pop(operation.file, []):
                _do(kept, each)
        elif operation.kind == "delete":
            pending.pop(operation.file, None)
            deleted[operation.file] = kept.pop(operation.file, bytearray())
            if operation.place:
                deleted.clear()
        else:
            pending.setdefault(operation.file, []).append(operation)
    kept |= {name: content for name, content in deleted.items() if rng.random() < 0.5}
    for name, lost in pending.items():
        if name not in kept and not name.endswith(".db") and rng.random() < 0.5:
            continue  # its name never came into the directory
        _do_some(kept, name, lost, rng, chance=rng.choice((0.0, 0.5, 0.9, 1.0)))
    for name, content in kept.items():
        (folder / name).write_bytes(content)


def _do_some(
    kept: dict[str, bytearray],
    name: str,
    lost: list[DiskOperation],
    rng: random.Random,
    *,
    chance: float,
) -> None:
    pieces = [piece for operation in lost for piece in _sectors(operation) if rng.random() < chance]
    if rng.random() < 0.5:
        rng.shuffle(pieces)
    kept.setdefault(name, bytearray())
    for piece in pieces:
        _do(kept, piece)


def _sectors(operation: DiskOperation) -> list[DiskOperation]:
    """Split a write where sectors end."""
    if operation.kind != "write":
        return [operation]
    pieces, start, end = [], operation.place, operation.place + len(operation.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        data = operation.data[start - operation.place : stop - operation.place]
        pieces.append(DiskOperation("write", operation.file, start, data))
        start = stop
    return pieces


def _do(kept: dict[str, bytearray], operation: DiskOperation) -> None:
    content = kept.setdefault(operation.file, bytearray())
    if operation.kind == "truncate":
        del content[operation.place :]
        return
    if len(content) < operation.place:
        content.extend(bytes(operation.place - len(content)))
    content[operation.place : operation.place + len(operation.data)] = operation.data
