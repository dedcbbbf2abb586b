"""Detects dead runners: those whose heartbeat has not changed for the lease time.

Only this server's monotonic clock counts, so a wall clock that jumps never voids a lease.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from qwicket.scheduling.forward_log import log_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.store import Store

_log = logging.getLogger(__name__)


class LivenessMonitor:
    """Watches the heartbeats of all other runners, and voids the leases of dead ones.

    Args:
        store: Holds the heartbeats.
        runner: This server's own runner, which others watch.
        now_ms: The clock for stored times; returns Unix milliseconds.
        monotonic: The clock for measured times, in seconds.
        lease_s: Lease time in seconds.
        sleep: Waits for a number of seconds on the clock `monotonic`.
        gap_s: Longest time in seconds between two checks; after a longer one this server has missed
            heartbeats. By default half the lease time.

    Attributes:
        leases_lost: Number of leases of dead runners that were voided.
        has_runners: Whether another runner could run jobs, or start some that could: at the last
            check there was one that is no server's pool without slots.
    """

    def __init__(
        self,
        store: Store,
        runner: str,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        *,
        lease_s: float,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        gap_s: float | None = None,
    ) -> None:
        self._store = store
        self._runner = runner
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._lease_s = lease_s
        self._sleep = sleep
        self._gap_s = lease_s / 2 if gap_s is None else gap_s
        self._seen: dict[str, tuple[int, float]] = {}
        """By runner: its last heartbeat, and the monotonic time when this was first seen."""
        self._checked_at = monotonic()
        self._looking = asyncio.Lock()
        """Held by a look, so that what it read replaces nothing that was read later."""
        self.leases_lost = 0
        self.has_runners = False

    async def run(self) -> None:
        """Check four times per lease time, for ever."""
        while True:
            await self._sleep(self._lease_s / 4)
            try:
                await self.check()
            except Exception as error:
                log_failure("the heartbeats of runners could not be read", error)

    async def check(self) -> list[str]:
        """Void the runners without a heartbeat for the lease time; return their ids."""
        await self.look()
        return await self.void_silent()

    async def look(self) -> None:
        """Note which heartbeats have changed."""
        async with self._looking:
            stored = await self._store.leases.runners()
            others = [runner for runner in stored if runner.id != self._runner]
            self.has_runners = any(
                each.slots or each.device is not None or each.kind != "server" for each in others
            )
            beats = {runner.id: runner.beat for runner in others}
            now = self._monotonic()
            if now - self._checked_at > self._gap_s:
                # This server slept or lost the database, so it missed heartbeats: start over.
                self._seen.clear()
            self._checked_at = now
            seen = self._seen
            self._seen = {
                runner: seen[runner] if seen.get(runner, (None,))[0] == beat else (beat, now)
                for runner, beat in beats.items()
            }

    async def void_silent(self, *, ignore_newer: bool = False) -> list[str]:
        """Void the runners whose heartbeats have not changed for the lease time; return their ids.

        With `ignore_newer`, heartbeats since the last `look` do not count.
        """
        leases, now = self._store.leases, self._monotonic()
        longest, seen = self._lease_s, self._seen
        dead = {runner: beat for runner, (beat, since) in seen.items() if now - since >= longest}
        voided = []
        for runner, beat in dead.items():
            self._seen.pop(runner, None)
            voiding = (
                leases.void_runner(runner, self._now_ms())
                if ignore_newer
                else leases.void_dead_runner(runner, beat, self._now_ms())
            )
            if (jobs := await voiding) is not None:
                voided.append(runner)
                self.leases_lost += len(jobs)
                _log.warning("runner %s is dead; its %d jobs were queued again", runner, len(jobs))
        return voided
