"""Parts of a job: ids without rows, the good ones readable beside a failed one."""

from __future__ import annotations

import json
from typing import Any

import httpx
import msgspec
import pytest

from qwicket import engines
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome, RunResult
from qwicket.dialects import mounts
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import Actor
from qwicket.model.errors import Conflict, LimitExceeded, NoResult, NotFound
from qwicket.model.failures import Failure
from qwicket.model.ids import part_id
from qwicket.model.jobs import Job, Submission
from qwicket.model.states import JobState
from qwicket.server.router import Router
from qwicket.store import Store
from support.response_memory import response_memory
from support.stores import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

X = [{"gate": "x", "target": 0}]
LOST = Failure("out_of_memory", "The circuit needs more memory than its worker may use.")


@pytest.fixture
async def secret(admin: Admin) -> str:
    await admin.add_account("ada", email=None, password=None)
    return (await admin.create_token("ada")).secret


@pytest.fixture
async def ada(gateway: Gateway, secret: str) -> Actor:
    return await gateway.auth.by_token(secret, "127.0.0.1")


async def failed_in_part(gateway: Gateway, store: Store, actor: Actor) -> Job:
    """Submit three circuits; run them all, and lose the second."""
    program = {"qubits": 2, "circuits": [{"circuit": X}] * 3}
    kept = {"type": "ionq.multi-circuit.v1", "metadata": {}, "noise": {}, "settings": {}}
    job = await gateway.jobs.submit(
        actor,
        Submission(
            dialect="ionq",
            device="simulator",
            format="ionq.circuit.v1",
            source=json.dumps(program).encode(),
            shots=10,
            vendor_fields=json.dumps(kept).encode(),
        ),
    )
    await store.leases.add_runner("r", "server", NOW)
    (assignment,) = (await store.leases.claim("simulator", "r", NOW)).taken
    good = engines.run("qubit", assignment.circuits, assignment.options)
    await store.leases.finish(assignment.lease, RunResult((good[0], LOST, good[2]), 0.1), NOW + 100)
    return job


async def test_a_failed_part_leaves_the_others_readable(
    gateway: Gateway, store: Store, ada: Actor
) -> None:
    job = await failed_in_part(gateway, store, ada)
    found = [await gateway.jobs.part(ada, part_id(job.id, n), dialect="ionq") for n in range(3)]
    parts = [part for part, _ in found]
    assert [json.loads(document)["type"] for _, document in found] == ["ionq.multi-circuit.v1"] * 3
    assert [part.state for part in parts] == [
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.COMPLETED,
    ]
    assert [part.failure for part in parts] == [None, LOST, None]
    for number in (0, 2):
        (outcome,) = (await gateway.results.of(parts[0].job, response_memory(), number)).parts
        assert isinstance(outcome, Outcome)
        assert outcome.counts() == {1: 10}
    with pytest.raises(NoResult):
        await gateway.results.of(parts[1].job, response_memory(), 1)
    with pytest.raises(NotFound):
        await gateway.jobs.part(ada, part_id(job.id, 3), dialect="ionq")


async def test_a_part_is_read_only(gateway: Gateway, store: Store, ada: Actor) -> None:
    job = await failed_in_part(gateway, store, ada)
    for verb in (gateway.jobs.cancel, gateway.jobs.delete):
        with pytest.raises(Conflict, match=job.id):
            await verb(ada, part_id(job.id, 1))
        with pytest.raises(NotFound):
            await verb(ada, part_id(job.id, 3))


async def test_ionqs_dialect_shows_them_in_both_versions(
    gateway: Gateway, store: Store, ada: Actor, secret: str
) -> None:
    job = await failed_in_part(gateway, store, ada)

    async def get(version: str, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(Router(mounts(gateway), gateway.limits))
        headers = {"Authorization": f"apiKey {secret}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://q") as client:
            return await client.get(f"/{version}{path}", headers=headers)

    for version, listed in (("v0.4", "child_job_ids"), ("v0.3", "children")):
        parent = (await get(version, f"/jobs/{job.id}")).json()
        assert parent["status"] == "failed"
        good, bad, _ = parent[listed]
        child = (await get(version, f"/jobs/{bad}")).json()
        assert (child["status"], child["failure"]["code"]) == (
            "failed",
            "QuantumCircuitComplexityError",
        )
        assert child["failure"]["error"] == LOST.message
        results = "results" if version == "v0.3" else "results/probabilities"
        assert (await get(version, f"/jobs/{good}/{results}")).json() == {"1": 1.0}
        assert (await get(version, f"/jobs/{bad}/{results}")).status_code == 404
        both = (await get(version, f"/jobs/{job.id}/{results}")).json()
        assert [*both] == [part_id(job.id, 0), part_id(job.id, 2)]


async def options(store: Store) -> RunOptions:
    await store.leases.add_runner("r", "server", NOW)
    (assignment,) = (await store.leases.claim("qpu.aria-1", "r", NOW)).taken
    return msgspec.msgpack.decode(assignment.options, type=RunOptions)


def on_twin(**changes: Any) -> Submission:
    source = json.dumps({"qubits": 1, "circuit": X}).encode()
    values = {"dialect": "ionq", "device": "qpu.aria-1", "format": "ionq.circuit.v1", "shots": 500}
    return Submission(**{**values, "source": source, **changes})


async def test_debiasing_splits_a_twins_shots_among_variants(
    gateway: Gateway, store: Store, ada: Actor
) -> None:
    plain = await gateway.jobs.submit(ada, on_twin())
    assert (await options(store)).variants == 1
    debiased = await gateway.jobs.submit(ada, on_twin(debias=True))
    assert debiased.est_seconds > plain.est_seconds
    (assignment,) = (await store.leases.claim("qpu.aria-1", "r", NOW)).taken
    asked = msgspec.msgpack.decode(assignment.options, type=RunOptions)
    assert (asked.variants, asked.alike) == (20, 25)
    with pytest.raises(LimitExceeded, match="debias_shots"):
        await gateway.jobs.submit(ada, on_twin(debias=True, shots=499))


async def test_a_dry_run_is_checked_and_gives_nothing(
    gateway: Gateway, store: Store, ada: Actor
) -> None:
    with pytest.raises(LimitExceeded):
        await gateway.jobs.submit(ada, on_twin(dry_run=True, shots=10**9))
    job = await gateway.jobs.submit(ada, on_twin(dry_run=True))
    assert job.est_seconds == 0
    await store.leases.add_runner("r", "server", NOW)
    (assignment,) = (await store.leases.claim("qpu.aria-1", "r", NOW)).taken
    parts = engines.run("qubit", assignment.circuits, assignment.options)
    await store.leases.finish(assignment.lease, RunResult(parts, 0.0), NOW)
    (outcome,) = (
        await gateway.results.of(await gateway.jobs.get(ada, job.id), response_memory())
    ).parts
    assert isinstance(outcome, Outcome)
    assert (outcome.arrays, outcome.engine) == ({}, "none")
    assert outcome.registers  # for dialects that show results of a dry run's form


async def test_noisy_results_are_no_larger_than_their_shots(gateway: Gateway, ada: Actor) -> None:
    """200 circuits of 25 qubits would have 2^20 exact probabilities each; with noise 500."""
    circuits = [{"circuit": [{"gate": "h", "target": q} for q in range(25)]}] * 200
    source = json.dumps({"qubits": 25, "circuits": circuits}).encode()
    asked = on_twin(source=source, outputs=("counts", "probabilities"))
    assert (await gateway.jobs.submit(ada, asked)).n_circuits == 200
