"""Memory budget for large responses, from the read in the store until the client has received them.

At most two large responses are prepared at once, one per account. Their bytes count against the
budget until clients have received them. Small responses do not count: every connection may hold one
anyway.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Final

from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.model.errors import QwicketError, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.compute.fair_slots import FairSlots
    from qwicket.model.accounts import Actor
    from qwicket.model.limits import ResponseLimits

SMALL_RESPONSE_BYTES: Final = 64 << 10
"""Size up to which a response does not count."""
_AT_ONCE: Final = 2
"""Responses prepared at the same time: meanwhile, each result is in memory several times."""
_PAUSE_S: Final = 0.05
"""Pause between two checks for free memory."""
_RETRY_S: Final = 2.0
"""`Retry-After` of refused responses."""


class ResponseBudget:
    """Memory budget of one server.

    Args:
        limits: Bounds on large responses.
        confirm: Raises for an actor whose token was revoked during the wait; None skips this.

    Attributes:
        held_bytes: Bytes held now.
        refusals: Number of responses refused: no memory, no slot in time, or too many waiting.
    """

    def __init__(
        self, limits: ResponseLimits, confirm: Callable[[Actor], Awaitable[None]] | None = None
    ) -> None:
        self._limits = limits
        self.confirm = confirm
        self._n_waiting: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self.held_bytes = 0
        self.refusals = 0

    @cached_property
    def _slots(self) -> FairSlots:
        # Late: administrators' commands prepare no large response, so they need no slots.
        from qwicket.compute.fair_slots import FairSlots

        return FairSlots(_AT_ONCE)

    async def enter(self, account: str, slot: AsyncExitStack) -> None:
        """Wait for free memory and a slot, which is held until the stack `slot` is closed.

        Raises:
            TooManyRequests: The account has too many waiting or unreceived responses.
            Unavailable: All accounts together have too many, or no slot became free in time.
        """
        maximum = self._limits.responses_waiting_each
        if self._n_waiting[account] >= maximum:
            raise self._refused(
                TooManyRequests(
                    f"You have {maximum} large responses waiting (limit responses_waiting_each).",
                    retry_after_s=_RETRY_S,
                    limit="responses_waiting_each",
                    quota=maximum,
                )
            )
        self._n_waiting[account] += 1
        try:
            await self._enter(account, slot)
        finally:
            self._n_waiting[account] -= 1
            if not self._n_waiting[account]:
                del self._n_waiting[account]

    async def _enter(self, account: str, slot: AsyncExitStack) -> None:
        deadline = time.monotonic() + self._limits.responses_wait_s
        while True:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await slot.enter_async_context(self._slots.slot(account))
            except TimeoutError:
                max_s = self._limits.responses_wait_s
                detail = (
                    f"No large response could begin within {max_s:g} s (limit responses_wait_s)."
                )
                slow = Unavailable(detail, retry_after_s=_RETRY_S)
                raise self._refused(self._full(account) or slow) from None
            full = self._full(account)
            if full is None:
                return
            await slot.aclose()  # other accounts may have memory left
            if time.monotonic() + _PAUSE_S >= deadline:
                raise self._refused(full)
            await asyncio.sleep(_PAUSE_S)

    def is_free(self, account: str) -> bool:
        """Return whether a large response of this account may be prepared without waiting."""
        is_first = not self._slots.count(account) and self._slots.has_free_slot
        return is_first and self._full(account) is None

    def hold(self, account: str, size_bytes: int) -> None:
        """Count a prepared response."""
        self._held[account] += size_bytes
        self.held_bytes += size_bytes

    def check(self, account: str) -> None:
        """Refuse a response that was prepared without waiting, if the budget is used up.

        Raises:
            TooManyRequests: As for `enter`.
            Unavailable: As for `enter`.
        """
        if (full := self._full(account)) is not None:
            raise self._refused(full)

    def give_back(self, account: str, size_bytes: int) -> None:
        """Release bytes that a client has received or will never receive."""
        self.held_bytes -= size_bytes
        self._held[account] -= size_bytes
        if not self._held[account]:
            del self._held[account]

    def _full(self, account: str) -> QwicketError | None:
        """Return the error if the budget does not admit another response, else None.

        The size of a response is unknown before it is prepared, so the last one may exceed the
        budget.
        """
        limits = self._limits
        if self._held[account] >= limits.responses_bytes_each:
            return TooManyRequests(
                f"You have not read responses of over {limits.responses_bytes_each} bytes"
                " (limit responses_bytes_each).",
                retry_after_s=_RETRY_S,
                limit="responses_bytes_each",
                quota=limits.responses_bytes_each,
            )
        if self.held_bytes >= limits.responses_bytes:
            return Unavailable(
                f"Responses of over {limits.responses_bytes} bytes are being sent"
                " (limit responses_bytes).",
                retry_after_s=_RETRY_S,
            )
        return None

    def _refused(self, error: QwicketError) -> QwicketError:
        self.refusals += 1
        return error


class ResponseMemory:
    """Memory of the response to one request.

    Attributes:
        actor: Whose request it is; None before sign-in and for public responses, which are small.
    """

    __slots__ = ("_budget", "_held", "_slot", "actor")

    def __init__(self, budget: ResponseBudget) -> None:
        self._budget = budget
        self._slot: AsyncExitStack | None = None
        self._held = 0
        self.actor: Actor | None = None

    @property
    def account(self) -> str:
        """The account that the response counts against; empty without an actor."""
        return self.actor.account if self.actor is not None else ""

    async def begin(self) -> None:
        """Wait until a large response may be prepared. A second call does nothing.

        Raises:
            TooManyRequests: The account has too many waiting or unreceived responses.
            Unavailable: All accounts together have too many, or no slot became free in time.
            Unauthenticated: The token was revoked or expired while waiting.
        """
        if self._slot is None and not self._held:
            slot, began = AsyncExitStack(), time.monotonic()
            await self._budget.enter(self.account, slot)
            self._slot = slot
            confirm = self._budget.confirm
            if confirm and self.actor and time.monotonic() - began > CACHE_TTL_S:
                await confirm(self.actor)

    async def begin_now(self) -> bool:
        """Begin if this is possible without waiting; return whether it began."""
        if not self._budget.is_free(self.account):
            return False
        await self.begin()
        return True

    async def hold(self, size_bytes: int) -> None:
        """Count the prepared response and free its slot. Without an actor nothing is counted.

        Raises:
            TooManyRequests: The response began without a slot, and the account's budget is used up.
            Unavailable: The response began without a slot, and the whole budget is used up.
        """
        if self.account:
            if self._slot is None:
                self._budget.check(self.account)
            self._budget.hold(self.account, size_bytes)
            self._held += size_bytes
        await self._leave_slot()

    def release(self, size_bytes: int) -> None:
        """Release bytes that the client has received."""
        if self._held:
            self._budget.give_back(self.account, size_bytes)
            self._held -= size_bytes

    async def close(self) -> None:
        """Release everything at the end of the request."""
        if self._held:
            self.release(self._held)
        await self._leave_slot()

    async def _leave_slot(self) -> None:
        if self._slot is not None:
            slot, self._slot = self._slot, None
            await slot.aclose()
