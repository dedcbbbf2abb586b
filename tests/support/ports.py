"""TCP ports for servers that start later, or start again."""

from __future__ import annotations

import socket

_holders: list[socket.socket] = []


def held_port() -> int:
    """Return a port of 127.0.0.1 where only a program listens that is told its number.

    While nothing listens there, the kernel could give it to any other socket. So a socket stays
    bound to it until the tests end; a server can listen beside it, because both have SO_REUSEADDR
    and this one does not listen.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _holders.append(holder)
    return int(holder.getsockname()[1])
