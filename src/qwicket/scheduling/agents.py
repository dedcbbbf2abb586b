"""Scheduling for labs' agents, which claim, renew, finish and release jobs as the dispatcher does.

A waiting claim and each renewal count as heartbeats of the agent. The liveness monitor voids the
leases of an agent that sends neither.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from qwicket.model.errors import QwicketError, Unavailable
from qwicket.model.jobs import Directive
from qwicket.model.states import JobState
from qwicket.store import StaleLease

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from qwicket.circuits.outcomes import RunResult
    from qwicket.model.jobs import Assignment, Job, Lease, Progress, Runner
    from qwicket.store import HeldLease, JobChange, Store, Watch

_UNDELIVERED: Final = "its agent disconnected before it received the claim"

_log = logging.getLogger(__name__)


class AgentScheduler:
    """Assigns jobs to agents and stores their results.

    Args:
        store: The queue.
        now_ms: Clock; returns Unix milliseconds.
        lease_s: Lease time of runners.
        maximum: Limit on the agents of one device.
        max_pause_s: Longest pause in seconds between renewals, and so the longest delay of a
            cancellation.

    Attributes:
        renew_s: Longest pause in seconds between two renewals of an agent.
        stale_results: Number of results and releases that were refused because of a stale lease.
    """

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        *,
        lease_s: float,
        maximum: int | None = None,
        max_pause_s: float = 2.0,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._maximum = maximum
        self._newest: dict[str, object] = {}
        """By agent: an object that stands for its newest open claim."""
        self.renew_s = min(lease_s / 4, max_pause_s)
        self.stale_results = 0

    async def claim(
        self,
        agent: Runner,
        known: Sequence[Lease],
        wait_s: float,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> Assignment | None:
        """Return the next job of the agent's device; None after `wait_s` or for an abandoned claim.

        Args:
            agent: The agent and its device.
            known: Leases that the agent reports to hold.
            wait_s: Seconds to wait for a job.
            is_gone: Returns whether the client has disconnected.

        Raises:
            LimitExceeded: The agent is new, and its device has too many.
            Unavailable: The server is stopping.
        """
        assert agent.device is not None
        marker = self._newest[agent.id] = object()

        async def is_abandoned() -> bool:
            # An agent claims once at a time, so an older claim belongs to a broken connection.
            return self._newest.get(agent.id) is not marker or await is_gone()

        try:
            with self._store.changes.watch(f"{agent.device} for {agent.id}") as watch:
                return await self._wait(agent, agent.device, known, wait_s, watch, is_abandoned)
        finally:
            if self._newest.get(agent.id) is marker:
                del self._newest[agent.id]

    async def _wait(
        self,
        agent: Runner,
        device: str,
        known: Sequence[Lease],
        wait_s: float,
        watch: Watch,
        is_abandoned: Callable[[], Awaitable[bool]],
    ) -> Assignment | None:
        def on_queued(change: JobChange) -> None:
            if change.device == device:
                watch.wake()

        changes = self._store.changes
        stop_listening = changes.listen(on_queued, JobState.QUEUED)
        deadline = time.monotonic() + wait_s
        try:
            while not await is_abandoned():
                if changes.is_closed:
                    raise Unavailable("The server is stopping.", retry_after_s=1.0)
                await self._store.leases.renew(agent, known, self._now_ms(), maximum=self._maximum)
                assignment = await self._claim_next(agent, device, is_abandoned)
                left_s = deadline - time.monotonic()
                if assignment is not None or left_s <= 0:
                    return assignment
                await watch.changed(min(left_s, self.renew_s))
        finally:
            stop_listening()
        return None

    async def _claim_next(
        self, agent: Runner, device: str, is_abandoned: Callable[[], Awaitable[bool]]
    ) -> Assignment | None:
        claim = asyncio.ensure_future(
            self._store.leases.claim(device, agent.id, self._now_ms(), durable=True)
        )
        try:
            claimed = (await asyncio.shield(claim)).taken
        except asyncio.CancelledError:
            # The claim may have been committed, but its response can no longer be sent.
            await self._release_undelivered((await claim).taken)
            raise
        if claimed and await is_abandoned():
            await self._release_undelivered(claimed)
            return None
        return claimed[0] if claimed else None

    async def _release_undelivered(self, claimed: Sequence[Assignment]) -> None:
        for assignment in claimed:
            try:
                await self._store.leases.release(
                    assignment.lease, _UNDELIVERED, self._now_ms(), counts_as_attempt=False
                )
            except QwicketError as error:  # the next renewal releases it
                _log.warning("an undelivered claim was not released: %s", error)

    async def renew(
        self, agent: Runner, known: Sequence[Lease], progress: Mapping[str, Progress]
    ) -> dict[str, Directive]:
        """Record a heartbeat; return a directive for each job that the agent reports to hold."""
        held = await self._store.leases.renew(
            agent, known, self._now_ms(), progress, maximum=self._maximum
        )
        directives = {each.lease.job: _directive(each) for each in held}
        return {lease.job: directives.get(lease.job, Directive.LOST) for lease in known}

    async def finish(self, lease: Lease, result: RunResult) -> Job:
        """End a job with the agent's result.

        Raises:
            StaleLease: Another runner has the job, or it has ended.
        """
        return await self._counted(self._store.leases.finish(lease, result, self._now_ms()))

    async def release(self, lease: Lease, reason: str, *, counts_as_attempt: bool) -> Job:
        """Queue the job again, or cancel it if that was requested.

        Raises:
            StaleLease: As for `finish`.
        """
        release = self._store.leases.release(
            lease, reason, self._now_ms(), counts_as_attempt=counts_as_attempt
        )
        return await self._counted(release)

    async def require(self, lease: Lease) -> None:
        """Refuse a stale lease, or another agent's, before the result is validated.

        Raises:
            StaleLease: The lease is stale.
        """
        if not await self._store.leases.holds(lease):
            self._count_stale()
            raise StaleLease

    async def leave(self, agent: str) -> list[Job]:
        """Delete an agent that leaves, and queue its jobs again."""
        self._newest.pop(agent, None)  # its connection may still be open
        return await self._store.leases.void_runner(agent, self._now_ms(), "its agent left")

    async def _counted(self, write: Awaitable[Job]) -> Job:
        try:
            return await write
        except StaleLease:
            self._count_stale()
            raise

    def _count_stale(self) -> None:
        self.stale_results += 1
        _log.info("a result under a stale lease was refused")


def _directive(held: HeldLease) -> Directive:
    return Directive.STOP if held.state is JobState.CANCELLING else Directive.GO_ON
