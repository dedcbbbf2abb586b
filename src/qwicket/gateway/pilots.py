"""Operations for pilots: workers on other machines, and labs' agents.

A worker runs the jobs of all simulated devices, so its token reads every user's programs, and only
administrators can create it. An agent runs those of one device that its token names. What either
sends is untrusted: each result is checked before it is stored.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket import engines
from qwicket.circuits import PACKING_VERSION
from qwicket.circuits.frames import frames
from qwicket.circuits.options import LabOptions, RunOptions
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.gateway.projects_of_workers import ProjectsOfWorkers
from qwicket.model.accounts import Scope
from qwicket.model.errors import Conflict, InvalidRequest, LimitExceeded, QwicketError
from qwicket.model.failures import Failure
from qwicket.model.jobs import Capacity, Runner
from qwicket.model.limits import INT64_MAX
from qwicket.scheduling import Offer, PilotScheduler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from qwicket.gateway.lab_devices import LabDevices
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Family
    from qwicket.model.jobs import Assignment, Directive, Lease, Progress
    from qwicket.model.limits import Limits
    from qwicket.model.states import JobState
    from qwicket.store import FullProgram, PackedProgram, Store

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_CHECKS_AT_ONCE: Final = 2
"""Workers' requests whose results are checked at the same time."""
_LAB_CHECKS_AT_ONCE: Final = 1
"""The same for agents, each of whose results may take `result_bytes` of memory."""
_DEVICES_S: Final = 10.0
"""Age limit in seconds of the list of simulated devices, which only a starting server changes."""

_options: Final = msgspec.msgpack.Decoder(RunOptions)
_lab_options: Final = msgspec.msgpack.Decoder(LabOptions)
_log = logging.getLogger(__name__)


class PilotOffer(NamedTuple):
    """What a pilot can take, as its requests state; see `schema.pilots.OfferBody`.

    `packing` is the version of its binary format of circuits, `request` the number of the request.
    """

    version: str
    packing: int
    request: int
    slots: int
    tasks: int
    tiny_tasks: int
    capacity: Capacity
    devices: frozenset[str]
    projects: tuple[str, ...] = ()
    except_projects: tuple[str, ...] = ()


class TaskJob(NamedTuple):
    """A job of a task.

    Attributes:
        assignment: The lease, and the circuits.
        family: Family of the circuits.
        full_program: The program as submitted, for a lab's device.
    """

    assignment: Assignment
    family: Family
    full_program: FullProgram | None = None


class PulledTasks(NamedTuple):
    """Tasks to run, each a list of jobs, and directives by job id and fencing token."""

    tasks: list[list[TaskJob]]
    directives: dict[tuple[str, int], Directive]


class Reports(NamedTuple):
    """States of jobs after a report, None where the lease was not the newest; and tasks to run."""

    states: Mapping[str, JobState | None]
    tasks: list[list[TaskJob]]


class _Serving(NamedTuple):
    """A pilot, and the family of each device that it serves."""

    runner: Runner
    families: Mapping[str, Family]

    @property
    def is_of_lab(self) -> bool:
        return self.runner.kind == "agent"

    def offer(self, offer: PilotOffer) -> Offer:
        return Offer(
            request=offer.request,
            # One job for a lab, whose response also has the program as it was submitted.
            tasks=min(offer.tasks, 1) if self.is_of_lab else offer.tasks,
            tiny_tasks=0 if self.is_of_lab else offer.tiny_tasks,
            capacity=offer.capacity._replace(projects=self.runner.projects),
            devices=self.families,
            is_of_lab=self.is_of_lab,
        )


class Pilots:
    """Serves pilots on behalf of an actor whose token allows it.

    Args:
        store: The database.
        lab_devices: Finds the device of an agent.
        limits: Bounds on all requests.
        now_ms: Clock; returns Unix milliseconds.
        lease_s: Lease time of runners.
    """

    def __init__(
        self,
        store: Store,
        lab_devices: LabDevices,
        limits: Limits,
        now_ms: Callable[[], int],
        *,
        lease_s: float,
    ) -> None:
        self._store = store
        self._lab_devices = lab_devices
        self._projects = ProjectsOfWorkers(store)
        self._limits = limits
        self._now_ms = now_ms
        self._scheduler = PilotScheduler(store, now_ms, lease_s=lease_s)
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)
        self._lab_checks = asyncio.Semaphore(_LAB_CHECKS_AT_ONCE)
        self._families: dict[str, Family] = {}
        self._families_until = 0.0

    @property
    def pull_s(self) -> float:
        """Longest wait of a pull in seconds."""
        return self._scheduler.pull_s

    @property
    def stale_results(self) -> int:
        """Number of results and releases that were refused because their lease was stale."""
        return self._scheduler.stale_results

    async def pull(
        self,
        actor: Actor,
        name: str,
        offer: PilotOffer,
        known: Sequence[Lease],
        stopping: Collection[str],
        progress: Mapping[str, Progress],
        settled: int,
        wait_s: float,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> PulledTasks:
        """Return tasks and directives for a pilot, or none of either after `wait_s`.

        Args:
            actor: Its token has the scope `compute:serve`, or serves a lab's device.
            name: Name of the pilot, unique within the account.
            offer: What the pilot can take.
            known: Leases that it reports to hold.
            stopping: Ids of the jobs that it is stopping already.
            progress: Reported progress by job.
            settled: Number of a request; the pilot awaits no response to it or to an earlier one.
            wait_s: Seconds to wait, at most `pull_s`.
            is_gone: Returns whether the client has disconnected.

        Raises:
            Conflict: The worker packs circuits by another version than this server, or the agent's
                device is the server's own.
            Forbidden: The token does not serve the agent's device.
            InvalidRequest: The pilot's name is invalid, or an agent names several devices.
            NotFound: The agent's device was not announced.
            LimitExceeded: There are too many pilots, or an agent names too many jobs.
            Unavailable: The server is stopping.
        """
        serving = await self._serving(actor, name, offer)
        self._check_number(serving, "held", len(known))
        agents = self._limits.agents
        pulled = await self._scheduler.pull(
            serving.runner,
            serving.offer(offer),
            known=[_with_runner(each, serving.runner) for each in known],
            stopping=stopping,
            settled=settled,
            wait_s=min(wait_s, self.pull_s),
            is_gone=is_gone,
            progress=progress,
            maximum=agents.device_agents if serving.is_of_lab else agents.pilots,
        )
        return PulledTasks(await self._tasks(pulled.tasks, serving), pulled.directives)

    async def report(
        self,
        actor: Actor,
        name: str,
        offer: PilotOffer,
        results: Sequence[tuple[Lease, RunResult]],
        releases: Sequence[tuple[Lease, str, bool]],
    ) -> Reports:
        """Store results and releases; return the tasks to run next.

        A worker's job whose result is not what the job asked for is queued again, and the attempt
        counts. A lab's report with such a result is refused, and the lease stays.

        Args:
            actor: Its token has the scope `compute:serve`, or serves a lab's device.
            name: Name of the pilot.
            offer: What the pilot can take.
            results: Results by lease.
            releases: Leases that it gives back, the reason, and whether this counts as an attempt.

        Raises:
            Conflict, Forbidden, NotFound: As for `pull`.
            InvalidRequest: As for `pull`, or the result of a lab is not what its job asked for.
            LimitExceeded: The result of a lab is too large.
        """
        serving = await self._serving(actor, name, offer)
        self._check_number(serving, "results", len(results))
        self._check_number(serving, "releases", len(releases))
        found = [(_with_runner(lease, serving.runner), result) for lease, result in results]
        given_back = [
            (_with_runner(lease, serving.runner), reason, counts)
            for lease, reason, counts in releases
        ]
        stale: set[Lease] = set()
        if serving.is_of_lab:
            reported = [lease for lease, _ in found] + [lease for lease, _, _ in given_back]
            stale = await self._scheduler.stale(reported)
            found = [each for each in found if each[0] not in stale]
            given_back = [each for each in given_back if each[0] not in stale]
            found = await self._checked_of_lab(serving, found)
        else:
            found, refused = await self._checked(found)
            given_back += refused
        states, tasks = await self._scheduler.report(
            serving.runner.id, found, given_back, serving.offer(offer)
        )
        states = {**dict.fromkeys([each.job for each in stale]), **states}
        return Reports(states, await self._tasks(tasks, serving))

    async def leave(self, actor: Actor, name: str) -> None:
        """Delete a pilot that leaves, and queue its jobs again.

        Raises:
            InvalidRequest: Its name is invalid.
        """
        _check(actor, name)
        if Scope.DEVICES_SERVE in actor.scopes:
            runners = [_agent_id(actor, device, name) for device in sorted(actor.devices)]
        else:
            runners = [_worker_id(actor, name)]
        for each in runners:
            await self._scheduler.leave(each)

    async def _serving(self, actor: Actor, name: str, offer: PilotOffer) -> _Serving:
        """Return a pilot and its devices: an agent if the token serves a lab's devices."""
        _check(actor, name)
        if Scope.DEVICES_SERVE not in actor.scopes:
            runner = await self._worker(actor, name, offer)
            return _Serving(runner, await self._simulated(actor, offer))
        if len(offer.devices) != 1:
            raise InvalidRequest(
                f"offer.devices: an agent serves one device, not {len(offer.devices)}.",
                field="offer.devices",
            )
        (served,) = offer.devices
        device = await self._lab_devices.served(actor, served)
        runner = Runner(
            id=_agent_id(actor, device.name, name),
            kind="agent",
            beat=0,
            slots=1,  # whatever it offers: forecasts and reservations count slots
            device=device.name,
        )
        return _Serving(runner, {device.name: device.family})

    def _check_number(self, serving: _Serving, field: str, number: int) -> None:
        """Refuse more jobs than an agent may name; the body's own bound is a worker's."""
        maximum = self._limits.agents.held_leases
        if serving.is_of_lab and number > maximum:
            raise LimitExceeded(
                f"{field} must have at most {maximum} items (limit held_leases), not {number}.",
                field=field,
            )

    async def _worker(self, actor: Actor, name: str, offer: PilotOffer) -> Runner:
        if offer.packing != PACKING_VERSION:
            from importlib.metadata import version  # late: it imports much

            raise Conflict(
                f"This worker is version {offer.version} and packs circuits by version"
                f" {offer.packing}; the server is version {version('qwicket')} and packs by"
                f" {PACKING_VERSION}. Install the server's version on the worker's machine.",
                field="packing",
            )
        memory_bytes, seconds, _ = offer.capacity
        task_bytes = None if memory_bytes == INT64_MAX else memory_bytes
        serves_some = offer.devices or actor.devices or offer.projects or offer.except_projects
        return Runner(
            id=_worker_id(actor, name),
            kind="pilot",
            beat=0,
            slots=offer.slots,
            # One that serves some jobs must not raise the limit of all.
            memory_bytes=None if serves_some else task_bytes,
            task_bytes=task_bytes,
            ends_at=None if seconds == inf else self._now_ms() + int(1000 * seconds),
            projects=await self._projects.named(offer.projects, offer.except_projects),
        )

    async def _simulated(self, actor: Actor, offer: PilotOffer) -> dict[str, Family]:
        """Return the devices that a worker serves, with the family of each."""
        if time.monotonic() >= self._families_until:
            devices = await self._store.devices.all()
            self._families = {each.name: each.family for each in devices if each.is_simulated}
            self._families_until = time.monotonic() + _DEVICES_S
        return {
            name: family
            for name, family in self._families.items()
            if actor.sees(name) and (not offer.devices or name in offer.devices)
        }

    async def _tasks(
        self, tasks: Sequence[Sequence[Assignment]], serving: _Serving
    ) -> list[list[TaskJob]]:
        if not serving.is_of_lab:
            families = serving.families
            return [[TaskJob(each, families[each.device]) for each in task] for task in tasks]
        programs = self._store.agents
        return [
            [
                TaskJob(
                    each, serving.families[each.device], await programs.full_program(each.lease.job)
                )
                for each in task
            ]
            for task in tasks
        ]

    async def _checked_of_lab(
        self, serving: _Serving, results: Sequence[tuple[Lease, RunResult]]
    ) -> list[tuple[Lease, RunResult]]:
        """Return results with the values of estimations in place of their runs.

        Refuse results that are not what their jobs asked for, and several for one job.
        """
        if not results:
            return []
        if len({lease.job for lease, _ in results}) < len(results):
            raise InvalidRequest("results: there are several for one job.", field="results")
        programs = await self._store.jobs.packed([lease.job for lease, _ in results])
        (family,) = serving.families.values()

        def checked(lease: Lease, result: RunResult) -> RunResult:
            program = programs.get(lease.job)
            if program is None:  # the job was deleted
                return result
            self._check(result, program, family, is_simulated=False)
            options = _lab_options.decode(program.options)
            if isinstance(result.result, Failure) or not options.combinations:
                return result
            return result._replace(result=engines.combine(options, result.result))

        async with self._lab_checks:
            return await asyncio.to_thread(
                lambda: [(lease, checked(lease, result)) for lease, result in results]
            )

    async def _checked(
        self, results: Sequence[tuple[Lease, RunResult]]
    ) -> tuple[list[tuple[Lease, RunResult]], list[tuple[Lease, str, bool]]]:
        """Return the valid results, and releases for the others."""
        if not results:
            return [], []
        programs = await self._store.jobs.packed([lease.job for lease, _ in results])
        async with self._checks:
            reasons = await asyncio.to_thread(self._reasons, results, programs)
        valid, refused = [], []
        for (lease, result), reason in zip(results, reasons, strict=True):
            if reason is None:
                valid.append((lease, result))
                continue
            _log.warning("an invalid result was refused: %s", reason, extra={"job": lease.job})
            refused.append((lease, "its worker sent an invalid result", True))
        return valid, refused

    def _reasons(
        self,
        results: Sequence[tuple[Lease, RunResult]],
        programs: Mapping[str, PackedProgram],
    ) -> list[str | None]:
        """Return for each result why it is refused, or None."""
        reasons: list[str | None] = []
        for lease, result in results:
            program = programs.get(lease.job)
            family = self._families.get(program.device) if program else None
            # Without a program and a family, no pilot has the lease: the job was deleted, or its
            # device is not simulated.
            try:
                if program is not None and family is not None:
                    self._check(result, program, family, is_simulated=True)
            except QwicketError as error:
                reasons.append(error.detail)
            else:
                reasons.append(None)
        return reasons

    def _check(
        self, result: RunResult, program: PackedProgram, family: Family, *, is_simulated: bool
    ) -> None:
        from qwicket.circuits import outcome_checks  # late: it imports NumPy

        if isinstance(result.result, Failure):
            return
        expected = frames(family, program.circuits)
        if len(result.result) != len(expected):
            raise InvalidRequest(
                f"parts: there are {len(result.result)}, the job has {len(expected)}.",
                field="parts",
            )
        parts = [(k, each) for k, each in enumerate(result.result) if isinstance(each, Encoded)]
        options = _options.decode(program.options)
        outcome_checks.check(parts, expected, options, self._limits, is_simulated=is_simulated)


def _check(actor: Actor, name: str) -> None:
    """Refuse a token that serves nothing, and an invalid name of a pilot.

    Raises:
        Forbidden: The token lacks both scopes.
        InvalidRequest: The name is invalid.
    """
    actor.require(Scope.COMPUTE_SERVE, Scope.DEVICES_SERVE)
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "A worker's name must be 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', and begin with a"
            f" letter or digit; not {name[:100]!r}.",
            field="name",
        )


def _worker_id(actor: Actor, name: str) -> str:
    """Return the id of a worker's runner. The account in it keeps equal names apart."""
    return f"{actor.account}/{name}"


def _agent_id(actor: Actor, device: str, name: str) -> str:
    """Return the id of an agent's runner. Account and device in it keep equal names apart."""
    return f"{actor.account}/{device}/{name}"


def _with_runner(lease: Lease, runner: Runner) -> Lease:
    return msgspec.structs.replace(lease, runner=runner.id)
