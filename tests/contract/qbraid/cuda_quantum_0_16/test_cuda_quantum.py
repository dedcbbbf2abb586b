"""CUDA-Q 0.16 with its target `qbraid`, unmodified.

Expected values follow from the programs: Bell and GHZ states, rotations.
"""

# ruff: noqa: F821  # the compiler of kernels knows the gates

import os
from math import cos, sqrt

import cudaq
import pytest
from cudaq import spin

SHOTS = 400


@pytest.fixture(autouse=True, scope="module")
def target():
    cudaq.set_target(
        "qbraid",
        url=os.environ["QWICKET_URL"] + "/qbraid/api/v1",
        api_key=os.environ["QWICKET_TOKEN"],
        machine="qbraid:qbraid:sim:statevector",
    )


@cudaq.kernel
def ghz(width: int):
    qubits = cudaq.qvector(width)
    h(qubits[0])
    for k in range(1, width):
        x.ctrl(qubits[k - 1], qubits[k])
    mz(qubits)


@cudaq.kernel
def turned(theta: float):
    qubits = cudaq.qvector(2)
    ry(theta, qubits[0])
    x.ctrl(qubits[0], qubits[1])


@pytest.mark.parametrize("width", [2, 3])
def test_all_qubits_agree(width):
    counts = dict(cudaq.sample(ghz, width, shots_count=SHOTS).items())
    assert set(counts) == {"0" * width, "1" * width}
    assert sum(counts.values()) == SHOTS
    assert abs(counts["0" * width] - SHOTS / 2) < 6 * sqrt(SHOTS / 4)


def test_an_observable_is_measured():
    found = cudaq.observe(turned, spin.z(0), 0.8, shots_count=SHOTS).expectation()
    assert found == pytest.approx(cos(0.8), abs=6 / sqrt(SHOTS))
