"""Circuits as IQM's JSON: what is written is read back as the same circuit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.qubit import Branch, Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.model.limits import Limits
from qwicket.programs.openqasm.writer import NotWritable
from qwicket.vendors.iqm.circuit_json import read
from qwicket.vendors.iqm.writer import write
from support.for_each import for_each
from support.qubit_math import amplitudes, exact

ANGLES = st.floats(-7, 7)
ON_ONE = st.one_of(
    st.builds(
        lambda q, a: Gate("u", (q,), a), st.integers(0, 2), st.tuples(ANGLES, ANGLES, ANGLES)
    ),
    st.builds(
        lambda name, q, a: Gate(name, (q,), (a,)),
        *(st.sampled_from(["rx", "ry", "rz", "p"]), st.integers(0, 2), ANGLES),
    ),
    st.builds(
        lambda name, q: Gate(name, (q,)),
        *(st.sampled_from(["x", "y", "z", "h", "s", "tdg", "sx", "id"]), st.integers(0, 2)),
    ),
)
PAIRS = st.sampled_from([(0, 1), (1, 2), (2, 0)])
GATES = st.lists(ON_ONE | st.builds(lambda p: Gate("z", (p[1],), (), (p[0],)), PAIRS), max_size=12)


def circuit(*ops: Op, bits: int = 3) -> QubitCircuit:
    return QubitCircuit(3, ops, (Register("c", bits),))


def instructions(*ops: Op) -> list[dict[str, Any]]:
    (found,) = json.loads(write([circuit(*ops)]))["circuits"]
    written: list[dict[str, Any]] = found["instructions"]
    return written


@settings(max_examples=200)
@given(GATES)
def test_what_is_written_has_the_same_probabilities(gates: list[Gate]) -> None:
    """Rotations about Z that are left at the end change only phases."""
    measures = [Measure(qubit, qubit) for qubit in range(3)]
    (found,) = read(write([circuit(*gates, *measures)]), Limits())
    written = [op for op in found.ops if isinstance(op, Gate)]
    assert {op.name for op in written} <= {"u", "z"}
    expected = np.abs(amplitudes(3, gates)) ** 2
    assert np.allclose(np.abs(amplitudes(3, written)) ** 2, expected, atol=1e-9)


def test_each_gate_on_one_qubit_is_one_pulse_at_most() -> None:
    written = instructions(Gate("h", (0,)), Gate("rz", (0,), (0.3,)), Gate("t", (0,)))
    assert [each["name"] for each in written] == ["prx"]


def test_a_reset_ends_the_rotation_that_is_left() -> None:
    turned = instructions(Gate("rz", (0,), (0.7,)), Reset(0), Gate("rx", (0,), (0.5,)))
    plain = instructions(Gate("rx", (0,), (0.5,)))
    assert turned[-1]["args"] == pytest.approx(plain[-1]["args"])


def test_bits_are_measured_under_keys_of_their_own() -> None:
    written = instructions(Measure(2, 0), Measure(0, 2))
    assert [(each["locus"], each["args"]) for each in written] == [
        (["QB3"], {"key": "bit0"}),
        (["QB1"], {"key": "bit2"}),
    ]


@for_each(
    "ops, said",
    [
        ((Gate("x", (1,), (), (0,)),), "no gate cx"),
        ((Gate("z", (2,), (), (0, 1)),), "no gate ccz"),
        ((Gate("swap", (0, 1)),), "no gate swap"),
        ((Branch((0,), "==", "1", 1), Gate("x", (0,))), "no branch"),
        ((Measure(0, 0), Measure(1, 0)), "measured twice"),
    ],
)
def test_what_iqm_does_not_have_is_refused_by_name(ops: tuple[Op, ...], said: str) -> None:
    with pytest.raises(NotWritable, match=said):
        write([circuit(*ops)])


def test_a_measured_bell_pair_is_one() -> None:
    bell = [Gate("h", (0,)), Gate("h", (1,)), Gate("z", (1,), (), (0,)), Gate("h", (1,))]
    (found,) = read(write([circuit(*bell, Measure(0, 0), Measure(1, 1))]), Limits())
    assert exact(found) == pytest.approx({0: 0.5, 3: 0.5})
