"""Results and programs of jobs that have ended."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from qwicket import engines
from qwicket.circuits.outcomes import RunResult
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.jobs import Submission
from qwicket.store import Store
from support.response_memory import response_memory
from support.stores import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

# IBM's clients compile each circuit to the width of its device.
WIDE = json.dumps({"qubits": 20, "circuit": [{"gate": "x", "target": 0}]}).encode()


async def test_small_results_of_a_wide_circuit_are_read_while_lists_take_all_threads(
    gateway: Gateway, store: Store, admin: Admin
) -> None:
    await admin.add_account("ada", email=None, password=None)
    secret = (await admin.create_token("ada")).secret
    ada = await gateway.auth.by_token(secret, "127.0.0.1")
    submission = Submission(
        dialect="ionq", device="simulator", format="ionq.circuit.v1", source=WIDE, shots=10
    )
    job = await gateway.jobs.submit(ada, submission)
    await store.leases.add_runner("r", "server", NOW)
    (assignment,) = (await store.leases.claim("simulator", "r", NOW)).taken
    outcomes = engines.run("qubit", assignment.circuits, assignment.options)
    await store.leases.finish(assignment.lease, RunResult(outcomes, 0.1), NOW + 100)
    ended = await gateway.jobs.get(ada, job.id)

    are_read = threading.Event()
    lists = [
        asyncio.create_task(store._database.scan(lambda _: are_read.wait(30))) for _ in range(2)
    ]
    try:
        results = await gateway.results.of(ended, response_memory())
        program = await gateway.results.program(ended, response_memory())
    finally:
        are_read.set()
    assert all(await asyncio.gather(*lists)), "they were read before the lists"
    assert len(results.parts) == 1
    assert program.source == WIDE
