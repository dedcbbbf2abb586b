"""Open connections by address. At the limit, idle connections are closed to accept new ones."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Protocol

from qwicket.gateway.throttle import network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Closable(Protocol):
    """A connection that can be counted and closed."""

    def end_idle(self) -> None:
        """Close at once; called only while no request is being served."""


class Connections:
    """Open connections of one server, limited in total and per address.

    Trusted proxies have no limit per address: one proxy forwards the requests of many clients, and
    server/router.py limits the requests of each client address instead. The addresses of an IPv6
    network /64 count as one.

    Args:
        maximum: Limit on all connections.
        max_per_address: Limit on the connections of one address.
        trusted_proxies: Networks, comma-separated; None if there are none.
        active: Called when a request begins, and when a connection has ended.
    """

    def __init__(
        self,
        maximum: int,
        max_per_address: int,
        trusted_proxies: str | None = None,
        *,
        active: Callable[[], object] = lambda: None,
    ) -> None:
        self._maximum = maximum
        self._max_per_address = max_per_address
        self._active = active
        proxies = trusted_proxies.split(",") if trusted_proxies else []
        self._proxies = [ipaddress.ip_network(each) for each in proxies]
        self._addresses: dict[str, _Address] = {}
        self._open: dict[Closable, _Address] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Closable, host: str) -> tuple[int, str] | None:
        """Count a connection, or return status and text of its refusal.

        At a limit, close an idle connection first: of the same address for the limit per address,
        of the address with the most connections for the total.
        """
        address = self._addresses.get(network(host)) or _Address(network(host))
        is_over = address.n_open >= self._max_per_address and not self._is_proxy(host)
        if is_over and not self._end_idle(address):
            return (
                429,
                f"{self._max_per_address} connections of your address are open"
                " (limit connections_each).",
            )
        if len(self._open) >= self._maximum and not self._end_idle(self._fullest()):
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

    def end_request(self, connection: Closable) -> None:
        """Mark a connection as idle."""
        if address := self._open.get(connection):
            address.kept_alive[connection] = None

    def _is_proxy(self, host: str) -> bool:
        if not self._proxies:
            return False
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in proxy for proxy in self._proxies)

    def _fullest(self) -> _Address | None:
        """Return the address with the most connections among those with an idle one."""
        with_idle = (each for each in self._addresses.values() if each.has_idle)
        return max(with_idle, key=lambda each: each.n_open, default=None)

    def _end_idle(self, address: _Address | None) -> bool:
        """Close the first idle connection of an address, as `_Address.idle` orders them, if any."""
        first_idle = next(address.idle(), None) if address else None
        if first_idle is None:
            return False
        self.remove(first_idle)  # now, because the event loop reports the closed socket later
        first_idle.end_idle()
        return True


class _Address:
    """Connections of one address; the first in each dictionary has been idle for longest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n_open = 0
        self.kept_alive: dict[Closable, None] = {}
        self.new: dict[Closable, None] = {}

    @property
    def has_idle(self) -> bool:
        return bool(self.kept_alive or self.new)

    def idle(self) -> Iterator[Closable]:
        """Yield idle connections: keep-alive ones first, then those without a first request."""
        yield from self.kept_alive
        yield from self.new

    def forget(self, connection: Closable) -> None:
        self.kept_alive.pop(connection, None)
        self.new.pop(connection, None)
