"""How often one address may be wrong: passwords per minute, tokens by a bucket.

Kept in memory and bounded; the addresses that were longest silent are forgotten.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque
from functools import lru_cache
from typing import Final

from qwicket.model.errors import TooManyRequests

_TRY_WINDOW_S: Final = 60.0
_REFILL_PER_S: Final = 1.0
_MAX_TRACKED: Final = 10_000
_MAX_ADDRESS_CHARS: Final = 64


class Tries:
    """Password tries of the last minute, per address and name."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._recent: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def count(self, address: str, login: str) -> None:
        """Count a try.

        Raises:
            TooManyRequests: There were too many in the last minute.
        """
        now = time.monotonic()
        key = network(address), login
        recent = self._recent.setdefault(key, deque())
        self._recent.move_to_end(key)
        while recent and recent[0] <= now - _TRY_WINDOW_S:
            recent.popleft()
        if len(recent) >= self._limit:
            wait_s = recent[0] + _TRY_WINDOW_S - now
            raise TooManyRequests(
                f"Over {self._limit} password tries in a minute (limit password_tries).",
                retry_after_s=wait_s,
                limit="password_tries",
                quota=self._limit,
            )
        recent.append(now)
        if len(self._recent) > _MAX_TRACKED:
            self._recent.popitem(last=False)


class WrongTokens:
    """A bucket per address: each wrong token takes one, each second gives one back."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When each bucket is full again; one that is full need not be kept."""

    def count(self, address: str) -> None:
        """Count a wrong token.

        Raises:
            TooManyRequests: The bucket is empty.
        """
        now = time.monotonic()
        key = network(address)
        full_at = max(now, self._full_at.get(key, now)) + 1 / _REFILL_PER_S
        wait_s = full_at - now - self._size / _REFILL_PER_S
        if wait_s > 0:
            raise TooManyRequests(
                f"Over {self._size} wrong tokens from one address (limit wrong_tokens).",
                retry_after_s=wait_s,
                limit="wrong_tokens",
                quota=self._size,
            )
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > _MAX_TRACKED:
            self._full_at.popitem(last=False)


@lru_cache(4_096)
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
