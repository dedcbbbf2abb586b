"""What a lab's agent may do: announce its device, pull jobs, bring back what came of them.

Its token serves named devices and does nothing else. Whatever an agent sends is a stranger's: an
outcome is taken whole or refused.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.circuits import outcome_checks
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, Ran
from qwicket.gateway.announcements import check_announced
from qwicket.model.accounts import Scope
from qwicket.model.devices import Device
from qwicket.model.errors import Conflict, Forbidden, InvalidRequest, NotFound
from qwicket.model.failures import Failure
from qwicket.model.ids import parse_id
from qwicket.model.jobs import Lease, Runner
from qwicket.scheduling import AgentDesk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from qwicket.circuits.calibrations import Calibration
    from qwicket.compute import Readers
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import DeviceSpec, Family
    from qwicket.model.jobs import Assignment, Job, Order, Progress
    from qwicket.model.limits import Limits
    from qwicket.store import Handout, Store

_POSITION: Final = 1_000
"""Labs' devices are listed after the server's own."""
_CHECKS_AT_ONCE: Final = 1
"""Outcomes that are unpacked at the same time: each may take `result_bytes` of memory."""

_options: Final = msgspec.msgpack.Decoder(RunOptions)


class Pulled(NamedTuple):
    """A job in an agent's hands.

    Attributes:
        assignment: The lease, and the circuits.
        handout: The program as it was submitted.
        options: How it is to be run.
        family: Of the device.
    """

    assignment: Assignment
    handout: Handout
    options: RunOptions
    family: Family


class Agents:
    """Serving devices, on behalf of an actor whose token is for that.

    Args:
        store: What is kept.
        readers: Read layouts.
        limits: Bounds on all requests.
        now_ms: The clock.
        lease_s: Lease time of runners.
    """

    def __init__(
        self,
        store: Store,
        readers: Readers,
        limits: Limits,
        now_ms: Callable[[], int],
        *,
        lease_s: float,
    ) -> None:
        self._store = store
        self._readers = readers
        self._limits = limits
        self._now_ms = now_ms
        self._desk = AgentDesk(store, now_ms, lease_s=lease_s, most=limits.agents.device_agents)
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    @property
    def renew_s(self) -> float:
        """Seconds between two renewals of an agent."""
        return self._desk.renew_s

    @property
    def stale_results(self) -> int:
        """How often something came under a lease that was not the newest."""
        return self._desk.stale_results

    async def announce(
        self,
        actor: Actor,
        name: str,
        family: Family,
        doors: Sequence[str],
        spec: DeviceSpec,
        *,
        shown_by: Collection[str] = (),
    ) -> Device:
        """Write what a lab says of its device; it is shown under the account's name.

        Args:
            actor: Its token names the device.
            name: Of the device.
            family: Of its programs; once chosen it stays.
            doors: Where it appears; the native door always is one.
            spec: What it can do.
            shown_by: The dialects that show devices of its family.

        Raises:
            Forbidden: The token does not serve this device.
            Conflict: The name is taken, or the family another than it was.
            InvalidRequest: A field makes no sense; it is named.
            LimitExceeded: A number is out of range; the limit is named.
        """
        _require(actor, name)
        check_announced(name, family, doors, spec, self._limits, shown_by)
        if spec.photonic is not None:
            await self._check_layout(actor, spec.photonic.layout)
        device = Device(
            name=name,
            family=family,
            provider=actor.account_name,
            driver="agent",
            doors=tuple(dict.fromkeys(("native", *doors))),
            position=_POSITION,
            spec=spec,
        )
        await self._store.agents.announce(device)
        return device

    async def _check_layout(self, actor: Actor, layout: str) -> None:
        """Have a layout read in a process of its own: it is a program from outside too."""
        refusal = await self._readers.check_layout(layout, account=actor.account)
        if refusal is not None:
            raise InvalidRequest(f"layout: {refusal.detail}.", field="photonic")

    async def calibrate(self, actor: Actor, name: str, calibration: Calibration) -> None:
        """Add a calibration to the history of a device, unless it is the last one again.

        Raises:
            Forbidden: The token does not serve this device.
            NotFound: It was not announced.
            InvalidRequest: The figures are not of such a device.
        """
        device = await self._served(actor, name)
        if device.family != "qubit":
            raise InvalidRequest(
                "Calibrations are of devices of the family qubit; a photonic one has a certificate"
                " in its spec.",
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
    ) -> Pulled | None:
        """Return the next job of a device, or None when none came in time.

        Args:
            actor: Its token names the device.
            device: Its name.
            agent: What the agent calls itself; unique among those of the account.
            known: Leases that it believes to hold; others are offered again.
            wait_s: Seconds to wait for a job.
            is_gone: Whether nobody waits for the answer any more.

        Raises:
            Forbidden: The token does not serve this device.
            NotFound: It was not announced.
            Unavailable: The server stops.
        """
        served = await self._served(actor, device)
        runner = Runner(_runner(actor, device, agent), "agent", 0, 1, device)
        held = [msgspec.structs.replace(each, runner=runner.id) for each in known]
        assignment = await self._desk.claim(runner, held, wait_s, is_gone)
        if assignment is None:
            return None
        handout = await self._store.agents.handout(assignment.lease.job)
        options = _options.decode(handout.options)
        return Pulled(assignment, handout, options, served.family)

    async def renew(
        self,
        actor: Actor,
        agent: str,
        id_text: str,
        known: Sequence[Lease],
        progress: Mapping[str, Progress],
    ) -> dict[str, Order]:
        """Prove that an agent lives; return an order for each job it believes to hold.

        Args:
            actor: Its token names the device.
            agent: What the agent calls itself.
            id_text: One of the jobs: whose device it serves.
            known: Leases that it believes to hold, that job's among them.
            progress: How far it is, by job.

        Raises:
            NotFound: No such job, or the token does not serve its device.
            InvalidRequest: The job is not among those that it believes to hold.
        """
        job = await self._job(actor, id_text)
        if job.id not in {each.job for each in known}:
            raise InvalidRequest(f"held: the lease {job.id} is not among them.", field="held")
        runner = Runner(_runner(actor, job.device, agent), "agent", 0, 1, job.device)
        held = [msgspec.structs.replace(each, runner=runner.id) for each in known]
        return await self._desk.renew(runner, held, progress)

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
        """End a job with what the lab's device gave, whole or not at all.

        Raises:
            NotFound: No such job, or the token does not serve its device.
            StaleLease: Another runner has the job, or it has ended.
            InvalidRequest: The outcome is damaged, or not what was asked for.
            LimitExceeded: It is too large.
        """
        job = await self._job(actor, id_text)
        runner = _runner(actor, job.device, agent)
        lease = Lease(job=job.id, fence=fence, nonce=nonce, runner=runner)
        await self._desk.require(lease)
        if isinstance(result, Failure):
            return await self._desk.finish(lease, Ran(result, seconds))
        await self._check(job, result)
        return await self._desk.finish(lease, Ran(tuple(result), seconds))

    async def _check(self, job: Job, result: Sequence[Encoded | Failure]) -> None:
        if len(result) != job.n_circuits:
            raise InvalidRequest(
                f"parts: there are {len(result)}, the job has {job.n_circuits}.", field="parts"
            )
        parts = [(k, each) for k, each in enumerate(result) if isinstance(each, Encoded)]
        device = await self._store.devices.get(job.device)
        assert device is not None
        handout = await self._store.agents.handout(job.id)

        def check() -> None:
            options = _options.decode(handout.options)
            known = frames(device.family, handout.circuits)
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
        blamed: bool,
    ) -> Job:
        """Offer a job again; cancel it where that was asked for.

        Args:
            actor: Its token names the device.
            agent: What the agent calls itself.
            id_text: The job.
            fence: Of the lease.
            nonce: Of the lease.
            reason: A few words; the job's events have them.
            blamed: Whether the lab's program died of it; the third time fails it.

        Raises:
            NotFound: No such job, or the token does not serve its device.
            StaleLease: Another runner has the job, or it has ended.
        """
        job = await self._job(actor, id_text)
        runner = _runner(actor, job.device, agent)
        lease = Lease(job=job.id, fence=fence, nonce=nonce, runner=runner)
        await self._desk.require(lease)
        return await self._desk.release(lease, reason, blamed=blamed)

    async def leave(self, actor: Actor, device: str, agent: str) -> None:
        """Forget an agent that says goodbye; what it holds is offered again.

        Raises:
            Forbidden: The token does not serve this device.
            NotFound: It was not announced.
        """
        await self._served(actor, device)
        await self._desk.leave(_runner(actor, device, agent))

    async def _served(self, actor: Actor, name: str) -> Device:
        _require(actor, name)
        device = await self._store.devices.get(name)
        if device is None:
            raise NotFound(f"The device {name} was not announced.", field="device")
        if device.driver != "agent":
            raise Conflict(f"{name} is a device of the server itself.", field="device")
        return device

    async def _job(self, actor: Actor, id_text: str) -> Job:
        """Return the job of a lease; one of a device that is not served looks like none."""
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


def _runner(actor: Actor, device: str, agent: str) -> str:
    """Return an agent's runner: none of another account, or for another device, passes for it."""
    return f"{actor.account}/{device}/{agent}"
