"""Store of the test bed: applies scenarios when jobs are submitted and read.

It also deletes all jobs for a reset, and saves the state into a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from qwicket.folders import AWS_MASTER_FILE
from qwicket.model.errors import QwicketError
from qwicket.model.states import FINAL
from qwicket.store import Store
from qwicket.store.backup import FILE, back_up
from qwicket.store.jobs import Jobs
from qwicket.store.operations import Operations, write
from qwicket.store.queue_control import QueueControl
from qwicket.testing.bed.journal import RECORD

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.model.failures import Failure
    from qwicket.model.jobs import Job, NewJob
    from qwicket.store.batch import Session
    from qwicket.store.changes import Changes, JobChange
    from qwicket.store.database import Database, Deferred, Tx
    from qwicket.testing.bed.events import Events
    from qwicket.testing.bed.journal import JournalKeeper
    from qwicket.testing.bed.scenarios import Scenarios

_JOB_TABLES: Final = (
    *("program", "lease", "outcome", "job_event", "forward", "upload_piece", "upload"),
    *("job_share", "blob", "idempotency", "share", "member_share", "record", "account_use"),
    *("webhook_event", "job_vendor_fields", "job", "job_label", '"group"', "slurm_use"),
    *("token_day", "confirmation", "waiting_jobs", "member_bytes"),
)
_JOB_TRIGGERS: Final = (
    "select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'job'"
)
_BUSY_S: Final = 10.0
"""Longest wait in seconds for the lock of the database."""
_DEVICE_TABLES: Final = ("calibration", "share", "member_share", "reservation_device")
_IS_OF_NEW_DEVICE: Final = "device not in (select name from bed_device)"


class BedStore(Store):
    """Store whose jobs have scenarios.

    Args:
        database: The database.
        changes: Publisher of changes.
        file: File of the database.
        scenarios: Scenarios of jobs.
        journal: Journal, which gets the times at which jobs end.
        now_ms: Clock; returns Unix milliseconds.
        sleep: Function that waits for seconds on that clock.
    """

    def __init__(
        self,
        database: Database,
        changes: Changes,
        file: Path,
        scenarios: Scenarios,
        journal: JournalKeeper,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        super().__init__(database, changes)
        self._file = file
        self.database = database
        self.jobs: BedJobs = BedJobs(database, scenarios, now_ms, sleep)
        self.cleaning = Cleaning(database)
        self._journal = journal
        changes.listen(self._on_end, *FINAL)

    @classmethod
    def over(
        cls,
        store: Store,
        file: Path,
        scenarios: Scenarios,
        journal: JournalKeeper,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
    ) -> BedStore:
        """Return a test bed's store on the database of a server's store."""
        return cls(store._database, store.changes, file, scenarios, journal, now_ms, sleep)

    def _on_end(self, change: JobChange) -> None:
        self._journal.job_ended(change.job)

    async def clear(self) -> None:
        """Delete all jobs at once, restore the devices, and notify waiters and runners."""
        self.jobs.forget()
        await asyncio.to_thread(_delete_jobs, self._file)
        await self.cleaning.restore_devices()
        self.changes.resync()


class Cleaning(Operations):
    """Restores the devices that the server had at its start."""

    @write
    def remember_devices(tx: Tx) -> None:
        """Copy the names and states of all devices, which a reset restores."""
        cast("Session", tx).command(
            "drop table if exists bed_device_state",  # a loaded state has these tables
            "create table bed_device_state as select * from device_state",
            "drop table if exists bed_device",
            "create table bed_device as select name from device",
        )

    @write
    def restore_devices(tx: Tx) -> None:
        """Delete the devices that tests added; restore the states of the others."""
        session = cast("Session", tx)  # statements without a name, which no production server runs
        # `_delete_jobs` has deleted what these bytes count.
        session.command("update project set stored_bytes = 0")
        session.command(
            "delete from device_state", "insert into device_state select * from bed_device_state"
        )
        session.command(
            *(f"delete from {table} where {_IS_OF_NEW_DEVICE}" for table in _DEVICE_TABLES)
        )
        session.command("delete from device where name not in (select name from bed_device)")


def _delete_jobs(file: Path) -> None:
    """Delete all rows of jobs, in a time that hardly depends on their number.

    SQLite empties a table at once only if the table has no triggers and foreign keys are not
    checked. The server's own connections check them, so this opens another one. Without the checks
    no deletion cascades, so `_JOB_TABLES` must list every table with rows of jobs.
    """
    with contextlib.closing(
        sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)
    ) as database:
        database.execute("pragma foreign_keys = off")
        database.execute("pragma synchronous = off")  # the folder is temporary
        database.execute("begin immediate")
        triggers = database.execute(_JOB_TRIGGERS).fetchall()
        for name, _ in triggers:
            database.execute(f"drop trigger {name}")
        for table in _JOB_TABLES:
            database.execute(f"delete from {table}")
        for _, text in triggers:
            database.execute(text)
        database.execute("commit")


def save(folder: Path, path: Path) -> None:
    """Write the state of a test bed's folder into a file; see `Bed.save`."""
    with tempfile.TemporaryDirectory(dir=folder) as own, zipfile.ZipFile(path, "w") as saved:
        copy = Path(own) / FILE
        back_up(folder, copy)
        saved.write(copy, FILE)
        saved.write(folder / AWS_MASTER_FILE, AWS_MASTER_FILE)


class BedJobs(Jobs):
    """Store of jobs that applies the scenario `stay_queued`, and counts reads for events.

    Args:
        database: The database.
        scenarios: Scenarios of jobs.
        now_ms: Clock; returns Unix milliseconds.
        sleep: Function that waits for seconds on that clock.

    Attributes:
        scenario_events: Applies events when a job is submitted or read; None until the start.
    """

    def __init__(
        self,
        database: Database,
        scenarios: Scenarios,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        super().__init__(database)
        self._sleep = sleep
        self._scenarios = scenarios
        self._now_ms = now_ms
        self.scenario_events: Events | None = None
        self._polls: dict[str, int] = {}
        self._timers: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        """Forget which jobs stay queued for a number of reads or for a time."""
        self._polls.clear()
        for each in self._timers:
            each.cancel()

    def waits_for_polls(self, job: str) -> bool:
        """Return whether a job stays queued until it has been read a number of times."""
        return job in self._polls

    async def add(self, new: NewJob, **limits: Any) -> Job:
        job = await self._enter(new.id, lambda tx: Jobs.add(tx, new, **limits))
        return await self._notify_events(job)

    async def admit(self, draft: str, ready: NewJob, **limits: Any) -> Job:
        self._scenarios.decide(ready, draft)  # the program of an upload is only known now
        entered = self._enter(draft, lambda tx: Jobs.admit(tx, draft, ready, **limits))
        return await self._notify_events(await entered)

    async def cancel_by_operator(self, job: str, failure: Failure | None = None) -> None:
        """Cancel a running job, as an operator does, or a cloud that gives its reason."""
        if failure is not None:
            await self._note_failure(job, failure)
        await self.cancel(job, actor="", now=self._now_ms())

    @write
    def _note_failure(tx: Tx, job: str, failure: Failure) -> None:
        code, text = (each.replace("'", "''") for each in (failure.code, failure.message))
        cast("Session", tx).command(
            f"update job set error_code = '{code}', error_text = '{text}' where id = '{job}'"
        )

    async def visible(self, job: str, account: str) -> Job | None:
        await self._count_poll(job)
        found = await self._database.read(lambda tx: Jobs.visible(tx, job, account))
        return found and await self._notify_events(found)

    async def visible_with_vendor_fields(self, job: str, account: str) -> tuple[Job, bytes] | None:
        await self._count_poll(job)
        found = await self._database.read(
            lambda tx: Jobs.visible_with_vendor_fields(tx, job, account)
        )
        if found is not None:
            await self._notify_events(found[0])
        return found

    async def _notify_events(self, job: Job) -> Job:
        if self.scenario_events is not None:
            await self.scenario_events.count_access(job)
        return job

    async def _enter(self, id: str, operation: Callable[[Tx], Job | Deferred[Job]]) -> Job:
        """Store a job; one that stays queued is held in the same transaction."""
        scenario = self._scenarios.get(id)
        if scenario is None or scenario.kind != "stay_queued":
            return _journaled(await self._database.write(operation), id)

        def held(tx: Tx) -> Job | Deferred[Job]:
            entered = operation(tx)
            QueueControl.hold(tx, id, "admin", actor="", now=self._now_ms())
            return entered

        job = _journaled(await self._database.write(held), id)
        if scenario.polls is not None:
            self._polls[id] = scenario.polls
        elif scenario.seconds is not None:
            timer = asyncio.create_task(self._release_after(id, scenario.seconds))
            self._timers.add(timer)
            timer.add_done_callback(self._timers.discard)
        return job

    async def _release_after(self, job: str, seconds: float) -> None:
        await self._sleep(seconds)
        await self._release(job)

    async def _count_poll(self, job: str) -> None:
        """Count the current request as a read of a job; release the job at the first after `polls`.

        A request counts once, however often it reads the job.
        """
        record = RECORD.get()
        if record is None or job in record.jobs:
            return
        record.jobs[job] = None
        left = self._polls.get(job)
        if left is None:
            return
        self._polls[job] = left - 1
        if left <= 0:
            del self._polls[job]
            await self._release(job)

    async def _release(self, job: str) -> None:
        def release(tx: Tx) -> Job:
            return QueueControl.resume(tx, job, "admin", actor="", now=self._now_ms())

        try:
            await self._database.write(release)
        except QwicketError:
            return  # the job was cancelled or deleted meanwhile


def _journaled(job: Job, id: str) -> Job:
    """Note in the journal that the current request created a job, or returned an existing one."""
    record = RECORD.get()
    if record is not None:
        record.jobs[job.id] = None
        if job.id == id:
            record.account = job.account
            record.created.append(id)
    return job
