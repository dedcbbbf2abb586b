"""Operations for pilots: workers on other machines that run the jobs of simulated devices.

A pilot's token reads every user's programs, so only administrators can create it. Results of pilots
are checked before they are stored.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.circuits import PACKING_VERSION
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Scope
from qwicket.model.errors import Conflict, InvalidRequest, QwicketError
from qwicket.model.failures import Failure
from qwicket.model.jobs import Capacity, Runner
from qwicket.scheduling import Offer, PilotScheduler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Family
    from qwicket.model.jobs import Assignment, Directive, Lease
    from qwicket.model.limits import Limits
    from qwicket.model.states import JobState
    from qwicket.store import PackedProgram, Store

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_CHECKS_AT_ONCE: Final = 2
"""Requests whose results are checked at the same time."""
_DEVICES_S: Final = 10.0
"""Age limit in seconds of the list of simulated devices, which only a starting server changes."""

_options: Final = msgspec.msgpack.Decoder(RunOptions)
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


class TaskJob(NamedTuple):
    """A job of a task, and the family of its circuits."""

    assignment: Assignment
    family: Family


class PulledTasks(NamedTuple):
    """Tasks to run, each a list of jobs, and directives by job id and fencing token."""

    tasks: list[list[TaskJob]]
    directives: dict[tuple[str, int], Directive]


class Reports(NamedTuple):
    """States of jobs after a report, None where the lease was not the newest; and tasks to run."""

    states: Mapping[str, JobState | None]
    tasks: list[list[TaskJob]]


class Pilots:
    """Serves pilots on behalf of an actor whose token allows it.

    Args:
        store: The database.
        limits: Bounds on all requests.
        now_ms: Clock; returns Unix milliseconds.
        lease_s: Lease time of runners.
    """

    def __init__(
        self, store: Store, limits: Limits, now_ms: Callable[[], int], *, lease_s: float
    ) -> None:
        self._store = store
        self._limits = limits
        self._scheduler = PilotScheduler(
            store, now_ms, lease_s=lease_s, maximum=limits.agents.pilots
        )
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)
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
        settled: int,
        wait_s: float,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> PulledTasks:
        """Return tasks and directives for a pilot, or none of either after `wait_s`.

        Args:
            actor: Its token has the scope `compute:serve`.
            name: Name of the pilot, unique within the account.
            offer: What the pilot can take.
            known: Leases that it reports to hold.
            stopping: Ids of the jobs that it is stopping already.
            settled: Number of a request; the pilot awaits no response to it or to an earlier one.
            wait_s: Seconds to wait, at most `pull_s`.
            is_gone: Returns whether the client has disconnected.

        Raises:
            Conflict: The pilot packs circuits by another version than this server.
            InvalidRequest: The pilot's name is invalid.
            LimitExceeded: There are too many pilots.
            Unavailable: The server is stopping.
        """
        runner = self._runner(actor, name, offer)
        held = [msgspec.structs.replace(each, runner=runner.id) for each in known]
        families = await self._families_of(actor, offer)
        pulled = await self._scheduler.pull(
            runner,
            _scheduler_offer(offer, families),
            known=held,
            stopping=stopping,
            settled=settled,
            wait_s=min(wait_s, self.pull_s),
            is_gone=is_gone,
        )
        return PulledTasks(_tasks(pulled.tasks, families), pulled.directives)

    async def report(
        self,
        actor: Actor,
        name: str,
        offer: PilotOffer,
        results: Sequence[tuple[Lease, RunResult]],
        releases: Sequence[tuple[Lease, str, bool]],
    ) -> Reports:
        """Store results and releases; return the tasks to run next.

        A job whose result is not what the job asked for is queued again, and the attempt counts.

        Args:
            actor: Its token has the scope `compute:serve`.
            name: Name of the pilot.
            offer: What the pilot can take.
            results: Results by lease.
            releases: Leases that it gives back, the reason, and whether this counts as an attempt.

        Raises:
            Conflict: The pilot packs circuits by another version than this server.
            InvalidRequest: The pilot's name is invalid.
        """
        runner = self._runner(actor, name, offer)
        families = await self._families_of(actor, offer)
        valid, refused = await self._checked(results)
        states, tasks = await self._scheduler.report(
            runner.id,
            [(_with_runner(lease, runner), result) for lease, result in valid],
            [
                (_with_runner(lease, runner), reason, counts_as_attempt)
                for lease, reason, counts_as_attempt in (*releases, *refused)
            ],
            _scheduler_offer(offer, families),
        )
        return Reports(states, _tasks(tasks, families))

    async def leave(self, actor: Actor, name: str) -> None:
        """Delete a pilot that leaves, and queue its jobs again.

        Raises:
            InvalidRequest: Its name is invalid.
        """
        await self._scheduler.leave(_runner_id(actor, name))

    def _runner(self, actor: Actor, name: str, offer: PilotOffer) -> Runner:
        if offer.packing != PACKING_VERSION:
            from importlib.metadata import version  # late: it imports much

            raise Conflict(
                f"This worker is version {offer.version} and packs circuits by version"
                f" {offer.packing}; the server is version {version('qwicket')} and packs by"
                f" {PACKING_VERSION}. Install the server's version on the worker's machine.",
                field="packing",
            )
        return Runner(
            id=_runner_id(actor, name),
            kind="pilot",
            beat=0,
            slots=offer.slots,
            # A pilot that serves only some devices must not raise the limit of all.
            memory_bytes=None if offer.devices or actor.devices else offer.capacity.memory_bytes,
        )

    async def _families_of(self, actor: Actor, offer: PilotOffer) -> dict[str, Family]:
        """Return the devices that a pilot serves, with the family of each."""
        if time.monotonic() >= self._families_until:
            devices = await self._store.devices.all()
            self._families = {each.name: each.family for each in devices if each.is_simulated}
            self._families_until = time.monotonic() + _DEVICES_S
        return {
            name: family
            for name, family in self._families.items()
            if actor.sees(name) and (not offer.devices or name in offer.devices)
        }

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
            try:
                self._check(result, programs.get(lease.job))
            except QwicketError as error:
                reasons.append(error.detail)
            else:
                reasons.append(None)
        return reasons

    def _check(self, result: RunResult, program: PackedProgram | None) -> None:
        from qwicket.circuits import outcome_checks  # late: it imports NumPy

        family = self._families.get(program.device) if program else None
        # Without a program and a family, no pilot has the lease: the job was deleted, or its device
        # is not simulated.
        if isinstance(result.result, Failure) or program is None or family is None:
            return
        expected = frames(family, program.circuits)
        if len(result.result) != len(expected):
            raise InvalidRequest(f"parts: there are {len(result.result)}, not {len(expected)}")
        parts = [(k, each) for k, each in enumerate(result.result) if isinstance(each, Encoded)]
        options = _options.decode(program.options)
        outcome_checks.check(parts, expected, options, self._limits, is_simulated=True)


def _runner_id(actor: Actor, name: str) -> str:
    """Return the id of a pilot's runner. The account in it keeps equal names apart.

    Raises:
        Forbidden: The token lacks the scope `compute:serve`.
        InvalidRequest: The name is invalid.
    """
    actor.require(Scope.COMPUTE_SERVE)
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "A worker's name must be 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', and begin with a"
            f" letter or digit; not {name[:100]!r}.",
            field="name",
        )
    return f"{actor.account}/{name}"


def _with_runner(lease: Lease, runner: Runner) -> Lease:
    return msgspec.structs.replace(lease, runner=runner.id)


def _scheduler_offer(offer: PilotOffer, families: Collection[str]) -> Offer:
    return Offer(
        request=offer.request,
        tasks=offer.tasks,
        tiny_tasks=offer.tiny_tasks,
        capacity=offer.capacity,
        devices=families,
    )


def _tasks(
    tasks: Sequence[Sequence[Assignment]], families: Mapping[str, Family]
) -> list[list[TaskJob]]:
    return [[TaskJob(each, families[each.device]) for each in task] for task in tasks]
