"""Create virtual devices, waiting jobs of another account, and jobs of the past."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

from msgspec import structs

from qwicket.dialects import shown_by
from qwicket.model.devices import DeviceStatus
from qwicket.model.errors import Conflict, InvalidRequest, NotFound
from qwicket.model.jobs import Submission
from qwicket.model.limits import INT64_MAX
from qwicket.store.operations import Operations, write
from qwicket.testing.bed.world import PastJobs
from qwicket.testing.values import Scenario

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Family
    from qwicket.model.jobs import Job
    from qwicket.scheduling import Dispatcher
    from qwicket.store.batch import Session
    from qwicket.store.database import Tx
    from qwicket.testing.bed.scenarios import Scenarios
    from qwicket.testing.bed.store import BedStore
    from qwicket.testing.bed.world import WorldDevice
    from qwicket.testing.values import ScenarioKind

OTHERS: Final = "others"
"""Account of the jobs that a device's option `queue` adds."""
_ORIGIN: Final = "file"
"""Origin of new devices: as if they came from files of the operator."""
_ENDED: Final[Mapping[str, ScenarioKind]] = {
    "completed": "counts",
    "failed": "fail",
    "cancelled": "cancel",
}
"""Kind of the scenario that brings a job into its final state."""
_NEVER_FITS_BYTES: Final = 1 << 60
"""Estimated bytes of jobs that wait for ever: more than the memory of any runner."""
_POLL_S: Final = 0.005
_END_S: Final = 60.0
"""Longest time in seconds in which a job of the past must end."""
_HOUR_MS: Final = 3_600_000
_HEAD: Final = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
_BELL: Final = f"{_HEAD}qubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n"
_ONE_QUBIT: Final = f"{_HEAD}qubit q;\nbit c;\nc = measure q;\n"


class Past:
    """Creates devices, and jobs that wait or have ended.

    Args:
        gateway: Services of the server, which check programs.
        store: The database.
        scenarios: Scenarios, which decide how the jobs end.
        families: Families of the simulated devices by name; new devices are added.
        dispatcher: Dispatcher that shall run the jobs of new devices.
        actor: Function that returns the actor of an account, by its name.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self,
        gateway: Gateway,
        store: BedStore,
        scenarios: Scenarios,
        families: dict[str, Family],
        dispatcher: Dispatcher,
        actor: Callable[[str], Awaitable[Actor]],
        now_ms: Callable[[], int],
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._scenarios = scenarios
        self._families = families
        self._dispatcher = dispatcher
        self._actor = actor
        self._now_ms = now_ms
        self._copies = Copies(store.database)
        self._n_loads = 0

    async def set_device(self, device: WorldDevice) -> None:
        """Add or change a device, with jobs of others that wait for ever.

        Raises:
            Conflict: The device is a new one, but its name is that of a device that is not virtual.
            NotFound: The device is not a new one, and does not exist.
            InvalidRequest: The description is invalid.
        """
        name, now = device.name, self._now_ms()
        file = device.file()
        before = await self._store.devices.get(name)
        if file is None and before is None:
            raise NotFound(f"name: there is no device {name!r}; a new one has qubits.")
        if file is not None:
            if before is not None and before.position != file.position:
                raise Conflict(f"name: every server has a device {name!r}.", field="name")
            added = file.device(shown_by)
            await self._store.devices.seed([added], _ORIGIN)
            if file.calibration is not None:
                valid_from = min(  # in force now, whatever time the clock shows
                    file.calibration.valid_from, datetime.fromtimestamp(now / 1000, UTC)
                )
                calibration = structs.replace(file.calibration, valid_from=valid_from)
                await self._store.calibrations.seed({name: calibration}, now)
            else:
                await self._copies.forget_calibrations(name)
            self._families[name] = added.family
            self._dispatcher.serve(name)
        if device.queue:
            jobs = PastJobs(
                account=OTHERS,
                device=name,
                state="queued",
                number=device.queue,
                program=_ONE_QUBIT,
            )
            await self.add_jobs([jobs])
        status = await self._store.devices.status(name, now)
        is_on = device.is_on and not device.is_paused
        is_off = not is_on or device.is_draining
        if is_off or status.state != "on":
            status = DeviceStatus(
                is_on=is_on,
                is_draining=is_on and device.is_draining,
                is_paused=device.is_on and device.is_paused,
                reason=(device.reason or "off in this test") if is_off else "",
            )
            await self._store.devices.set_status(name, status, now)
        if device.message:
            await self._store.devices.set_message(name, device.message, now)

    async def add_jobs(self, entries: Sequence[PastJobs], now: int | None = None) -> None:
        """Add the jobs of some entries: submit one of each, await its state, replace it by copies.

        Args:
            entries: The entries.
            now: Unix milliseconds from which times count back; by default those of the clock.

        Raises:
            QwicketError: A program is invalid, a device does not exist, or a job ends in another
                state.
            TimeoutError: A job does not end within 60 s.
        """
        if not entries:
            return
        originals = [await self._run_one(entry) for entry in entries]
        self._n_loads += 1
        jobs = {job.id: entry for job, entry in zip(originals, entries, strict=True)}
        now = self._now_ms() if now is None else now
        await self._copies.multiply(jobs, now, self._n_loads)

    async def _run_one(self, entry: PastJobs) -> Job:
        """Submit one job of an entry; return it in the entry's state."""
        submission = Submission(
            dialect=entry.dialect,
            device=entry.device,
            format="openqasm3",
            source=(entry.program or _BELL).encode(),
            shots=entry.shots,
            name=entry.name,
            tags=entry.tags,
        )
        new = await self._gateway.jobs.admission.admit(await self._actor(entry.account), submission)
        self._scenarios.set(new.id, None)  # instead of one that admission has chosen
        if entry.state == "queued":
            new = structs.replace(new, est_bytes=_NEVER_FITS_BYTES)
        elif entry.state != "completed" or entry.counts:
            try:
                scenario = Scenario(
                    kind=_ENDED[entry.state],
                    counts=entry.counts,
                    code=entry.code,
                    message=entry.message,
                )
            except ValueError as error:
                raise InvalidRequest(f"jobs: {error}", field="jobs") from None
            self._scenarios.set(new.id, scenario)
        job: Job | None = await self._store.jobs.add(new, waiting_limit=INT64_MAX)
        async with asyncio.timeout(_END_S):
            while job is not None and entry.state != "queued" and not job.state.is_final:
                await asyncio.sleep(_POLL_S)
                job = await self._store.jobs.get(new.id)
        if job is None or job.state.value != entry.state:
            state = "gone" if job is None else job.state
            raise InvalidRequest(
                f"jobs: a job on {entry.device} is {state}, not {entry.state}.", field="jobs"
            )
        return job


class Copies(Operations):
    """Copies jobs to other times, with SQL that no production server runs."""

    @write
    def forget_calibrations(tx: Tx, device: str) -> None:
        """Delete the calibrations of a device; its name must be valid, as it becomes SQL."""
        cast("Session", tx).command(f"delete from calibration where device = '{device}'")

    @write
    def multiply(tx: Tx, jobs: Mapping[str, PastJobs], now: int, load: int) -> None:
        """Replace each job by its copies, in the order of their times.

        Args:
            tx: The transaction.
            jobs: Number and times of the copies, by the id of the job.
            now: Unix milliseconds.
            load: Number of this call, which makes the ids of its copies unique.
        """
        session = cast("Session", tx)
        session.command(
            "drop table if exists temp.bed_time",
            "create temp table bed_time (job text, at integer)",
            *(_times(job, entry, now) for job, entry in jobs.items()),
        )
        session.command(*_PREPARE_COPIES)
        session.command(*(text.replace(":load", str(load)) for text in _INSERT_COPIES))
        tx.run("project_repair_bytes")


def _times(job: str, entry: PastJobs, now: int) -> str:
    """Return a statement that lists the times of a job's copies."""
    first = now - round(entry.hours_ago * _HOUR_MS)
    over_hours = entry.hours_ago if entry.over_hours is None else entry.over_hours
    last = min(now, first + round(over_hours * _HOUR_MS))
    step = (last - first) / max(1, entry.number - 1)
    return (
        "insert into temp.bed_time with recursive copy (n) as ("
        f"select 0 union all select n + 1 from copy where n + 1 < {entry.number}"
        f") select '{job}', {first} + cast(n * {step!r} as integer) from copy"
    )


_PREPARE_COPIES: Final = (
    # Rows in the order of their times. The n-th gets n milliseconds more, so all differ.
    "drop table if exists temp.bed_rank",
    "create temp table bed_rank as select job, at + row_number() over (order by at) as at"
    " from temp.bed_time order by at",
    "drop table if exists temp.bed_job",
    "create temp table bed_job as select job.*, bed_rank.at - job.created_at as later"
    " from temp.bed_rank join job on job.id = bed_rank.job order by bed_rank.rowid",
    "drop table if exists temp.bed_of",
    "create temp table bed_of (job text primary key, was text)",
)
_TIME: Final = "(created_at + later)"
_ID: Final = (
    f"printf('%08x-%04x-7%03x-8%03x-%012x', {_TIME} >> 16, {_TIME} & 65535,"
    " :load & 4095, :load >> 12 & 4095, rowid << 16)"  # the low 16 bits number parts of a job
)
_TIME_COLUMNS: Final = ("queued_at", "started_at", "ended_at", "created_at")
_CHILDREN: Final = {
    "program": "format, source, inputs, circuits, options, reader_version",
    "outcome": "part, body, sha256, error_code, error_text",
    "job_vendor_fields": "body",
    "job_event": 'version, at, "from", "to", actor, reason',
}
_ORIGINALS: Final = "(select distinct was from temp.bed_of)"
_ADD_USE: Final = (
    "insert into account_use (project, device, day, account, jobs, shots, us, cost)"
    " select project, device, ended_at - ended_at % 86400000, account,"
    " {0} count(*), {0} sum(used_shots), {0} sum(used_us), {0} sum(coalesce(cost, 0)) from job"
    " where id in (select {1} from temp.bed_of) and (used_shots > 0 or used_us > 0)"
    " group by 1, 2, 3, 4 on conflict (project, device, day, account) do update set"
    " jobs = jobs + excluded.jobs, shots = shots + excluded.shots, us = us + excluded.us,"
    " cost = cost + excluded.cost"
)
"""Adds the use of jobs to the sums of each day; with `-` for {0}, subtracts it."""
_SEQ: Final = "(select seq from sqlite_sequence where name = 'job') + rowid"
_INSERT_COPIES: Final = (
    f"insert into temp.bed_of select {_ID}, id from temp.bed_job",
    f"update temp.bed_job set seq = {_SEQ}, id = {_ID}, change = 1000 * {_TIME}",
    *(f"update temp.bed_job set {each} = {each} + later" for each in _TIME_COLUMNS),
    "alter table temp.bed_job drop column later",
    "insert into job select * from temp.bed_job",
    *(
        f"insert into {table} (job, {columns}) select bed_of.job, {columns}"
        f" from temp.bed_of join {table} on {table}.job = bed_of.was"
        for table, columns in _CHILDREN.items()
    ),
    _ADD_USE.format("", "job"),
    _ADD_USE.format("-", "distinct was"),
    "delete from account_use where jobs = 0",
    *(f"delete from {table} where job in {_ORIGINALS}" for table in (*_CHILDREN, "lease")),
    f"delete from job where id in {_ORIGINALS}",
    *(f"drop table temp.bed_{each}" for each in ("time", "rank", "job", "of")),
)
