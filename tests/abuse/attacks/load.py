"""Attacks that take a share of the machine from everybody else."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from abuse.attacks import FACTOR, Outcome, Target, idle_latencies, note_latencies
from abuse.attacks.backlog import Backlog
from abuse.attacks.bystander import Bystander, Latencies
from abuse.dialects import NATIVE
from support import raw
from support.held import held_job
from support.programs import BELL
from support.waiting import until

ATTACKER_ADDRESS = "127.0.0.2"
ROUNDS = 40
TURNS = 3
LIST_S = 0.1
"""Bar for a list of 100 jobs beside 100,000 waiting ones."""
CLOSED_S = 32.0
"""Until slow connections are closed. The list says 30 s, which is the limit `body_timeout_s`: the
server closes a body's connection only then, and the client notices with its next byte. In the short
form this limit is 2 s."""


def heavy_jobs(target: Target) -> Outcome:
    """Take all workers with jobs that last and need all memory that a job may use.

    They are of three accounts. Meanwhile a fourth one's Bell jobs run.
    """
    accounts = [target.live.token(name) for name in ("eve", "mallory", "trent")]
    qubits = target.widest = target.widest or _widest(target)
    program = _program(target, qubits, target.size(400, 1_500))
    idle, beside = _idle_and_beside(target, accounts, program)
    name = "A13 Bell jobs beside jobs that take all workers: p95 / idle"
    target.note(name, beside.p95_s / idle.p95_s, at_most=FACTOR, unit="×")
    return Outcome(
        f"3 jobs of {qubits} qubits, the widest that memory allows, beside Bell jobs of another",
        f"submit to result {beside}, {beside.p95_s / idle.p95_s:.1f} x idle",
    )


def _idle_and_beside(
    target: Target, accounts: list[str], program: dict[str, Any]
) -> tuple[Latencies, Latencies]:
    """Return what Bell jobs take on an idle server, and beside long jobs of other accounts.

    Both are measured in turn, so that other work of the machine slows both.
    """
    idle, beside = [], []
    for _ in range(TURNS if target.is_measured else 1):
        _bells(target)  # the workers are new after long jobs, and slower at first
        idle.append(_bells(target))
        with _long_jobs(target, accounts, program):
            beside.append(_bells(target))
    return _middle(idle), _middle(beside)


@contextmanager
def _long_jobs(target: Target, accounts: list[str], program: dict[str, Any]) -> Iterator[None]:
    """Let a job of each account, one more than there are workers, wait or run meanwhile."""
    jobs = [(_submit(target, token, program), token) for token in accounts]
    try:
        _await_running(target, jobs[:2])
        yield
        states = [_read(target, job, token)["state"] for job, token in jobs]
    finally:
        for job, token in jobs:
            target.http.post(f"/v1/jobs/{job}/cancel", headers=NATIVE.auth(token))
        for job, token in jobs:
            _read(target, job, token, wait_s=20)
    assert states.count("running") == 2, "the long jobs ended before the others were measured"


def _middle(measured: list[Latencies]) -> Latencies:
    """Return the middle one of the measurements: the p95 of one is that of two jobs of it."""
    return sorted(measured, key=lambda each: each.p95_s)[len(measured) // 2]


def _submit(target: Target, token: str, program: dict[str, Any], shots: int = 10) -> str:
    sent = target.http.post(
        "/v1/jobs", json={"device": "simulator", "program": program, "shots": shots},
        headers=NATIVE.auth(token),
    )  # fmt: skip
    assert sent.status_code == 201, sent.text
    return str(sent.json()["id"])


def _read(target: Target, job: str, token: str, wait_s: float = 0) -> dict[str, Any]:
    found: dict[str, Any] = target.http.get(
        f"/v1/jobs/{job}?wait={wait_s}", headers=NATIVE.auth(token)
    ).json()
    return found


def _await_running(target: Target, jobs: list[tuple[str, str]]) -> None:
    until(
        lambda: all(_read(target, job, token)["state"] == "running" for job, token in jobs),
        "long jobs have all workers",
        timeout_s=60,
    )


def _program(target: Target, qubits: int, gates: int) -> dict[str, Any]:
    """Return a program of this size: a held one, unless times are measured."""
    return _turns(qubits, gates) if target.is_measured else held_job(qubits, gates).program


def _turns(qubits: int, gates: int) -> dict[str, Any]:
    """Return a program of controlled rotations, which connect all qubits."""
    circuit = [
        {"gate": "rx", "target": i % qubits, "control": (i + 1) % qubits, "rotation": 0.1}
        for i in range(gates)
    ]
    return {"gateset": "qis", "qubits": qubits, "circuit": circuit}


def _widest(target: Target) -> int:
    """Return the qubits of the widest program that is taken: the next one exceeds the memory."""
    for qubits in range(29, 20, -1):
        program = _program(target, qubits, qubits)
        body = {"device": "simulator", "program": program, "shots": 1}
        sent = target.http.post("/v1/jobs", json=body, headers=target.as_attacker())
        if sent.is_success:
            job = sent.json()["id"]
            if not target.is_measured:
                target.http.post(f"/v1/jobs/{job}/cancel", headers=target.as_attacker())
            ended = _read(target, job, target.attacker, wait_s=60)
            assert ended["state"] == ("completed" if target.is_measured else "cancelled"), ended
            return qubits
        assert "memory_bytes" in sent.text, sent.text
    raise AssertionError("no width is taken")


def _bells(target: Target) -> Latencies:
    """Run Bell jobs one after the other; return how long each took from submit to result."""
    rounds = ROUNDS if target.is_measured else 2
    return Latencies([_bell(target, target.bystander)[0] for _ in range(rounds)], 0)


def _bell(target: Target, token: str) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    job = _submit(target, token, BELL)
    ended = _read(target, job, token, wait_s=30)
    took_s = time.perf_counter() - began
    assert ended["state"] == "completed", ended
    return took_s, ended


def heavy_memory(target: Target) -> Outcome:
    """Ask for more memory, time and width than one job may use."""
    refused = 0
    for program, shots in (
        ({**BELL, "qubits": 40, "circuit": [{"gate": "h", "target": q} for q in range(40)]
          + [{"gate": "rx", "target": q, "control": (q + 1) % 40, "rotation": 0.3}
             for q in range(40)]}, 1),
        (_turns(28, 200_000), 1),
        (BELL, 10**9),
    ):  # fmt: skip
        answer = target.http.post(
            "/v1/jobs", json={"device": "simulator", "program": program, "shots": shots},
            headers=target.as_attacker(),
        )  # fmt: skip
        assert answer.status_code in (400, 413, 422), answer.text
        assert "limit" in answer.text
        refused += 1
    return Outcome(
        f"{refused} jobs too wide, too long, too many shots", "each refused by its limit"
    )


def slow_senders(target: Target) -> Outcome:
    """Send heads and bodies one byte a second over hundreds of connections."""
    n = 500
    target.idle.clear()
    idle_latencies(target)
    body = raw.head(
        "POST /v1/jobs", f"Authorization: Bearer {target.attacker}", "Content-Length: 999"
    )
    sockets = []
    for number in range(n):
        connection = _connect(target)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHos" if number % 2 else body)
        connection.setblocking(False)
        sockets.append(connection)
    began = time.monotonic()
    bystander = Bystander(target.live.url)
    with bystander.watching():
        waiting = set(sockets)
        while waiting and time.monotonic() - began < CLOSED_S:
            for connection in list(waiting):
                time.sleep(1 / n)  # spread over the second, as those of clients are
                if _is_closed(connection):
                    waiting.remove(connection)
    took_s = time.monotonic() - began
    for connection in sockets:
        connection.close()
    assert not waiting, f"{len(waiting)} connections are still open after {took_s:.0f} s"
    seen = bystander.latencies
    assert not seen.n_failed
    note_latencies(target, "A14 one byte a second", seen)
    return Outcome(f"{n} connections, 1 byte/s", f"all closed after {took_s:.0f} s; others: {seen}")


def _connect(target: Target) -> socket.socket:
    host, _, port = target.live.url.removeprefix("http://").partition(":")
    made = socket.create_connection((host, int(port)), 30, source_address=(ATTACKER_ADDRESS, 0))
    made.settimeout(30)
    return made


def _is_closed(connection: socket.socket) -> bool:
    """Send one more byte; say whether the server has ended the connection."""
    try:
        connection.send(b"a")
        while True:
            if not connection.recv(4096):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True


HANDSHAKES = {
    "silent": b"",
    "half a head": b"GET /livez HTTP/1.1\r\nHost: x\r\n",
    "idle after an answer": b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "websocket with a body": (
        b"GET /ibm/api/jobs/x/status/v/1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nContent-Length: 5\r\n\r\n"
    ),
    "websocket with 200 headers": (
        b"GET /ibm/api/jobs/x/status/v/1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        + b"".join(b"X-%d: y\r\n" % n for n in range(200))
        + b"\r\n"
    ),
}


OPENED_PER_S = 500
"""Opening takes the server about 0.4 ms of CPU each: some 2,500 a second take a whole core, and
others' new connections then wait in the kernel's queue for as long as the burst lasts."""


def all_connections(target: Target) -> Outcome:
    """Open every connection from one address, and leave them silent, idle or malformed."""
    n = target.size(1_200, 4_096)
    url, token = target.live.url, target.bystander
    target.idle.clear()
    for idle in ("", token):
        idle_latencies(target, idle)
    asks, submits = Bystander(url), Bystander(url, token)
    opened: list[socket.socket] = []
    kinds = list(HANDSHAKES.values())
    with asks.watching(), submits.watching():
        for number in range(n):
            try:
                connection = _connect(target)
                connection.sendall(kinds[number % len(kinds)])
            except OSError:
                continue  # refused: over this address's share
            opened.append(connection)
            time.sleep(1 / OPENED_PER_S)
        time.sleep(target.size(1, 40))
    for connection in opened:
        connection.close()
    seen = asks.latencies, submits.latencies
    assert not any(each.n_failed for each in seen), seen
    note_latencies(target, "A14 every connection of one address", seen[0])
    note_latencies(target, "A14 every connection of one address", seen[1], token)
    return Outcome(
        f"{n} connections of one address, {OPENED_PER_S} a second: {', '.join(HANDSHAKES)}",
        f"others' /livez {seen[0]}; their submits {seen[1]}",
    )


def many_jobs(target: Target) -> Outcome:
    """Have many jobs of one account wait; a new one waits for one of them at most.

    Fair share remembers use: one that had used the device more than the flood's would wait longer.
    """
    n = target.size(30_000, 100_000) if target.is_measured else 500
    # These come over HTTP and have programs: more than run while others wait.
    n_real = target.size(120, 300)
    auth, new = target.as_attacker(), target.live.token(f"new-{time.time_ns()}")
    group = target.http.post("/v1/groups", json={"name": "flood"}, headers=auth).json()["id"]
    program = held_job(18, 200, lasts_s=0.1).program
    body = {"device": "simulator", "program": program, "shots": 10, "group": group}

    def submit(_: int) -> str:
        sent = target.http.post("/v1/jobs", json=body, headers=auth)
        assert sent.status_code == 201, sent.text
        return str(sent.json()["id"])

    with Backlog(target.live) as backlog:
        try:
            with ThreadPoolExecutor(8) as pool:
                jobs = list(pool.map(submit, range(n_real)))
            backlog.copy(jobs[-1], n - n_real)
            began = [_bell(target, new)[1] for _ in range(20)]
            lists = [_list_s(target, token) for token in 10 * (target.attacker, target.bystander)]
            left = target.http.get("/v1/jobs?state=queued&limit=1", headers=auth).json()["jobs"]
        finally:
            backlog.delete_copies()
            target.http.post(f"/v1/groups/{group}/cancel", headers=auth)
        before = [backlog.started_before(job) for job in began]
    assert left, "the flood had ended before others were measured"
    listing = Latencies(lists, 0)
    name = f"A22 a list of 100 beside {n} waiting jobs: p95"
    target.note(name, listing.p95_s, at_most=LIST_S, unit="s")
    assert max(before) <= 1, before
    return Outcome(
        f"{n} waiting jobs of one account",
        f"at most {max(before)} of them before another's Bell job; lists of 100: {listing}",
    )


def _list_s(target: Target, token: str) -> float:
    began = time.perf_counter()
    listed = target.http.get("/v1/jobs?limit=100", headers=NATIVE.auth(token))
    assert listed.status_code == 200, listed.text
    return time.perf_counter() - began
