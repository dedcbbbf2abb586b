from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qwicket.vendors.ionq.client import Circuit, IonQClientError, NativeCircuit
from support.for_each import for_each

INT64: Any = np.int64
TRUE: Any = np.True_


def test_gates_are_written_as_ionq_writes_them() -> None:
    circuit = (
        Circuit(3)
        .h(0)
        .cnot(0, 1)
        .x(2, controls=[0, 1])
        .rx(1, 0.5)
        .phase(1, 0.25, controls=[2])
        .swap(0, 2)
        .zz(0, 1, 1.5)
        .pauliexp([0, 1], ["XX", "YI"], [0.5, -1.0], time=2.0)
    )
    assert circuit.gates == [
        {"gate": "h", "targets": [0]},
        {"gate": "x", "targets": [1], "controls": [0]},
        {"gate": "x", "targets": [2], "controls": [0, 1]},
        {"gate": "rx", "targets": [1], "rotation": 0.5},
        {"gate": "z", "targets": [1], "controls": [2], "rotation": 0.25},
        {"gate": "swap", "targets": [0, 2]},
        {"gate": "zz", "targets": [0, 1], "rotation": 1.5},
        {
            "gate": "pauliexp",
            "targets": [0, 1],
            "terms": ["XX", "YI"],
            "coefficients": [0.5, -1.0],
            "time": 2.0,
        },
    ]


@for_each("name", ["x", "y", "z", "h", "s", "si", "t", "ti", "v", "vi"])
def test_each_gate_without_an_angle_has_a_method_of_its_name(name: str) -> None:
    circuit = getattr(Circuit(2), name)(1, controls=[0])
    assert circuit.gates == [{"gate": name, "targets": [1], "controls": [0]}]


@pytest.mark.parametrize("name", ["rx", "ry", "rz"])
def test_each_rotation_has_a_method_of_its_name(name: str) -> None:
    circuit = getattr(Circuit(1), name)(0, 0.5)
    assert circuit.gates == [{"gate": name, "targets": [0], "rotation": 0.5}]


@pytest.mark.parametrize("name", ["xx", "yy", "zz"])
def test_each_ising_gate_has_a_method_of_its_name(name: str) -> None:
    circuit = getattr(Circuit(2), name)(1, 0, 0.5)
    assert circuit.gates == [{"gate": name, "targets": [1, 0], "rotation": 0.5}]


def test_native_gates_are_written_in_turns_under_their_own_names() -> None:
    circuit = NativeCircuit(2).gpi(0, 0.5).gpi2(1, 0.25).ms(0, 1, (0, 0.25)).zz(0, 1, 0.1)
    assert circuit.gates == [
        {"gate": "gpi", "target": 0, "phase": 0.5},
        {"gate": "gpi2", "target": 1, "phase": 0.25},
        {"gate": "ms", "targets": [0, 1], "phases": [0.0, 0.25], "angle": 0.25},
        {"gate": "zz", "targets": [0, 1], "angle": 0.1},
    ]


@for_each(
    "build, what",
    [
        (lambda: Circuit(0), "qubits must be a positive whole number"),
        (lambda: Circuit(True), "qubits must be a positive whole number"),
        (lambda: Circuit(2).h(2), r"gate 0 \(h\): qubit 2 does not exist; there are 2 qubits"),
        (lambda: Circuit(2).h(-1), "qubit -1 does not exist"),
        (
            lambda: Circuit(2).h(0).h(1.0),  # type: ignore[arg-type]  # on purpose
            r"gate 1 \(h\): a qubit is a whole number, not 1\.0",
        ),
        (lambda: Circuit(2).cnot(1, 1), "a qubit occurs twice"),
        (lambda: Circuit(2).h(TRUE), "a qubit is a whole number"),
        (
            lambda: Circuit(2).x(1, controls=0),  # type: ignore[arg-type]  # on purpose
            r"gate 0 \(x\): controls must be a list of qubits, not 0",
        ),
        (
            lambda: Circuit(2).pauliexp(0, ["X"], [1.0], time=1.0),  # type: ignore[arg-type]
            "targets must be a list of qubits, not 0",
        ),
        (lambda: Circuit(2).h(INT64(2)), "qubit 2 does not exist"),
        (lambda: Circuit(2).cnot(INT64(1), 1), "a qubit occurs twice"),
        (
            lambda: Circuit(2).rx(0, math.nan),
            r"gate 0 \(rx\): rotation must be a finite number, not nan",
        ),
        (
            lambda: Circuit(2).rx(0, "half"),  # type: ignore[arg-type]  # on purpose
            "rotation must be a finite number, not 'half'",
        ),
        (
            lambda: Circuit(2).rx(0, 1j),  # type: ignore[arg-type]  # on purpose
            "rotation must be a finite number, not 1j",
        ),
        (lambda: Circuit(2).rx(0, 10**400), "rotation must be a finite number"),
        (lambda: Circuit(2).pauliexp([0], ["X", "Y"], [1.0], time=1.0), "one coefficient"),
        (lambda: Circuit(2).pauliexp([0], [], [], time=1.0), "there are no terms"),
        (lambda: Circuit(2).pauliexp([0], ["Q"], [1.0], time=1.0), "one of I, X, Y, Z"),
        (lambda: Circuit(2).pauliexp([0], ["XX"], [1.0], time=1.0), "one of I, X, Y, Z"),
        (lambda: NativeCircuit(2).gpi(0, math.inf), "phase must be a finite number"),
        (
            lambda: NativeCircuit(2).gpi(0, None),  # type: ignore[arg-type]  # on purpose
            "phase must be a finite number, not None",
        ),
        (
            lambda: NativeCircuit(2).ms(0, 1, (0, 0, 0)),  # type: ignore[arg-type]  # on purpose
            r"gate 0 \(ms\): phases must be two numbers, not \(0, 0, 0\)",
        ),
        (
            lambda: NativeCircuit(2).ms(0, 1, 0.25),  # type: ignore[arg-type]  # on purpose
            "phases must be two numbers, not 0.25",
        ),
        (lambda: NativeCircuit(2).ms(0, 0, (0, 0)), "a qubit occurs twice"),
    ],
)
def test_a_gate_that_cannot_be_is_refused_and_named(build: Callable[[], object], what: str) -> None:
    with pytest.raises(IonQClientError, match=what):
        build()


def test_integers_of_numpy_are_qubits() -> None:
    qubits: Any = np.arange(2)
    coefficients: Any = np.array([0.5])
    zero, one = qubits
    circuit = (
        Circuit(INT64(2))
        .h(zero)
        .x(one, controls=qubits[:1])
        .pauliexp(qubits[::-1], ["XX"], coefficients, time=1.0)
    )
    native = NativeCircuit(2).gpi(zero, 0.5).ms(zero, one, (0, 0)).zz(one, zero, 0.25)
    assert json.loads(json.dumps([circuit.qubits, circuit.gates, native.gates])) == [
        2,
        [
            {"gate": "h", "targets": [0]},
            {"gate": "x", "targets": [1], "controls": [0]},
            {
                "gate": "pauliexp",
                "targets": [1, 0],
                "terms": ["XX"],
                "coefficients": [0.5],
                "time": 1.0,
            },
        ],
        [
            {"gate": "gpi", "target": 0, "phase": 0.5},
            {"gate": "ms", "targets": [0, 1], "phases": [0.0, 0.0], "angle": 0.25},
            {"gate": "zz", "targets": [1, 0], "angle": 0.25},
        ],
    ]


def test_gates_on_different_qubits_share_a_layer() -> None:
    circuit = Circuit(3).h(0).h(1).cnot(0, 1).x(2)
    assert (circuit.num_qubits, circuit.depth, Circuit(2).depth) == (3, 2, 0)
    assert NativeCircuit(2).gpi(0, phase=0).ms(0, 1, phases=(0, 0)).gpi2(1, phase=0).depth == 3


def test_a_refused_gate_is_not_added() -> None:
    circuit = Circuit(2).h(0)
    with pytest.raises(IonQClientError):
        circuit.h(7)
    assert circuit.gates == [{"gate": "h", "targets": [0]}]
    assert repr(circuit) == "<Circuit of 2 qubits, 1 gates>"
