"""What is written as OpenQASM 2 means what the document does: read back, it is the same circuit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwicket.model.limits import Limits
from qwicket.programs import openqasm
from qwicket.vendors.ibm import qobj
from support.for_each import for_each

LIMITS = Limits()


def document(*instructions: dict[str, Any], **header: Any) -> bytes:
    made = {
        "qobj_id": "x",
        "type": "QASM",
        "schema_version": "1.3.0",
        "header": {},
        "config": {"n_qubits": 3, "memory_slots": 3},
        "experiments": [{"instructions": list(instructions), "header": header}],
    }
    return json.dumps(made).encode()


def gate(name: str, *qubits: int, params: tuple[float, ...] = ()) -> dict[str, Any]:
    return {"name": name, "qubits": list(qubits), "params": list(params)}


def measure(qubit: int, slot: int, **more: Any) -> dict[str, Any]:
    return {"name": "measure", "qubits": [qubit], "memory": [slot], **more}


SAID = {
    "gates": [
        gate("h", 0),
        gate("u3", 1, params=(0.1, -2.5e-7, 3.0)),
        gate("u2", 1, params=(0.1, 1e300 / 1e295)),
        gate("cx", 0, 2),
        gate("ccx", 0, 1, 2),
        gate("cu3", 2, 0, params=(0.1, 0.2, 0.3)),
        gate("rzz", 0, 1, params=(0.5,)),
        gate("sx", 2),
        gate("p", 2, params=(0.25,)),
    ],
    "nothing": [],
    "reset and barrier": [
        gate("x", 0),
        {"name": "barrier", "qubits": [0, 1]},
        {"name": "reset", "qubits": [0]},
        {"name": "delay", "qubits": [0], "params": [100]},
        measure(0, 2),
    ],
    "a condition": [
        gate("h", 0),
        measure(0, 1, register=[1]),
        measure(1, 2, register=[2]),
        {"name": "bfunc", "mask": "0x6", "relation": "==", "val": "0x4", "register": 9},
        {**gate("x", 2), "conditional": 9},
        measure(2, 0),
    ],
}


@pytest.mark.parametrize("instructions", SAID.values(), ids=SAID)
def test_what_is_said_is_the_same_circuit(instructions: list[dict[str, Any]]) -> None:
    source = document(*instructions, creg_sizes=[["a", 1], ["b", 2]])
    (text,) = qobj.to_openqasm2(source)
    assert text is not None
    (meant,) = [circuit.without_delays() for circuit in qobj.read(source, LIMITS)]
    (said,) = openqasm.read_openqasm2(text.encode(), LIMITS, {})
    assert said.n_qubits == meant.n_qubits
    assert said.registers == meant.registers
    assert list(map(repr, said.ops)) == list(map(repr, meant.ops))


UNSAID = {
    "a matrix": [
        {"name": "unitary", "qubits": [0], "params": [[[[1, 0], [0, 0]], [[0, 0], [1, 0]]]]}
    ],
    "a state": [{"name": "initialize", "qubits": [0], "params": [[1, 0], [0, 0]]}],
    "a gate of its own": [gate("ecr", 0, 1)],
    "part of a register": [
        measure(0, 1, register=[1]),
        {"name": "bfunc", "mask": "0x2", "relation": "==", "val": "0x2", "register": 9},
        {**gate("x", 2), "conditional": 9},
    ],
    "another relation": [
        measure(0, 0, register=[0]),
        {"name": "bfunc", "mask": "0x1", "relation": "!=", "val": "0x1", "register": 9},
        {**gate("x", 2), "conditional": 9},
    ],
}


@for_each("instructions", UNSAID.values())
def test_what_cannot_be_said_is_none(instructions: list[dict[str, Any]]) -> None:
    source = document(*instructions, creg_sizes=[["a", 1], ["b", 2]])
    assert qobj.read(source, LIMITS)
    assert qobj.to_openqasm2(source) == [None]


@for_each("name", ["Capital", "q", "ä", "a b", "if;"])
def test_a_register_of_a_strange_name_is_called_c(name: str) -> None:
    (text,) = qobj.to_openqasm2(document(measure(0, 2), creg_sizes=[[name, 3]]))
    assert text is not None
    assert "creg c[3];" in text
