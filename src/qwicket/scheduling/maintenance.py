"""Periodic maintenance that one server does for all: expiry, retention, repair."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from qwicket.model.accounts import RESTORABLE_S
from qwicket.model.errors import Unavailable
from qwicket.registrations import of_features
from qwicket.scheduling.forward_log import log_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from qwicket.store import Store

_DUTY: Final = "maintenance"
_DAY_MS: Final = 24 * 3600 * 1000
_KEEP_REFUSALS_MS: Final = 30 * _DAY_MS
_KEEP_QUESTIONS_MS: Final = 30 * _DAY_MS
_NOTED_EVERY_S: Final = 3600.0
"""Shortest time in seconds between two entries of the audit for deleted jobs."""
_JUMP_S: Final = 3600.0
"""A wall clock that gains more seconds than this between two rounds was set, or is wrong."""
_DOUBT_S: Final = 3600.0
"""Seconds for which nothing is deleted by a clock that was set ahead: it may be set back."""

_log = logging.getLogger(__name__)


class MaintenanceLoop:
    """Runs maintenance while this server holds the duty.

    Args:
        store: The database to maintain.
        runner: This server's runner.
        now_ms: Clock; returns Unix milliseconds.
        keep_days: Days after which ended jobs are deleted; None keeps them, except in projects with
            a number of days of their own.
        every_s: Seconds between rounds.
        clock: Monotonic clock; returns seconds.
    """

    def __init__(
        self,
        store: Store,
        runner: str,
        now_ms: Callable[[], int],
        *,
        keep_days: float | None,
        every_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._runner = runner
        self._now_ms = now_ms
        self._keep_days = keep_days
        self._every_s = every_s
        self._clock = clock
        self._last_times: tuple[float, float] | None = None
        """The wall clock and the monotonic clock in the last round, in seconds."""
        self._doubted_until = 0.0
        self._has_swept = False
        self._cleared_until: dict[str, int] = {}
        """By project: Unix ms before which no ended job is left. The next search begins there."""
        self._deleted: Counter[str] = Counter()
        """Jobs that retention has deleted since the last entry of the audit, by project or ""."""
        self._noted_at = -_NOTED_EVERY_S

    async def run(self) -> None:
        """Run a round every `every_s` seconds, for ever."""
        try:
            while True:
                try:
                    await self.run_once()
                except Exception as error:
                    log_failure("maintenance failed and is retried", error)
                await asyncio.sleep(self._every_s)
        finally:
            if self._deleted:
                await self._note_deleted()

    async def run_once(self) -> bool:
        """Do the work that is due; return False if another server has the duty."""
        is_doubtful = self._is_clock_doubtful()
        if not await self._store.maintenance.take_duty(_DUTY, self._runner):
            return False
        ending = () if is_doubtful else self._steps_by_time()
        for step in (*ending, *self._other_steps()):
            try:
                await step()
            except Unavailable:
                raise  # the other steps would fail in the same way
            except Exception as error:
                # A row that cannot be deleted must not keep leases from being released.
                log_failure("a step of maintenance failed and is retried", error)
        if self._deleted and self._clock() - self._noted_at >= _NOTED_EVERY_S:
            await self._note_deleted()
        return True

    def _is_clock_doubtful(self) -> bool:
        """Return whether the wall clock was set far ahead less than an hour ago, and not back."""
        wall, passed = self._now_ms() / 1000, self._clock()
        if self._last_times is not None:
            last_wall, last_passed = self._last_times
            gained_s = wall - last_wall - (passed - last_passed)
            if gained_s > _JUMP_S:
                self._doubted_until = passed + _DOUBT_S
                _log.error(
                    "the clock went ahead by %.0f s: for %.0f s nothing ends or is deleted by time",
                    *(gained_s, _DOUBT_S),
                )
            elif gained_s < -_JUMP_S:
                self._doubted_until = 0.0
        self._last_times = wall, passed
        return passed < self._doubted_until

    def _steps_by_time(self) -> Iterator[Callable[[], Awaitable[object]]]:
        """Yield the steps that end, delete or release what is due by the wall clock."""
        maintenance, now = self._store.maintenance, self._now_ms()
        yield partial(_until_done, partial(maintenance.expire_drafts, now))
        yield partial(_until_done, partial(maintenance.delete_expired_keys, now))
        yield partial(maintenance.revoke_expired_tokens, now)
        yield partial(_until_done, partial(maintenance.release_results, now))
        yield partial(maintenance.delete_refusals, now - _KEEP_REFUSALS_MS)
        yield partial(maintenance.delete_of_bounds, now - _KEEP_QUESTIONS_MS)
        deleted_before = now - 1000 * RESTORABLE_S
        yield partial(_until_done, partial(maintenance.purge_accounts, deleted_before))
        if self._keep_days is not None:
            before = now - int(self._keep_days * _DAY_MS)
            yield partial(self._delete, "", partial(maintenance.delete_ended, before))
        for due in of_features("maintenance"):
            yield partial(due, self._store, now)
        yield self._delete_by_project

    def _other_steps(self) -> Iterator[Callable[[], Awaitable[object]]]:
        maintenance = self._store.maintenance
        yield maintenance.delete_orphaned_uploads
        yield partial(self._store.leases.void_orphaned_leases, self._now_ms())
        if not self._has_swept:  # once after the start, because only a crash leaves orphans
            yield self._sweep
        yield self._repair_fair_share

    async def _sweep(self) -> None:
        maintenance = self._store.maintenance
        await maintenance.delete_orphaned_results()
        if n_projects := await maintenance.repair_waiting_jobs():
            _log.warning("corrected the numbers of waiting jobs of %d projects", n_projects)
        # Set before the bytes are counted: a count that times out must not be retried every minute.
        self._has_swept = True
        if n_projects := await maintenance.repair_stored_bytes():
            _log.warning("corrected the stored bytes of %d projects", n_projects)

    async def _repair_fair_share(self) -> None:
        if n_projects := await self._store.maintenance.repair_fair_share(self._now_ms()):
            _log.warning("corrected the fair share of %d projects", n_projects)

    async def _delete_by_project(self) -> None:
        """Delete ended jobs of the projects that keep them only for some days."""
        maintenance = self._store.maintenance
        for project, days in await maintenance.retentions():
            after = self._cleared_until.get(project, 0)
            before = self._now_ms() - days * _DAY_MS
            if before < after:  # the clock was set back, or the retention made longer: search anew
                after = 0
            if before > after:
                work = partial(maintenance.delete_ended_of, project, after, before)
                await self._delete(project, work)
                self._cleared_until[project] = before

    async def _delete(self, project: str, work: Callable[[], Awaitable[int]]) -> None:
        """Delete jobs until none is left, and count them."""
        while number := await work():
            self._deleted[project] += number

    async def _note_deleted(self) -> None:
        """Note in the audit, and in the log, how many jobs retention has deleted."""
        deleted, self._deleted = self._deleted, Counter()
        self._noted_at = self._clock()
        _log.info("retention has deleted %d jobs", deleted.total())
        await self._store.audit.note_retention(deleted, self._now_ms())


async def _until_done(work: Callable[[], Awaitable[int]]) -> None:
    """Repeat until nothing is left. Each call does little, so that others write in between."""
    while await work():
        pass
