"""Qwicket's own clients, connected to a test bed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.registrations import clients
from qwicket.testing.errors import TestBedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def open_client(name: str, url: str, token: str) -> Any:
    """Return a client of a test bed.

    Args:
        name: `qwicket`, or a vendor with a client of ours.
        url: Address of the test bed.
        token: Token of an account.

    Raises:
        TestBedError: There is no such client.
    """
    if name not in _CLIENTS:
        known = ", ".join(_CLIENTS)
        raise TestBedError(f"name: there is no client {name!r}; there are {known}.")
    return _CLIENTS[name](url, token)


def _native(url: str, token: str) -> Any:
    from qwicket.clients.native import connect  # late: a test uses one or two of the clients

    return connect(url, token)


_CLIENTS: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "qwicket": _native,
    **{name: each.open for name, each in clients() if each.open is not None},
}
