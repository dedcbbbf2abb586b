"""Runners elsewhere: labs' agents pull jobs with the four verbs that the dispatcher uses.

A claim that waits is the agent's proof of life, and so is each renewal: its beat rises with both,
and whoever keeps watch here notices when it does not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from qwicket.model.errors import QwicketError, Unavailable
from qwicket.model.jobs import Order
from qwicket.model.states import JobState
from qwicket.store import StaleLease

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from qwicket.circuits.outcomes import Ran
    from qwicket.model.jobs import Assignment, Job, Lease, Progress, Runner
    from qwicket.store import Changed, Held, Store, Watch

_LONGEST_PAUSE_S: Final = 2.0
"""Between two renewals: so long may an order to stop take to arrive."""
_UNHEARD: Final = "its agent was gone before it heard of the claim"

_log = logging.getLogger(__name__)


class AgentDesk:
    """Hands jobs out to agents and takes back what came of them.

    Args:
        store: The queue.
        now_ms: The clock.
        lease_s: Lease time of runners.
        most: Agents that one device may have.
    """

    def __init__(
        self, store: Store, now_ms: Callable[[], int], *, lease_s: float, most: int | None = None
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._most = most
        self._newest: dict[str, object] = {}
        self.renew_s = min(lease_s / 4, _LONGEST_PAUSE_S)
        self.stale_results = 0

    async def claim(
        self,
        agent: Runner,
        known: Sequence[Lease],
        wait_s: float,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> Assignment | None:
        """Return the next job of the agent's device, or None when none came in time.

        Args:
            agent: Who asks, and for which device.
            known: Leases that it believes to hold.
            wait_s: Seconds to wait for a job.
            is_gone: Whether nobody waits for the answer any more.

        Raises:
            Unavailable: The server stops.
        """
        assert agent.device is not None
        mark = self._newest[agent.id] = object()

        async def is_idle() -> bool:
            # An agent claims once at a time: an older claim of it is one whose connection broke.
            return self._newest.get(agent.id) is not mark or await is_gone()

        try:
            with self._store.changes.watch(f"{agent.device} for {agent.id}") as watch:
                return await self._wait(agent, agent.device, known, wait_s, watch, is_idle)
        finally:
            if self._newest.get(agent.id) is mark:
                del self._newest[agent.id]

    async def _wait(
        self,
        agent: Runner,
        device: str,
        known: Sequence[Lease],
        wait_s: float,
        watch: Watch,
        is_idle: Callable[[], Awaitable[bool]],
    ) -> Assignment | None:
        def hear(change: Changed) -> None:
            if change.state is JobState.QUEUED and change.device == device:
                watch.wake()

        changes = self._store.changes
        stop_listening = changes.listen(hear)
        deadline = time.monotonic() + wait_s
        try:
            while not await is_idle():
                if changes.is_closed:
                    raise Unavailable("The server stops.", retry_after_s=1.0)
                await self._store.leases.renew(agent, known, self._now_ms(), most=self._most)
                found = await self._take(agent, device, is_idle)
                left_s = deadline - time.monotonic()
                if found is not None or left_s <= 0:
                    return found
                await watch.changed(min(left_s, self.renew_s))
        finally:
            stop_listening()
        return None

    async def _take(
        self, agent: Runner, device: str, is_idle: Callable[[], Awaitable[bool]]
    ) -> Assignment | None:
        claim = asyncio.ensure_future(
            self._store.leases.claim(device, agent.id, self._now_ms(), durable=True)
        )
        try:
            found = (await asyncio.shield(claim)).taken
        except asyncio.CancelledError:
            # The claim may have been committed: nobody is there to hear of it.
            await self._give_back((await claim).taken)
            raise
        if found and await is_idle():
            await self._give_back(found)
            return None
        return found[0] if found else None

    async def _give_back(self, claimed: Sequence[Assignment]) -> None:
        for each in claimed:
            try:
                await self._store.leases.release(each.lease, _UNHEARD, self._now_ms(), blamed=False)
            except QwicketError as error:  # the next renewal finds it
                _log.warning("a claim that nobody heard of was not given back: %s", error)

    async def renew(
        self, agent: Runner, known: Sequence[Lease], progress: Mapping[str, Progress]
    ) -> dict[str, Order]:
        """Prove that an agent lives; return what it is to do with each job it believes to hold."""
        held = await self._store.leases.renew(
            agent, known, self._now_ms(), progress, most=self._most
        )
        orders = {each.lease.job: _order(each) for each in held}
        return {lease.job: orders.get(lease.job, Order.LOST) for lease in known}

    async def finish(self, lease: Lease, ran: Ran) -> Job:
        """End a job with what the agent brings.

        Raises:
            StaleLease: Another runner has the job, or it has ended.
        """
        return await self._counted(self._store.leases.finish(lease, ran, self._now_ms()))

    async def release(self, lease: Lease, reason: str, *, blamed: bool) -> Job:
        """Offer the job again; cancel it where that was asked for.

        Raises:
            StaleLease: As for `finish`.
        """
        release = self._store.leases.release(lease, reason, self._now_ms(), blamed=blamed)
        return await self._counted(release)

    async def require(self, lease: Lease) -> None:
        """Refuse a lease that is not the newest, or another agent's, before its result is read.

        Raises:
            StaleLease: It is not.
        """
        if not await self._store.leases.holds(lease):
            self._count()
            raise StaleLease

    async def leave(self, agent: str) -> list[Job]:
        """Offer again what an agent that says goodbye holds, and forget it."""
        return await self._store.leases.void_runner(agent, self._now_ms())

    async def _counted(self, write: Awaitable[Job]) -> Job:
        try:
            return await write
        except StaleLease:
            self._count()
            raise

    def _count(self) -> None:
        self.stale_results += 1
        _log.info("a result under a stale lease was refused")


def _order(held: Held) -> Order:
    return Order.STOP if held.state is JobState.CANCELLING else Order.GO_ON
