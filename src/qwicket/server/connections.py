"""Open connections, counted by address; idle ones are closed when there is no room for new ones."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Protocol

from qwicket.gateway.throttle import network

if TYPE_CHECKING:
    from collections.abc import Iterator


class Closable(Protocol):
    """What is counted."""

    def end_idle(self) -> None:
        """Close at once: no request is being served."""


class Connections:
    """The open connections of one server.

    An address has a share of them. Connections of trusted proxies have none, because a proxy
    carries the requests of many clients: their addresses count for each request (server/http.py).

    Args:
        most: Bound on all of them.
        each: Bound on those of one address.
        trusted_proxies: Networks, comma-separated.
    """

    def __init__(self, most: int, each: int, trusted_proxies: str | None = None) -> None:
        self._most = most
        self._each = each
        proxies = trusted_proxies.split(",") if trusted_proxies else []
        self._proxies = [ipaddress.ip_network(each) for each in proxies]
        self._of_address: dict[str, _Address] = {}
        self._open: dict[Closable, _Address] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Closable, host: str) -> tuple[int, str] | None:
        """Count a connection, or return status and text of its refusal.

        Where there is no room, an idle connection of the same address, or else of the address that
        has most, is closed for it.
        """
        of_address = self._of_address.get(network(host)) or _Address(network(host))
        is_over = of_address.n_open >= self._each and not self._is_proxy(host)
        if is_over and not self._end_idle(of_address):
            return (
                429,
                f"{self._each} connections of your address are open (limit connections_each).",
            )
        if len(self._open) >= self._most and not self._end_idle(self._fullest()):
            return 503, f"Over {self._most} connections are open (limit connections)."
        self._of_address[of_address.name] = of_address
        self._open[connection] = of_address
        of_address.n_open += 1
        of_address.new[connection] = None
        return None

    def remove(self, connection: Closable) -> None:
        """Count a connection out. Again, it does nothing."""
        of_address = self._open.pop(connection, None)
        if of_address is None:
            return
        of_address.forget(connection)
        of_address.n_open -= 1
        if not of_address.n_open:
            del self._of_address[of_address.name]

    def begin_request(self, connection: Closable) -> None:
        """Keep a connection from being closed for others."""
        if of_address := self._open.get(connection):
            of_address.forget(connection)

    def end_request(self, connection: Closable) -> None:
        """Note that a connection is idle from now on."""
        if of_address := self._open.get(connection):
            of_address.kept[connection] = None

    def _is_proxy(self, host: str) -> bool:
        if not self._proxies:
            return False
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in proxy for proxy in self._proxies)

    def _fullest(self) -> _Address | None:
        """Return the address with most connections among those that have idle ones."""
        with_idle = (each for each in self._of_address.values() if each.has_idle)
        return max(with_idle, key=lambda each: each.n_open, default=None)

    def _end_idle(self, of_address: _Address | None) -> bool:
        """Close the connection of an address that has been idle for longest, if there is one."""
        oldest = next(of_address.idle(), None) if of_address else None
        if oldest is None:
            return False
        self.remove(oldest)  # at once: that its socket is closed is heard of later
        oldest.end_idle()
        return True


class _Address:
    """Connections of one address. Dictionaries keep their order: the first is idle for longest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n_open = 0
        self.kept: dict[Closable, None] = {}
        self.new: dict[Closable, None] = {}

    @property
    def has_idle(self) -> bool:
        return bool(self.kept or self.new)

    def idle(self) -> Iterator[Closable]:
        """Yield idle connections: those between two requests come before those without one."""
        yield from self.kept
        yield from self.new

    def forget(self, connection: Closable) -> None:
        self.kept.pop(connection, None)
        self.new.pop(connection, None)
