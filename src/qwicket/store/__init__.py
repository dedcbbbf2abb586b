"""The store: all persistent state and its operations, independent of dialects and engines."""

from __future__ import annotations

import contextlib
import fcntl
import os
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from qwicket.extras import NotInstalled
from qwicket.model.errors import StaleLease, Unavailable
from qwicket.store.accounts import Accounts, NewMember, TokenOwner
from qwicket.store.agents import Agents, FullProgram
from qwicket.store.backlog import Backlog
from qwicket.store.calibrations import Calibrations
from qwicket.store.changes import Changes, JobChange, Watch
from qwicket.store.client_documents import ClientDocuments
from qwicket.store.database import Database
from qwicket.store.devices import DeviceCondition, Devices, DeviceSnapshot
from qwicket.store.job_groups import JobGroups
from qwicket.store.jobs import JobEvent, Jobs, JobSizes, PackedProgram, Program
from qwicket.store.leases import Claim, HeldLease, Leases
from qwicket.store.maintenance import Maintenance
from qwicket.store.operations import Operations
from qwicket.store.queue_state import (
    Claimable,
    EndedJob,
    MemberShare,
    ProjectShare,
    QueueDepth,
    Queues,
    QueueState,
    RunningJob,
    WaitingJob,
)
from qwicket.store.sqlite import SQLite
from qwicket.store.uploads import Uploads

if TYPE_CHECKING:
    from pathlib import Path

    from qwicket.store.audit import Audit
    from qwicket.store.bounds import TokenBounds
    from qwicket.store.database import Committed
    from qwicket.store.forwards import Forwards
    from qwicket.store.links import Links
    from qwicket.store.people import People
    from qwicket.store.queue_control import QueueControl
    from qwicket.store.sessions import Sessions
    from qwicket.store.use import Uses

Kind = TypeVar("Kind", bound=Operations)

__all__ = [
    "Backlog",
    "Changes",
    "Claim",
    "Claimable",
    "DeviceCondition",
    "DeviceSnapshot",
    "EndedJob",
    "FullProgram",
    "HeldLease",
    "JobChange",
    "JobEvent",
    "JobSizes",
    "Leases",
    "MemberShare",
    "NewMember",
    "PackedProgram",
    "Program",
    "ProjectShare",
    "QueueDepth",
    "QueueState",
    "RunningJob",
    "StaleLease",
    "Store",
    "TokenOwner",
    "WaitingJob",
    "Watch",
    "lock_folder",
    "open_postgres",
    "open_sqlite",
]


class Store:
    """All operations over one database, grouped by subject.

    Operations that most servers do not need soon after the start are imported at their first use,
    so that servers start faster.
    """

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self.changes = changes
        self.backlog = Backlog()
        self.accounts = Accounts(database)
        self.agents = Agents(database)
        self.calibrations = Calibrations(database)
        self.devices = Devices(database)
        self.job_groups = JobGroups(database)
        self.jobs = Jobs(database)
        self.leases = Leases(database)
        self.client_documents = ClientDocuments(database)
        self.maintenance = Maintenance(database)
        self.queues = Queues(database)
        self.uploads = Uploads(database)
        self._of_features: dict[type[Operations], Operations] = {}

    def feature(self, kind: type[Kind]) -> Kind:
        """Return the operations of a feature, made at their first use."""
        found = self._of_features.get(kind)
        if found is None:
            found = self._of_features[kind] = kind(self._database)
        return cast(Kind, found)

    @cached_property
    def audit(self) -> Audit:
        """Return the operations on the audit."""
        from qwicket.store.audit import Audit

        return Audit(self._database)

    @cached_property
    def people(self) -> People:
        """Return the operations on files of people."""
        from qwicket.store.people import People

        return People(self._database)

    @cached_property
    def bounds(self) -> TokenBounds:
        """Return the operations on bounds of tokens."""
        from qwicket.store.bounds import TokenBounds

        return TokenBounds(self._database)

    @cached_property
    def uses(self) -> Uses:
        """Return the operations on what ended jobs have used."""
        from qwicket.store.use import Uses

        return Uses(self._database)

    @cached_property
    def forwards(self) -> Forwards:
        """Return the operations on jobs that are forwarded to another cloud."""
        from qwicket.store.forwards import Forwards

        return Forwards(self._database)

    @cached_property
    def queue_control(self) -> QueueControl:
        """Return the operations that hold, release, reorder and requeue jobs."""
        from qwicket.store.queue_control import QueueControl

        return QueueControl(self._database)

    @cached_property
    def links(self) -> Links:
        """Return the operations on one-time links."""
        from qwicket.store.links import Links

        return Links(self._database)

    @cached_property
    def sessions(self) -> Sessions:
        """Return the operations on sign-in sessions of the pages."""
        from qwicket.store.sessions import Sessions

        return Sessions(self._database)

    @property
    def is_alive(self) -> bool:
        """Whether the writer thread is alive, and PostgreSQL was reachable at the last write."""
        return self._database.is_alive

    @property
    def folder(self) -> Path | None:
        """Folder of an embedded database; None for a database server's."""
        return self._database.folder

    def on_commit(self, committed: Committed) -> None:
        """Call `committed`, which must return quickly, in another thread after each batch."""
        self._database.on_commit(committed)

    async def close(self) -> None:
        self.changes.close()
        await self._database.close()


def open_sqlite(folder: Path) -> Store:
    """Open the SQLite database in `folder`, or create both; only their owner may read new ones.

    Raises:
        Unavailable: The database cannot be opened, or is of a newer version.
        OSError: The folder or the file cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "qwicket.db"
    path.touch(mode=0o600)
    with contextlib.suppress(PermissionError):  # another user owns the file and decides its mode
        path.chmod(0o600)
    changes = Changes()
    return Store(SQLite(path, changes.publish), changes)


def open_postgres(url: str) -> Store:
    """Open the store on a PostgreSQL server; its tables are created if there are none.

    The store receives the changes of other servers only if this is called on an event loop.

    Raises:
        Unavailable: The address is invalid, the database does not respond or has an unsupported
            version, or the extra `postgres` is not installed.
    """
    try:
        from qwicket.store.postgres import Postgres
    except ImportError:
        raise Unavailable(str(NotInstalled("PostgreSQL", "postgres"))) from None
    changes = Changes()
    return Store(Postgres(url, changes), changes)


def lock_folder(folder: Path) -> int:
    """Lock a folder, which is created if it does not exist, for one server or one restore.

    The kernel releases the lock when the process ends.

    Returns:
        The descriptor of the lock's file. Closing it releases the lock.

    Raises:
        Unavailable: Another server or a restore holds the lock.
        OSError: The folder or the lock's file cannot be created or opened.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Unavailable(
            f"Another server or a restore uses {folder}: stop it, or choose another --data-dir."
        ) from None
    return lock
