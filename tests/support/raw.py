"""HTTP over plain sockets, for requests that no client library sends."""

from __future__ import annotations

import select
import socket
from urllib.parse import urlsplit

import httpx


def connect(
    url: str,
    *,
    receive_bytes: int | None = None,
    timeout_s: float = 60,
    source: str | None = None,
) -> socket.socket:
    """Open a connection.

    Args:
        url: Where to.
        receive_bytes: Receive buffer of the kernel, for clients that do not read; it must be set
            before the connection is made (tcp(7), SO_RCVBUF).
        timeout_s: For each operation of the socket.
        source: The client's own address: all of 127.0.0.0/8 are loopback.
    """
    address = urlsplit(url)
    made = socket.socket()
    if receive_bytes is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    made.settimeout(timeout_s)
    if source is not None:
        made.bind((source, 0))
    made.connect((address.hostname, address.port))
    return made


def head(request: str, *headers: str) -> bytes:
    """Return the head of a request: `head("GET /livez", "Connection: close")`."""
    return "\r\n".join([f"{request} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def answer(connection: socket.socket) -> httpx.Response:
    """Read one answer of a declared length, and no byte of what follows it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, f"the connection ended after {head!r}"
        head += byte
    status, *lines = head.decode("latin-1").splitlines()[:-1]
    named = [line.partition(": ") for line in lines]
    headers = httpx.Headers([(name, value) for name, _, value in named])
    content = b""
    while len(content) < int(headers["content-length"]):
        content += connection.recv(int(headers["content-length"]) - len(content))
    return httpx.Response(int(status.split()[1]), headers=headers, content=content)


def is_ended(connection: socket.socket) -> bool:
    """Wait until there is something to read; return whether it is the end."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def reset_poll(connection: socket.socket) -> select.poll:
    poll = select.poll()
    poll.register(connection, 0)  # errors and hang-ups come unasked
    return poll


def wait_for_reset(connection: socket.socket) -> None:
    assert reset_poll(connection).poll(30_000), "still connected after 30 s"
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
