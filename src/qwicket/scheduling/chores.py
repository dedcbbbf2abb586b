"""Periodic work that one server does for all: expiry, retention, repair."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from qwicket.model.errors import QwicketError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.store import Store

_DUTY: Final = "chores"
_DAY_MS: Final = 24 * 3600 * 1000

_log = logging.getLogger(__name__)


class Chores:
    """Does what is due, while this server holds the duty.

    Args:
        store: Where it is done.
        runner: Who does it.
        now_ms: The clock.
        keep_days: Days after which ended jobs are deleted; None keeps them.
        every_s: Seconds between rounds.
    """

    def __init__(
        self,
        store: Store,
        runner: str,
        now_ms: Callable[[], int],
        *,
        keep_days: float | None,
        every_s: float = 60.0,
    ) -> None:
        self._store = store
        self._runner = runner
        self._now_ms = now_ms
        self._keep_days = keep_days
        self._every_s = every_s
        self._has_swept = False

    async def keep_house(self) -> None:
        """Do a round now and then, for ever."""
        while True:
            try:
                await self.do_round()
            except QwicketError:
                _log.warning("upkeep could not be done")
            await asyncio.sleep(self._every_s)

    async def do_round(self) -> bool:
        """Do what is due; return False when another server has the duty."""
        upkeep = self._store.upkeep
        if not await upkeep.take_duty(_DUTY, self._runner):
            return False
        await _until_done(lambda: upkeep.expire_drafts(self._now_ms()))
        await upkeep.drop_uploads()
        await upkeep.forget_keys(self._now_ms())
        await upkeep.end_tokens(self._now_ms())
        if self._keep_days is not None:
            before = self._now_ms() - int(self._keep_days * _DAY_MS)
            await _until_done(lambda: upkeep.delete_ended(before))
        await self._store.leases.void_orphans(self._now_ms())
        if not self._has_swept:  # only a crash leaves some
            await upkeep.drop_orphans()
            self._has_swept = True  # a count that takes too long is not tried each minute
            if wrong := await upkeep.mend_stored_bytes():
                _log.warning("stored bytes of %d projects were wrong; they are mended", wrong)
        mended = await upkeep.mend_shares(self._now_ms())
        if mended:
            _log.warning("fair share was wrong about %d projects; it is mended", mended)
        return True


async def _until_done(some: Callable[[], Awaitable[int]]) -> None:
    """Go on in small pieces, between which others write."""
    while await some():
        pass
