"""Devices that agents serve, on every database."""

from __future__ import annotations

import pytest
from msgspec import structs

from qwicket.devices import built_in
from qwicket.model.accounts import Token
from qwicket.model.devices import Device, DeviceSpec, Presence
from qwicket.model.errors import Conflict, LimitExceeded, NotFound
from qwicket.model.jobs import Runner
from qwicket.store import Store
from support.stores import NOW, add_job

pytestmark = pytest.mark.anyio

LAB = Device(
    name="lab5",
    family="qubit",
    provider="ada",
    driver="agent",
    dialects=("native",),
    position=1_000,
    spec=DeviceSpec(description="A bench", qubits=5, formats=("openqasm3",)),
)


@pytest.mark.both_databases
async def test_an_announced_device_is_listed_and_its_spec_can_be_replaced(store: Store) -> None:
    await store.agents.announce(LAB)
    wider = structs.replace(LAB, spec=structs.replace(LAB.spec, qubits=7))
    await store.agents.announce(wider)
    assert await store.devices.get("lab5") == wider
    assert [each.name for each in await store.devices.all()] == ["lab5"]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"provider": "bob"}, "another account"), ({"family": "atoms"}, "jobs may wait")],
)
async def test_a_device_keeps_its_provider_and_family(
    store: Store, change: dict[str, str], said: str
) -> None:
    await store.agents.announce(LAB)
    with pytest.raises(Conflict, match=said):
        await store.agents.announce(structs.replace(LAB, **change))
    assert await store.devices.get("lab5") == LAB


async def test_a_device_of_the_server_is_no_labs(store: Store) -> None:
    await store.devices.seed(built_in(), "builtin")
    with pytest.raises(Conflict, match="of the server itself"):
        await store.agents.announce(structs.replace(LAB, name="simulator"))


async def test_a_server_that_starts_leaves_what_labs_announced_alone(store: Store) -> None:
    await store.agents.announce(LAB)
    await store.devices.seed(built_in(), "builtin")
    assert await store.devices.get("lab5") == LAB


async def test_presence_is_who_beats_and_when_one_was_last_heard_of(store: Store) -> None:
    await store.agents.announce(LAB)
    assert await store.devices.presence(LAB) == Presence(0, None)
    for number in (1, 2):
        agent = Runner(f"ada/{number}", "agent", 0, 1, "lab5")
        await store.leases.renew(agent, (), 0, NOW + number)
    assert await store.devices.presence(LAB) == Presence(2, NOW + 2)
    await store.leases.void_runner("ada/1", NOW)
    assert await store.devices.presence(LAB) == Presence(1, NOW + 2)


@pytest.mark.both_databases
async def test_a_device_has_so_many_agents_and_no_more(store: Store) -> None:
    await store.agents.announce(LAB)
    first, second, third = (Runner(f"ada/{n}", "agent", 0, 1, "lab5") for n in range(3))
    for each in (first, second, first):
        await store.leases.renew(each, (), 0, NOW, maximum=2)
    with pytest.raises(LimitExceeded, match=r"lab5 has 2 agents \(limit device_agents\)"):
        await store.leases.renew(third, (), 0, NOW, maximum=2)
    other = Runner("ada/lab6", "agent", 0, 1, "lab6")
    await store.agents.announce(structs.replace(LAB, name="lab6"))
    await store.leases.renew(other, (), 0, NOW, maximum=2)
    await store.leases.void_runner(first.id, NOW)
    await store.leases.renew(third, (), 0, NOW, maximum=2)


@pytest.mark.both_databases
async def test_a_full_program_is_the_program_as_it_was_submitted_and_read(
    store: Store, ada: Token
) -> None:
    job = await add_job(store, ada, device="lab5", inputs={"theta": 0.5})
    full_program = await store.agents.full_program(job.id)
    assert (full_program.format, full_program.source) == ("ionq.circuit.v1", b"source")
    assert (full_program.options, full_program.circuits) == (b"options", b"circuits")
    assert full_program.inputs == '{"theta":0.5}'
    with pytest.raises(NotFound):
        await store.agents.full_program("no job")


@pytest.mark.both_databases
async def test_a_lease_is_held_until_it_is_not_the_newest(store: Store, ada: Token) -> None:
    await add_job(store, ada, device="lab5")
    agent = Runner("ada/1", "agent", 0, 1, "lab5")
    await store.leases.renew(agent, (), 0, NOW)
    claim = await store.leases.claim("lab5", agent.id, NOW, durable=True)
    (found,) = claim.taken
    assert await store.leases.holds(found.lease)
    assert not await store.leases.holds(structs.replace(found.lease, nonce="x"))
    assert not await store.leases.holds(structs.replace(found.lease, fence=2))
    await store.leases.void_runner(agent.id, NOW)
    assert not await store.leases.holds(found.lease)
