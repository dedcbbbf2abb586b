"""Operations for a lab's agent: announce its device, claim jobs, report results.

The agent's token allows nothing but to serve named devices. Results are untrusted: each is
validated, and accepted or refused as a whole.
"""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.gateway.announcements import check_announced
from qwicket.model.accounts import Scope
from qwicket.model.devices import Device
from qwicket.model.errors import Conflict, Forbidden, InvalidRequest, NotFound
from qwicket.model.failures import Failure
from qwicket.model.ids import parse_id
from qwicket.model.jobs import Lease, Runner
from qwicket.scheduling import AgentScheduler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from qwicket.circuits.calibrations import Calibration
    from qwicket.compute import ParserPool
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import DeviceSpec, DialectNeeds, Family
    from qwicket.model.jobs import Assignment, Directive, Job, Progress
    from qwicket.model.limits import Limits
    from qwicket.store import FullProgram, Store

_POSITION: Final = 1_000
"""Place in lists of devices: labs' devices come after the server's own."""
_CHECKS_AT_ONCE: Final = 1
"""Results that are validated at the same time, each of which may take `result_bytes` of memory."""

_options: Final = msgspec.msgpack.Decoder(RunOptions)


class ClaimedJob(NamedTuple):
    """A job claimed by an agent.

    Attributes:
        assignment: The lease, and the circuits.
        full_program: The program as submitted.
        options: Options of the run.
        family: Family of the device.
    """

    assignment: Assignment
    full_program: FullProgram
    options: RunOptions
    family: Family


class Agents:
    """Serves devices on behalf of an actor whose token allows it.

    Args:
        store: The database.
        parsers: Parse layouts.
        limits: Bounds on all requests.
        now_ms: Clock; returns Unix milliseconds.
        lease_s: Lease time of runners.
    """

    def __init__(
        self,
        store: Store,
        parsers: ParserPool,
        limits: Limits,
        now_ms: Callable[[], int],
        *,
        lease_s: float,
    ) -> None:
        self._store = store
        self._parsers = parsers
        self._limits = limits
        self._now_ms = now_ms
        self._scheduler = AgentScheduler(
            store, now_ms, lease_s=lease_s, maximum=limits.agents.device_agents
        )
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    @property
    def renew_s(self) -> float:
        """Seconds between renewals of an agent."""
        return self._scheduler.renew_s

    @property
    def stale_results(self) -> int:
        """Number of results and releases refused because their lease was stale."""
        return self._scheduler.stale_results

    async def announce(
        self,
        actor: Actor,
        name: str,
        family: Family,
        dialects: Sequence[str],
        spec: DeviceSpec,
        *,
        needs_of_dialects: Mapping[str, DialectNeeds] = MappingProxyType({}),
    ) -> Device:
        """Store a lab's device; its provider is the account.

        Args:
            actor: Its token names the device.
            name: Name of the device.
            family: Family of its programs, which cannot change later.
            dialects: Dialects that show it, in addition to the native one.
            spec: Specification of the device.
            needs_of_dialects: What each dialect needs of the devices of this family.

        Raises:
            Forbidden: The token does not serve this device.
            Conflict: The name is taken, or the family has changed.
            InvalidRequest: A field is invalid; the detail names it.
            LimitExceeded: A number is out of range; the detail names the limit.
        """
        _require(actor, name)
        check_announced(name, family, dialects, spec, self._limits, needs_of_dialects)
        if spec.photonic is not None:
            await self._check_layout(actor, spec.photonic.layout)
        device = Device(
            name=name,
            family=family,
            provider=actor.account_name,
            driver="agent",
            dialects=tuple(dict.fromkeys(("native", *dialects))),
            position=_POSITION,
            spec=spec,
        )
        await self._store.agents.announce(device)
        return device

    async def _check_layout(self, actor: Actor, layout: str) -> None:
        """Parse a layout in a parser process, because it is an untrusted program."""
        refusal = await self._parsers.check_layout(layout, account=actor.account)
        if refusal is not None:
            raise InvalidRequest(f"layout: {refusal.detail}.", field="photonic")

    async def calibrate(self, actor: Actor, name: str, calibration: Calibration) -> None:
        """Add a calibration to the history of a device, unless it equals the last one.

        Raises:
            Forbidden: The token does not serve this device.
            NotFound: The device was not announced.
            Conflict: The device is the server's own.
            InvalidRequest: The calibration does not fit the device.
        """
        device = await self._served(actor, name)
        if device.family != "qubit":
            raise InvalidRequest(
                "Only devices of the family qubit have calibrations; a photonic one has a"
                " certificate in its spec.",
                field="family",
            )
        try:
            calibration.check(device.spec.qubits)
        except ValueError as error:
            raise InvalidRequest(f"{error}.", field="calibration") from None
        await self._store.calibrations.seed({name: calibration}, self._now_ms())

    async def claim(
        self,
        actor: Actor,
        device: str,
        agent: str,
        known: Sequence[Lease],
        wait_s: float,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> ClaimedJob | None:
        """Return the next job of a device, or None after `wait_s`.

        Args:
            actor: Its token names the device.
            device: Name of the device.
            agent: Name of the agent, unique within the account.
            known: Leases that it reports to hold. If none of these has ended, its other jobs are
                queued again.
            wait_s: Seconds to wait for a job.
            is_gone: Returns whether the client has disconnected.

        Raises:
            Forbidden: The token does not serve this device.
            NotFound: The device was not announced.
            Conflict: The device is the server's own.
            LimitExceeded: The agent is new, and the device has as many as are allowed.
            Unavailable: The server is stopping.
        """
        served = await self._served(actor, device)
        runner = _runner(actor, device, agent)
        held = [msgspec.structs.replace(each, runner=runner.id) for each in known]
        assignment = await self._scheduler.claim(runner, held, wait_s, is_gone)
        if assignment is None:
            return None
        full_program = await self._store.agents.full_program(assignment.lease.job)
        options = _options.decode(full_program.options)
        return ClaimedJob(assignment, full_program, options, served.family)

    async def renew(
        self,
        actor: Actor,
        agent: str,
        id_text: str,
        known: Sequence[Lease],
        progress: Mapping[str, Progress],
    ) -> dict[str, Directive]:
        """Record a heartbeat; return a directive for each job that the agent reports to hold.

        Args:
            actor: Its token names the device.
            agent: Name of the agent.
            id_text: One of the jobs, which determines the device.
            known: Leases that it reports to hold, including that job's.
            progress: Progress by job.

        Raises:
            NotFound: No such job, or the token does not serve its device.
            InvalidRequest: The job of `id_text` is not in `known`.
            LimitExceeded: As for `claim`, if the agent was declared dead.
        """
        job = await self._job(actor, id_text)
        if job.id not in {each.job for each in known}:
            raise InvalidRequest(f"held: the lease {job.id} is not among them.", field="held")
        runner = _runner(actor, job.device, agent)
        held = [msgspec.structs.replace(each, runner=runner.id) for each in known]
        return await self._scheduler.renew(runner, held, progress)

    async def finish(
        self,
        actor: Actor,
        agent: str,
        id_text: str,
        fence: int,
        nonce: str,
        result: Sequence[Encoded | Failure] | Failure,
        seconds: float,
    ) -> Job:
        """End a job with the result of the lab's device, as a whole.

        Raises:
            NotFound: No such job, or the token does not serve its device.
            StaleLease: Another runner has the job, or it has ended.
            InvalidRequest: The result is malformed, or not what the job requested.
            LimitExceeded: The result is too large.
        """
        job = await self._job(actor, id_text)
        runner = _runner_id(actor, job.device, agent)
        lease = Lease(job=job.id, fence=fence, nonce=nonce, runner=runner)
        await self._scheduler.require(lease)
        if isinstance(result, Failure):
            return await self._scheduler.finish(lease, RunResult(result, seconds))
        await self._check(job, result)
        return await self._scheduler.finish(lease, RunResult(tuple(result), seconds))

    async def _check(self, job: Job, result: Sequence[Encoded | Failure]) -> None:
        if len(result) != job.n_circuits:
            raise InvalidRequest(
                f"parts: there are {len(result)}, the job has {job.n_circuits}.", field="parts"
            )
        parts = [(k, each) for k, each in enumerate(result) if isinstance(each, Encoded)]
        device = await self._store.devices.get(job.device)
        assert device is not None
        full_program = await self._store.agents.full_program(job.id)

        def check() -> None:
            from qwicket.circuits import outcome_checks  # late: it imports NumPy

            options = _options.decode(full_program.options)
            known = frames(device.family, full_program.circuits)
            outcome_checks.check(parts, known, options, self._limits)

        async with self._checks:
            await asyncio.to_thread(check)

    async def release(
        self,
        actor: Actor,
        agent: str,
        id_text: str,
        fence: int,
        nonce: str,
        reason: str,
        *,
        counts_as_attempt: bool,
    ) -> Job:
        """Queue a job again, or cancel it if its cancellation was requested.

        Args:
            actor: Its token names the device.
            agent: Name of the agent.
            id_text: Id of the job.
            fence: Fencing token of the lease.
            nonce: Nonce of the lease.
            reason: A short reason for the job's events.
            counts_as_attempt: Whether this counts as an attempt; the third attempt fails the job.

        Raises:
            NotFound: No such job, or the token does not serve its device.
            StaleLease: Another runner has the job, or it has ended.
        """
        job = await self._job(actor, id_text)
        runner = _runner_id(actor, job.device, agent)
        lease = Lease(job=job.id, fence=fence, nonce=nonce, runner=runner)
        await self._scheduler.require(lease)
        return await self._scheduler.release(lease, reason, counts_as_attempt=counts_as_attempt)

    async def leave(self, actor: Actor, device: str, agent: str) -> None:
        """Delete an agent that leaves, and queue its jobs again.

        Raises:
            Forbidden: The token does not serve this device.
            NotFound: The device was not announced.
            Conflict: The device is the server's own.
        """
        await self._served(actor, device)
        await self._scheduler.leave(_runner_id(actor, device, agent))

    async def _served(self, actor: Actor, name: str) -> Device:
        _require(actor, name)
        device = await self._store.devices.get(name)
        if device is None:
            raise NotFound(f"The device {name} was not announced.", field="device")
        if device.driver != "agent":
            raise Conflict(f"{name} is a device of the server itself.", field="device")
        return device

    async def _job(self, actor: Actor, id_text: str) -> Job:
        """Return the job of a lease. A job on a device that the token does not serve is unknown."""
        actor.require(Scope.DEVICES_SERVE)
        ref = parse_id(id_text)
        job = await self._store.jobs.get(ref.job) if ref and ref.part is None else None
        if job is None or job.device not in actor.devices:
            raise NotFound("There is no such lease.")
        return job


def _require(actor: Actor, device: str) -> None:
    actor.require(Scope.DEVICES_SERVE)
    if device not in actor.devices:
        raise Forbidden(f"This token does not serve the device {device}.", field="device")


def _runner(actor: Actor, device: str, agent: str) -> Runner:
    """Return an agent's runner, which runs one job at a time."""
    return Runner(id=_runner_id(actor, device, agent), kind="agent", beat=0, slots=1, device=device)


def _runner_id(actor: Actor, device: str, agent: str) -> str:
    """Return the id of an agent's runner. Account and device in it keep equal names apart."""
    return f"{actor.account}/{device}/{agent}"
