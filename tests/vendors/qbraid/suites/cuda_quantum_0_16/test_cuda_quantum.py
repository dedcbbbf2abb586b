"""CUDA-Q 0.16 with its targets `qbraid` and `ionq`, unmodified.

Expected values follow from the programs: Bell and GHZ states, rotations.
"""

# ruff: noqa: F821  # the compiler of kernels knows the gates
# mypy: disable-error-code="name-defined"

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


@cudaq.kernel
def first_of_three():
    qubits = cudaq.qvector(3)
    x(qubits[0])
    mz(qubits)


@cudaq.kernel
def every_gate(theta: float):
    """Return to |000⟩, but for a rotation of the last qubit."""
    qubits = cudaq.qvector(3)
    h(qubits[0])
    s(qubits[0])
    t(qubits[0])
    t.adj(qubits[0])
    s.adj(qubits[0])
    h(qubits[0])
    r1(theta, qubits[1])
    rz(theta, qubits[1])
    y(qubits[1])
    z(qubits[1])
    y(qubits[1])
    x(qubits[0])
    x(qubits[1])
    x.ctrl([qubits[0], qubits[1]], qubits[2])
    x(qubits[2])
    rx(theta, qubits[2])
    swap(qubits[0], qubits[2])
    mz(qubits)


def on_the_default_device():
    cudaq.set_target(
        "qbraid",
        url=os.environ["QWICKET_URL"] + "/qbraid/api/v1",
        api_key=os.environ["QWICKET_TOKEN"],
    )


def on_ionq():
    os.environ["IONQ_API_KEY"] = os.environ["QWICKET_TOKEN"]
    cudaq.set_target("ionq", url=os.environ["QWICKET_URL"] + "/ionq")


TARGETS = pytest.mark.parametrize("to_target", [on_the_default_device, on_ionq])


@TARGETS
def test_the_first_bit_is_qubit_0(to_target):
    to_target()
    assert dict(cudaq.sample(first_of_three, shots_count=SHOTS).items()) == {"100": SHOTS}


@TARGETS
def test_parameters_and_gates(to_target):
    to_target()
    counts = dict(cudaq.sample(every_gate, 0.8, shots_count=SHOTS).items())
    assert set(counts) <= {"011", "111"}
    likely = (1 + cos(0.8)) / 2  # of no flip by rx, cos²(θ/2)
    assert abs(counts["011"] - SHOTS * likely) < 6 * sqrt(SHOTS * likely * (1 - likely))


@TARGETS
def test_an_observable_is_measured_on_other_targets(to_target):
    to_target()
    found = cudaq.observe(turned, spin.z(0), 0.8, shots_count=SHOTS).expectation()
    assert found == pytest.approx(cos(0.8), abs=6 / sqrt(SHOTS))
