"""The names under which Braket's clients find devices."""

from __future__ import annotations

import json

import pytest

from qwicket.devices import built_in
from qwicket.dialects import shown_by
from qwicket.vendors.braket.dialect import catalogue

STATEVECTOR, RYDBERG = (
    next(device for device in built_in(shown_by) if device.name == name)
    for name in ("statevector", "rydberg")
)


@pytest.mark.parametrize(
    "source",
    [
        "OPENQASM 3.0;\n#pragma braket noise bit_flip(0.1) q[0]\n",
        "OPENQASM 3.0;\npragma braket noise bit_flip(0.1) q[0]\n",
        json.dumps({"source": "OPENQASM 3.0;\n#pragma  braket noise bit_flip(0.1) q[0]\n"}),
    ],
)
def test_a_program_with_noise_is_for_the_device_that_takes_noise(source: str) -> None:
    assert catalogue.arn_of(STATEVECTOR, source).endswith("/dm1")


def test_a_program_without_noise_is_for_the_device_without_it() -> None:
    assert catalogue.arn_of(STATEVECTOR, "OPENQASM 3.0;\nqubit q;\nh q;\n").endswith("/sv1")


def test_the_machine_of_atoms_is_in_one_region() -> None:
    assert catalogue.arn_of(RYDBERG, "{}").split(":", 3)[3].startswith("us-east-1::device/qpu/")
