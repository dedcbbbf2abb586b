"""Where a server listens, and why it cannot. `qwicket doctor` uses this without a server."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from qwicket.server.settings import Settings


class Address(NamedTuple):
    """An address at which the server listens, for all dialects or for one alone.

    Attributes:
        host: Address or name of this machine.
        port: Port; 0 takes any free one.
        cert: Certificate chain in PEM; None means no TLS.
        key: Its private key.
        dialect: The dialect; empty for the server's main address.
    """

    host: str
    port: int
    cert: Path | None
    key: Path | None
    dialect: str = ""

    def option(self, name: str) -> str:
        """Return the option to name in an error: `name`, or --listen for a dialect's address."""
        return "--listen" if self.dialect else name

    def tls(self) -> ssl.SSLContext | None:
        """Return its TLS context, or None without TLS.

        Raises:
            InvalidRequest: A file cannot be read or is invalid; the text names it.
        """
        from qwicket.server import tls  # late: many servers are behind a proxy and have none

        options = self.option("--tls-cert"), self.option("--tls-key")
        return tls.context(self.cert, self.key, options)


def addresses(settings: Settings) -> list[Address]:
    """Return where a server listens, its main address first."""
    main = Address(settings.host, settings.port, settings.tls_cert, settings.tls_key)
    of_dialects = [
        Address(
            host=main.host if own.host is None else own.host,
            port=own.port,
            cert=main.cert if own.tls_cert is None else own.tls_cert,
            key=main.key if own.tls_cert is None else own.tls_key,
            dialect=own.dialect,
        )
        for own in settings.listen
    ]
    return [main, *of_dialects]


def listen(address: Address) -> list[socket.socket]:
    """Return sockets that listen at an address, one for each address of its host.

    Raises:
        OSError: One of them cannot; `listen_failure` says why.
    """
    infos = socket.getaddrinfo(
        address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    opened: list[socket.socket] = []
    try:
        for family, kind, protocol, _, name in infos:
            opened.append(socket.socket(family, kind, protocol))
            # Else recently closed connections would block the port.
            opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                opened[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened[-1].bind(name)
            opened[-1].listen()
    except OSError:
        for each in opened:
            each.close()
        raise
    return opened


def listen_failure(error: OSError, address: Address) -> str:
    """Return why the server cannot listen, starting with the option to change."""
    host, port = address.host, address.port
    at_port, at_host = address.option("--port"), address.option("--host")
    if error.errno == errno.EADDRINUSE:
        return (
            f"{at_port}: another program listens on {host}:{port} (address already in use)."
            f" Choose another port, or end that program; `ss -ltnp sport = :{port}` names it."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{at_port}: {port} is for the system's own programs; choose one above 1023."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{at_host}: {host} is not an address of this machine."
    options = ", ".join(dict.fromkeys((at_host, at_port)))
    return f"{options}: {host}:{port}: {error.strerror}."
