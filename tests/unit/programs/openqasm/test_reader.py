"""The fast path for plain gates gives the full parser's result; versions are distinguished."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.programs.openqasm import guess_version
from unit.programs.openqasm.corpus import HEAD_2, HEAD_3
from unit.programs.openqasm.reading import listing, read2, read3, why3

CALLS = [
    "x {0};",
    "cx {0}, {1};",
    "ccx {2}, {0}, {1};",
    "rz(0.25) {1};",
    "rz(-1.5e-3) {1};",
    "rx(pi/2) {0};",
    "p(-3*pi/4) {2};",
    "cp(sin(pi/3)) {0}, {1};",
    "u3(pi/2, -0.5, 1) {0};",
    "u3(2*(1+1),(((0.5))),--1) {0};",
    "u2(.5,1.) {1};",
    "cu(1, 2, 3, 4) {1}, {0};",
    "U(0.1, 0.2, 0.3) {0};",
    "swap {2}, {1};",
    "id {0};",
]


@given(st.lists(st.tuples(st.sampled_from(CALLS), st.permutations(range(3))), max_size=12))
@settings(derandomize=True)
def test_the_fast_way_and_the_full_parser_agree(calls: list[tuple[str, list[int]]]) -> None:
    fast = [call.format(*(f"q[{k}]" for k in order)) for call, order in calls]
    slow = [call.format(*(f"q [ {k} ]" for k in order)) for call, order in calls]
    for read, head in ((read2, f"{HEAD_2}qreg q[3];"), (read3, f"{HEAD_3}qubit[3] q;")):
        assert read(head + "\n".join(fast)).ops == read(head + "\n".join(slow)).ops


def test_the_same_angle_text_may_mean_another_angle_later() -> None:
    text = HEAD_3 + "qubit q; int n = 1; rz(n*2) q; n = 2; rz(n*2) q; rz(pi/2) q; rz(pi/2) q;"
    assert listing(read3(text)) == ["rz(2) 0", "rz(4) 0", "rz(1.5708) 0", "rz(1.5708) 0"]


def test_a_definition_between_plain_gates_takes_over_at_once() -> None:
    text = HEAD_3 + "qubit q; x q; gate x a { y a; } x q;"
    assert listing(read3(text)) == ["x 0", "y 0"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("cx q[0], q[0];", "column 1: gate 'cx' is applied to the same qubit twice"),
        ("ccx q[0], q[1];", "column 1: gate 'ccx' acts on 3 qubits, not 2"),
        ("cx q[0], q[1], q[2];", "column 1: gate 'cx' acts on 2 qubits, not 3"),
        ("cx q[0], q[9];", "column 10: index 9 is out of range"),
        ("rz(1, 2) q[0];", "column 1: gate 'rz' takes 1 parameter, not 2"),
        ("rz(1;) q[0];", "column 5: expected ')' or ',' after an argument, found ';'"),
        ("rz(1", "column 5: expected ')' or ',' after an argument, found the end of the program"),
        ("rz(.) q[0];", "column 4: expected a value, found '.'"),
        ("rz(1e999) q[0];", "column 4: the number is too large"),
        ("rz(1e101) q[0];", "column 1: an angle is at most 1e+100 in size"),
        ("rz(-1e101) q[0];", "column 1: an angle is at most 1e+100 in size"),
        ("rz(1e101*2) q[0];", "column 1: an angle is at most 1e+100 in size"),
        ("rz(pi/0) q[0];", "column 6: division by zero"),
        (
            'rz("01") q[0];',
            "column 1: a bit string cannot be used as a number; cast it to uint first",
        ),
    ],
)
def test_what_the_fast_way_leaves_is_refused_as_ever(call: str, reason: str) -> None:
    assert why3(call).startswith(f"line 4, {reason}")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("OPENQASM 2.0;\nqreg q[1];", 2),
        ("// qreg\n/* OPENQASM 2.0; */ OPENQASM  3.1;", 3),
        ("\ufeffOPENQASM 3;", 3),
        ('include "qelib1.inc"; qreg q[1];', 2),
        ("qreg q[1];", 2),
        ('include "stdgates.inc"; qubit q;', 3),
        ('// measured into a creg once\ninclude "stdgates.inc"; qubit q;', 3),
        ("qubit q;", 3),
        ("", 3),
        ("OPENQASM 7.0; qreg q[1];", 3),
        ("/* " * 1000, 3),
    ],
)
def test_a_version_is_guessed_from_the_first_line_or_the_keywords(text: str, version: int) -> None:
    assert guess_version(text.encode()) == version


def test_any_bytes_have_a_guess() -> None:
    rng = random.Random(1)
    for _ in range(200):
        assert guess_version(rng.randbytes(50)) in (2, 3)
