"""Long polls on the clock of the test bed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwicket.gateway.job_waiter import JobWaiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.gateway.job_waiter import Find
    from qwicket.gateway.views import WaitResult
    from qwicket.model.accounts import Actor
    from qwicket.store import Changes


class BedWaiter(JobWaiter):
    """Long polls that end when their time has passed on the test bed's clock or on the real one.

    The real clock counts too: with a stopped test clock a long poll would never end.

    Args:
        changes: Publisher of changes.
        find: Function that reads a job.
        sleep: Function that waits for seconds on the test bed's clock.
        is_counted: Function that returns whether a job waits for a number of reads.
    """

    def __init__(
        self,
        changes: Changes,
        find: Find,
        sleep: Callable[[float], Awaitable[None]],
        is_counted: Callable[[str], bool],
    ) -> None:
        super().__init__(changes, find)
        self._sleep = sleep
        self._is_counted = is_counted

    async def wait_for_end(
        self, actor: Actor, id_text: str, timeout_s: float, dialect: str | None
    ) -> WaitResult:
        """Return the job when it has ended, or in its state after `timeout_s` seconds.

        A job that stays queued for a number of reads is returned at once, because only further
        reads end its wait.

        Raises:
            NotFound: The actor may read no such job.
        """
        if timeout_s <= 0 or self._is_counted(id_text):
            return await super().wait_for_end(actor, id_text, 0.0, dialect)
        ended = asyncio.ensure_future(super().wait_for_end(actor, id_text, timeout_s, dialect))
        passed = asyncio.ensure_future(self._sleep(timeout_s))
        try:
            await asyncio.wait((ended, passed), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return await ended
        finally:
            ended.cancel()
            passed.cancel()
        return await super().wait_for_end(actor, id_text, 0.0, dialect)
