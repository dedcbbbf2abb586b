"""A disk that loses power: what SQLite wrote and synced is recorded, then cut anywhere.

The model. A file's writes and truncations since its last completed sync may be lost: each sector
of 512 bytes of each of them reaches the disk or not, independently of all others and of their
order; a truncation likewise. What was synced before stays. A file
that was made or deleted since its directory was synced may be absent, or back with what it held;
SQLite syncs the directory with the first sync of each log that it makes. The database file itself
is there: its name lies in that directory, and was in it before the log's. `-shm` is memory.
Stricter than most disks: sectors are not torn (disks promise that much), and syncs do not lie.

SQLite is the real one and so are its files: a VFS passes everything on and keeps a record. The
standard library offers no VFS, so that the recorded run goes through apsw, which brings its own
copy of SQLite; what is reopened after a cut is opened by the product's own store.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from qwicket.store import Changes, Store
from qwicket.store.sqlite import SQLite

SECTOR = 512


class Deed(NamedTuple):
    """One thing done to one file: `write` at a place, `truncate` to it, `sync`, `delete`."""

    kind: str
    file: str
    place: int = 0
    data: bytes = b""


class Disk(apsw.VFS):
    """Passes everything on to the real file system and keeps a record of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.deeds: list[Deed] = []
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        return _File(self.deeds, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self.deeds.append(Deed("delete", Path(filename).name, int(syncdir)))


class _File(apsw.VFSFile):
    def __init__(self, deeds: list[Deed], name: Any, flags: list[int]) -> None:
        path = name if isinstance(name, str) or name is None else name.filename()
        self._deeds, self._name = deeds if path else [], Path(path or "temporary").name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._deeds.append(Deed("write", self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._deeds.append(Deed("truncate", self._name, newsize))

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._deeds.append(Deed("sync", self._name))


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
    """An apsw connection as the standard library shows it."""

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
    """Open a store whose disk is recorded; without syncs it promises more than it keeps."""
    changes = Changes()
    return Store(RecordedSQLite(folder / "qwicket.db", changes, disk.name, syncs=syncs), changes)


def cut(deeds: Sequence[Deed], rng: random.Random, folder: Path) -> None:
    """Leave in `folder` what a disk may hold when the power goes after these deeds."""
    kept: dict[str, bytearray] = {}
    deleted: dict[str, bytearray] = {}
    pending: dict[str, list[Deed]] = {}
    for deed in deeds:
        if deed.kind == "sync":
            if deed.file not in kept:
                deleted.clear()  # SQLite syncs the directory with a new log's first sync
            for each in pending.pop(deed.file, []):
                _do(kept, each)
        elif deed.kind == "delete":
            pending.pop(deed.file, None)
            deleted[deed.file] = kept.pop(deed.file, bytearray())
            if deed.place:
                deleted.clear()
        else:
            pending.setdefault(deed.file, []).append(deed)
    kept |= {name: content for name, content in deleted.items() if rng.random() < 0.5}
    for name, lost in pending.items():
        if name not in kept and not name.endswith(".db") and rng.random() < 0.5:
            continue  # its name never came into the directory
        _do_some(kept, name, lost, rng, chance=rng.choice((0.0, 0.5, 0.9, 1.0)))
    for name, content in kept.items():
        (folder / name).write_bytes(content)


def _do_some(
    kept: dict[str, bytearray], name: str, lost: list[Deed], rng: random.Random, *, chance: float
) -> None:
    pieces = [piece for deed in lost for piece in _sectors(deed) if rng.random() < chance]
    if rng.random() < 0.5:
        rng.shuffle(pieces)
    kept.setdefault(name, bytearray())
    for piece in pieces:
        _do(kept, piece)


def _sectors(deed: Deed) -> list[Deed]:
    """Split a write where sectors end."""
    if deed.kind != "write":
        return [deed]
    pieces, start, end = [], deed.place, deed.place + len(deed.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        data = deed.data[start - deed.place : stop - deed.place]
        pieces.append(Deed("write", deed.file, start, data))
        start = stop
    return pieces


def _do(kept: dict[str, bytearray], deed: Deed) -> None:
    content = kept.setdefault(deed.file, bytearray())
    if deed.kind == "truncate":
        del content[deed.place :]
        return
    if len(content) < deed.place:
        content.extend(bytes(deed.place - len(content)))
    content[deed.place : deed.place + len(deed.data)] = deed.data
