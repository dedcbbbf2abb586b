"""The store: what is kept, and how it changes. Nothing here knows doors or engines."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from qwicket.extras import NotInstalled
from qwicket.model.errors import StaleLease, Unavailable
from qwicket.store.accounts import Accounts, TokenOwner
from qwicket.store.agents import Agents, Handout
from qwicket.store.calibrations import Calibrations
from qwicket.store.changes import Changed, Changes, Watch
from qwicket.store.database import Database
from qwicket.store.devices import Devices, Standing
from qwicket.store.groups import Groups
from qwicket.store.jobs import JobEvent, Jobs, Program, Sizes
from qwicket.store.leases import Claim, Held, Leases
from qwicket.store.records import Records
from qwicket.store.sqlite import SQLite
from qwicket.store.standing import Depth, EndedJob, Line, ProjectShare, RunningJob, WaitingJob
from qwicket.store.upkeep import Upkeep
from qwicket.store.uploads import Uploads

if TYPE_CHECKING:
    from pathlib import Path

    from qwicket.store.database import Committed

__all__ = [
    "Changed",
    "Changes",
    "Claim",
    "Depth",
    "EndedJob",
    "Handout",
    "Held",
    "JobEvent",
    "Leases",
    "Line",
    "Program",
    "ProjectShare",
    "RunningJob",
    "Sizes",
    "StaleLease",
    "Standing",
    "Store",
    "TokenOwner",
    "WaitingJob",
    "Watch",
    "lock_folder",
    "open_postgres",
    "open_sqlite",
]


class Store:
    """All operations, grouped by what they are about, over one database."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self.changes = changes
        self.accounts = Accounts(database)
        self.agents = Agents(database)
        self.calibrations = Calibrations(database)
        self.devices = Devices(database)
        self.groups = Groups(database)
        self.jobs = Jobs(database)
        self.leases = Leases(database)
        self.records = Records(database)
        self.upkeep = Upkeep(database)
        self.uploads = Uploads(database)

    @property
    def is_alive(self) -> bool:
        """Whether writes can still be done."""
        return self._database.is_alive

    def on_commit(self, committed: Committed) -> None:
        """Call `committed` (quick, in another thread) after every group of writes."""
        self._database.on_commit(committed)

    async def close(self) -> None:
        self.changes.close()
        await self._database.close()


def open_sqlite(folder: Path) -> Store:
    """Open (or make) the embedded store in `folder`; readable by this user alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "qwicket.db"
    path.touch(mode=0o600)
    with contextlib.suppress(PermissionError):  # another's file: its owner decides
        path.chmod(0o600)
    changes = Changes()
    return Store(SQLite(path, changes.publish), changes)


def open_postgres(url: str) -> Store:
    """Open the store on a PostgreSQL server, making its tables where there are none.

    Call it on the event loop to hear what other servers change.

    Raises:
        Unavailable: No server answers there, or the extra `postgres` is not installed.
    """
    try:
        from qwicket.store.postgres import Postgres
    except ImportError:
        raise Unavailable(str(NotInstalled("PostgreSQL", "postgres"))) from None
    changes = Changes()
    return Store(Postgres(url, changes), changes)


def lock_folder(folder: Path) -> int:
    """Take the lock that lets one server run on a folder; it falls with the process.

    Returns:
        The descriptor to keep open.

    Raises:
        Unavailable: Another server holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Unavailable(
            f"Another server runs on {folder}: stop it, or name another --data-dir."
        ) from None
    return lock
