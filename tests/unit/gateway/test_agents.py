"""What a lab's token lets do, and what admission makes of a lab's device.

Hostile specs, leases and outcomes are in tests/abuse/test_agents.py, over HTTP.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from qwicket.circuits.outcomes import Array, Encoded, Outcome, encode
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import Actor
from qwicket.model.devices import DeviceSpec
from qwicket.model.errors import Forbidden, InvalidRequest, LimitExceeded, NotFound, Unavailable
from qwicket.model.failures import Failure
from qwicket.model.jobs import Directive, Submission
from qwicket.store import StaleLease, Store
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
    await gateway.agents.announce(actor, "lab5", "qubit", (), SPEC)
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
    await gateway.agents.claim(lab, "lab5", AGENT, (), 0, is_there)
    view = await gateway.devices.get("lab5", "native")
    assert view.is_online
    assert view.presence is not None
    assert (view.presence.agents, view.presence.seen_at) == (1, NOW)
    await gateway.agents.leave(lab, "lab5", AGENT)
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
    gateway: Gateway, store: Store, lab: Actor, ada: Actor
) -> None:
    job = await gateway.jobs.submit(ada, submission(seed=9))
    claimed_body = await gateway.agents.claim(lab, "lab5", AGENT, (), 0, is_there)
    assert claimed_body is not None
    lease = claimed_body.assignment.lease
    assert (lease.job, claimed_body.family, claimed_body.options.seed) == (job.id, "qubit", 9)
    assert claimed_body.full_program.source == submission().source
    orders = await gateway.agents.renew(lab, AGENT, job.id, [lease], {})
    assert orders == {job.id: Directive.GO_ON}
    bad = structs.replace(zeros(10), sha256=b"0" * 32)
    with pytest.raises(InvalidRequest, match="sha256"):
        await gateway.agents.finish(lab, AGENT, job.id, lease.fence, lease.nonce, [bad], 0.1)
    done = await gateway.agents.finish(
        lab, AGENT, job.id, lease.fence, lease.nonce, [zeros(10)], 0.1
    )
    assert done.state == "completed"
    results = await gateway.results.of(await gateway.jobs.get(ada, job.id), response_memory())
    (part,) = results.parts
    assert isinstance(part, Outcome)
    assert part.counts() == {0: 10}


async def test_an_accounts_token_for_another_device_takes_nothing_from_the_agent_of_that_name(
    gateway: Gateway, admin: Admin, lab: Actor, ada: Actor
) -> None:
    made = await admin.create_token("ibk", scopes=["devices:serve"], devices=["lab6"])
    other = await gateway.auth.by_token(made.secret, "127.0.0.1")
    await gateway.agents.announce(other, "lab6", "qubit", (), SPEC)
    job = await gateway.jobs.submit(ada, submission())
    claimed_body = await gateway.agents.claim(lab, "lab5", AGENT, (), 0, is_there)
    assert claimed_body is not None
    assert await gateway.agents.claim(other, "lab6", AGENT, (), 0, is_there) is None
    await gateway.agents.leave(other, "lab6", AGENT)
    orders = await gateway.agents.renew(lab, AGENT, job.id, [claimed_body.assignment.lease], {})
    assert orders == {job.id: Directive.GO_ON}


async def test_a_result_is_taken_once(gateway: Gateway, lab: Actor, ada: Actor) -> None:
    job = await gateway.jobs.submit(ada, submission())
    claimed_body = await gateway.agents.claim(lab, "lab5", AGENT, (), 0, is_there)
    assert claimed_body is not None
    fence, nonce = claimed_body.assignment.lease.fence, claimed_body.assignment.lease.nonce
    failure = Failure("no_atoms", "The trap was empty.")
    ended = await gateway.agents.finish(lab, AGENT, job.id, fence, nonce, failure, 0.1)
    assert (ended.state, ended.error_code) == ("failed", "no_atoms")
    for again in (failure, [zeros(10)]):
        with pytest.raises(StaleLease):
            await gateway.agents.finish(lab, AGENT, job.id, fence, nonce, again, 0.1)
    with pytest.raises(StaleLease):
        await gateway.agents.release(lab, AGENT, job.id, fence, nonce, "x", counts_as_attempt=True)
    assert gateway.agents.stale_results == 3


async def test_the_third_death_that_a_job_is_blamed_for_fails_it(
    gateway: Gateway, lab: Actor, ada: Actor
) -> None:
    job = await gateway.jobs.submit(ada, submission())
    for number in (1, 2, 3):
        claimed_body = await gateway.agents.claim(lab, "lab5", AGENT, (), 0, is_there)
        assert claimed_body is not None
        lease = claimed_body.assignment.lease
        assert claimed_body.assignment.attempts == number - 1
        after = await gateway.agents.release(
            lab, AGENT, job.id, lease.fence, lease.nonce, "it died", counts_as_attempt=True
        )
    assert (after.state, after.error_code, after.attempts) == ("failed", "worker_died", 3)


async def test_a_token_without_the_scope_serves_nothing(gateway: Gateway, ada: Actor) -> None:
    with pytest.raises(Forbidden, match="lacks the scope devices:serve"):
        await gateway.agents.claim(ada, "lab5", AGENT, (), 0, is_there)
    with pytest.raises(Forbidden, match="lacks the scope devices:serve"):
        await gateway.agents.announce(ada, "lab5", "qubit", (), SPEC)


async def test_a_device_that_was_not_announced_cannot_be_served(
    gateway: Gateway, admin: Admin, lab: Actor
) -> None:
    made = await admin.create_token("ibk", scopes=["devices:serve"], devices=["ghost"])
    actor = await gateway.auth.by_token(made.secret, "127.0.0.1")
    with pytest.raises(NotFound, match="was not announced"):
        await gateway.agents.claim(actor, "ghost", AGENT, (), 0, is_there)


async def test_the_devices_of_a_hidden_provider_are_hidden_and_take_no_jobs(
    gateway: Gateway, admin: Admin, lab: Actor, ada: Actor
) -> None:
    await admin.set_active("ibk", is_active=False)
    with pytest.raises(NotFound):
        await gateway.devices.get("lab5", "native")
    with pytest.raises((NotFound, Unavailable)):
        await gateway.jobs.submit(ada, submission())
