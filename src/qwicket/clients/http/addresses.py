"""Default address and token of the vendors' clients.

A Qwicket token is sent to the server in `QWICKET_URL`, or to an address in an argument or in the
vendor's variable. A forgotten address never sends it to a vendor's own service.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_TOKEN_PREFIXES: Final = ("qw_", "QWAK")  # the second begins ids of key pairs
_URL: Final = "QWICKET_URL"
_TOKEN: Final = "QWICKET_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Service:
    """A vendor's service and its counterpart on a Qwicket server.

    Attributes:
        url_variable: Environment variable of its address.
        token_variable: Environment variable of its token.
        path: Path of the API on a Qwicket server.
        url: Address of the vendor's own service; None if it does not exist.
    """

    url_variable: str
    token_variable: str
    path: str
    url: str | None


@dataclass(frozen=True)
class Destination:
    """Where a client sends its requests, and with which token.

    Attributes:
        url: Address of the server; None if none is configured and the vendor has no service.
        token: The secret; None if none is configured.
        url_source: Where the address comes from: the argument, or a variable; for the vendor's own
            service the variable that would replace it.
    """

    url: str | None
    token: str | None = field(repr=False)
    url_source: str


def is_qwicket_token(token: str | None) -> bool:
    """Return whether a token was issued by a Qwicket server."""
    return (token or "").startswith(_TOKEN_PREFIXES)


def qwicket_url() -> str | None:
    """Return the address in `QWICKET_URL`."""
    return (os.environ.get(_URL) or "").rstrip("/") or None


def qwicket_token_for(url: str) -> str | None:
    """Return `QWICKET_TOKEN` for addresses on the server in `QWICKET_URL`; None for others."""
    server = qwicket_url()
    return _variable(_TOKEN) if server and origin(url) == origin(server) else None


def choose_destination(
    service: Service, url: str | None, token: str | None, error_class: type[Exception]
) -> Destination:
    """Return address and token from the arguments, the vendor's variables or Qwicket's.

    Both come from the argument, else the vendor's variable. Without an address, requests go to the
    server in `QWICKET_URL` if there is no token or a Qwicket token, else to the vendor's own
    service. At an address on the server in `QWICKET_URL`, a missing token is `QWICKET_TOKEN`; that
    also replaces a vendor's key in the vendor's variable, which this server must not get.

    Args:
        service: The vendor's service.
        url: Argument of the client.
        token: Argument of the client; "" for one that signs in with a password, and so without an
            address uses the vendor's own service.
        error_class: Class of the error.

    Raises:
        error_class: There is no address, so a Qwicket token would be sent to the vendor's service.
    """
    url_source = "the argument url" if url else service.url_variable
    url = url or _variable(service.url_variable)
    own_token = _variable(service.token_variable) if token is None else None
    token = own_token if token is None else token
    server = qwicket_url()
    if not url and server and (token is None or is_qwicket_token(token)):
        url, url_source = server + service.path, _URL
    elif not url and service.url:
        url = service.url
        refuse_qwicket_token(token, url, error_class)
    if url and (token is None or (token == own_token and not is_qwicket_token(token))):
        token = qwicket_token_for(url) or token
    return Destination(url, token, url_source)


def refuse_qwicket_token(token: str | None, url: str, error_class: type[Exception]) -> None:
    """Check that a token may be sent to a vendor's own service.

    Raises:
        error_class: The token was issued by a Qwicket server.
    """
    if is_qwicket_token(token):
        raise error_class(
            f"This is a token of a Qwicket server, but without an address it would be sent to"
            f" {url}. Pass the server's address, or set {_URL}."
        )


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of an address; credentials never follow to another origin."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, parts.hostname, port


def _variable(name: str) -> str | None:
    return os.environ.get(name) or None
