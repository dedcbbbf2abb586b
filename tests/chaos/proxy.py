"""A proxy that breaks connections on command: `-m chaos.proxy PORT...` prints its own port.

Each new connection goes to the next server that accepts it. It reads commands from standard input:
`break` resets every connection, `cut N` resets the connection that sends the next answer after N
bytes of it, `down` also refuses new ones until `up`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import sys
from typing import cast

import uvloop

_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Connections from clients to servers."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._turn = itertools.count()
        self.ends: set[End] = set()
        self.is_down = False
        self.cut_after: int | None = None

    async def open(self, client: End) -> None:
        """Connect a client to the next server that accepts."""
        first = next(self._turn)
        for number in range(0 if self.is_down else len(self._ports)):
            port = self._ports[(first + number) % len(self._ports)]
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().create_connection(
                    lambda: End(self, client), "127.0.0.1", port
                )
                return
        reset(client.transport)

    def obey(self, command: str) -> None:
        word, _, number = command.partition(" ")
        if word == "cut":
            self.cut_after = int(number)
            return
        self.is_down = word == "down"
        if word in {"break", "down"}:
            for end in [*self.ends]:
                reset(end.transport)


class End(asyncio.Protocol):
    """The connection to a client, or the one to its server; each sends on what the other receives.

    Plain callbacks take a third of the processor time that streams take, on the servers' machine.
    """

    transport: asyncio.Transport

    def __init__(self, proxy: Proxy, client: End | None = None) -> None:
        self._proxy = proxy
        self._is_server = client is not None
        self._has_ended = False
        self.early = bytearray()
        self.other: End | None = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._proxy.ends.add(self)
        if self.other is None:
            self._opening = asyncio.create_task(self._proxy.open(self))
        elif self.other.transport.is_closing():
            self.transport.abort()
        else:
            self.other.other = self
            self.transport.write(self.other.early)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.early += data
        elif self._is_server and self._proxy.cut_after is not None:
            self.other.transport.write(data[: self._proxy.cut_after])
            self._proxy.cut_after = None
            self.other.transport.close()
        else:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Send the end on; return whether the other direction stays open."""
        self._has_ended = True
        if self.other is None:
            return False
        if not self.other._has_ended and self.other.transport.can_write_eof():
            self.other.transport.write_eof()
        return not self.other._has_ended

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy.ends.discard(self)
        if self.other is not None:
            self.other.transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Close a connection at once, so that the other side sees it broken."""
    own = cast("socket.socket", transport.get_extra_info("socket"))
    with contextlib.suppress(OSError):
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


async def main(ports: list[int]) -> None:
    proxy = Proxy(ports)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: End(proxy), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        proxy.obey(line.decode().strip())


if __name__ == "__main__":
    uvloop.run(main([int(each) for each in sys.argv[1:]]))
