"""A listener that resets each connection as soon as it is open."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def resetting() -> Iterator[str]:
    """Yield the address of such a listener."""
    listener = socket.create_server(("127.0.0.1", 0))

    def reset_all() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                connection, _ = listener.accept()
                # A linger of 0 s makes the kernel send RST.
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.close()

    thread = threading.Thread(target=reset_all)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
