"""Questions for the states of all jobs that are at one cloud, no more often than it allows."""

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
_FIRST_S: Final = 0.2
"""Seconds after which a new job is asked for first, so that others come with it."""
_ALONE_S: Final = 0.05
"""The same where no other job waits: enough for a job of a simulator."""
_TIMES_GONE: Final = 3
"""Answers in a row that a job is unknown before it is believed: a list may lag behind."""

_log = logging.getLogger(__name__)


@dataclass
class _Wait:
    """Wait for the end of one job; `n_gone` answers since `gone_at` did not know the job."""

    future: asyncio.Future[RemoteStatus]
    marker: str
    n_gone: int = 0
    gone_at: float = 0.0


class Poller:
    """Waits for the ends of jobs with one question for all of them.

    Args:
        statuses: Asks the cloud.
        poll_s: Least seconds between two questions.
        scrubbed: Returns a text of the cloud as it may be logged.
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
        self._asked_at = -_MAX_PAUSE_S

    async def end_of(self, id: str, marker: str) -> RemoteStatus:
        """Wait until a job has ended; return its last state.

        Args:
            id: Its id at the cloud.
            marker: Its marker. The state of a job with another one is returned at once.

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
            # A run that adopted the job may wait in its place, before this one lost its lease.
            if self._waiting.get(id) is wait:
                del self._waiting[id]

    def ask_soon(self) -> None:
        """Ask as soon as the cloud allows it, because a job is about to end."""
        self._new.set()

    def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        await self._pause(_ALONE_S)
        while self._waiting:
            self._new.clear()
            pause_s = await self._ask(tuple(self._waiting))
            if not self._waiting:
                return  # so that the next job is asked for as one that is alone
            if pause_s > self._poll_s:
                await asyncio.sleep(pause_s)
                continue
            try:
                await asyncio.wait_for(self._new.wait(), pause_s)
            except TimeoutError:
                continue
            await self._pause(_FIRST_S)

    async def _pause(self, seconds: float) -> None:
        """Pause for so long, and until the cloud allows a question."""
        due_s = self._asked_at + self._poll_s - time.monotonic()
        await asyncio.sleep(max(min(seconds, self._poll_s), due_s))

    async def _ask(self, ids: Sequence[str]) -> float:
        """Ask once; return the seconds to pause."""
        self._asked_at = time.monotonic()
        try:
            found = await self._statuses(ids)
        except CloudError as error:
            found = dict.fromkeys(ids, error)
        except Exception:
            # This task must survive any response: without it no job ends.
            self._failures += 1
            _log.exception("the states of forwarded jobs were not understood")
            return _MAX_PAUSE_S
        for id in ids:
            self._settle(id, found.get(id))
        errors = [each for each in found.values() if isinstance(each, CloudError)]
        self._log_once({self._scrubbed(str(each)) for each in errors})
        self._failures = self._failures + 1 if len(errors) == len(found) else 0
        own_s = self._poll_s * 2.0 ** min(self._failures, 16)
        asked_s = max((each.retry_after_s for each in errors), default=0.0)
        return min(max(own_s, asked_s), _MAX_PAUSE_S)

    def _log_once(self, reasons: set[str]) -> None:
        """Log why states are unknown, unless it is what the last answer said."""
        for each in sorted(reasons - self._reasons):
            _log.warning("states of forwarded jobs could not be read: %s", each)
        self._reasons = reasons

    def _settle(self, id: str, status: RemoteStatus | NoSuchJob | CloudError | None) -> None:
        wait = self._waiting.get(id)
        if wait is None or wait.future.done():
            return
        if isinstance(status, RemoteStatus):
            wait.n_gone = 0
            if status.is_final or not status.may_be(wait.marker):
                del self._waiting[id]
                wait.future.set_result(status)
        elif isinstance(status, CloudError):
            self._waiting[id] = self._waiting.pop(id)  # next time the others are asked for first
        elif isinstance(status, NoSuchJob):
            now = time.monotonic()
            if not wait.n_gone:
                wait.gone_at = now
            wait.n_gone += 1
            if wait.n_gone >= _TIMES_GONE and now - wait.gone_at >= self._settle_s:
                del self._waiting[id]
                wait.future.set_exception(status)
