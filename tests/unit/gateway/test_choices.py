"""The choice of a device: candidates, figures, refusals."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from qwicket import devices, programs
from qwicket.circuits import twins
from qwicket.circuits.fidelity import expected_fidelity
from qwicket.circuits.qubit import unpack
from qwicket.dialects import shown_by
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import Actor
from qwicket.model.bounds import Bounds
from qwicket.model.choices import BEST, Candidate, Choice, Weights
from qwicket.model.errors import (
    BudgetSpent,
    InvalidProgram,
    InvalidRequest,
    KeyReused,
    LimitExceeded,
    NotFound,
)
from qwicket.model.jobs import Job, Submission
from qwicket.store import Store
from unit.gateway.conftest import LIMITS, Clock

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

LINE, HEX = "qwicket_line5", "qwicket_heavyhex27"
T = b"""OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;
h q[0]; t q[0]; x q[0]; cx q[0], q[1]; c = measure q;"""
"""No Clifford circuit. Without x, a device needs two gates sx in its place."""


async def signed_in(admin: Admin, gateway: Gateway, *names: str, **bounds: int) -> Actor:
    limits = Bounds(**bounds) if bounds else None
    made = await admin.create_token("ada", devices=names, bounds=limits)
    return await gateway.auth.by_token(made.secret, "127.0.0.1")


@pytest.fixture
async def ada(admin: Admin, gateway: Gateway, clock: Clock) -> Actor:
    clock.ms = max(each.valid_from_ms for each in devices.calibrations().values())
    await admin.add_account("ada", email=None, password=None)
    return await signed_in(admin, gateway)


def submission(*candidates: str, **changes: Any) -> Submission:
    values: dict[str, Any] = {
        "dialect": "native",
        "device": "",
        "candidates": candidates,
        "format": "",
        "source": T,
        "shots": 100,
    }
    return Submission(**values | changes)


async def chosen(
    gateway: Gateway, actor: Actor, *candidates: str, **changes: Any
) -> tuple[Job, dict[str, Candidate]]:
    """Return a job and its candidates by name, in their order."""
    job = await gateway.jobs.submit(actor, submission(*candidates, **changes))
    found = msgspec.json.decode(job.choice or "", type=Choice).candidates
    return job, {each.device: each for each in found}


async def test_twins_have_the_fidelity_of_their_calibration(gateway: Gateway, ada: Actor) -> None:
    job, found = await chosen(gateway, ada, LINE, "simulator", HEX)
    assert job.device == next(iter(found)) == "simulator"
    assert found["simulator"].fidelity == 1
    read = programs.read("openqasm3", T, LIMITS)
    specs = {each.name: each.spec for each in devices.built_in(shown_by)}
    for name in (LINE, HEX):
        spec, calibration = specs[name], devices.calibrations()[name]
        noise = twins.noise(calibration, spec.qubits, spec.native_gates, name)
        expected = expected_fidelity(unpack(read.circuits), noise)
        assert found[name].fidelity == round(expected, 6)
        assert 0.8 < expected < 1
    assert await gateway.store.jobs.get(job.id) == job


async def test_a_labs_device_has_the_fidelity_of_the_circuits_that_it_gets(
    store: Store, gateway: Gateway, ada: Actor
) -> None:
    (line,) = [each for each in devices.built_in(shown_by) if each.name == LINE]
    gates = ("rz", "sx", "cx")
    spec = structs.replace(line.spec, gates=gates, native_gates=gates)
    labs = [
        structs.replace(line, name=name, driver="agent", spec=spec) for name in ("lab-1", "lab-2")
    ]
    await store.devices.seed(labs, "agent")
    await store.calibrations.seed({"lab-1": devices.calibrations()[LINE]}, gateway.now_ms())
    job, found = await chosen(gateway, ada, "lab-2", "lab-1")
    assert (job.device, found["lab-2"].fidelity) == ("lab-1", None)
    compiled = unpack(await store.jobs.circuits(job.id))
    noise = twins.noise(devices.calibrations()[LINE], 5, gates, "lab-1")
    assert found["lab-1"].fidelity == round(expected_fidelity(compiled, noise), 6)
    of_source = unpack(programs.read("openqasm3", T, LIMITS).circuits)
    assert expected_fidelity(of_source, noise) != expected_fidelity(compiled, noise)


async def test_the_best_device_is_one_of_all_that_take_the_format(
    gateway: Gateway, ada: Actor
) -> None:
    job, found = await chosen(gateway, ada, BEST)
    assert {"simulator", "clifford", LINE, HEX} <= {*found}
    assert job.device == next(iter(found))
    refusal = "clifford runs only Clifford circuits, and this is not one."
    assert found["clifford"] == Candidate(device="clifford", refusal=refusal)
    assert [*found].index("clifford") > [*found].index(LINE)
    with pytest.raises(InvalidRequest, match="no device for this token takes 'nothing'"):
        await chosen(gateway, ada, BEST, format="nothing")


async def test_only_devices_of_the_token_are_chosen(
    admin: Admin, gateway: Gateway, ada: Actor
) -> None:
    of_twin = await signed_in(admin, gateway, LINE, "clifford")
    job, found = await chosen(gateway, of_twin, BEST)
    assert (job.device, {*found}) == (LINE, {LINE, "clifford"})
    job, found = await chosen(gateway, of_twin, LINE, "simulator")
    assert job.device == LINE
    assert found["simulator"].refusal == "This token is not for the device simulator."


async def test_bounds_of_the_token_refuse_a_candidate(
    admin: Admin, gateway: Gateway, ada: Actor
) -> None:
    bounded = await signed_in(admin, gateway, daily_shots=50)
    with pytest.raises(BudgetSpent, match="daily_shots"):
        await chosen(gateway, bounded, LINE, "simulator")


async def test_a_device_that_is_off_or_not_of_the_group_is_refused(
    admin: Admin, gateway: Gateway, ada: Actor
) -> None:
    await admin.turn_off("simulator", reason="new fridge")
    job, found = await chosen(gateway, ada, "simulator", LINE)
    assert (job.device, found["simulator"].score) == (LINE, None)
    assert "The device simulator is off: new fridge" in found["simulator"].refusal
    group = await gateway.job_groups.open(ada, "native", device=HEX)
    job, found = await chosen(gateway, ada, LINE, HEX, group=group.id)
    assert (job.device, job.group) == (HEX, group.id)
    assert found[LINE].refusal == f"The group is for the device {HEX}."


async def test_weights_decide_and_none_may_be_all_zero(gateway: Gateway, ada: Actor) -> None:
    names = ("simulator", LINE)
    assert (await chosen(gateway, ada, *names))[0].device == "simulator"
    only_start = Weights(fidelity=0, cost=0)
    job, found = await chosen(gateway, ada, *names, weights=only_start)
    assert (job.device, found["simulator"].score) == (LINE, found[LINE].score)  # a tie, by name
    with pytest.raises(InvalidRequest, match="weights: one of them must be above 0"):
        await chosen(gateway, ada, *names, weights=Weights(fidelity=0, start=0, cost=0))


async def test_a_repeated_submission_gets_the_first_choice(
    admin: Admin, gateway: Gateway, ada: Actor
) -> None:
    first, _ = await chosen(gateway, ada, "simulator", LINE, idempotency_key="key")
    await admin.turn_off("simulator", reason="")
    again, _ = await chosen(gateway, ada, "simulator", LINE, idempotency_key="key")
    assert again == first
    with pytest.raises(KeyReused):
        await chosen(gateway, ada, HEX, LINE, idempotency_key="key")


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, Any], type[Exception], str]] = {
    "a name is unknown": (
        ("simulator", "qwicket_line6"),
        {},
        NotFound,
        "There is no device qwicket_line6. Did you mean .qwicket_line5.",
    ),
    "none can run it": (
        ("clifford", LINE),
        {"engine": "qulacs"},
        InvalidRequest,
        "None of the devices can run this job. clifford: engine: .* qwicket_line5: ",
    ),
    "all refuse it alike": (
        ("simulator", LINE),
        {"source": b"OPENQASM 3.0; qubit q; hh q;"},
        InvalidProgram,
        "line 1",
    ),
    "a list has more than its limit": (
        tuple(f"d{number}" for number in range(51)),
        {},
        LimitExceeded,
        "there are 51 candidates, and 50 are allowed",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_job_is_refused_if(name: str, gateway: Gateway, ada: Actor) -> None:
    candidates, changes, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        await chosen(gateway, ada, *candidates, **changes)


async def test_the_program_is_parsed_once_for_all_candidates_and_once_for_the_job(
    gateway: Gateway, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_parsed, read = 0, programs.read_small

    def counted(*arguments: Any, **others: Any) -> Any:
        nonlocal n_parsed
        n_parsed += 1
        return read(*arguments, **others)

    monkeypatch.setattr(programs, "read_small", counted)
    await chosen(gateway, ada, "simulator", "clifford", LINE, HEX, "qpu.aria-1")
    # With and without delays, which only some devices have, and for the chosen device.
    assert n_parsed == 3


async def test_a_device_of_that_name_is_no_choice(
    store: Store, gateway: Gateway, ada: Actor
) -> None:
    (simulator,) = [each for each in devices.built_in(shown_by) if each.name == "simulator"]
    await store.devices.seed([structs.replace(simulator, name=BEST)], "file")
    job, found = await chosen(gateway, ada, BEST)
    assert (job.device, [*found]) == (BEST, [BEST])
