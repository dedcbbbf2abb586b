"""Pubs whose circuits are OpenQASM 3 and whose values are lists, as clients without QPY send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwicket.circuits.qubit import Gate, QubitCircuit
from qwicket.model.errors import QwicketError
from qwicket.model.limits import Limits
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.limits import PrimitiveLimits

BELL = """OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
h $0;
cx $0, $3;
c[0] = measure $0;
c[1] = measure $3;
"""
TURNED = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] a;
input float[64] b;
bit[1] c;
qubit[2] q;
rx(a) q[0];
rz(a + b) q[1];
c[0] = measure q[0];
"""


def read(program: str, *pubs: list[Any], **limits: int) -> tuple[QubitCircuit, ...]:
    params = {"pubs": pubs, "version": 2}
    text = json.dumps({"program": program, "params": params}).encode()
    return primitives.read(text, Limits.from_names(PrimitiveLimits, **limits))


def test_a_text_with_physical_qubits_is_one_circuit() -> None:
    (found,) = read("sampler", [BELL, None, 20])
    assert found.shots == 20
    assert [(each.name, each.size) for each in found.registers] == [("c", 2)]
    assert Gate("x", (3,), (), (0,)) in found.ops


def test_values_in_lists_are_those_of_the_inputs_in_their_order() -> None:
    found = read("sampler", [TURNED, [[0.5, 1.0], [2, 3]], 10])
    angles = [[each.params for each in circuit.ops if isinstance(each, Gate)] for circuit in found]
    assert angles == [[(0.5,), (1.5,)], [(2.0,), (5.0,)]]


def test_a_text_need_not_take_other_values_than_its_own() -> None:
    (found,) = read("sampler", [TURNED.replace("rx(a)", "rx(1 / a)"), [[0.5, 1.0]], 10])
    assert found.ops[0] == Gate("rx", (0,), (2.0,))


def test_an_estimator_takes_a_text_and_an_empty_list_of_values() -> None:
    text = "\n".join(line for line in BELL.splitlines() if "measure" not in line)
    (found,) = read("estimator", [text, {"ZIIZ": 1.0}, [], 0.1])
    assert found.estimation is not None


@pytest.mark.parametrize(
    ("pub", "detail"),
    [
        (["OPENQASM 3.0;\nh;", None], "pubs[0]: "),
        (["h q;", None], "pubs[0]: the circuit is not in QPY"),
        ([TURNED, [0.5]], "the circuit has 2 parameters, not 1"),
        ([TURNED, [[0.5, 1], [2]]], "pubs[0].values: lists differ in length"),
        ([TURNED, ["a", "b"]], "pubs[0].values: must hold real numbers"),
        ([TURNED, [[]]], "the circuit has 2 parameters, not 0"),
        ([TURNED, [[[]], []]], "pubs[0].values: "),
        ([TURNED, [0.1] * 9], "parameters: "),
    ],
)
def test_malformed_pubs_are_refused_with_their_place(pub: list[Any], detail: str) -> None:
    with pytest.raises(QwicketError) as refusal:
        read("sampler", pub, parameters=7)
    assert detail in refusal.value.detail
