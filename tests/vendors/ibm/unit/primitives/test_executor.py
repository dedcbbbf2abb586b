"""Programs of the executor: what is read, and what is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qwicket.circuits.qubit import Measure
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives import executor
from support import pubs
from support.executor import circuits, tensor
from support.executor import source as program
from support.for_each import for_each

LIMITS = Limits()


def turned() -> QuantumCircuit:
    circuit = pubs.turned()
    circuit.measure_all()
    return circuit


def item(values: Any = ((0.5,),), shape: Any = (), **changes: Any) -> dict[str, Any]:
    found = {"item_type": "circuit", "circuit_arguments": tensor(values), "shape": list(shape)}
    return {**found, **changes}


def source(*items: dict[str, Any], **changes: Any) -> bytes:
    made = changes.pop("circuits", None) or circuits(*[turned()] * len(items))
    return program(made, *items, **changes)


def test_arguments_and_the_items_own_shape_broadcast() -> None:
    text = source(item([[0.1], [0.2]], (3, 1)), item([0.3]))
    found = primitives.read(text, LIMITS)
    assert [each.shots for each in found] == [7] * 7
    assert [shape.values for shape in primitives.shapes(text, LIMITS)] == [(3, 2), ()]
    assert primitives.settings(text) == ("executor", None)
    assert executor.echo(text) == ("mine", b'{"a": [1]}', ({}, {}))


def test_an_item_without_sets_of_arguments_has_one_part_all_the_same() -> None:
    text = source(item(np.zeros((0, 1)), (3, 1)), item([0.3]))
    first, second = primitives.read(text, LIMITS)
    assert (first.ops, first.registers, first.shots) == ((Measure(0, 0),), second.registers, 1)
    assert [shape.values for shape in primitives.shapes(text, LIMITS)] == [(3, 0), ()]


def test_a_pub_is_still_read_up_to_version_17_only() -> None:
    entry = [pubs.circuit(pubs.bell(), 18), None, 1]
    with pytest.raises(InvalidProgram, match="QPY 18; 13 to 17 are read"):
        primitives.read(pubs.source("sampler", entry), LIMITS)


@for_each(
    "text, named",
    [
        (source(item(), schema_version="v1.0"), "schema_version must be v2.0, not 'v1.0'"),
        (source(), "items is empty"),
        (source(item(), shots=0), "shots: must be at least 1"),
        (source(item(), meas_level="kerneled"), "meas_level: must be classified"),
        (source(item(), circuits={"data": ["OPENQASM 3;"]}), "OpenQASM is not read"),
        (source(item(), circuits=circuits(turned(), num_programs=2)), "has 2 circuits for 1"),
        (source(item(), circuits=circuits(turned(), turned(), num_programs=1)), "1 are|one is"),
        (source(item(), circuits=circuits(pubs.turned())), "no classical register"),
        (source(item(item_type="box")), "item_type must be circuit or samplex, not 'box'"),
        (source(item(circuit_arguments=None)), "circuit_arguments: is missing"),
        (source(item(circuit_arguments=tensor([0.1], dtype="f32"))), "dtype must be f64"),
        (source(item(circuit_arguments=tensor([0.1], [2]))), "as many numbers as its shape"),
        (source(item(circuit_arguments=tensor([0.1], []))), "no shape of arguments"),
        (source(item(circuit_arguments=tensor([np.nan]))), "finite numbers"),
        (source(item([[0.1], [0.2]], (3,))), "do not broadcast"),
        (source(item([0.1, 0.2])), "1 parameters, not 2"),
        (source(item([0.1], (-1,))), "each from 0"),
        (source(item([0.1], (1,) * 33)), "up to 32 axes"),
        (source(item(), options={"init_qubits": False}), "init_qubits: must be true"),
        (source(item(), options={"stretch_values": True}), "stretch_values: simulated"),
        (
            source(item(), options={"experimental": {"seed_simulator": -1}}),
            "experimental.seed_simulator: must be an integer from 0",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(text: bytes, named: str) -> None:
    with pytest.raises(InvalidProgram, match=named):
        primitives.read(text, LIMITS)


@pytest.mark.parametrize(
    ("limits", "text", "named"),
    [
        ({"pubs": 1}, source(item(), item()), "pubs: 2"),
        ({"shots": 6}, source(item()), "shots: 7"),
        ({"parameter_sets": 5}, source(item([0.1], (2,)), item([0.1], (4,))), "parameter_sets: 6"),
        ({}, source(item([0.1], (10**6, 10**6))), "parameter_sets: 1000000000000"),
        ({}, source(item([0.1], (0, 10**40))), "parameter_sets: a number above"),
        ({"parameters": 3}, source(item([0.1], (4,))), "parameters: 4"),
        ({"unpacked_bytes": 100}, source(item()), "unpacked_bytes: 101"),
        ({"operations": 3}, source(item([0.1], (4,))), "operations: 4"),
    ],
)
def test_every_limit_is_named(limits: Any, text: bytes, named: str) -> None:
    with pytest.raises(LimitExceeded, match=named):
        primitives.read(text, Limits.from_names(PrimitiveLimits, **limits))


def test_options_without_an_effect_are_noted() -> None:
    options = {"rep_delay": 0.1, "experimental": {"x": 1}}
    assert set(primitives.ignored_options(source(item(), options=options))) == {*options}
    assert primitives.ignored_options(source(item())) == {}


def test_sizes_of_too_many_digits_are_refused_by_their_limit() -> None:
    with pytest.raises(LimitExceeded, match=r"parameter_sets: a number above 2\^63 is above"):
        primitives.read(source(item(shape=[10**4_000, 10**4_000])), LIMITS)
