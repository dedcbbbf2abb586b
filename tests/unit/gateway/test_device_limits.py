from __future__ import annotations

import pytest

from qwicket.circuits.summary import Summary
from qwicket.engines import Estimate
from qwicket.gateway.device_limits import MPS_ENGINE, DeviceLimits
from qwicket.model.devices import Device
from qwicket.model.errors import LimitExceeded
from qwicket.model.jobs import Runner, Submission
from qwicket.model.limits import Limits
from qwicket.store import Store
from support.stores import NOW

pytestmark = pytest.mark.anyio

MEMORY = 1 << 30
LIMITS = Limits.from_names(memory_bytes=MEMORY, qubits=30, shots=500, run_time_s=60, mps_qubits=80)


async def device(store: Store, name: str = "simulator") -> Device:
    found = await store.devices.find(name)
    assert found is not None
    return found


async def test_more_memory_allows_more_qubits_up_to_the_limit(store: Store) -> None:
    simulator = await device(store)

    def qubits(memory_bytes: int) -> int:
        limits = Limits.from_names(memory_bytes=memory_bytes, qubits=30)
        return DeviceLimits(store, limits).qubits(simulator)

    few, more = qubits(MEMORY), qubits(4 * MEMORY)
    assert 0 < few < 30
    assert more == few + 2  # a state vector of one more qubit is twice as large
    assert qubits(1 << 50) == 30
    assert qubits(1) == 0


async def test_a_pilot_raises_the_limit_on_memory_only_where_it_grows(store: Store) -> None:
    simulator = await device(store)
    fixed = DeviceLimits(store, LIMITS)
    growing = DeviceLimits(store, LIMITS, memory_grows=True)
    before = growing.qubits(simulator)
    await store.leases.register(Runner("p", "pilot", 0, 1, memory_bytes=4 * MEMORY), NOW)
    assert not await fixed.update_memory()
    assert await growing.update_memory()
    assert not await growing.update_memory()  # read a moment ago
    assert fixed.qubits(simulator) == before
    assert growing.qubits(simulator) == before + 2


async def test_shots_and_circuits_are_bounded_by_device_and_server(store: Store) -> None:
    limits = DeviceLimits(store, LIMITS)
    assert limits.shots(await device(store)) == 500
    assert limits.circuits(await device(store)) == LIMITS.programs.circuits


@pytest.mark.parametrize(
    ("estimate", "named"),
    [
        (Estimate(MEMORY, 60.0, 30), None),
        (Estimate(1, 0.0, 31), "limit qubits"),
        (Estimate(MEMORY + 1, 0.0, 0), "limit memory_bytes"),
        (Estimate(1, 60.1, 0), "limit run_time_s"),
    ],
)
async def test_cost_is_bounded(store: Store, estimate: Estimate, named: str | None) -> None:
    limits, simulator = DeviceLimits(store, LIMITS), await device(store)
    if named is None:
        limits.check_cost(estimate, simulator)
        return
    with pytest.raises(LimitExceeded, match=named):
        limits.check_cost(estimate, simulator)


async def test_width_is_that_of_the_device_or_of_the_engine(store: Store) -> None:
    limits, simulator = DeviceLimits(store, LIMITS), await device(store)
    limits.check_width(Summary("qubit", 1, 80, 0, 0), simulator, MPS_ENGINE)
    with pytest.raises(LimitExceeded, match="limit mps_qubits"):
        limits.check_width(Summary("qubit", 1, 81, 0, 0), simulator, MPS_ENGINE)
    with pytest.raises(LimitExceeded, match="where all gates are Clifford gates"):
        limits.check_width(Summary("qubit", 1, 31, 0, 0), simulator, "")


@pytest.mark.parametrize("shots", [100, 1_000_000])
async def test_the_size_of_a_result_is_bounded(store: Store, shots: int) -> None:
    limits = DeviceLimits(store, Limits.from_names(memory_bytes=MEMORY, result_bytes=1 << 20))
    summary = Summary("qubit", 1, 20, 0, 0, n_clbits=20)
    wanted = Submission(
        dialect="native",
        device="simulator",
        format="",
        source=b"",
        shots=shots,
        outputs=("memory",),
    )
    if shots == 100:
        limits.check_result(wanted, summary, is_exact=True)
        return
    with pytest.raises(LimitExceeded, match="limit result_bytes"):
        limits.check_result(wanted, summary, is_exact=True)
