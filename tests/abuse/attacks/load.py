"""Attacks that take a share of the machine from everybody else."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

from abuse.attacks import Outcome, Target, idle_latencies
from abuse.attacks.bystander import Bystander
from abuse.doors import NATIVE
from support import raw
from support.programs import BELL, slow

ATTACKER_ADDRESS = "127.0.0.2"
BELL_S = 5.0
"""A Bell job must end within this while others compute: long jobs here take longer."""


def heavy_jobs(target: Target) -> Outcome:
    """Take all workers with long jobs of three accounts; another account's Bell job still runs."""
    accounts = [target.live.token(name) for name in ("eve", "mallory", "trent")]
    program = slow(25, target.size(400, 1_500))
    jobs = []
    for token in accounts:
        sent = target.http.post(
            "/v1/jobs", json={"device": "simulator", "program": program, "shots": 10},
            headers=NATIVE.auth(token),
        )  # fmt: skip
        assert sent.status_code == 201, sent.text
        jobs.append((sent.json()["id"], token))
    try:
        seconds = [_bell_s(target) for _ in range(target.size(10, 100))]
        states = [
            target.http.get(f"/v1/jobs/{job}", headers=NATIVE.auth(token)).json()["state"]
            for job, token in jobs
        ]
    finally:
        for job, token in jobs:
            target.http.post(f"/v1/jobs/{job}/cancel", headers=NATIVE.auth(token))
        for job, token in jobs:
            target.http.get(f"/v1/jobs/{job}?wait=20", headers=NATIVE.auth(token))
    assert "running" in states, "the long jobs ended before the others were measured"
    assert max(seconds) < BELL_S
    return Outcome(
        f"3 jobs of 25 qubits, beside them {len(seconds)} Bell jobs of another account",
        f"submit to result at most {1000 * max(seconds):.0f} ms",
    )


def _bell_s(target: Target) -> float:
    auth = NATIVE.auth(target.bystander)
    began = time.perf_counter()
    sent = target.http.post("/v1/jobs", content=NATIVE.text(), headers=auth)
    assert sent.status_code == 201, sent.text
    ended = target.http.get(f"/v1/jobs/{sent.json()['id']}?wait=30", headers=auth).json()
    assert ended["state"] == "completed", ended
    return time.perf_counter() - began


def heavy_memory(target: Target) -> Outcome:
    """Ask for more memory, time and width than one job may use."""
    refused = 0
    for program, shots in (
        ({**BELL, "qubits": 40, "circuit": [{"gate": "h", "target": q} for q in range(40)]
          + [{"gate": "rx", "target": q, "rotation": 0.3} for q in range(40)]}, 1),
        (slow(28, 200_000), 1),
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
    n = target.size(200, 500)
    idle = idle_latencies(target)
    limits = _limits(target)
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
        while waiting and time.monotonic() - began < limits + 30:
            time.sleep(1)
            for connection in list(waiting):
                if _is_closed(connection):
                    waiting.remove(connection)
    took_s = time.monotonic() - began
    for connection in sockets:
        connection.close()
    assert not waiting, f"{len(waiting)} connections are still open"
    seen = bystander.latencies
    assert not seen.n_failed
    return Outcome(
        f"{n} connections, 1 byte/s",
        f"all closed after {took_s:.0f} s; others: {seen} (idle p95 {1000 * idle.p95_s:.1f} ms)",
    )


def _limits(target: Target) -> float:
    return 60.0 if target.is_long else 20.0


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


def all_connections(target: Target) -> Outcome:
    """Open every connection from one address, and leave them silent, idle or malformed."""
    n = target.size(1_500, 4_096)
    url, token = target.live.url, target.bystander
    idle = idle_latencies(target), idle_latencies(target, token)
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
        time.sleep(target.size(2, 40))
    for connection in opened:
        connection.close()
    seen = asks.latencies, submits.latencies
    assert not any(each.n_failed for each in seen), seen
    ratios = [each.p95_s / rest.p95_s for each, rest in zip(seen, idle, strict=True)]
    return Outcome(
        f"{n} connections of one address: {', '.join(HANDSHAKES)}",
        f"others' /livez {seen[0]}, {ratios[0]:.1f} x idle;"
        f" their submits {seen[1]}, {ratios[1]:.1f} x idle",
    )


def many_jobs(target: Target) -> Outcome:
    """Submit far more jobs than can run; others wait for one job each at most."""
    auth = target.as_attacker()
    group = target.http.post("/v1/groups", json={"name": "flood"}, headers=auth).json()["id"]
    body = {"device": "simulator", "program": slow(18, 200), "shots": 10, "group": group}

    def submit(_: int) -> int:
        return target.http.post("/v1/jobs", json=body, headers=auth).status_code

    try:
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(submit, range(target.size(300, 100_000))))
        assert set(statuses) <= {201, 429}, set(statuses)
        waits = [_bell_s(target) for _ in range(5)]
        began = time.perf_counter()
        listed = target.http.get("/v1/jobs?limit=100", headers=auth)
        list_s = time.perf_counter() - began
        queued = target.http.get("/v1/jobs?state=queued&limit=1", headers=auth).json()["jobs"]
    finally:
        target.http.post(f"/v1/groups/{group}/cancel", headers=auth)
    assert listed.status_code == 200
    assert queued, "the flood had ended before others were measured"
    assert max(waits) < BELL_S
    return Outcome(
        f"{statuses.count(201)} jobs of one account ({statuses.count(429)} over its limit)",
        f"another's Bell job at most {1000 * max(waits):.0f} ms,"
        f" a list of 100 in {1000 * list_s:.0f} ms",
    )
