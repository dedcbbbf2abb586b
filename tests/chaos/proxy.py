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
from collections.abc import Iterator
from typing import cast

import uvloop

_RESET = struct.pack("ii", 1, 0)
_CHUNK = 1 << 16


class Proxy:
    """Connections from clients to servers."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._turn: Iterator[int] = itertools.count()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._is_down = False
        self._cut_after: int | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = None if self._is_down else await self._open()
        if opened is None:
            reset(writer)
            return
        pair = (writer, opened[1])
        self._pairs.add(pair)
        try:
            with contextlib.suppress(OSError, RuntimeError):  # uvloop's word for a closed one
                await asyncio.gather(
                    self._forward(reader, opened[1]),
                    self._forward(opened[0], writer, is_answer=True),
                )
        finally:
            self._pairs.discard(pair)
            for each in pair:
                each.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turn)
        for number in range(len(self._ports)):
            port = self._ports[(first + number) % len(self._ports)]
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2)
        return None

    async def _forward(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        while chunk := await source.read(_CHUNK):
            if is_answer and self._cut_after is not None:
                target.write(chunk[: self._cut_after])
                self._cut_after = None
                await target.drain()
                raise ConnectionResetError
            target.write(chunk)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()

    def obey(self, command: str) -> None:
        word, _, number = command.partition(" ")
        if word == "cut":
            self._cut_after = int(number)
            return
        self._is_down = word == "down"
        if word in {"break", "down"}:
            for pair in self._pairs:
                for writer in pair:
                    reset(writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection at once, so that the other side sees it broken."""
    own = cast("socket.socket", writer.get_extra_info("socket"))
    with contextlib.suppress(OSError):
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def main(ports: list[int]) -> None:
    proxy = Proxy(ports)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        proxy.obey(line.decode().strip())


if __name__ == "__main__":
    uvloop.run(main([int(each) for each in sys.argv[1:]]))
