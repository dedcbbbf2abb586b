"""The one door behind the doors: sign in, submit, read, wait, cancel.

Every dialect calls these methods and nothing below them; nothing here knows a dialect.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import structs

from qwicket.gateway.admission import Admission
from qwicket.gateway.groups import Groups, Records
from qwicket.gateway.signin import SignIn
from qwicket.model.accounts import Scope
from qwicket.model.errors import Conflict, Forbidden, NoResult, NotFinished, NotFound
from qwicket.model.ids import parse_id
from qwicket.model.outcomes import Encoded, Failure, Outcome, PartResult, decode
from qwicket.model.states import JobState
from qwicket.scheduling import Forecast
from qwicket.store import Program

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.compute import Readers
    from qwicket.model.accounts import Actor
    from qwicket.model.calibrations import Calibrated
    from qwicket.model.devices import Device, DeviceStatus
    from qwicket.model.jobs import Job, JobQuery, Submission
    from qwicket.model.limits import Limits
    from qwicket.scheduling import Outlook, Place
    from qwicket.store import JobEvent, Store

__all__ = ["DeviceView", "Gateway", "JobPart", "Program", "Results"]

_SMALL_QUBITS: Final = 8
_SMALL_SHOTS: Final = 2_000
_SMALL_BYTES: Final = 32 << 10


class DeviceView(NamedTuple):
    """A device as a door may show it.

    Attributes:
        device: The device.
        status: Whether it takes jobs.
        qubits: What a program may have on this machine.
        calibration: The one in force, if it has any.
        engines: Those of its engines that are installed on this machine.
    """

    device: Device
    status: DeviceStatus
    qubits: int
    calibration: Calibrated | None
    engines: tuple[str, ...]


class JobPart(NamedTuple):
    """A job, or one circuit of it.

    Attributes:
        job: The job.
        number: Which circuit, from 0; None is the whole job.
        state: That of the circuit: of a failed job's circuits some may be completed.
        failure: Why it failed, if it did.
    """

    job: Job
    number: int | None
    state: JobState
    failure: Failure | None

    @classmethod
    def whole(cls, job: Job) -> JobPart:
        failure = Failure(job.error_code, job.error_text or "") if job.error_code else None
        return cls(job, None, job.state, failure)


class Gateway:
    """What every door can do, on behalf of an actor.

    Args:
        store: What is kept.
        readers: Read programs that are not small, in a process of their own.
        limits: Bounds on all requests; `memory_bytes` must be set.
        now_ms: The clock, Unix milliseconds.
    """

    def __init__(
        self, store: Store, readers: Readers, limits: Limits, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._admission = Admission(store, readers, limits, now_ms)
        self._sign_in = SignIn(store, limits, now_ms)
        self._forecast = Forecast(store, now_ms)
        self.groups = Groups(store, limits, now_ms)
        self.records = Records(store, now_ms)
        self.limits = limits

    async def sign_in(self, secret: str | None, address: str) -> Actor:
        """Return who holds this token; `address` is the client's.

        Raises:
            Unauthenticated: It is absent, unknown, expired or revoked.
            TooManyRequests: It is unknown, as were many others from this address.
        """
        return await self._sign_in.by_token(secret, address)

    async def sign_in_with_password(self, login: str, password: str, address: str) -> Actor:
        """Return who has this name or e-mail address and this password.

        Raises:
            Unauthenticated: They do not match.
            TooManyRequests: Too many tries from this address for this name.
        """
        return await self._sign_in.by_password(login, password, address)

    async def submit(self, actor: Actor, submission: Submission) -> Job:
        """Check a submission and store it; it is on disk when this returns.

        Raises:
            QwicketError: It is refused; nothing is stored.
        """
        actor.require(Scope.JOBS_WRITE)
        submission = self._admission.complete(submission)
        # First, so that a repeated submit is the same job although the device went off meanwhile.
        earlier = await self._admission.repeated(actor, submission)
        if earlier is not None:
            return earlier
        new = await self._admission.admit(actor, submission)
        return await self._store.jobs.add(new, waiting_limit=self.limits.waiting_jobs)

    async def job(self, actor: Actor, id_text: str, *, door: str | None = None) -> Job:
        """Return a job that this actor may read.

        Args:
            actor: Who asks.
            id_text: Any text; one that is no id of ours is an unknown id.
            door: Only jobs of this door exist for a vendor's door.

        Raises:
            NotFound: Absent, another account's or another door's: all look alike.
        """
        actor.require(Scope.JOBS_READ)
        return await self._find(actor, id_text, door)

    async def _find(self, actor: Actor, id_text: str, door: str | None) -> Job:
        ref = parse_id(id_text)
        job = await self._store.jobs.visible(ref.job, actor.account) if ref else None
        if job is None or ref is None or ref.part is not None or door not in (None, job.door):
            raise NotFound("There is no such job.")
        return job

    async def part(self, actor: Actor, id_text: str, *, door: str | None = None) -> JobPart:
        """Return a job, or one of its parts, that this actor may read.

        Raises:
            NotFound: As for `job`.
        """
        actor.require(Scope.JOBS_READ)
        ref = parse_id(id_text)
        if ref is None or ref.part is None:
            return JobPart.whole(await self._find(actor, id_text, door))
        job = await self._find(actor, ref.job, door)
        if ref.part >= job.n_circuits:
            raise NotFound("There is no such job.")
        return await self._part(job, ref.part)

    async def _part(self, job: Job, number: int) -> JobPart:
        if job.state is not JobState.FAILED:
            return JobPart(job, number, job.state, None)
        for result in await self._store.jobs.results(job.id, number):
            if isinstance(result, Encoded):
                return JobPart(job, number, JobState.COMPLETED, None)
            return JobPart(job, number, JobState.FAILED, result)
        failure = Failure(job.error_code or "failed", job.error_text or "")
        return JobPart(job, number, JobState.FAILED, failure)

    async def wait(
        self, actor: Actor, id_text: str, timeout_s: float, *, door: str | None = None
    ) -> Job:
        """Return the job when it has ended, or as it is after `timeout_s` seconds.

        Raises:
            NotFound: As for `job`.
        """
        actor.require(Scope.JOBS_READ)
        return await self._wait(actor, id_text, timeout_s, door)

    async def _wait(self, actor: Actor, id_text: str, timeout_s: float, door: str | None) -> Job:
        deadline = time.monotonic() + timeout_s
        ref = parse_id(id_text)
        with self._store.changes.watch(ref.job if ref else "") as watch:
            job = await self._find(actor, id_text, door)
            while not job.state.is_final and await watch.changed(deadline - time.monotonic()):
                job = await self._find(actor, id_text, door)
        return job

    async def jobs(self, actor: Actor, query: JobQuery) -> list[Job]:
        """Return the actor's own jobs, newest first."""
        actor.require(Scope.JOBS_READ)
        return await self._store.jobs.page(structs.replace(query, account=actor.account))

    async def cancel(
        self, actor: Actor, id_text: str, *, door: str | None = None, wait_s: float = 0.0
    ) -> Job:
        """Cancel a waiting job at once, ask a running one to stop, leave an ended one as it is.

        Args:
            actor: Who asks.
            id_text: The job.
            door: As for `job`.
            wait_s: Seconds to wait for a running job to end.

        Raises:
            NotFound: As for `job`.
            Forbidden: The job is readable but another account's.
            Conflict: It is a part of a job.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self._own(actor, id_text, door, "cancel")
        await self._store.jobs.cancel(job.id, actor=actor.account, now=self._now_ms())
        return await self._wait(actor, job.id, wait_s, door)

    async def delete(self, actor: Actor, id_text: str, *, door: str | None = None) -> None:
        """Forget an ended job, its program and its results.

        Raises:
            NotFound: As for `job`.
            Forbidden: The job is readable but another account's.
            Conflict: It has not ended, or is a part of a job.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self._own(actor, id_text, door, "delete")
        await self._store.jobs.delete(job.id)

    async def _own(self, actor: Actor, id_text: str, door: str | None, verb: str) -> Job:
        """Return a job that this actor may change: parts are read-only."""
        ref = parse_id(id_text)
        if ref is not None and ref.part is not None:
            job = await self._find(actor, ref.job, door)
            if job.n_circuits == 1 or ref.part >= job.n_circuits:
                raise NotFound("There is no such job.")
            raise Conflict(f"This is part of the job {job.id}: {verb} that one.")
        job = await self._find(actor, id_text, door)
        if job.account != actor.account:
            raise Forbidden(f"Only the account that submitted a job may {verb} it.")
        return job

    async def place(self, job: Job) -> Place | None:
        """Return where a waiting job is expected to stand; None when it does not wait."""
        if job.state is not JobState.QUEUED:
            return None
        return await self._forecast.place(job.device, job.id)

    async def outlook(self, device: str) -> Outlook:
        """Return the forecast of a device's queue, at most a second old."""
        return await self._forecast.outlook(device)

    def run_time(
        self, view: DeviceView, n_qubits: int, gates: tuple[int, int], shots: int
    ) -> float:
        """Return the seconds that a job would run, as far as numbers can tell.

        Args:
            view: The device.
            n_qubits: Qubits of its circuit.
            gates: Gates on one qubit, and on two.
            shots: Shots.
        """
        return self._admission.run_time(view.device, view.calibration, n_qubits, gates, shots)

    async def events(
        self, actor: Actor, id_text: str, *, door: str | None = None
    ) -> list[JobEvent]:
        """Return what happened to a job beside the happy path.

        Raises:
            NotFound: As for `job`.
        """
        job = await self.job(actor, id_text, door=door)
        return await self._store.jobs.events(job.id)

    async def wire(self, job: Job) -> bytes:
        """Return the vendor's opaque document of a job."""
        return await self._store.jobs.wire(job.id)

    async def results(self, actor: Actor, id_text: str, *, door: str | None = None) -> Results:
        """Return what each circuit of an ended job gave, in the order of submission.

        Raises:
            NotFound: As for `job`.
            NotFinished: The job has not ended.
            NoResult: It ended without any result; the detail says why.
        """
        return await self.results_of(await self.job(actor, id_text, door=door))

    async def results_of(self, job: Job, number: int | None = None) -> Results:
        """As `results`, of a job that this actor was given just now, or of one of its circuits.

        Raises:
            NotFinished: The job has not ended.
            NoResult: It ended without any result; the detail says why.
        """
        if not job.state.is_final:
            raise NotFinished(f"The job is {job.state}.", retry_after_s=1.0)
        parts = await self._store.jobs.results(job.id, number)
        if not any(isinstance(part, Encoded) for part in parts):
            raise NoResult(f"The job was {job.state}: {job.error_text or 'it gave no result'}.")
        if _is_quick(job):
            return Results(job, [_decode(part) for part in parts])
        return Results(job, await asyncio.to_thread(lambda: [_decode(part) for part in parts]))

    async def program(self, job: Job) -> Program:
        """Return a job's program as it was submitted."""
        return await self._store.jobs.program(job.id)

    async def devices(self, door: str) -> list[DeviceView]:
        """Return the devices that this door shows, in listing order."""
        shown = [device for device in await self._store.devices.all() if door in device.doors]
        return [await self._view(device) for device in shown]

    async def device(self, name: str, door: str) -> DeviceView:
        """Return one device of this door.

        Raises:
            NotFound: The door does not show such a device.
        """
        return await self._view(await self._shown(name, door))

    async def calibration(self, name: str, door: str, at: int | None = None) -> Calibrated:
        """Return the calibration of a device that is in force, or was.

        Args:
            name: The device.
            door: Which door shows it.
            at: Unix milliseconds; None is now.

        Raises:
            NotFound: The door shows no such device, or nothing was measured of it by then.
        """
        await self._shown(name, door)
        at = self._now_ms() if at is None else at
        found = await self._store.calibrations.at(name, at)
        if found is None:
            raise NotFound(f"The device {name} has no calibration, or had none by then.")
        return found

    async def calibrations(self, name: str, door: str, limit: int) -> list[Calibrated]:
        """Return the last calibrations of a device, the one in force first.

        Raises:
            NotFound: The door shows no such device.
        """
        await self._shown(name, door)
        return await self._store.calibrations.history(name, self._now_ms(), limit)

    async def calibration_by_id(self, name: str, door: str, calibration: str) -> Calibrated:
        """Return a calibration that some job was run by.

        Raises:
            NotFound: The door shows no such device, or it has no such calibration.
        """
        await self._shown(name, door)
        found = await self._store.calibrations.get(calibration)
        if found is None or found.device != name:
            raise NotFound(f"The device {name} has no such calibration.")
        return found

    async def _shown(self, name: str, door: str) -> Device:
        device = await self._store.devices.get(name)
        if device is None or door not in device.doors:
            raise NotFound(f"There is no device {name}.")
        return device

    async def _view(self, device: Device) -> DeviceView:
        now = self._now_ms()
        admission = self._admission
        status = await self._store.devices.status(device.name, now)
        calibration = await self._store.calibrations.at(device.name, now)
        is_twin = calibration is not None and device.driver == "simulated"
        return DeviceView(
            device,
            status,
            admission.widest(device, is_twin),
            calibration,
            admission.offered(device),
        )


class Results(NamedTuple):
    """An ended job and what its circuits gave."""

    job: Job
    parts: list[Outcome | Failure]

    @property
    def is_small(self) -> bool:
        """Whether a door words it in about a millisecond; else it does so beside the loop."""
        outcomes = [part for part in self.parts if isinstance(part, Outcome)]
        size = sum(len(array.data) for part in outcomes for array in part.arrays.values())
        return _is_quick(self.job) and size <= _SMALL_BYTES


def _is_quick(job: Job) -> bool:
    """Say whether a job's result is decoded in well under a millisecond."""
    return job.n_qubits <= _SMALL_QUBITS and job.shots * job.n_circuits <= _SMALL_SHOTS


def _decode(part: PartResult) -> Outcome | Failure:
    return decode(part) if isinstance(part, Encoded) else part
