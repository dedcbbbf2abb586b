"""Request bodies, with limits on size, on time, and on the memory of all bodies together."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect

from qwicket.model.errors import BodyTooLarge, RequestTimeout, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from starlette.types import Message, Receive

    from qwicket.model.limits import BodyLimits

_KEPT_BYTES: Final = 64 << 10
"""Longest body by its Content-Length whose unread rest is skipped to reuse the connection."""
_JOINED_INLINE_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 64 << 10
"""Bodies up to this size take no memory budget, because every connection may hold one."""
SLOW_S: Final = 2.0
SLOW_BYTES: Final = 64 << 10
"""Fewer bytes in `SLOW_S` are slow: 32 kB/s is the default of the limit `body_bytes_per_s`."""


class BodyBudget:
    """Memory budget of all bodies that are held at the same time, taken as their bytes arrive.

    When an owner's share is exhausted, the owner's slowest body is evicted; when the whole budget
    is, the slowest of the owner that holds most and has a slow one. Bodies that are complete, or
    not slow by `slow_s`, stay.

    Args:
        limit: Name of the limit of all bodies together.
        limit_each: Name of the limit of one owner.
        limits: Limits of bodies.
        slow_s: A body that receives no 64 kB for so long may be evicted for others.
    """

    def __init__(
        self, limit: str, limit_each: str, limits: BodyLimits, *, slow_s: float = SLOW_S
    ) -> None:
        self._limit, self._limit_each = limit, limit_each
        self._slow_s = slow_s
        self._max_bytes = self._free_bytes = getattr(limits, limit)
        self._max_bytes_each = getattr(limits, limit_each)
        self._owners: dict[str, _Owner] = {}

    def take(self, body: Body, size_bytes: int) -> None:
        """Take memory for more bytes of a body.

        Raises:
            TooManyRequests: The body's owner has used its share.
            Unavailable: All owners together use the whole budget.
        """
        owner = self._owners.get(body.owner) or _Owner()
        # A single body is always allowed, because operators can set `body_bytes` above the share.
        while owner.has_others(body) and owner.held_bytes + size_bytes > self._max_bytes_each:
            if not self._evict(owner, body):
                raise TooManyRequests(
                    f"You are sending bodies of over {self._max_bytes_each} bytes together"
                    f" (limit {self._limit_each}).",
                    retry_after_s=1.0,
                    limit=self._limit_each,
                    quota=self._max_bytes_each,
                )
        while size_bytes > self._free_bytes:
            # Largest owner first: one owner with many slow bodies must not displace the others.
            if not any(self._evict(each, body) for each in self._by_size()):
                raise Unavailable(
                    f"The server is receiving bodies of over {self._max_bytes} bytes together"
                    f" (limit {self._limit}).",
                    retry_after_s=1.0,
                )
        self._owners[body.owner] = owner
        owner.bodies[body] = None
        owner.held_bytes += size_bytes
        self._free_bytes -= size_bytes

    def give_back(self, body: Body, size_bytes: int) -> None:
        """Take back all memory of a body, `size_bytes`."""
        owner = self._owners[body.owner]
        del owner.bodies[body]
        owner.held_bytes -= size_bytes
        self._free_bytes += size_bytes
        if not owner.bodies:
            del self._owners[body.owner]

    def refusal(self) -> Unavailable:
        """Return the error of an evicted body."""
        return Unavailable(
            f"The body arrived too slowly while others needed its memory (limit {self._limit}).",
            retry_after_s=1.0,
        )

    def _by_size(self) -> list[_Owner]:
        return sorted(self._owners.values(), key=lambda owner: -owner.held_bytes)

    def _evict(self, owner: _Owner, other: Body) -> bool:
        """Evict the slowest body of an owner but `other`; return False if none is slow."""
        slow_since = asyncio.get_running_loop().time() - self._slow_s
        slow = (
            body
            for body in owner.bodies
            if body is not other and not body.is_complete and body.progress_at < slow_since
        )
        slowest = min(slow, key=lambda body: body.progress_at, default=None)
        if slowest is not None:
            slowest.evict()
        return slowest is not None


class _Owner:
    """An account, or an address before sign-in."""

    def __init__(self) -> None:
        self.bodies: dict[Body, None] = {}
        self.held_bytes = 0

    def has_others(self, body: Body) -> bool:
        return len(self.bodies) > (body in self.bodies)


class WholeBody:
    """Small body that came with the head: nothing is left to wait for, nor to be counted.

    Args:
        content: The body.
        receive: The server's ASGI callable, with which the application waits for the disconnect.
        limits: Limits on sizes.
    """

    must_close_connection = False

    def __init__(self, content: bytes, receive: Receive, limits: BodyLimits) -> None:
        self.receive = receive
        self._content = content
        self._limits = limits

    async def read(self, limit: str) -> bytes:
        _check(len(self._content), limit, getattr(self._limits, limit))
        return self._content

    async def read_before_sign_in(self) -> bytes:
        return await self.read("body_bytes")

    async def chunks(self, limit: str) -> AsyncIterator[bytes]:
        yield await self.read(limit)

    def release(self) -> None:
        """Do nothing: small bodies take no memory budget."""


class Body:
    """Body that is still arriving, limited while a dialect reads it. `Connection` skips the rest.

    Errors are raised where the dialect reads, so that the dialect renders them.

    Args:
        scope: ASGI scope of the request.
        receive: The server's ASGI callable.
        limits: Limits on sizes and rates.
        budget: Memory budget.
        budget_before_sign_in: Memory budget of bodies that are read before sign-in.
        owner: Returns the owner; called when the body first takes memory.

    Attributes:
        is_complete: Whether the whole body was received.
        progress_at: Time at which the last 64 kB were complete, by the loop's clock.
    """

    def __init__(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        limits: BodyLimits,
        budget: BodyBudget,
        budget_before_sign_in: BodyBudget,
        owner: Callable[[], str],
    ) -> None:
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"")
        # Python's `int` raises for texts of more than 4,300 digits; 20 are over every limit.
        self._declared = int(declared[:20]) if declared.isdigit() else 0
        self._receive = receive
        self._limits = limits
        self._limit, self._maximum = "body_bytes", limits.body_bytes
        self._is_streamed = False
        self._budget = budget
        self._budget_before_sign_in = budget_before_sign_in
        self._find_owner = owner
        self._whole: bytes | None = None
        self._owner: str | None = None
        self._held = 0
        now = asyncio.get_running_loop().time()
        self._deadline = now + limits.body_timeout_s
        self.progress_at = now
        self._received = 0
        self._waiting: asyncio.Timeout | None = None
        self._is_late = self._is_evicted = False
        self.is_complete = not self._declared and b"transfer-encoding" not in headers

    @property
    def owner(self) -> str:
        """Owner whose share the body uses."""
        if self._owner is None:
            self._owner = self._find_owner()
        return self._owner

    @property
    def must_close_connection(self) -> bool:
        """Whether the connection must close: the body is late, over 64 kB or of unknown length."""
        if self.is_complete:
            return False
        return self._is_late or not 0 < self._declared <= _KEPT_BYTES

    async def read(self, limit: str) -> bytes:
        """Return the whole body; the parts of a large one are joined in a thread.

        Its 16 MB are new to the process, so that the kernel provides 4,000 pages one by one: that
        took 10 to 43 ms of the event loop.
        """
        if self._whole is None:
            self._bound(limit)
            parts = [part async for part in self._parts()]
            if self._received <= _JOINED_INLINE_BYTES:
                self._whole = _joined(parts)
            else:
                self._whole = await asyncio.to_thread(_joined, parts)
        return self._whole

    async def read_before_sign_in(self) -> bytes:
        if not self._received:
            self._budget = self._budget_before_sign_in
        return await self.read("body_bytes")

    def chunks(self, limit: str) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; it takes no memory budget, because chunks are not held."""
        self._bound(limit)
        self._is_streamed = True
        return self._parts()

    def _bound(self, limit: str) -> None:
        self._limit, self._maximum = limit, getattr(self._limits, limit)

    async def _parts(self) -> AsyncIterator[bytes]:
        while not self.is_complete:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            if part := message.get("body", b""):
                yield part

    async def receive(self) -> Message:
        """Return the next message; the application may wait with this for the disconnect.

        Raises:
            BodyTooLarge: The received or declared size is over the limit.
            RequestTimeout: The body exceeds the time of `body_timeout_s` and `body_bytes_per_s`.
            TooManyRequests: Its owner has used its share of memory for bodies.
            Unavailable: The budget of all bodies is used, or this body was evicted as too slow.
        """
        if self.is_complete:
            return await self._receive()
        # A body that declares too much is rejected before any of it is read.
        self._check(self._declared)
        with self._refused_when_late():
            message = await self._next()
        size = len(message.get("body", b""))
        if (self._received + size) // SLOW_BYTES > self._received // SLOW_BYTES:
            self.progress_at = asyncio.get_running_loop().time()
        self._received += size
        # The deadline moves with the received bytes, so a large body may take long, a slow one not.
        self._deadline += size / self._limits.body_bytes_per_s
        self._check(self._received)
        self._hold(self._received)
        return message

    def evict(self) -> None:
        """Release this body's memory for another body; the reader of this one gets an error now."""
        self._is_evicted = True
        self.release()
        # Its reader waits for bytes, possibly for ever; a past deadline wakes it with the error.
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    def release(self) -> None:
        """Return the memory of this body."""
        if self._held:
            self._budget.give_back(self, self._held)
            self._held = 0

    @contextlib.contextmanager
    def _refused_when_late(self) -> Iterator[None]:
        try:
            if self._is_evicted:
                raise TimeoutError
            yield
        except TimeoutError:
            self._is_late = True
            if self._is_evicted:
                raise self._budget.refusal() from None
            raise RequestTimeout(
                f"The body did not arrive within {self._limits.body_timeout_s:g} s and the time for"
                f" {self._limits.body_bytes_per_s} bytes per second"
                " (limits body_timeout_s, body_bytes_per_s)."
            ) from None

    def _check(self, size: int) -> None:
        _check(size, self._limit, self._maximum)

    def _hold(self, size: int) -> None:
        if size > max(self._held, _SMALL_BYTES) and not self._is_streamed:
            self._budget.take(self, size - self._held)
            self._held = size

    async def _next(self) -> Message:
        async with asyncio.timeout_at(self._deadline) as waiting:
            self._waiting = waiting
            try:
                message = await self._receive()
            finally:
                self._waiting = None
        self.is_complete = not message.get("more_body", False)
        return message


def _check(size: int, limit: str, maximum: int) -> None:
    if size > maximum:
        raise BodyTooLarge(f"The body is over {maximum} bytes (limit {limit}).")


def _joined(parts: list[bytes]) -> bytes:
    """Return the parts as one text, and free them."""
    whole = b"".join(parts)
    parts.clear()
    return whole
