"""Room for large answers: from when one is read from the store until its client has taken it.

Few are in the making at once, one of each account; those that clients have not taken are counted.
Small ones are neither: every connection may hold one anyway.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from qwicket.compute.turns import Turns
from qwicket.gateway.recent import RECENT_S
from qwicket.model.errors import QwicketError, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.model.accounts import Actor
    from qwicket.model.limits import AnswerLimits

SMALL_ANSWER_BYTES: Final = 64 << 10
"""What an answer may have without being counted."""
_AT_ONCE: Final = 2
"""Answers in the making at the same time: results are in memory then, several times over."""
_PAUSE_S: Final = 0.05
_RETRY_S: Final = 2.0


class Answers:
    """The room of one server.

    Args:
        limits: Bounds on large answers.
        confirm: Refuses an actor whose token was revoked; asked for those who waited.

    Attributes:
        held_bytes: How much is held now.
        refusals: How many answers were refused for want of room.
    """

    def __init__(
        self, limits: AnswerLimits, confirm: Callable[[Actor], Awaitable[None]] | None = None
    ) -> None:
        self._limits = limits
        self.confirm = confirm
        self._turns = Turns(_AT_ONCE)
        self._n_waiting: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self.held_bytes = 0
        self.refusals = 0

    async def enter(self, account: str, turn: AsyncExitStack) -> None:
        """Wait for room and then for a turn, which lasts until the stack is closed.

        Raises:
            TooManyRequests: The account has too many answers that wait, or were not taken.
            Unavailable: All accounts together have, or those in the making take long.
        """
        most = self._limits.answers_waiting_each
        if self._n_waiting[account] >= most:
            raise self._refused(
                TooManyRequests(
                    f"You have {most} large answers waiting to be made"
                    " (limit answers_waiting_each).",
                    retry_after_s=_RETRY_S,
                    limit="answers_waiting_each",
                    quota=most,
                )
            )
        self._n_waiting[account] += 1
        try:
            await self._enter(account, turn)
        finally:
            self._n_waiting[account] -= 1
            if not self._n_waiting[account]:
                del self._n_waiting[account]

    async def _enter(self, account: str, turn: AsyncExitStack) -> None:
        deadline = time.monotonic() + self._limits.answers_wait_s
        while True:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await turn.enter_async_context(self._turns.turn(account))
            except TimeoutError:
                most_s = self._limits.answers_wait_s
                detail = f"Other large answers took over {most_s:g} s (limit answers_wait_s)."
                slow = Unavailable(detail, retry_after_s=_RETRY_S)
                raise self._refused(self._full(account) or slow) from None
            full = self._full(account)
            if full is None:
                return
            await turn.aclose()
            if time.monotonic() + _PAUSE_S >= deadline:
                raise self._refused(full)
            await asyncio.sleep(_PAUSE_S)

    def hold(self, account: str, size_bytes: int) -> None:
        """Count an answer that was made."""
        self._held[account] += size_bytes
        self.held_bytes += size_bytes

    def check(self, account: str) -> None:
        """Refuse an answer that was made without having waited, if there is no room.

        Raises:
            TooManyRequests: As for `enter`.
            Unavailable: As for `enter`.
        """
        if (full := self._full(account)) is not None:
            raise self._refused(full)

    def give_back(self, account: str, size_bytes: int) -> None:
        """Count out what a client has taken, or will never take."""
        self.held_bytes -= size_bytes
        self._held[account] -= size_bytes
        if not self._held[account]:
            del self._held[account]

    def _full(self, account: str) -> QwicketError | None:
        """Return the refusal of one more answer: the last that finds room may go beyond it."""
        limits = self._limits
        if self._held[account] >= limits.answers_bytes_each:
            return TooManyRequests(
                f"You have not taken answers of over {limits.answers_bytes_each} bytes together"
                " (limit answers_bytes_each).",
                retry_after_s=_RETRY_S,
                limit="answers_bytes_each",
                quota=limits.answers_bytes_each,
            )
        if self.held_bytes >= limits.answers_bytes:
            return Unavailable(
                f"Answers of over {limits.answers_bytes} bytes together are being taken"
                " (limit answers_bytes).",
                retry_after_s=_RETRY_S,
            )
        return None

    def _refused(self, error: QwicketError) -> QwicketError:
        self.refusals += 1
        return error


class Answer:
    """The answer to one request, as far as it takes room.

    Attributes:
        actor: On whose behalf. What nobody has to sign in for tells of devices alone.
    """

    __slots__ = ("_held", "_room", "_turn", "actor")

    def __init__(self, room: Answers) -> None:
        self._room = room
        self._turn: AsyncExitStack | None = None
        self._held = 0
        self.actor: Actor | None = None

    @property
    def account(self) -> str:
        """The account that it counts for; of what nobody signed in for, none."""
        return self.actor.account if self.actor is not None else ""

    async def begin(self) -> None:
        """Wait until a large answer may be made. Again, it does nothing.

        Raises:
            TooManyRequests: The account has too many that wait, or were not taken.
            Unavailable: All accounts together have, or those in the making take long.
            Unauthenticated: The token was revoked, or has expired, meanwhile.
        """
        if self._turn is None and not self._held:
            turn, began = AsyncExitStack(), time.monotonic()
            await self._room.enter(self.account, turn)
            self._turn = turn
            confirm = self._room.confirm
            if confirm and self.actor and time.monotonic() - began > RECENT_S:
                await confirm(self.actor)

    async def hold(self, size_bytes: int) -> None:
        """Let others be made: this one is, and has this size. Nobody's is not counted.

        Raises:
            TooManyRequests: It never waited for room, and the account has none.
            Unavailable: It never waited for room, and there is none.
        """
        if self.account:
            if self._turn is None:
                self._room.check(self.account)
            self._room.hold(self.account, size_bytes)
            self._held += size_bytes
        await self._end_turn()

    def taken(self, size_bytes: int) -> None:
        """Count out what the client has taken."""
        if self._held:
            self._room.give_back(self.account, size_bytes)
            self._held -= size_bytes

    async def close(self) -> None:
        """Give all back: the request is over, whatever became of it."""
        if self._held:
            self.taken(self._held)
        await self._end_turn()

    async def _end_turn(self) -> None:
        if self._turn is not None:
            turn, self._turn = self._turn, None
            await turn.aclose()
