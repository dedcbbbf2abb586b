"""Connections that send one request again and again.

    python -m support.busy_connections HOST PORT COUNT FILE

A process of its own, so that it shares no interpreter with the client that is measured. FILE holds
the request's bytes. It prints "ready" when a first response has arrived and each connection has
sent its request. When its standard input ends, it prints the number of responses by status.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections import Counter
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final

_lock: Final = threading.Lock()
_statuses: Final = Counter[int]()
_has_response: Final = threading.Event()


def _send(host: str, port: int, request: bytes, has_sent: threading.Semaphore) -> None:
    while True:
        with socket.create_connection((host, port)) as connection:
            while True:
                try:
                    connection.sendall(request)
                    has_sent.release()
                    response = HTTPResponse(connection)
                    response.begin()
                    response.read()
                except (OSError, HTTPException):
                    break
                with _lock:
                    _statuses[response.status] += 1
                _has_response.set()
                if response.will_close:
                    break


def main(host: str, port: str, count: str, file: str) -> None:
    """Send until standard input ends."""
    has_sent = threading.Semaphore(0)
    arguments = (host, int(port), Path(file).read_bytes(), has_sent)
    for _ in range(int(count)):
        threading.Thread(target=_send, args=arguments, daemon=True).start()
    for _ in range(int(count)):
        has_sent.acquire()
    _has_response.wait()
    sys.stdout.write("ready\n")  # what the test waits for
    sys.stdout.flush()
    sys.stdin.read()
    with _lock:
        sys.stdout.write(json.dumps(_statuses))
        sys.stdout.flush()
    os._exit(0)  # the threads are in the midst of requests


if __name__ == "__main__":
    main(*sys.argv[1:])
