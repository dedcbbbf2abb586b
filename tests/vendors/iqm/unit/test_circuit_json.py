"""IQM's JSON: every instruction, every refusal, and no error of ours on anything.

The instructions are those of IQM Server's documentation, as iqm-client 36 writes them.
"""

from __future__ import annotations

import json
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.qubit import Branch, Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs import qir
from qwicket.vendors.iqm.circuit_json import read, to_checked
from qwicket.vendors.iqm.limits import IQMLimits
from support.for_each import for_each
from support.iqm import BELL, body, cz, instruction, measure, prx
from support.qubit_math import exact, gate_unitary

LIMITS = Limits()
QIR = Path(__file__).parents[3] / "data" / "qir"
X, Y = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])


def circuits(*found: list[dict[str, Any]], **fields: Any) -> tuple[QubitCircuit, ...]:
    return read(json.dumps(body(*found, **fields)).encode(), LIMITS)


def ops(*instructions: dict[str, Any]) -> list[Op]:
    (circuit,) = circuits([*instructions])
    return list(circuit.ops)


# --- instructions ---------------------------------------------------------------------------------


@for_each("angle, phase", [(pi / 2, 0.0), (pi, pi / 2), (0.3, -1.2), (-2.0, 5.0), (7.0, 0.4)])
def test_prx_has_the_matrix_of_its_definition(angle: float, phase: float) -> None:
    """exp(-i (X cos φ + Y sin φ) θ/2), as IQM defines it."""
    (gate,) = ops(prx(0, angle, phase))
    assert isinstance(gate, Gate)
    axis = X * cos(phase) + Y * sin(phase)
    expected = np.eye(2) * cos(angle / 2) - 1j * axis * sin(angle / 2)
    assert np.allclose(gate_unitary(gate), expected, atol=1e-12)


def test_cz_is_a_controlled_z() -> None:
    (gate,) = ops(cz(3, 1))
    assert gate == Gate("z", (1,), (), (3,))


def test_a_bell_pair_is_one() -> None:
    (circuit,) = circuits(BELL)
    assert exact(circuit) == pytest.approx({0: 0.5, 3: 0.5})


def test_measurements_become_registers_in_their_order() -> None:
    (circuit,) = circuits([measure(2, 0, key="b"), measure(1, key="a")])
    assert circuit.registers == (Register("b", 2), Register("a", 1))
    assert circuit.ops == (Measure(2, 0), Measure(0, 1), Measure(1, 2))
    assert circuit.n_qubits == 3


def test_a_gate_follows_the_qubit_of_a_measurement() -> None:
    steered = {"feedback_key": "f", "feedback_qubit": "QB3"}
    gate = instruction("cc_prx", 1, angle=pi, phase=0.0, **steered)
    found = ops(measure(0, 2, feedback_key="f"), gate)
    assert found[2] == Branch((1,), "==", "1", 1)
    assert found[3] == ops(prx(1))[0]


def test_resets_delays_and_barriers_are_for_each_qubit() -> None:
    assert ops(instruction("reset", 1, 0)) == [Reset(1), Reset(0)]
    waits = ops(instruction("delay", 1, 0, duration=1e-6))
    assert waits == [Gate("delay", (1,), (1e-6,)), Gate("delay", (0,), (1e-6,))]
    assert ops(instruction("barrier", 1, 0)) == []


def test_logical_names_are_those_of_the_mapping() -> None:
    mapping = [{"logical_name": "QB1", "physical_name": "QB3"}]
    (circuit,) = circuits([prx(0), measure(0)], qubit_mapping=mapping)
    assert circuit.ops[1] == Measure(2, 0)
    with pytest.raises(InvalidProgram, match="'QB2' is not in qubit_mapping"):
        circuits([prx(1)], qubit_mapping=mapping)
    with pytest.raises(InvalidProgram, match="qubit_mapping names a qubit twice"):
        circuits(qubit_mapping=mapping * 2)


def test_older_clients_name_qubits_instead_of_a_locus() -> None:
    older = {"name": "prx", "qubits": ["QB2"], "args": {"angle": pi, "phase": 0.0}}
    assert ops(older) == ops(prx(1))


def test_older_clients_send_angles_in_turns() -> None:
    older = {"name": "prx", "locus": ["QB1"], "args": {"angle_t": 0.5, "phase_t": 0.25}}
    newer = {"name": "prx", "locus": ["QB1"], "args": {"angle": pi, "phase": pi / 2}}
    assert ops(older) == ops(newer)


def test_a_circuit_may_be_a_text_of_qir() -> None:
    text = (QIR / "opaque.ll").read_text()
    source = json.dumps({"circuits": [{"instructions": [prx(0)]}, text]}).encode()
    found = read(source, LIMITS)
    assert found[1:] == qir.read(text.encode(), LIMITS)
    n_ops = sum(len(each.ops) for each in found)
    with pytest.raises(LimitExceeded, match="operations"):
        read(source, Limits.from_names(IQMLimits, operations=n_ops - 1))


def test_the_summary_has_the_pairs_that_gates_act_on() -> None:
    checked = to_checked(circuits([cz(3, 1), cz(0, 1), cz(3, 1)], [cz(1, 3), prx(0)]))
    assert checked.summary.pairs == ((0, 1), (1, 3), (3, 1))
    assert checked.summary.n_circuits == 2


# --- refusals -------------------------------------------------------------------------------------


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "name": (instruction("rz", 0), "(rz): is not known; there are prx, cz, measure"),
    "near name": (instruction("prxx", 0), "Did you mean 'prx'?"),
    "move": (instruction("move", 0, 1), "(move): moves a state to a resonator"),
    "no qubit": (prx(0) | {"locus": ["TC-1"]}, "'TC-1' is not a qubit"),
    "qubit 0": (prx(0) | {"locus": ["QB0"]}, "'QB0' is not a qubit"),
    "no locus": (prx(0) | {"locus": []}, "locus must name one qubit or several"),
    "twice": (cz(1, 1), "several different ones"),
    "two for prx": (instruction("prx", 0, 1, angle=1.0, phase=0.0), "must have 1 qubit, not 2"),
    "one for cz": (instruction("cz", 0), "must have 2 qubits, not 1"),
    "no angle": (instruction("prx", 0, phase=0.0), "args.angle is missing"),
    "no phase": (instruction("prx", 0, angle=0.0), "args.phase is missing"),
    "no key": (instruction("measure", 0), "args.key is missing"),
    "text as angle": (prx(0) | {"args": {"angle": "1"}}, "angle must be a number, not text"),
    "duration": (instruction("delay", 0, duration=-1.0), "duration must be 0 to 1e+09 seconds"),
    "feedback": (
        instruction("cc_prx", 0, angle=1.0, phase=0.0, feedback_key="f", feedback_qubit="QB1"),
        "no measurement before it has feedback_key 'f'",
    ),
}


@for_each("name", REFUSED)
def test_a_refusal_names_the_place(name: str) -> None:
    wrong, said = REFUSED[name]
    with pytest.raises(InvalidProgram) as refusal:
        circuits([], [prx(0), wrong])
    assert refusal.value.detail.startswith("circuit 1: instruction 1")
    assert said in refusal.value.detail
    assert (refusal.value.field or "").startswith("circuits[1].instructions[1]")


def test_a_key_is_unique() -> None:
    with pytest.raises(InvalidProgram, match=r"args\.key: 'm' is there twice"):
        circuits([measure(0), measure(1)])


@for_each(
    "text, said",
    [
        (b"[]", "the program must be an object"),
        (b"{}", "circuits is missing"),
        (b'{"circuits": []}', "circuits is empty"),
        (b'{"circuits": ["; ModuleID = 1"]}', "circuit 0: line 1, column 15: the program"),
        (b'{"circuits": [{}]}', "circuit 0: instructions is missing"),
        (b'{"circuits": [{"instructions": [{}]}]}', "circuit 0: instruction 0: name is missing"),
        (b'{"circuits": 1}', "circuits must be a list"),
        (b"{", "the program is not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"circuits": "\\u0000"}', "NUL"),
    ],
)
def test_what_is_no_program_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(InvalidProgram, match=said):
        read(text, LIMITS)


def test_limits_are_named() -> None:
    source = json.dumps(body([prx(0), prx(1), measure(0, 1)], [prx(0)])).encode()
    read(source, Limits.from_names(IQMLimits, iqm_instructions=4, operations=5, clbits=2))
    for name, limit in (
        *(("iqm_instructions", 3), ("operations", 4), ("clbits", 1), ("circuits", 1)),
        *(("clifford_qubits", 1), ("program_json_bytes", 10), ("name_chars", 0)),
    ):
        with pytest.raises(LimitExceeded, match=name):
            read(source, Limits.from_names(IQMLimits, **{name: limit}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(["prx", "cz", "measure", "cc_prx", "reset", "delay", "barrier", "move"])
QUBITS = st.sampled_from(["QB1", "QB2", "QB9999", "QB0", ""])
ARGS = st.fixed_dictionaries(
    {},
    optional={
        name: st.floats(allow_nan=False) | JSON | st.sampled_from(["m", "QB1"])
        for name in ("angle", "phase", "duration", "key", "feedback_key", "feedback_qubit")
    },
)
INSTRUCTIONS = st.fixed_dictionaries(
    {"name": NAMES | st.text(max_size=4)},
    optional={"locus": st.lists(QUBITS, max_size=3) | JSON, "args": ARGS | JSON, "qubits": JSON},
)


@settings(max_examples=200)
@given(st.lists(INSTRUCTIONS, max_size=5))
def test_any_instructions_are_read_or_refused(instructions: list[Any]) -> None:
    try:
        found = read(json.dumps(body(instructions)).encode(), LIMITS)
    except (InvalidProgram, LimitExceeded):
        return
    to_checked(found)
