"""How often one address may be wrong: tokens and passwords per minute, passwords by a bucket too.

Kept in memory and bounded; the addresses that were longest silent are forgotten.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque
from typing import Final

from qwicket.model.errors import TooManyRequests

_TRY_WINDOW_S: Final = 60.0
_REFILL_PER_S: Final = 1.0
_MAX_TRACKED: Final = 10_000
_MAX_ADDRESS_CHARS: Final = 64


class Tries:
    """Wrong tries of the last minute, per address and name.

    A try counts from when it begins, so that many at once count as well, until it proves right.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._recent: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def take(self, address: str, login: str) -> float:
        """Count a try; return 0, or the seconds until one more is allowed: it is not counted."""
        now = time.monotonic()
        key = network(address), login
        recent = self._recent.setdefault(key, deque())
        self._recent.move_to_end(key)
        while recent and recent[0] <= now - _TRY_WINDOW_S:
            recent.popleft()
        if len(recent) >= self._limit:
            return recent[0] + _TRY_WINDOW_S - now if recent else _TRY_WINDOW_S
        recent.append(now)
        if len(self._recent) > _MAX_TRACKED:
            self._recent.popitem(last=False)
        return 0.0

    def give_back(self, address: str, login: str) -> None:
        """Do not count the last try: it was right."""
        recent = self._recent.get((network(address), login))
        if recent:
            recent.pop()


class Bucket:
    """A bucket per address: each take empties it by one, each second gives one back."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When each bucket is full again; one that is full need not be kept."""

    def take(self, address: str) -> float:
        """Take one; return 0, or the seconds until there is one: then nothing is taken."""
        now = time.monotonic()
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
        """Put one back that was taken."""
        key = network(address)
        if key in self._full_at:
            self._full_at[key] -= 1 / _REFILL_PER_S


class WrongTokens:
    """Wrong tokens of the last minute, per address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tries = Tries(limit)

    def count(self, address: str) -> None:
        """Count a wrong token.

        Raises:
            TooManyRequests: The address had its share of this minute.
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


def network(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 that one customer is given.

    What is no address, as a proxy may write it, counts as it stands.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:_MAX_ADDRESS_CHARS]
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
