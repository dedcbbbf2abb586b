"""Rate limits on wrong tokens and passwords per address, and counts of refused sign-ins.

Counts are in memory and bounded; those of addresses that were inactive longest are dropped. An
IPv6 address counts as its /64.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import time
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.errors import QwicketError, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_ATTEMPT_WINDOW_S: Final = 60.0
"""Time for which a wrong attempt counts."""
_REFILL_PER_S: Final = 1.0
"""Attempts that an address regains in a second."""
_MAX_TRACKED: Final = 10_000
"""Limit on addresses (with names) whose counts are in memory."""
_MAX_ADDRESS_CHARS: Final = 64
_MAX_CACHED: Final = 1_024
"""Limit on addresses whose network is in memory."""
_MINUTE_MS: Final = 60_000
_MAX_REFUSED: Final = 20
"""Limit on counts, each for a minute and an address, that a server has not recorded yet."""
OTHER_ADDRESSES: Final = "others"
"""Stands for all addresses beyond this limit."""

_log = logging.getLogger(__name__)


class Refused(NamedTuple):
    """Refused sign-ins of an address in a minute.

    Attributes:
        minute: Its beginning in Unix milliseconds.
        address: Network of the client, or `others`.
        number: Number of refusals.
    """

    minute: int
    address: str
    number: int


class AttemptCounter:
    """Wrong attempts of the last minute, per address and name.

    An attempt counts from its beginning; if it succeeds, `give_back` takes it back. So concurrent
    attempts count, too.
    """

    def __init__(self, limit: int, clock: Callable[[], float] | None = None) -> None:
        self._limit = limit
        self._clock = clock or time.monotonic
        self._recent: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def take(self, address: str, login: str) -> float:
        """Count an attempt and return 0; over the limit, only return the seconds to wait."""
        now = self._clock()
        key = network(address), login
        recent = self._recent.setdefault(key, deque())
        self._recent.move_to_end(key)
        while recent and recent[0] <= now - _ATTEMPT_WINDOW_S:
            recent.popleft()
        if len(recent) >= self._limit:
            # With a limit of 0 there is no attempt to wait for.
            return recent[0] + _ATTEMPT_WINDOW_S - now if recent else _ATTEMPT_WINDOW_S
        recent.append(now)
        if len(self._recent) > _MAX_TRACKED:
            self._recent.popitem(last=False)
        return 0.0

    def give_back(self, address: str, login: str) -> None:
        """Remove the last attempt, because it was right."""
        recent = self._recent.get((network(address), login))
        if recent:
            recent.pop()


class Bucket:
    """Token bucket per address, refilled by one per second."""

    def __init__(self, size: int, clock: Callable[[], float] | None = None) -> None:
        self._size = size
        self._clock = clock or time.monotonic
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """Time at which each bucket is full again, the one that was used longest ago first."""

    def take(self, address: str) -> float:
        """Take one and return 0; from an empty bucket, only return the seconds to wait."""
        now = self._clock()
        key = network(address)
        full_at = max(now, self._full_at.get(key, now)) + 1 / _REFILL_PER_S
        wait_s = full_at - now - self._size / _REFILL_PER_S
        if wait_s > 0:
            return wait_s
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > _MAX_TRACKED:
            self._full_at.popitem(last=False)
        return 0.0

    def give_back(self, address: str) -> None:
        """Return one to the bucket."""
        key = network(address)
        if key in self._full_at:
            self._full_at[key] -= 1 / _REFILL_PER_S


class WrongTokens:
    """Wrong tokens of the last minute, per address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tries = AttemptCounter(limit)

    def count(self, address: str) -> None:
        """Count a wrong token.

        Raises:
            TooManyRequests: The address had reached its limit in the last minute.
        """
        wait_s = self._tries.take(address, "")
        if wait_s:
            raise TooManyRequests(
                f"Over {self._limit} wrong tokens from one address in a minute"
                " (limit wrong_tokens).",
                retry_after_s=wait_s,
                limit="wrong_tokens",
                quota=self._limit,
            )


class Refusals:
    """Refused sign-ins by minute and address, until they are recorded.

    Only the first addresses since the last record have counts of their own, so an attacker cannot
    make the server store more than a few rows at a time.

    Args:
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._counts = Counter[tuple[int, str]]()
        self._has_counts = asyncio.Event()

    def count(self, address: str) -> None:
        """Count a refused sign-in."""
        key = (self._now_ms() // _MINUTE_MS * _MINUTE_MS, network(address))
        if key not in self._counts and len(self._counts) >= _MAX_REFUSED:
            key = (key[0], OTHER_ADDRESSES)
        self._counts[key] += 1
        self._has_counts.set()

    async def run(
        self, record: Callable[[list[Refused]], Awaitable[None]], every_s: float = 60.0
    ) -> None:
        """Record the counts, for ever: each time `every_s` seconds after the first new refusal.

        So an idle server is not woken up.
        """
        while True:
            await self._has_counts.wait()
            await asyncio.sleep(every_s)
            self._has_counts.clear()
            counts, self._counts = self._counts, Counter()
            try:
                await record([Refused(*key, number) for key, number in counts.items()])
            except QwicketError:
                _log.warning("refused sign-ins could not be recorded; they are counted on")
                self._counts.update(dict(counts.most_common(_MAX_REFUSED)))
                self._has_counts.set()


def network(address: str) -> str:
    """Return the network of one client: an IPv4 address, or a /64, which one customer receives.

    Other texts, which a proxy may send, are only cut to 64 characters.
    """
    return _network(address[:_MAX_ADDRESS_CHARS])


@functools.lru_cache(_MAX_CACHED)
def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
