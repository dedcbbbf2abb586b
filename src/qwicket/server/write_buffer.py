"""Write buffer of a connection: joins two small writes in one turn of the event loop.

Uvicorn writes a response's head and body separately. Sent separately they take two system calls,
and wake the client twice.
"""

from __future__ import annotations

import asyncio
from typing import Final

_COALESCED_BYTES: Final = 64 << 10
"""Larger chunks are written as they are, because copying them costs more than it saves."""


class WriteBuffer:
    """A transport with the methods that responses use.

    Attributes:
        transport: Takes the joined writes.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self._loop = loop
        self._held = b""

    def write(self, chunk: bytes) -> None:
        """Hold a small chunk until the next write or turn of the loop; write a large one now."""
        if len(chunk) > _COALESCED_BYTES:
            self.flush()
            self.transport.write(chunk)
        elif self._held:
            self._held += chunk
            self.flush()
        elif chunk:
            self._held = chunk
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write the held bytes to the transport."""
        if self._held:
            held, self._held = self._held, b""
            self.transport.write(held)

    def close(self) -> None:
        self.flush()
        self.transport.close()

    def is_closing(self) -> bool:
        return self.transport.is_closing()
