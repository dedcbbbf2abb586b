"""Configurations and properties of machines, from which clients make transpilation targets."""

from __future__ import annotations

from typing import Any

import msgspec

from qwicket.circuits.calibrations import Calibrated
from qwicket.devices import built_in, calibrations
from qwicket.gateway import DeviceView
from qwicket.model.devices import DeviceStatus
from qwicket.vendors.ibm.dialect import catalogue
from support.for_each import for_each

(LINE,) = (device for device in built_in() if device.name == "qwicket_line5")
CALIBRATED = Calibrated("c", LINE.name, 0, calibrations()[LINE.name])
PAIRS = [[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2], [3, 4], [4, 3]]


def view(gate: str) -> DeviceView:
    """Return a machine whose gates are `rz` and this one."""
    spec = msgspec.structs.replace(LINE.spec, gates=("rz", gate))
    device = msgspec.structs.replace(LINE, spec=spec)
    return DeviceView(device, DeviceStatus(), 5, 1_000, 10, CALIBRATED, ())


def shown_figures(gate: str) -> list[dict[str, Any]]:
    """Return the gates in the properties of a device with this gate."""
    body = msgspec.json.encode(catalogue.properties(view(gate), CALIBRATED))
    figures: list[dict[str, Any]] = msgspec.json.decode(body)["gates"]
    return figures


@for_each("gate", ["cx", "cz", "cnot", "ecr", "rzz", "swap"])
def test_a_gate_on_two_qubits_is_on_the_pairs(gate: str) -> None:
    """Labs announce their machines' own gates, such as `cz`."""
    shown = catalogue.configuration(view(gate))
    by_name = {each["name"]: each["coupling_map"] for each in shown["gates"]}
    assert by_name == {"rz": [[0], [1], [2], [3], [4]], gate: PAIRS}
    figures = shown_figures(gate)
    assert [each["qubits"] for each in figures if each["gate"] == gate] == PAIRS


def test_a_gate_on_three_qubits_is_on_no_pair() -> None:
    (_, shown) = catalogue.configuration(view("ccx"))["gates"]
    assert "coupling_map" not in shown
    assert {each["gate"] for each in shown_figures("ccx")} == {"rz"}
