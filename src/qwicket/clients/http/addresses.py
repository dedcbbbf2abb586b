"""Which server a vendor's client asks, and with which token, when the caller does not say.

A Qwicket token goes to the server that `QWICKET_URL` names, or to an address that the caller gives;
never to a vendor's own service because an argument is missing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_PREFIX: Final = "qw_"
_URL: Final = "QWICKET_URL"
_TOKEN: Final = "QWICKET_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Service:
    """A vendor's service, and where a Qwicket server has the same.

    Attributes:
        url_variable: The environment's variable for its address.
        token_variable: The environment's variable for its token.
        path: Path of the API on a Qwicket server.
        url: Address of the vendor's own service; None where there is none.
    """

    url_variable: str
    token_variable: str
    path: str
    url: str | None


@dataclass(frozen=True)
class Target:
    """What a client is made of; None where nothing says it.

    Attributes:
        url: Address of the server.
        token: The secret.
        url_source: Where the address comes from: a variable, or the argument.
    """

    url: str | None
    token: str | None = field(repr=False)
    url_source: str


def is_qwicket_token(token: str | None) -> bool:
    """Return whether a token is one of a Qwicket server."""
    return (token or "").startswith(_PREFIX)


def qwicket_url() -> str | None:
    """Return the address of the Qwicket server that the environment names."""
    return (os.environ.get(_URL) or "").rstrip("/") or None


def qwicket_token_for(url: str) -> str | None:
    """Return the environment's Qwicket token, if the address is on the server that it names."""
    home = qwicket_url()
    return _variable(_TOKEN) if home and origin(url) == origin(home) else None


def choose(service: Service, url: str | None, token: str | None, refuse: type[Exception]) -> Target:
    """Return address and token: the arguments, the vendor's variables, then Qwicket's.

    Args:
        service: What the client speaks with.
        url: The argument.
        token: The argument.
        refuse: What to raise.

    Raises:
        refuse: A Qwicket token would go to the vendor's own service.
    """
    url_source = "the argument url" if url else service.url_variable
    url = url or _variable(service.url_variable)
    if url:
        if token is None:
            token = qwicket_token_for(url) or _variable(service.token_variable)
        return Target(url, token, url_source)
    token = _variable(service.token_variable) if token is None else token
    home = qwicket_url()
    if home and (token is None or is_qwicket_token(token)):
        return Target(home + service.path, _variable(_TOKEN) if token is None else token, _URL)
    if service.url:
        refuse_our_token(token, service.url, refuse)
    return Target(service.url, token, url_source)


def refuse_our_token(token: str | None, url: str, refuse: type[Exception]) -> None:
    """Check that a token may go to a vendor's own service.

    Raises:
        refuse: It is one of a Qwicket server.
    """
    if is_qwicket_token(token):
        raise refuse(
            f"This is a token of a Qwicket server, and without an address it would go to {url}."
            f" Give the server's address, or set {_URL}."
        )


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of an address; credentials stay with all three."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, parts.hostname, port


def _variable(name: str) -> str | None:
    return os.environ.get(name) or None
