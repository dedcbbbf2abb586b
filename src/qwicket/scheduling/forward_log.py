"""Records how far a job was forwarded to another cloud, and retries while the database fails."""

from __future__ import annotations

import asyncio
import logging
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.model.errors import Conflict, NotFound, QwicketError
from qwicket.store import StaleLease

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.model.groups import ForwardedGroup
    from qwicket.model.jobs import Forward, Lease
    from qwicket.scheduling.slots import Slots
    from qwicket.store import FullProgram, Store

T = TypeVar("T")

RETRY_PAUSES_S: Final = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Pauses in seconds between attempts to write; the last one repeats."""

_log = logging.getLogger(__package__)


class StoredForwardLog:
    """Records, under a lease, how far the forwarding of a job to another cloud has progressed.

    Args:
        store: Where it is recorded.
        lease: The lease.
        now_ms: Clock; returns Unix milliseconds.
        slots: Slots of the driver; the job has one of them.
    """

    def __init__(self, store: Store, lease: Lease, now_ms: Callable[[], int], slots: Slots) -> None:
        self._slots = slots
        self._store = store
        self._lease = lease
        self._now_ms = now_ms
        self.cancel_asked = asyncio.Event()

    async def full_program(self) -> FullProgram:
        return await self._retried(lambda: self._store.agents.full_program(self._lease.job))

    async def group(self, sent_to: str) -> ForwardedGroup | None:
        forwards, lease = self._store.forwards, self._lease
        return await self._retried(lambda: forwards.group(lease.job, sent_to))

    async def record_intent(self, marker: str, sent_to: str) -> Forward:
        forwards, lease = self._store.forwards, self._lease
        return await self._retried(
            lambda: forwards.record_intent(lease, marker, self._now_ms(), sent_to)
        )

    async def record_sent(self, vendor_job_id: str, response: bytes | None = None) -> None:
        forwards, lease = self._store.forwards, self._lease
        await self._retried(
            lambda: forwards.record_sent(lease, vendor_job_id, self._now_ms(), response)
        )

    async def forget_sent(self) -> Forward:
        forwards, lease = self._store.forwards, self._lease
        return await self._retried(lambda: forwards.forget_sent(lease))

    async def record_response(self, response: bytes) -> None:
        forwards, lease = self._store.forwards, self._lease
        await self._retried(lambda: forwards.record_response(lease, response, self._now_ms()))

    async def withdraw(self) -> None:
        await self._retried(lambda: self._store.forwards.withdraw(self._lease))

    async def is_held(self) -> bool:
        return await self._retried(lambda: self._store.leases.holds(self._lease))

    async def pause_without_slot(self, seconds: float) -> None:
        await self._slots.lend(seconds, self.cancel_asked)

    async def wait_turn(self) -> None:
        await self._slots.wait_turn(self.cancel_asked)

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the database responds: an error must not end a job that may have been sent."""
        for pause_s in chain(RETRY_PAUSES_S, repeat(RETRY_PAUSES_S[-1])):
            try:
                return await call()
            except (StaleLease, Conflict, NotFound):
                raise  # the database works, and would refuse the same call again
            except QwicketError as error:
                log_failure("a write about a forwarded job failed and is retried", error)
                await asyncio.sleep(pause_s)
        raise AssertionError


def log_failure(failure: str, error: Exception) -> None:
    """Log a failure, with a traceback only if it is unexpected: an outage causes very many."""
    is_expected = isinstance(error, QwicketError)
    _log.error("%s: %s", failure, error, exc_info=None if is_expected else error)
