"""What a lab's token lets do, and what admission makes of a lab's device.

Hostile specs, leases and outcomes are in tests/abuse/test_agents.py, over HTTP.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from qwicket.circuits.outcomes import Array, Encoded, Outcome, RunResult, encode
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.pilots import PilotOffer, TaskJob
from qwicket.model.accounts import Actor
from qwicket.model.devices import DeviceSpec
from qwicket.model.errors import Forbidden, InvalidRequest, LimitExceeded, NotFound, Unavailable
from qwicket.model.failures import Failure
from qwicket.model.jobs import Capacity, Directive, Lease, Submission
from qwicket.model.states import JobState
from qwicket.store import Store
from support.response_memory import response_memory
from support.stores import NOW

pytestmark = pytest.mark.anyio

AGENT = "0123456789abcdef"
SPEC = DeviceSpec(
    description="A bench",
    qubits=100,
    formats=("openqasm3",),
    outputs=("counts",),
    shot_s=0.5,
    max_shots=2_000,
)
QASM = 'OPENQASM 3.0; include "stdgates.inc"; qubit[{n}] q; bit[{n}] c; x q; c = measure q;'


@pytest.fixture
async def lab(admin: Admin, gateway: Gateway) -> Actor:
    """A lab that serves `lab5`, which it has announced."""
    await admin.add_account("ibk", email=None, password=None)
    made = await admin.create_token("ibk", scopes=["devices:serve"], devices=["lab5"])
    actor = await gateway.auth.by_token(made.secret, "127.0.0.1")
    await gateway.lab_devices.announce(actor, "lab5", "qubit", (), SPEC)
    return actor


@pytest.fixture
async def ada(admin: Admin, gateway: Gateway) -> Actor:
    await admin.add_account("ada", email=None, password=None)
    return await gateway.auth.by_token((await admin.create_token("ada")).secret, "127.0.0.1")


def submission(n_qubits: int = 1, **changes: Any) -> Submission:
    values: dict[str, Any] = {
        "dialect": "native",
        "device": "lab5",
        "format": "openqasm3",
        "source": QASM.format(n=n_qubits).encode(),
        "shots": 10,
    }
    return Submission(**{**values, **changes})


async def is_there() -> bool:
    return False


def offer(device: str = "lab5", tasks: int = 1) -> PilotOffer:
    return PilotOffer("1", 0, 1, 1, tasks, 0, Capacity(), frozenset({device}))


async def pull(
    gateway: Gateway, lab: Actor, *known: Lease, device: str = "lab5", tasks: int = 1
) -> tuple[list[TaskJob], list[Directive]]:
    """Pull once; return the jobs and the directives."""
    pulled = await gateway.pilots.pull(
        lab, AGENT, offer(device, tasks), known, (), {}, 1, 0, is_there
    )
    return [job for task in pulled.tasks for job in task], list(pulled.directives.values())


async def claimed(gateway: Gateway, lab: Actor) -> TaskJob:
    ((job,), _) = await pull(gateway, lab)
    return job


async def finish(
    gateway: Gateway, lab: Actor, lease: Lease, result: Encoded | Failure
) -> JobState | None:
    """Report a job's only part, or its failure; return its state."""
    found = result if isinstance(result, Failure) else (result,)
    reports = await gateway.pilots.report(
        lab, AGENT, offer(tasks=0), [(lease, RunResult(found, 0.1))], []
    )
    return reports.states[lease.job]


async def release(gateway: Gateway, lab: Actor, lease: Lease) -> JobState | None:
    """Give a job back because the function's process died; return its state."""
    reports = await gateway.pilots.report(
        lab, AGENT, offer(tasks=0), [], [(lease, "it died", True)]
    )
    return reports.states[lease.job]


def zeros(shots: int) -> Encoded:
    arrays = {
        "keys": Array("|u1", (1, 1), b"\0"),
        "counts": Array("<i8", (1,), shots.to_bytes(8, "little")),
    }
    return encode(
        Outcome(
            registers=msgspec.convert([["c", 1]], tuple[Any, ...]),
            arrays=arrays,
            engine="lab5",
            engine_version="",
            seed=1,
            seconds=0.1,
        )
    )


async def test_a_labs_device_belongs_to_its_account_and_is_away_until_an_agent_connects(
    gateway: Gateway, lab: Actor
) -> None:
    view = await gateway.devices.get("lab5", "native")
    assert (view.device.provider, view.device.driver) == ("ibk", "agent")
    assert view.qubits == 100, "as wide as the machine, not as what can be simulated here"
    assert view.status.is_on
    assert not view.is_online
    await pull(gateway, lab)
    view = await gateway.devices.get("lab5", "native")
    assert view.is_online
    assert view.presence is not None
    assert (view.presence.agents, view.presence.seen_at) == (1, NOW)
    await gateway.pilots.leave(lab, AGENT)
    assert not (await gateway.devices.get("lab5", "native")).is_online


async def test_programs_are_bounded_by_the_machine_and_not_by_what_can_be_simulated(
    gateway: Gateway, lab: Actor, ada: Actor
) -> None:
    job = await gateway.jobs.submit(ada, submission(90, shots=2_000))
    assert (job.est_seconds, job.est_bytes) == (1_000.0, 0), "shots times shot_s, no memory here"
    with pytest.raises(LimitExceeded, match="101 qubits, lab5 takes 100"):
        await gateway.jobs.submit(ada, submission(101))
    with pytest.raises(LimitExceeded, match="shots must be 1 to 2000"):
        await gateway.jobs.submit(ada, submission(shots=2_001))
    with pytest.raises(InvalidRequest, match="takes no dry runs"):
        await gateway.jobs.submit(ada, submission(dry_run=True))
    with pytest.raises(InvalidRequest, match="outputs: lab5 gives counts"):
        await gateway.jobs.submit(ada, submission(outputs=("memory",)))


async def test_a_job_travels_from_submit_to_result(
    gateway: Gateway, lab: Actor, ada: Actor
) -> None:
    job = await gateway.jobs.submit(ada, submission(seed=9))
    taken = await claimed(gateway, lab)
    lease, program = taken.assignment.lease, taken.full_program
    assert (lease.job, taken.family) == (job.id, "qubit")
    assert program is not None
    assert program.source == submission().source
    assert await pull(gateway, lab, lease, tasks=0) == ([], []), "it goes on"
    bad = structs.replace(zeros(10), sha256=b"0" * 32)
    with pytest.raises(InvalidRequest, match="sha256"):
        await finish(gateway, lab, lease, bad)
    assert await finish(gateway, lab, lease, zeros(10)) == "completed"
    results = await gateway.results.of(await gateway.jobs.get(ada, job.id), response_memory())
    (part,) = results.parts
    assert isinstance(part, Outcome)
    assert part.counts() == {0: 10}


async def test_an_agent_gets_one_job_and_counts_as_one_slot_whatever_it_offers(
    gateway: Gateway, store: Store, lab: Actor, ada: Actor
) -> None:
    """A response with many programs would take much memory, and forecasts go through all slots."""
    for _ in range(3):
        await gateway.jobs.submit(ada, submission())
    many = offer(tasks=1_024)._replace(slots=1_024, tiny_tasks=1_024)
    pulled = await gateway.pilots.pull(lab, AGENT, many, (), (), {}, 1, 0, is_there)
    assert [len(task) for task in pulled.tasks] == [1]
    assert [each.slots for each in await store.leases.runners()] == [1]


async def test_an_accounts_token_for_another_device_takes_nothing_from_the_agent_of_that_name(
    gateway: Gateway, admin: Admin, lab: Actor, ada: Actor
) -> None:
    made = await admin.create_token("ibk", scopes=["devices:serve"], devices=["lab6"])
    other = await gateway.auth.by_token(made.secret, "127.0.0.1")
    await gateway.lab_devices.announce(other, "lab6", "qubit", (), SPEC)
    await gateway.jobs.submit(ada, submission())
    lease = (await claimed(gateway, lab)).assignment.lease
    assert await pull(gateway, other, device="lab6") == ([], [])
    with pytest.raises(Forbidden, match="does not serve the device lab5"):
        await pull(gateway, other)
    await gateway.pilots.leave(other, AGENT)
    assert await pull(gateway, lab, lease, tasks=0) == ([], [])


async def test_a_result_is_taken_once(gateway: Gateway, lab: Actor, ada: Actor) -> None:
    job = await gateway.jobs.submit(ada, submission())
    lease = (await claimed(gateway, lab)).assignment.lease
    failure = Failure("no_atoms", "The trap was empty.")
    assert await finish(gateway, lab, lease, failure) == "failed"
    for again in (failure, zeros(10)):
        assert await finish(gateway, lab, lease, again) is None
    assert await release(gateway, lab, lease) is None
    assert (await gateway.jobs.get(ada, job.id)).error_code == "no_atoms"
    assert gateway.pilots.stale_results == 3


async def test_the_third_death_that_a_job_is_blamed_for_fails_it(
    gateway: Gateway, lab: Actor, ada: Actor
) -> None:
    job = await gateway.jobs.submit(ada, submission())
    for number in (1, 2, 3):
        assignment = (await claimed(gateway, lab)).assignment
        assert assignment.attempts == number - 1
        state = await release(gateway, lab, assignment.lease)
    after = await gateway.jobs.get(ada, job.id)
    assert (state, after.error_code, after.attempts) == ("failed", "worker_died", 3)


async def test_a_token_without_the_scope_serves_nothing(gateway: Gateway, ada: Actor) -> None:
    with pytest.raises(Forbidden, match="lacks the scope compute:serve or devices:serve"):
        await pull(gateway, ada)
    with pytest.raises(Forbidden, match="lacks the scope devices:serve"):
        await gateway.lab_devices.announce(ada, "lab5", "qubit", (), SPEC)


async def test_a_device_that_was_not_announced_cannot_be_served(
    gateway: Gateway, admin: Admin, lab: Actor
) -> None:
    made = await admin.create_token("ibk", scopes=["devices:serve"], devices=["ghost"])
    actor = await gateway.auth.by_token(made.secret, "127.0.0.1")
    with pytest.raises(NotFound, match="was not announced"):
        await pull(gateway, actor, device="ghost")


async def test_the_devices_of_a_hidden_provider_are_hidden_and_take_no_jobs(
    gateway: Gateway, admin: Admin, lab: Actor, ada: Actor
) -> None:
    await admin.set_active("ibk", is_active=False)
    with pytest.raises(NotFound):
        await gateway.devices.get("lab5", "native")
    with pytest.raises((NotFound, Unavailable)):
        await gateway.jobs.submit(ada, submission())
