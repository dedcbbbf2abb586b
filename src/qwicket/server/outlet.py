"""What answers are written to: the pieces of one turn of the loop leave together.

An answer comes in two pieces, head and body. Sent one by one they take two system calls here, and
wake the client twice.
"""

from __future__ import annotations

import asyncio
from typing import Final

_JOINED_BYTES: Final = 64 << 10
"""Larger pieces go out as they are: to copy them costs more than it saves."""


class Outlet:
    """A transport, as far as answers use one."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, piece: bytes) -> None:
        if len(piece) > _JOINED_BYTES:
            self.flush()
            self._transport.write(piece)
        elif self._held:
            self._held += piece
            self.flush()
        elif piece:
            self._held = piece
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
