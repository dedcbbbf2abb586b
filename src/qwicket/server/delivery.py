"""The way of responses to clients: two small writes are joined, and acknowledgements are looked up.

Uvicorn writes a response's head and body separately. Sent separately they take two system calls,
and wake the client twice.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_COALESCED_BYTES: Final = 64 << 10
"""Larger chunks are written as they are, because copying them costs more than it saves."""
_INT: Final = struct.Struct("i")
_ACKNOWLEDGED: Final = struct.Struct("Q")
_ACKNOWLEDGED_AT: Final = 120
"""Offset of tcpi_bytes_acked in Linux's tcp_info (linux/tcp.h, since 4.1)."""
_CONNECTED: Final = (1, 8)
"""ESTABLISHED and CLOSE_WAIT (the client has closed its side) in Linux's tcp_states.h."""
_DELIVERY_PAUSES_S: Final = (0.0, 0.001, 0.004, 0.02, 0.1, 0.4, 1.0, 3.0)
"""Pauses before each look at whether a response was acknowledged."""


class WriteBuffer:
    """A transport with the methods that responses use.

    Attributes:
        transport: Takes the joined writes.
        end: Ends the connection after its last response; by default the transport closes.
    """

    end: Callable[[], None]

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self.end = transport.close
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
        self.end()

    def is_closing(self) -> bool:
        return self.transport.is_closing()


def is_delivered(transport: asyncio.Transport) -> Awaitable[bool]:
    """Return, once known, whether the client's machine has acknowledged everything written.

    It counts as not acknowledged if that is unknown after 4.5 s (`_DELIVERY_PAUSES_S`).

    A write without an error proves nothing: the machine of a client that is gone resets the
    connection only when the response arrives.
    """
    descriptor = transport.get_extra_info("socket").fileno()
    if descriptor < 0:  # closed
        return _is_acknowledged(transport, None)
    # Duplicated now, because the connection may be closed after its last response.
    return _is_acknowledged(transport, socket.socket(fileno=os.dup(descriptor)))


async def _is_acknowledged(transport: asyncio.Transport, duplicate: socket.socket | None) -> bool:
    if duplicate is None:
        return False
    end = None
    with duplicate:
        for pause_s in _DELIVERY_PAUSES_S:
            await asyncio.sleep(pause_s)
            # The first byte of tcp_info is the state.
            state = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
            if state not in _CONNECTED:
                return False
            acknowledged = acknowledged_bytes(duplicate)
            if end is None and not transport.get_write_buffer_size():
                # The end of this response: the kernel of a client that only reads acknowledges the
                # later responses of a connection after up to 40 ms each.
                queued = queued_bytes(duplicate)
                if acknowledged_bytes(duplicate) == acknowledged:  # else look again
                    end = acknowledged + queued
            if end is not None and acknowledged >= end:
                return True
    return False


def queued_bytes(connection: socket.socket) -> int:
    """Return the bytes in the kernel that the client's machine has not acknowledged."""
    return int(_INT.unpack(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0])


def acknowledged_bytes(connection: socket.socket) -> int:
    """Return all bytes that the client's machine has acknowledged on this connection."""
    size = _ACKNOWLEDGED_AT + _ACKNOWLEDGED.size
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
    return int(_ACKNOWLEDGED.unpack_from(information, _ACKNOWLEDGED_AT)[0])
