"""Notices runners that are gone: their beat stands still for the lease time.

Time is measured on this server's own monotonic clock alone, so that no clock that jumps, here or
elsewhere, takes a lease from anybody.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from qwicket.model.errors import QwicketError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.store import Store

_log = logging.getLogger(__name__)


class Lookout:
    """Watches the beats of all runners but one's own, and voids those that stand still.

    Args:
        store: Where beats are.
        runner: Its own runner, which others watch.
        now_ms: The clock for what is written.
        monotonic: The clock for what is measured, in seconds.
        lease_s: How long a beat may stand still.
    """

    def __init__(
        self,
        store: Store,
        runner: str,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        *,
        lease_s: float,
    ) -> None:
        self._store = store
        self._runner = runner
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._lease_s = lease_s
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked_at = monotonic()
        self.leases_lost = 0

    async def keep_watch(self) -> None:
        """Look four times per lease time, for ever."""
        while True:
            await asyncio.sleep(self._lease_s / 4)
            try:
                await self.look()
            except QwicketError:
                _log.warning("the beats of runners could not be read")

    async def look(self) -> list[str]:
        """Void the runners whose beat has stood still for the lease time; return their ids."""
        runners = [each for each in await self._store.leases.runners() if each.id != self._runner]
        now = self._monotonic()
        if now - self._looked_at > self._lease_s / 2:
            # Whoever slept, or could not reach the database, has seen no stillness.
            self._seen.clear()
        self._looked_at = now
        present = {each.id: each.beat for each in runners}
        self._seen = {
            name: self._seen[name] if self._seen.get(name, (None,))[0] == beat else (beat, now)
            for name, beat in present.items()
        }
        gone = [name for name, (_, since) in self._seen.items() if now - since >= self._lease_s]
        for name in gone:
            jobs = await self._store.leases.void_runner(name, self._now_ms())
            self.leases_lost += len(jobs)
            _log.warning("runner %s is gone; %d jobs were offered again", name, len(jobs))
            del self._seen[name]
        return gone
