"""Open connections by address. At the limit, idle and stalled ones are closed for new ones."""

from __future__ import annotations

import ipaddress
import time
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from qwicket.gateway.throttle import network
from qwicket.server.bodies import SLOW_BYTES, SLOW_S

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPARED: Final = 8
"""Stalled connections of which the slowest is closed. All of an address would take 1 ms."""


class Closable(Protocol):
    """A connection that can be counted and closed."""

    @property
    def progress_bytes(self) -> int:
        """Bytes that the client has sent, and received of a response that waits for it."""

    def close_for_another(self) -> None:
        """Close at once; called only while it is idle, or its request waits for its client."""


class Connections:
    """Open connections of one server, limited in total and per address.

    At a limit, a new connection replaces an idle one, else a stalled one: its request waits for its
    client, which in the last 2 s has sent or received less than 64 kB.

    Trusted proxies have no limit per address: one proxy forwards the requests of many clients, and
    server/router.py limits the requests of each client address instead. The addresses of an IPv6
    network /64 count as one.

    Args:
        maximum: Limit on all connections.
        max_per_address: Limit on the connections of one address.
        trusted_proxies: Networks, comma-separated; None if there are none.
        active: Called when a request begins, and when a connection has ended.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        maximum: int,
        max_per_address: int,
        trusted_proxies: str | None = None,
        *,
        active: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._maximum = maximum
        self._max_per_address = max_per_address
        self._active = active
        self._clock = clock
        proxies = trusted_proxies.split(",") if trusted_proxies else []
        self._proxies = [ipaddress.ip_network(each) for each in proxies]
        self._addresses: dict[str, _Address] = {}
        self._open: dict[Closable, _Address] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Closable, host: str) -> tuple[int, str] | None:
        """Count a connection, or return status and text of its refusal.

        At a limit, close an idle or stalled connection first: of the same address for the limit per
        address, of the address with the most connections for the total.
        """
        address = self._addresses.get(network(host)) or _Address(network(host))
        is_over = address.n_open >= self._max_per_address and not self._is_proxy(host)
        if is_over and not self._close_one(address):
            return (
                429,
                f"{self._max_per_address} connections of your address are open"
                " (limit connections_each).",
            )
        if len(self._open) >= self._maximum and not self._close_one(*self._addresses.values()):
            return 503, f"{self._maximum} connections are open (limit connections)."
        self._addresses[address.name] = address
        self._open[connection] = address
        address.n_open += 1
        address.new[connection] = None
        return None

    def remove(self, connection: Closable) -> None:
        """Stop counting a connection; a second call does nothing."""
        address = self._open.pop(connection, None)
        if address is None:
            return
        address.forget(connection)
        address.n_open -= 1
        if not address.n_open:
            del self._addresses[address.name]
        self._active()

    def begin_request(self, connection: Closable) -> None:
        """Protect a connection from being closed for a new one while it serves a request."""
        if address := self._open.get(connection):
            address.forget(connection)
            self._active()

    def await_client(self, connection: Closable) -> None:
        """Protect a connection only while its client sends or receives enough."""
        if address := self._open.get(connection):
            address.forget(connection)
            address.waiting[connection] = _Mark(self._clock(), connection.progress_bytes)

    def end_request(self, connection: Closable) -> None:
        """Mark a connection as idle; also once only the unread rest of a body is awaited."""
        if address := self._open.get(connection):
            address.forget(connection)
            address.kept_alive[connection] = None

    def _is_proxy(self, host: str) -> bool:
        if not self._proxies:
            return False
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in proxy for proxy in self._proxies)

    def _close_one(self, *addresses: _Address) -> bool:
        """Close an idle connection of the address with the most, else a stalled one, if any."""
        by_size = sorted(addresses, key=lambda each: -each.n_open)
        now = self._clock()
        found = next((each.first_idle() for each in by_size if each.has_idle), None) or next(
            filter(None, (each.slowest(now) for each in by_size if each.waiting)), None
        )
        if found is None:
            return False
        self.remove(found)  # now, because the event loop reports the closed socket later
        found.close_for_another()
        return True


class _Mark(NamedTuple):
    """Progress of a waiting connection at a time."""

    at: float
    progress_bytes: int


class _Address:
    """Connections of one address that may be closed for others, the longest idle or waiting first.

    Attributes:
        name: The address.
        n_open: All its connections.
        kept_alive: Idle ones after a request.
        new: Idle ones before the first request.
        waiting: Those that wait for their clients, by the last time that enough progress was seen.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.n_open = 0
        self.kept_alive: dict[Closable, None] = {}
        self.new: dict[Closable, None] = {}
        self.waiting: dict[Closable, _Mark] = {}

    @property
    def has_idle(self) -> bool:
        return bool(self.kept_alive or self.new)

    def first_idle(self) -> Closable:
        """Return the first of those after a request, else of those before the first one."""
        return next(iter(self.kept_alive or self.new))

    def slowest(self, now: float) -> Closable | None:
        """Return the one with the least progress of those that have stalled for longest, if any."""
        stalled: list[tuple[int, Closable]] = []
        for connection, mark in list(self.waiting.items()):
            if now - mark.at < SLOW_S or len(stalled) == _COMPARED:
                break
            progress = connection.progress_bytes
            if progress - mark.progress_bytes < SLOW_BYTES:
                stalled.append((progress - mark.progress_bytes, connection))
            else:
                del self.waiting[connection]
                self.waiting[connection] = _Mark(now, progress)
        return min(stalled, key=itemgetter(0), default=(0, None))[1]

    def forget(self, connection: Closable) -> None:
        self.kept_alive.pop(connection, None)
        self.new.pop(connection, None)
        self.waiting.pop(connection, None)
