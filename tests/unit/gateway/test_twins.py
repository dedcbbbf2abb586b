"""Twins through the gateway: their noise, native gates, width and calibrations."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec import structs

from qwicket import devices, engines
from qwicket.circuits import twins
from qwicket.circuits.calibrations import Calibration, GateFigures
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, decode
from qwicket.circuits.qubit import unpack
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.model.accounts import Actor
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded, NotFound
from qwicket.model.ids import new_id
from qwicket.model.jobs import Assignment, Job, Submission
from qwicket.store import Store
from support.stores import NOW
from unit.gateway.conftest import Clock

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

ARIA, FORTE = "qpu.aria-1", "qpu.forte-1"
SPECS = {device.name: device.spec for device in devices.built_in()}
GPI2 = {"gate": "gpi2", "target": 0, "phase": 0.1}
MS = {"gate": "ms", "targets": [0, 1], "phases": [0, 0], "angle": 0.25}
ZZ = {"gate": "zz", "targets": [0, 1], "angle": 0.2}


@pytest.fixture
async def ada(admin: Admin, gateway: Gateway) -> Actor:
    await admin.add_account("ada", email=None, password=None)
    made = await admin.create_token("ada")
    return await gateway.auth.by_token(made.secret, "127.0.0.1")


def submission(
    device: str, *gates: dict[str, Any], gateset: str = "qis", qubits: int = 2, **changes: Any
) -> Submission:
    source = json.dumps({"gateset": gateset, "qubits": qubits, "circuit": gates}).encode()
    values: dict[str, Any] = {
        "dialect": "native",
        "device": device,
        "format": "ionq.circuit.v1",
        "source": source,
        "shots": 1000,
    }
    return Submission(**{**values, **changes})


def each(gate: str, qubits: int, **more: Any) -> dict[str, Any]:
    return {"gate": gate, "targets": list(range(qubits)), **more}


def ghz(qubits: int) -> list[dict[str, Any]]:
    chain = [{"gate": "cnot", "control": q, "target": q + 1} for q in range(qubits - 1)]
    return [{"gate": "h", "target": 0}, *chain]


async def claim(store: Store, device: str) -> Assignment:
    runner = new_id(NOW)
    await store.leases.add_runner(runner, "server", NOW)
    (assignment,) = (await store.leases.claim(device, runner, NOW)).taken
    return assignment


def expected_noise(calibration: Calibration, device: str) -> Any:
    spec = SPECS[device]
    return twins.noise(calibration, spec.qubits, spec.native_gates, device)


async def in_force(gateway: Gateway, device: str = ARIA) -> str:
    return (await gateway.devices.calibration(device, "native")).id


def later(hours: float, error: float) -> Calibration:
    first = devices.calibrations()[ARIA]
    return structs.replace(
        first,
        valid_from=first.valid_from + timedelta(hours=hours),
        two_qubit=GateFigures(error=error, duration_s=6e-4),
    )


async def test_a_job_has_the_noise_of_the_calibration_in_force(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    job = await gateway.jobs.submit(ada, submission(ARIA, *ghz(2)))
    assert job.calibration == await in_force(gateway)
    options = msgspec.msgpack.decode((await claim(store, ARIA)).options, type=RunOptions)
    assert options.noise == expected_noise(devices.calibrations()[ARIA], ARIA)
    assert (await gateway.jobs.submit(ada, submission("simulator", *ghz(2)))).calibration is None


async def test_only_devices_with_lifetimes_run_delays(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    text = b"OPENQASM 3.0; qubit q; bit c; delay[1s] q; c = measure q;"
    large = text + b"// a comment that leaves the text to a parser process" * 100
    for source in (text, large):
        for device, expected in ((ARIA, 1), ("simulator", 0)):
            sent = structs.replace(submission(device), format="openqasm3", source=source)
            await gateway.jobs.submit(ada, sent)
            (circuit,) = unpack((await claim(store, device)).circuits)
            assert len(circuit.ops) == 1 + expected


async def test_a_new_calibration_changes_no_job_that_waits(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    async def submit() -> Job:
        return await gateway.jobs.submit(ada, submission(ARIA, *ghz(2), seed=7))

    before = await submit()
    await store.calibrations.seed({ARIA: later(1, 0.3)}, NOW)
    await asyncio.sleep(2 * CACHE_TTL_S)
    after = await submit()
    assert before.calibration != after.calibration == await in_force(gateway)
    waiting, new = [await claim(store, ARIA) for _ in range(2)]
    assert [waiting.lease.job, new.lease.job] == [before.id, after.id]
    models = [msgspec.msgpack.decode(job.options, type=RunOptions).noise for job in (waiting, new)]
    assert models == [
        expected_noise(body, ARIA) for body in (devices.calibrations()[ARIA], later(1, 0.3))
    ]
    odd = []
    for job in (waiting, new):
        (result,) = engines.run("qubit", job.circuits, job.options)
        assert isinstance(result, Encoded)
        counts = decode(result).counts()
        odd.append(counts.get(1, 0) + counts.get(2, 0))
    assert odd[0] < 40  # 1.2 % of 1000 are expected: readout 2 · 0.39 %, gates 0.4 %
    assert odd[1] > 120  # 8/15 of a depolarizing of 0.3 · 5/4 alone are 20 %


async def test_a_calibration_takes_effect_at_its_time(
    gateway: Gateway, ada: Actor, store: Store, clock: Clock
) -> None:
    first = await in_force(gateway)
    hours = (NOW - later(0, 0.1).valid_from_ms) / 3_600_000 + 1
    await store.calibrations.seed({ARIA: later(hours, 0.1)}, NOW)
    assert await in_force(gateway) == first
    clock.ms += 3_600_000
    assert await in_force(gateway) != first
    assert (await gateway.devices.calibration(ARIA, "native", NOW)).id == first
    with pytest.raises(NotFound):
        await gateway.devices.calibration(ARIA, "native", 0)


async def test_only_a_device_of_the_dialect_has_a_calibration(gateway: Gateway) -> None:
    for name, dialect in ((ARIA, "xanadu"), ("nothing", "native"), ("simulator", "native")):
        with pytest.raises(NotFound):
            await gateway.devices.calibration(name, dialect)
    with pytest.raises(NotFound):
        await gateway.devices.calibration_by_id(ARIA, "ionq", await in_force(gateway, FORTE))


@pytest.mark.parametrize("noise", ["ideal", "aria-1"])
async def test_a_twin_is_what_it_is(gateway: Gateway, ada: Actor, noise: str) -> None:
    with pytest.raises(InvalidRequest, match=f"no noise model '{noise}'") as refused:
        await gateway.jobs.submit(ada, submission(ARIA, *ghz(2), noise=noise))
    assert refused.value.field == "noise"


@pytest.mark.parametrize(
    ("device", "gate", "refusal"),
    [
        (ARIA, MS, None),
        (FORTE, ZZ, None),
        ("simulator", MS, None),
        ("simulator", ZZ, None),
        (ARIA, ZZ, "qpu.aria-1 has the native gates gpi, gpi2, ms, not zz"),
        (FORTE, MS, "qpu.forte-1 has the native gates gpi, gpi2, zz, not ms"),
    ],
)
async def test_of_the_native_two_qubit_gates_a_twin_takes_its_own(
    gateway: Gateway, ada: Actor, device: str, gate: dict[str, Any], refusal: str | None
) -> None:
    asked = submission(device, GPI2, gate, gateset="native")
    if refusal is None:
        assert (await gateway.jobs.submit(ada, asked)).n_ops_2q == 1
        return
    with pytest.raises(InvalidProgram, match=refusal):
        await gateway.jobs.submit(ada, asked)


async def test_gates_of_the_other_set_are_compiled(gateway: Gateway, ada: Actor) -> None:
    rotation = {"gate": "zz", "targets": [0, 1], "rotation": 0.3}
    for device in (ARIA, FORTE):
        job = await gateway.jobs.submit(ada, submission(device, rotation, *ghz(2)))
        assert job.n_ops_2q == 2


async def test_twins_show_their_originals_width(gateway: Gateway) -> None:
    shown = {view.device.name: view.qubits for view in await gateway.devices.of("ionq")}
    assert (shown[ARIA], shown[FORTE]) == (25, 36)
    assert shown["simulator"] < 29


async def test_a_wide_register_counts_by_the_qubits_in_use(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    turned = each("rx", 8, rotation=0.4)
    job = await gateway.jobs.submit(ada, submission(FORTE, turned, qubits=36, outputs=("memory",)))
    assert job.n_qubits == 36
    assignment = await claim(store, FORTE)
    (result,) = engines.run("qubit", assignment.circuits, assignment.options)
    assert isinstance(result, Encoded)
    assert decode(result).n_bits == 36
    with pytest.raises(LimitExceeded, match=r"37 qubits, qpu\.forte-1 takes 36"):
        await gateway.jobs.submit(ada, submission(FORTE, turned, qubits=37))


async def test_more_qubits_in_use_than_a_state_vector_has_are_refused_with_both_numbers(
    gateway: Gateway, ada: Actor
) -> None:
    with pytest.raises(
        LimitExceeded, match=r"uses 30 connected qubits.*29 are simulated.*limit qubits"
    ):
        await gateway.jobs.submit(ada, submission(FORTE, each("t", 30), *ghz(30), qubits=36))
    with pytest.raises(LimitExceeded, match=r"about \d+ MiB, 1024 MiB are allowed"):
        await gateway.jobs.submit(ada, submission(FORTE, each("t", 29), *ghz(29), qubits=36))


@pytest.mark.parametrize("engine", ["qsim", "aer-mps"])
async def test_a_twin_has_noise_and_so_never_goes_to_engines_that_know_none(
    gateway: Gateway, ada: Actor, store: Store, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr("qwicket.engines.qubit.list_installed", lambda: ("qsim", "aer-mps"))
    (aria,) = (device for device in devices.built_in() if device.name == ARIA)
    spec = structs.replace(aria.spec, engines=("qsim", "aer-mps"))
    await store.devices.seed([structs.replace(aria, spec=spec)], "builtin")
    with pytest.raises(InvalidRequest, match=f"{engine} does not run this: it does not"):
        await gateway.jobs.submit(ada, submission(ARIA, *ghz(2), engine=engine))
    with pytest.raises(LimitExceeded, match=r"26 qubits, qpu\.aria-1 takes 25"):
        await gateway.jobs.submit(ada, submission(ARIA, *ghz(26), qubits=26))


async def test_a_clifford_circuit_may_use_all_qubits(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    job = await gateway.jobs.submit(ada, submission(FORTE, *ghz(36), qubits=36, shots=2000))
    assignment = await claim(store, FORTE)
    assert assignment.lease.job == job.id
    (result,) = engines.run("qubit", assignment.circuits, assignment.options)
    assert isinstance(result, Encoded)
    outcome = decode(result)
    counts = outcome.counts()
    assert outcome.engine == "stim"
    # Thirty-five gates of 0.49 % and as many readouts of 0.44 %: e^-0.33 or so of the shots stay.
    assert 0.6 < (counts[0] + counts[(1 << 36) - 1]) / 2000 < 0.85


async def test_there_are_no_exact_probabilities_on_a_twin(
    gateway: Gateway, ada: Actor, store: Store
) -> None:
    await gateway.jobs.submit(ada, submission(ARIA, *ghz(2), outputs=("counts", "probabilities")))
    assignment = await claim(store, ARIA)
    (result,) = engines.run("qubit", assignment.circuits, assignment.options)
    assert isinstance(result, Encoded)
    outcome = decode(result)
    assert outcome.notes == ("sampled_only",)
    assert sum(outcome.counts().values()) == 1000
