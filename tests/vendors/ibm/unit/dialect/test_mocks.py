"""Names of mock backends, and the devices that they stand for."""

from __future__ import annotations

import re

from qwicket.model.devices import Device, DeviceSpec
from qwicket.vendors.ibm.dialect.runtime import mocks


def device(name: str, driver: str = "simulated") -> Device:
    return Device(
        name=name,
        family="qubit",
        provider="p",
        driver=driver,  # type: ignore[arg-type]
        dialects=("runtime",),
        position=0,
        spec=DeviceSpec(description="", qubits=1, formats=(), outputs=(), shot_s=0.0),
    )


DEVICES = [
    device("lab_line", "agent"),
    device("first_line"),
    device("second_line"),
    device("alone"),
    device("mock_taken"),
    device("real_taken"),
]


def test_a_mock_stands_for_the_first_simulated_device_of_its_name() -> None:
    assert mocks.names(DEVICES) == {"mock_line": "first_line", "mock": "alone"}


def test_mocks_are_named_as_clients_name_them() -> None:
    for name in ("qwicket_line5", "alone", "a_b_c", "a-b_c"):
        assert mocks.name_of(name) == re.sub(r"^[^_]+", "mock", name)
