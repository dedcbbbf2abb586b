"""Polls the states of all jobs that are at one cloud, at most as often as `poll_s` allows."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qwicket.drivers.remote.clouds import CloudError, NoSuchJob, RemoteStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qwicket.drivers.remote.clouds import Statuses

_MAX_PAUSE_S: Final = 60.0
"""Longest pause between two polls, also if the cloud asks for a longer one; `poll_s` may exceed it.
"""
_FIRST_S: Final = 0.2
"""Seconds from the submission of a job to its first poll, so that other new jobs share it."""
_ALONE_S: Final = 0.05
"""Seconds from the submission to the first poll if no other job waits: enough for a simulator."""
_POLLS_UNTIL_GONE: Final = 3
"""Polls in a row that do not find a job before it counts as gone: a list may lag behind."""

_log = logging.getLogger(__name__)


@dataclass
class _Wait:
    """Wait for the end of one job.

    Since the monotonic time `gone_at`, `n_gone` polls have not found it, and none has.
    """

    future: asyncio.Future[RemoteStatus]
    marker: str
    n_gone: int = 0
    gone_at: float = 0.0


class Poller:
    """Waits for the ends of jobs, and polls for all of them together.

    Args:
        statuses: Reads the states of jobs at the cloud.
        poll_s: Minimum seconds between two polls.
        scrubbed: Returns a text of the cloud in a form that may be logged.
        settle_s: Seconds for which the cloud may not yet know a job that it has.
    """

    def __init__(
        self,
        statuses: Callable[[Sequence[str]], Awaitable[Statuses]],
        poll_s: float,
        scrubbed: Callable[[str], str] = str,
        settle_s: float = 0.0,
    ) -> None:
        self._statuses = statuses
        self._scrubbed = scrubbed
        self._poll_s = poll_s
        self._settle_s = settle_s
        self._waiting: dict[str, _Wait] = {}
        self._new = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._reasons: set[str] = set()
        self._polled_at = -_MAX_PAUSE_S

    async def end_of(self, id: str, marker: str) -> RemoteStatus:
        """Wait until a job has ended; return its last state.

        Args:
            id: Its id at the cloud.
            marker: Its marker. If the cloud shows another one, the state is returned at once.

        Raises:
            NoSuchJob: The cloud does not know the job any more.
        """
        wait = _Wait(asyncio.get_running_loop().create_future(), marker)
        self._waiting[id] = wait
        self._new.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            return await wait.future
        finally:
            # Another run may have adopted the job and wait for it already, before this one noticed.
            if self._waiting.get(id) is wait:
                del self._waiting[id]

    def poll_soon(self) -> None:
        """Poll as soon as `poll_s` allows, because a job is about to end."""
        self._new.set()

    def close(self) -> None:
        """Stop polling."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        await self._pause(_ALONE_S)
        while self._waiting:
            self._new.clear()
            pause_s = await self._poll(tuple(self._waiting))
            if not self._waiting:
                return  # so that the next job is polled after `_ALONE_S`
            if pause_s > self._poll_s:  # after failures, new jobs do not shorten the pause
                await asyncio.sleep(pause_s)
                continue
            try:
                await asyncio.wait_for(self._new.wait(), pause_s)
            except TimeoutError:
                continue
            await self._pause(_FIRST_S)

    async def _pause(self, seconds: float) -> None:
        """Pause for so long, and until `poll_s` has passed since the last poll."""
        due_s = self._polled_at + self._poll_s - time.monotonic()
        await asyncio.sleep(max(min(seconds, self._poll_s), due_s))

    async def _poll(self, ids: Sequence[str]) -> float:
        """Poll once; return the seconds to pause."""
        self._polled_at = time.monotonic()
        try:
            found = await self._statuses(ids)
        except CloudError as error:
            found = dict.fromkeys(ids, error)
        except Exception:
            # This task must survive any response: without it no job ends.
            self._failures += 1
            _log.exception("the states of forwarded jobs were not understood")
            return max(self._poll_s, _MAX_PAUSE_S)
        for id in ids:
            self._apply_status(id, found.get(id))
        errors = [each for each in found.values() if isinstance(each, CloudError)]
        self._log_once({self._scrubbed(str(each)) for each in errors})
        self._failures = self._failures + 1 if len(errors) == len(found) else 0
        own_s = self._poll_s * 2.0 ** min(self._failures, 16)
        asked_s = max((each.retry_after_s for each in errors), default=0.0)
        return max(self._poll_s, min(max(own_s, asked_s), _MAX_PAUSE_S))

    def _log_once(self, reasons: set[str]) -> None:
        """Log why states are unknown, except reasons that the last poll had, too."""
        for each in sorted(reasons - self._reasons):
            _log.warning("states of forwarded jobs could not be read: %s", each)
        self._reasons = reasons

    def _apply_status(self, id: str, status: RemoteStatus | NoSuchJob | CloudError | None) -> None:
        wait = self._waiting.get(id)
        if wait is None or wait.future.done():
            return
        if isinstance(status, RemoteStatus):
            wait.n_gone = 0
            if status.is_final or not status.may_be(wait.marker):
                del self._waiting[id]
                wait.future.set_result(status)
        elif isinstance(status, CloudError):
            self._waiting[id] = self._waiting.pop(id)  # in the next poll, the others come first
        elif isinstance(status, NoSuchJob):
            now = time.monotonic()
            if not wait.n_gone:
                wait.gone_at = now
            wait.n_gone += 1
            if wait.n_gone >= _POLLS_UNTIL_GONE and now - wait.gone_at >= self._settle_s:
                del self._waiting[id]
                wait.future.set_exception(status)
