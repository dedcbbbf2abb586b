"""The mass of `make chaos`: when each dialect's users send a submission again."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

import pytest

from chaos.mass import USERS
from chaos.mass.connection import Connection, Lost
from chaos.mass.dialects import DIALECTS, Account, Refused
from support.for_each import for_each

LOST = b""
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"
REPEATED: dict[str, set[bytes]] = {
    "mass-native": {LOST, BUSY},
    "mass-ionq": {BUSY},
    "mass-qbraid": {BUSY},
    "mass-braket": {LOST, BUSY},
    "mass-ibmq": {BUSY},
    "mass-runtime": {BUSY},
    "mass-xanadu": set(),
    "mass-qlued": set(),
}
"""By account, what the vendor's client repeats: see docs/clients and the vendors' sources."""


class Server:
    """Answers submissions in turn; an empty answer ends the connection."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self.submissions = 0
        self.connections: set[asyncio.Task[None]] = set()

    def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            self.submissions += 1
            answer = self._answers.pop(0)
            if not answer:
                break
            writer.write(answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def submissions(account: str, first: bytes) -> int:
    """Return how often a submission was sent whose first answer is this one."""
    server = Server([first, REFUSED])
    async with await asyncio.start_server(server.connect, "127.0.0.1", 0) as listening:
        connection = Connection("127.0.0.1", listening.sockets[0].getsockname()[1])
        with pytest.raises((Lost, Refused)):
            await DIALECTS[account](Account("token", "QWAKA", "secret"), connection).submit(1)
        connection.close()
        await asyncio.gather(*server.connections)
    return server.submissions


@for_each("account, first", itertools.product(USERS, (LOST, BUSY)))
def test_a_submission_is_sent_again_only_where_the_vendors_client_does(
    account: str, first: bytes
) -> None:
    sent = asyncio.run(submissions(account, first))
    assert sent == 1 + (first in REPEATED[account])
