"""Thousands of connections from one address.

    python -m support.many_connections HOST PORT KIND COUNT

A process of its own, so that it shares no interpreter with the clients that are measured. It prints
"ready" when all connections are open. It reopens those that the server closes, until its standard
input ends.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time

from support import raw

SOURCE = "127.0.0.2"
_AGAIN_PER_S = 500

SENT = {
    "silent": b"",
    "half a head": b"GET /livez HTTP/1.1\r\nHost: x\r\n",
    "idle": raw.head("GET /livez"),
    "malformed": raw.head(
        "GET /ibm/api/jobs/x/status",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Content-Length: 5",
    ),
}
"""What each connection of a kind sends."""


def main(host: str, port: str, kind: str, count: str) -> None:
    """Keep `count` connections of one kind open, as far as the server permits."""
    opened = selectors.DefaultSelector()

    def reopen(n: int) -> None:
        for _ in range(n):
            made = socket.socket()
            made.bind((SOURCE, 0))
            made.connect((host, int(port)))
            made.sendall(SENT[kind])
            made.setblocking(False)
            opened.register(made, selectors.EVENT_READ)

    reopen(int(count))
    opened.register(sys.stdin, selectors.EVENT_READ)
    sys.stdout.write("ready\n")  # what the test waits for
    sys.stdout.flush()
    while True:
        ended = [key.fileobj for key, _ in opened.select(1)]
        if sys.stdin in ended:
            return
        n_over = 0
        for each in ended:
            if isinstance(each, socket.socket) and _is_over(each):
                opened.unregister(each)
                each.close()
                n_over += 1
        reopen(n_over)
        time.sleep(n_over / _AGAIN_PER_S)


def _is_over(each: socket.socket) -> bool:
    """Read what has arrived; return whether the server has closed the connection."""
    try:
        while each.recv(4_096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
