"""What devices are called, and that they keep what they advertise."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from qwicket import programs
from qwicket.devices import built_in
from qwicket.dialects import shown_by
from qwicket.model.devices import AtomGateSpec, Device
from qwicket.model.limits import Limits
from qwicket.vendors.qlued.cold_atom_gates import MACHINES
from qwicket.vendors.qlued.dialect import catalogue

DEVICES = {device.name: device for device in built_in(shown_by) if "qlued" in device.dialects}


def test_a_device_bears_its_short_and_its_full_name_and_no_other() -> None:
    rydberg = DEVICES["rydberg"]
    for text in ("rydberg", catalogue.full_name(rydberg)):
        name = catalogue.parse_name(text)
        assert name is not None
        assert ("rydberg" in name.device_names, name.fits(rydberg)) == (True, True)
    for text in ("qwicket_rydberg_hardware", "lab_rydberg_simulator"):
        name = catalogue.parse_name(text)
        assert name is not None
        assert not name.fits(rydberg)
    for text in ("", "_", "a_b", "__", "a__b", "_b_c"):
        assert catalogue.parse_name(text) is None


def test_a_labs_device_is_called_by_its_provider() -> None:
    rydberg = DEVICES["rydberg"]
    assert rydberg.spec.atoms is not None
    atoms = structs.replace(rydberg.spec.atoms, is_simulator=False)
    spec = structs.replace(rydberg.spec, atoms=atoms)
    for kept_as in ("sodium", "lab_sodium"):
        sodium = structs.replace(rydberg, name=kept_as, provider="lab", spec=spec)
        assert catalogue.full_name(sodium) == "lab_sodium_hardware"
        assert catalogue.short_name(sodium) == "sodium"
        name = catalogue.parse_name("lab_sodium_hardware")
        assert name is not None
        assert (kept_as in name.device_names, name.fits(sodium)) == (True, True)
        short = catalogue.parse_name("sodium")
        assert short is not None
        assert not short.fits(sodium)


def test_the_name_of_a_provider_may_have_underscores() -> None:
    sodium = structs.replace(DEVICES["rydberg"], name="sodium", provider="cold_lab")
    assert catalogue.is_listed(sodium)
    name = catalogue.parse_name(catalogue.full_name(sodium))
    assert name is not None
    assert ("sodium" in name.device_names, name.fits(sodium)) == (True, True)


def test_lists_leave_out_what_is_for_tests_and_what_cannot_be_called() -> None:
    rydberg = DEVICES["rydberg"]
    for name, is_listed in (
        ("rydberg", True),
        ("lab_sodium", True),
        ("dummy", False),
        ("lab_dummy2", False),
        ("cold_sodium", False),
        ("lab_cold_sodium", False),
    ):
        device = structs.replace(rydberg, name=name, provider="lab")
        assert catalogue.is_listed(device) is is_listed


def gates() -> list[tuple[Device, AtomGateSpec, tuple[int, ...]]]:
    return [
        (device, gate, wires)
        for device in DEVICES.values()
        for gate in catalogue.atoms(device).gates
        for wires in gate.wires
    ]


def test_every_gate_is_read_on_all_wires_that_are_advertised() -> None:
    advertised = gates()
    assert len(advertised) > 50
    for device, gate, wires in advertised:
        check_read(device, gate, wires)


def check_read(device: Device, gate: AtomGateSpec, wires: tuple[int, ...]) -> None:
    n_sites = len(wires) // 2
    repeated = {"fhop": n_sites - 1, "fphase": n_sites}
    n_params = repeated.get(gate.name, len(gate.parameters))
    needs_all = gate.name == "multiqudit_full" or gate.name.startswith("rydberg")
    is_long = needs_all or (len(wires) > 2 and device.name == "multiqudit")
    experiment = {
        "instructions": [[gate.name, wires, [0.1] * n_params]],
        "num_wires": len(wires) if is_long else device.spec.qubits,
        "shots": 1,
        "wire_order": catalogue.atoms(device).wire_order,
    }
    source = json.dumps({"experiment_0": experiment}).encode()
    read = programs.read(device.spec.formats[0], source, Limits())
    assert read.summary.n_circuits == 1


@pytest.mark.parametrize("device", DEVICES.values(), ids=lambda device: device.name)
def test_all_that_a_machine_reads_is_advertised(device: Device) -> None:
    spec = catalogue.atoms(device)
    advertised = {gate.name for gate in spec.gates} | set(spec.instructions)
    assert advertised == set(MACHINES[device.name].rules)
    assert advertised - {"barrier", "measure"} == set(device.spec.gates)
