"""Attacks through the requests that the server itself makes: those to webhooks."""

from __future__ import annotations

import socket
import socketserver
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from abuse.attacks import Outcome, Target, idle_latencies, note_latencies
from abuse.attacks.bystander import Bystander
from abuse.dialects import NATIVE
from support.processes import resident_bytes
from support.programs import BELL
from support.server import running_server
from support.waiting import until

_DEADLINE_S = 10.0
_RECORDED_S = 2.0
"""Until a job has run, its event is sent and the failure is recorded."""
_MAX_BYTES = 64 << 10
_SLACK = 8 << 20
"""Bytes that the two ends of a connection on loopback may buffer, which nobody has read."""
_INNER = (
    *("127.0.0.1", "127.1", "127.0.0.2", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0"),
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1"),
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fe80::1]"),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fd00::1]", "[fec0::1]", "[ff02::1]"),
)
_INNER_NAMES = ("localhost", "LOCALHOST", "localhost.", socket.gethostname())


class _Hostile(socketserver.ThreadingTCPServer):
    """Receivers that misbehave, each by the path of its requests.

    Attributes:
        connections: Connections by path.
        sent: Bytes of response that the system took for the receiver `/endless`.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Misbehaviour)
        self.connections: Counter[str] = Counter()
        self.sent = 0
        self.closing = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the server closed the connection


class _Misbehaviour(socketserver.StreamRequestHandler):
    server: _Hostile

    def handle(self) -> None:
        path = self.rfile.readline().split()[1].decode()
        self.server.connections[path] += 1
        while self.rfile.readline().strip():
            pass
        getattr(self, path.removeprefix("/"))()

    def hang(self) -> None:
        self.server.closing.wait(60)

    def drip(self) -> None:
        while not self.server.closing.wait(0.2):
            self.wfile.write(b"H")

    def garbage(self) -> None:
        self.wfile.write(b"\x00\xff" * 4096)

    def reset(self) -> None:
        pass

    def redirect(self) -> None:
        address = f"http://127.0.0.1:{self.server.port}/inner"
        self.wfile.write(f"HTTP/1.1 307 Moved\r\nLocation: {address}\r\n\r\n".encode())

    def inner(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def endless_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self._send_without_end(b"X-Header: " + b"x" * 1000 + b"\r\n")

    def endless(self) -> None:
        self.wfile.write(b"HTTP/1.1 500 Error\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._send_without_end(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def _send_without_end(self, piece: bytes) -> None:
        while not self.server.closing.is_set():
            self.wfile.write(piece)
            self.server.sent += len(piece)


@contextmanager
def _hostile() -> Iterator[_Hostile]:
    with _Hostile() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def inner_addresses(target: Target) -> Outcome:
    """Point webhooks at addresses that are not public, in all spellings, and at names of them."""
    headers = target.as_attacker()
    n_connections = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        for host in _INNER:
            sent = target.http.post(
                "/v1/webhooks", json={"url": f"https://{host}:{port}/"}, headers=headers
            )
            assert sent.status_code == 400, f"{host}: {sent.status_code} {sent.text}"
            assert sent.json()["field"] == "url", sent.text
        for name in _INNER_NAMES:
            added = target.http.post(
                "/v1/webhooks", json={"url": f"https://{name}:{port}/"}, headers=headers
            )
            assert added.status_code == 201, added.text  # a name is looked up for each request
            path = f"/v1/webhooks/{added.json()['id']}"
            tested = target.http.post(f"{path}/test", headers=headers).json()
            target.http.delete(path, headers=headers)
            assert tested["error"], f"{name}: {tested}"
            assert tested["status"] is None, f"{name}: {tested}"
        with suppress(BlockingIOError):
            listener.accept()
            n_connections += 1
    assert n_connections == 0, "a webhook reached loopback"
    return Outcome(f"{len(_INNER)} addresses, {len(_INNER_NAMES)} names", "0 connections")


def hostile_receivers(target: Target) -> Outcome:
    """Register webhooks at receivers that misbehave, on a server that allows loopback.

    The short form leaves out those that wait for the deadline.
    """
    paths = ["garbage", "reset", "redirect", "endless", "endless_head"]
    if target.is_long:
        paths += ["hang", "drip"]
    options = ("--allow-private-webhooks", "--limit", f"webhooks={len(paths)}")
    with (
        tempfile.TemporaryDirectory(prefix="qwicket-abuse-") as folder,
        _hostile() as hostile,
        running_server(Path(folder), *options) as live,
    ):
        note = target.note if target.is_measured else None
        own = Target(live, is_long=target.is_long, note=note)
        try:
            return _attack(own, hostile, paths)
        finally:
            own.close()
            target.leaks += own.leaks
            target.n_responses += own.n_responses


def _attack(target: Target, hostile: _Hostile, paths: list[str]) -> Outcome:
    headers = target.as_attacker()
    for path in paths:
        url = f"http://127.0.0.1:{hostile.port}/{path}"
        added = target.http.post("/v1/webhooks", json={"url": url}, headers=headers)
        assert added.status_code == 201, added.text
    idle_latencies(target)
    held = resident_bytes(target.live.process.pid)
    bystander = Bystander(target.live.url)
    with bystander.watching():
        began = time.monotonic()
        body = {"device": "simulator", "program": BELL, "shots": 10}
        job = target.http.post("/v1/jobs?wait=30", json=body, headers=headers).json()
        assert job["state"] == "completed", job
        until(
            lambda: _errors(target, len(paths)),
            "each receiver's failure is recorded",
            timeout_s=3 * _DEADLINE_S,
        )
        took_s = time.monotonic() - began
        time.sleep(1)  # as long as an idle server was measured
    name = "A23 hostile receivers: until all failures are recorded"
    target.note(name, took_s, at_most=_DEADLINE_S + _RECORDED_S, unit="s")
    assert hostile.connections["/inner"] == 0, "a redirect was followed"
    assert hostile.sent <= 2 * (_MAX_BYTES + _SLACK), f"{hostile.sent:,} bytes of a response"
    rose = resident_bytes(target.live.process.pid) - held
    target.note("A23 hostile receivers: memory", rose >> 20, at_most=_SLACK >> 20, unit="MiB")
    note_latencies(target, "A23 hostile receivers", bystander.latencies)
    again = target.http.post("/v1/jobs?wait=30", json=body, headers=NATIVE.auth(target.bystander))
    assert again.json()["state"] == "completed", again.text
    return Outcome(
        f"{len(paths)} receivers: {', '.join(paths)}",
        f"all failures recorded in {took_s:.1f} s, {hostile.sent >> 10} KiB of endless responses"
        f" sent, memory rose by {max(0, rose) >> 20} MiB; others: {bystander.latencies}",
    )


def _errors(target: Target, number: int) -> list[str] | None:
    """Return the last error of each webhook, once all have one."""
    found = target.http.get("/v1/webhooks", headers=target.as_attacker()).json()["webhooks"]
    errors = [each["last_error"] for each in found if each["last_error"]]
    return errors if len(errors) == number else None
