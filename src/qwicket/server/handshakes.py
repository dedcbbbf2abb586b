"""Accepts connections over TLS. Each counts from its beginning, not only after its handshake."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Sequence

    from qwicket.model.limits import ConnectionLimits
    from qwicket.server.connection import Connection
    from qwicket.server.connections import Connections

_SHUTDOWN_S: Final = 2.0
"""Time for a client's part in the end of TLS."""
_PAUSE_S: Final = 0.1
"""Pause when no file descriptor or memory is left for a connection."""


class TLSListener:
    """Accepts connections, and passes each on once its TLS handshake is complete.

    The event loop's own TLS shows a connection only then. So clients that begin no handshake would
    take more file descriptors than the limits on connections allow, and no other could connect.

    Args:
        sockets: Sockets that listen, which `close` closes.
        context: The server's side of TLS.
        limits: Bounds on connections.
        connections: Counts connections; they are idle until the first request.
        make: Makes what serves a connection.

    Attributes:
        sockets: The same sockets.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        context: ssl.SSLContext,
        limits: ConnectionLimits,
        connections: Connections,
        make: Callable[[], Connection],
    ) -> None:
        self.sockets = sockets
        self._context = context
        self._limits = limits
        self._connections = connections
        self._make = make
        self._accepting = [asyncio.create_task(self._accept(each)) for each in sockets]

    def close(self) -> None:
        """Accept no more connections."""
        for task in self._accepting:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until no socket listens."""
        await asyncio.gather(*self._accepting, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        with listening:
            while True:
                try:
                    accepted, (host, *_) = await loop.sock_accept(listening)
                except OSError:
                    await asyncio.sleep(_PAUSE_S)
                    continue
                self._begin(accepted, host)
                await asyncio.sleep(0)  # if more wait, `sock_accept` returns at once

    def _begin(self, accepted: socket.socket, host: str) -> None:
        connection = self._make()
        if self._connections.add(connection, host):
            accepted.close()  # before TLS there is no way to say why
            return
        connection.handshake = asyncio.create_task(self._complete(accepted, connection))
        connection.handshake.add_done_callback(partial(self._end, accepted, connection))

    async def _complete(self, accepted: socket.socket, connection: Connection) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.head_timeout_s,
                ssl_shutdown_timeout=_SHUTDOWN_S,
            )
        except OSError:  # no TLS, no common version, or it took too long
            return

    def _end(self, accepted: socket.socket, connection: Connection, _: asyncio.Task[None]) -> None:
        if not connection.is_open:
            accepted.close()
            self._connections.remove(connection)
