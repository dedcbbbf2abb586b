"""How soon a lab gets a job: from sending the submission to the answer of the claim, live.

The claim waits as an agent's does, on a connection of its own, and begins before the submission.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.bench_databases import DATABASES, BenchDatabase, BenchDatabases, now_ms
from benchmarks.figures import Figure, both, ms, p95
from benchmarks.live import server
from benchmarks.wire import BELL, HTTPConnection, request
from qwicket.gateway.admin import Admin

ROUNDS: Final = 200
_WARM_UP: Final = 10
_WAITING_S: Final = 0.05
"""Time after which the claim has certainly begun to wait."""
_BAR_S: Final = 0.1
_DEVICE: Final = "benchlab"
_PILOT: Final = "/v1/pilots/benchagent"
_SPEC: Final = {
    "family": "qubit",
    "spec": {"description": "A bench", "qubits": 5, "formats": ["ionq.circuit.v1"]},
}


def measure(bench_databases: BenchDatabases, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Yield the figure of each database."""
    for database in DATABASES:
        with bench_databases.fresh(database) as bench_db:
            secret, *_ = bench_db.add_accounts()
            lab = asyncio.run(_lab_token(bench_db))
            with server(bench_db) as live:
                user, agent = HTTPConnection(live.url, secret), HTTPConnection(live.url, lab)
                agent.ask(_json("PUT", f"/v1/agent/devices/{_DEVICE}", lab, _SPEC))
                times = [_wake_up(user, secret, agent, lab) for _ in range(_WARM_UP + rounds)]
        woken = times[_WARM_UP:]
        yield Figure(
            "submit → a waiting agent has the job, p50 / p95",
            database,
            both(woken),
            "",
            f"p95 ≤ {ms(_BAR_S)}",
            p95(woken) <= _BAR_S,
        )


async def _lab_token(bench_db: BenchDatabase) -> str:
    store = bench_db.open()
    made = await Admin(store, now_ms).create_token(
        "bench-0", scopes=["devices:serve"], devices=[_DEVICE]
    )
    await store.close()
    return made.secret


def _wake_up(user: HTTPConnection, secret: str, agent: HTTPConnection, lab: str) -> float:
    """Return the seconds from sending the submission until the agent has the job."""
    asked_for = {"offer": _offer(tasks=1), "settled": 0}
    claim = _json("POST", f"{_PILOT}/pull?wait=30", lab, asked_for)
    received: list[tuple[bytes, float]] = []
    waiting = threading.Thread(
        target=lambda: received.append((agent.ask(claim), time.perf_counter()))
    )
    waiting.start()
    time.sleep(_WAITING_S)
    began = time.perf_counter()
    user.ask(_json("POST", "/v1/jobs", secret, {"program": BELL, "device": _DEVICE, "shots": 10}))
    waiting.join()
    ((answer, at),) = received
    _give_up(agent, lab, json.loads(answer)["tasks"][0][0]["lease"])
    return at - began


def _give_up(agent: HTTPConnection, lab: str, lease: dict[str, object]) -> None:
    """End the job, so that the next claim waits again."""
    error = {"code": "measured", "message": "This was a measurement."}
    body = {"offer": _offer(tasks=0), "results": [{**lease, "error": error}]}
    agent.ask(_json("POST", f"{_PILOT}/results", lab, body))


def _offer(tasks: int) -> dict[str, object]:
    return {"version": "", "request": 1, "slots": 1, "tasks": tasks, "devices": [_DEVICE]}


def _json(method: str, path: str, token: str, body: object) -> bytes:
    return request(method, path, token, json.dumps(body).encode())
