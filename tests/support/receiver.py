"""A receiver of webhooks on loopback: real HTTP, with answers that a test chooses."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from support.waiting import until


class Delivery(NamedTuple):
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """Records requests. `answer` returns a status for each, or `HANG` or `RESET`."""

    HANG = "hang"
    RESET = "reset"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.deliveries: list[Delivery] = []
        self.answer: Callable[[Delivery], int | str] = lambda _: 204
        self.body = b""
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                if len(body) < length:  # the sender was killed while it sent
                    self.close_connection = True
                    return
                receiver._handle(self, Delivery(self.path, headers, body, time.monotonic()))

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a sender that was killed, or that refuses our certificate

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def _handle(self, handler: BaseHTTPRequestHandler, delivery: Delivery) -> None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.deliveries.append(delivery)
        try:
            answer = self.answer(delivery)
            if answer == self.HANG:
                self.closing.wait(60)
        finally:
            # Before the response: after it, the sender may send the next event.
            with self._lock:
                self._at_once -= 1
        if answer == self.RESET:
            # A linger of 0 s makes the kernel send RST.
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
            return
        status = answer if isinstance(answer, int) else 204
        handler.send_response(status)
        if 300 <= status < 400:
            handler.send_header("Location", f"http://127.0.0.1:{self.port}/elsewhere")
        handler.send_header("Content-Length", str(len(self.body) if status != 204 else 0))
        handler.end_headers()
        if status != 204:
            handler.wfile.write(self.body)

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def await_deliveries(self, number: int, *, timeout_s: float = 30) -> list[Delivery]:
        until(
            lambda: len(self.deliveries) >= number,
            f"{number} deliveries, not {len(self.deliveries)}",
            timeout_s=timeout_s,
        )
        return list(self.deliveries)

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(tls)
    try:
        yield receiver
    finally:
        receiver.close()
