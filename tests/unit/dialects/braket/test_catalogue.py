"""The names under which Braket's clients find devices."""

from __future__ import annotations

import json

import pytest

from qwicket.devices import built_in
from qwicket.dialects import shown_by
from qwicket.dialects.braket import catalogue

(STATEVECTOR,) = (device for device in built_in(shown_by) if device.name == "statevector")


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
