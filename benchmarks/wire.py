"""A minimal HTTP client for measurements, because its own cost is part of every figure."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any, Final, cast
from urllib.parse import urlsplit

BELL: Final[dict[str, Any]] = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


def connected(qubits: int, gates: int) -> dict[str, Any]:
    """Return a circuit whose every other gate joins two neighbours.

    Qubits that nothing joins are simulated apart, in no time.
    """
    turn = [{"gate": "rx", "target": k % qubits, "rotation": 0.1} for k in range(gates // 2)]
    join = [
        {"gate": "cnot", "control": k % qubits, "target": (k + 1) % qubits}
        for k in range(gates // 2)
    ]
    circuit = [gate for pair in zip(turn, join, strict=True) for gate in pair]
    return {"gateset": "qis", "qubits": qubits, "circuit": circuit}


LONG: Final = connected(25, 3_000)
"""Minutes of computation."""
LANGUAGES: Final = ("ionq.circuit.v1", "openqasm2", "openqasm3")
_OPENQASM2: Final = (
    'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\n'
    "rz({angle!r}) q[1];\nmeasure q -> c;\n"
)
_OPENQASM3: Final = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0],q[1];\n'
    "rz({angle!r}) q[1];\nc = measure q;\n"
)
SHOTS: Final = 1000
WITH_RESULT: Final = "?wait=30&include=result"
_END: Final = b"\r\n\r\n"


class Refused(Exception):
    """The server answered with a status of 400 or more."""


def request(method: str, path: str, token: str, body: bytes = b"", scheme: str = "Bearer") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: {scheme} {token}\r\n"
    if body:
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def bell(language: str, number: int) -> object:
    """Return a Bell pair as no other number has it, so that no earlier job helps to read it.

    A last gate turns a phase by an angle of its own, which changes no counts.
    """
    angle = 1e-9 * number
    if language == "openqasm2":
        return _OPENQASM2.format(angle=angle)
    if language == "openqasm3":
        return _OPENQASM3.format(angle=angle)
    phase = {"gate": "rz", "target": 1, "rotation": angle}
    return {**BELL, "circuit": [*BELL["circuit"], phase]}


def submission(token: str, program: object = BELL, shots: int = SHOTS, query: str = "") -> bytes:
    body = json.dumps({"program": program, "device": "simulator", "shots": shots})
    return request("POST", f"/v1/jobs{query}", token, body.encode())


def answer(received: bytearray) -> bytes | None:
    """Return the body of a response once it is complete, else None.

    Raises:
        Refused: The status is 400 or more.
    """
    head, end, rest = received.partition(_END)
    if not end:
        return None
    _, _, length = head.lower().partition(b"content-length: ")
    if len(rest) < int(length.split(b"\r\n", 1)[0]):
        return None
    if head[9:10] >= b"4":
        raise Refused(rest.decode())
    return bytes(rest)


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


class HTTPConnection:
    """One connection that stays open, as clients keep theirs."""

    def __init__(self, url: str, token: str, scheme: str = "Bearer") -> None:
        self._scheme = scheme
        self._socket = socket.create_connection(address(url), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url, self.token = url, token

    def ask(self, request: bytes) -> bytes:
        self._socket.sendall(request)
        received = bytearray()
        while (body := answer(received)) is None:
            piece = self._socket.recv(1 << 16)
            if not piece:
                raise ConnectionError("the server closed the connection")
            received += piece
        return body

    def get(self, path: str) -> bytes:
        return self.ask(request("GET", path, self.token, scheme=self._scheme))

    def submit(self, program: object = BELL, shots: int = SHOTS) -> str:
        job: str = json.loads(self.ask(submission(self.token, program, shots)))["id"]
        return job

    def result(self, job: str) -> Any:
        return json.loads(self.get(f"/v1/jobs/{job}/result?wait=30"))

    def cancel(self, job: str) -> None:
        self.ask(request("POST", f"/v1/jobs/{job}/cancel", self.token))


class AsyncHTTPConnection(asyncio.Protocol):
    """The same on an event loop."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._waiter: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._received += data
        assert self._waiter is not None
        try:
            body = answer(self._received)
        except Refused as refusal:
            self._waiter.set_exception(refusal)
            return
        if body is not None:
            self._received.clear()
            self._waiter.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError("the server closed the connection"))

    async def ask(self, request: bytes) -> bytes:
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter
