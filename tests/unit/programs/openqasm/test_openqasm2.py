"""OpenQASM 2, statement by statement."""

from __future__ import annotations

import math

import pytest

from qwicket.circuits.qubit import Register
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import read_openqasm2
from support.for_each import for_each
from unit.programs.openqasm.corpus import HEAD_2
from unit.programs.openqasm.reading import angles, listing, read2, why2, why3, with2


def test_registers_are_numbered_in_order() -> None:
    circuit = read2("qreg a[2]; creg m[1]; qreg b[3]; creg n[4]; U(0,0,0) b[1];")
    assert circuit.n_qubits == 5
    assert circuit.registers == (Register("m", 1), Register("n", 4))
    assert listing(circuit) == ["u(0,0,0) 3"]


def test_a_version_line_is_not_needed() -> None:
    assert listing(read2("qreg q[2]; CX q[0],q[1];")) == ["cx 0 1"]


def test_the_two_built_in_gates_need_no_library() -> None:
    text = "OPENQASM 2.0; qreg q[2]; U(pi/2,0,pi) q[0]; CX q[0],q[1];"
    assert listing(read2(text)) == ["u(1.5708,0,3.14159) 0", "cx 0 1"]


def test_gates_of_the_library_need_it_included() -> None:
    with pytest.raises(InvalidProgram) as refusal:
        read2("OPENQASM 2.0;\nqreg q[1];\n h q[0];")
    expected = "line 3, column 2: gate 'h' is not known; include \"qelib1.inc\" first"
    assert refusal.value.detail == expected


@for_each("name", ["stdgates.inc", "/dev/zero", "../qelib1.inc", "qelib1.inc ", ""])
def test_only_the_standard_library_can_be_included(name: str) -> None:
    with pytest.raises(InvalidProgram) as refusal:
        read2(f'OPENQASM 2.0;\ninclude "{name}";\nqreg q[1];')
    expected = f"line 2, column 9: only 'qelib1.inc' can be included, not '\"{name}\"'"
    assert refusal.value.detail == expected


@for_each(
    "body, expected",
    [
        ("x q;", ["x 0", "x 1", "x 2", "x 3"]),
        ("rz(0.5) q;", ["rz(0.5) 0", "rz(0.5) 1", "rz(0.5) 2", "rz(0.5) 3"]),
        ("cx q[0],r;", ["cx 0 4", "cx 0 5", "cx 0 6", "cx 0 7"]),
        ("cx q,r[1];", ["cx 0 5", "cx 1 5", "cx 2 5", "cx 3 5"]),
        ("cx q,r;", ["cx 0 4", "cx 1 5", "cx 2 6", "cx 3 7"]),
        ("reset q;", ["reset 0", "reset 1", "reset 2", "reset 3"]),
        ("barrier q,r[0];", []),
        ("measure q[2] -> c[1];", ["measure 2 -> 1"]),
        (
            "measure q -> c;",
            ["measure 0 -> 0", "measure 1 -> 1", "measure 2 -> 2", "measure 3 -> 3"],
        ),
        ("if(c==2) x q[1];", ["if 0,1,2,3 == 2 else +1", "x 1"]),
        ("if(c==2) cx q[0],r[0];", ["if 0,1,2,3 == 2 else +1", "cx 0 4"]),
        ("if(c==0) measure q[0] -> c[0];", ["if 0,1,2,3 == 0 else +1", "measure 0 -> 0"]),
        ("if(c==0) reset q[0];", ["if 0,1,2,3 == 0 else +1", "reset 0"]),
        (
            "if(c==1) x q;",
            ["if 0,1,2,3 == 1 else +4", "x 0", "x 1", "x 2", "x 3"],
        ),
        (";;", []),
    ],
)
def test_statement_becomes_these_operations(body: str, expected: list[str]) -> None:
    assert listing(with2("qreg r[4];" + body)) == expected


def test_a_user_gate_is_expanded_with_its_angles() -> None:
    body = (
        "gate inner(a,b) u,v { rx(a*b) u; cx u,v; }\n"
        "gate outer(t) w,z { inner(t,2) z,w; barrier w,z; rz(-t/2) w; }\n"
        "outer(pi) q[2],q[0];"
    )
    assert listing(with2(body)) == ["rx(6.28319) 0", "cx 0 2", "rz(-1.5708) 2"]


def test_a_user_gate_broadcasts_over_registers() -> None:
    body = "qreg r[4]; gate g a,b { h a; cz a,b; } g q,r[1];"
    assert listing(with2(body))[:4] == ["h 0", "cz 0 5", "h 1", "cz 1 5"]


def test_an_empty_gate_does_nothing() -> None:
    assert listing(with2("gate wait(t) a { } wait(3) q;")) == []
    assert listing(with2("gate wait() a { } wait() q;")) == []


def test_the_programs_own_definition_wins_over_the_library() -> None:
    assert listing(with2("gate swap a,b { z a; } swap q[0],q[1];")) == ["z 0"]


def test_the_programs_own_definition_wins_also_before_the_include() -> None:
    text = 'gate h a { U(0,0,1) a; } include "qelib1.inc"; qreg q[1]; h q[0]; x q[0];'
    assert listing(read2(text)) == ["u(0,0,1) 0", "x 0"]


def test_a_gate_means_what_its_parts_meant_when_it_was_defined() -> None:
    body = "gate g a { x a; } gate x a { y a; } g q[0]; x q[0];"
    assert listing(with2(body)) == ["x 0", "y 0"]


def test_an_opaque_gate_may_be_declared_and_not_applied() -> None:
    assert listing(with2("opaque magic(a,b) u,v; opaque more u; x q[0];")) == ["x 0"]
    reason = "gate 'magic' is opaque, so it cannot be called: it has no definition"
    assert why2("opaque magic(a) u;  magic(1) q[0];") == f"line 4, column 21: {reason}"


def test_u0_waits() -> None:
    assert listing(with2("u0(3) q[1];")) == ["id 1"]


def test_blanks_inside_an_operand_change_nothing() -> None:
    assert listing(with2("cx q [ 0 ] , q[ 1 ];measure q [0]->c [1] ;")) == [
        "cx 0 1",
        "measure 0 -> 1",
    ]


def test_words_of_version_3_are_plain_names_in_version_2() -> None:
    body = "gate box end, in { cx end, in; } box q[0], q[1]; qreg for[2]; x for[0];"
    assert listing(with2(body)) == ["cx 0 1", "x 4"]


WRONG = [
    ("x q[0]\ny q[0];", "line 5, column 1: expected ';' after the gate, found 'y'"),
    ("x q[4];", "line 4, column 3: index 4 is out of range: the size is 4"),
    ("x q[100000];", "line 4, column 3: index 100000 is out of range: the size is 4"),
    ("x q[-1];", "line 4, column 5: expected a plain number, found '-'"),
    ("x q[0:1];", "line 4, column 6: expected ']' after the number, found ':'"),
    ("x r[0];", "line 4, column 3: 'r' is not declared"),
    ("x c[0];", "line 4, column 3: qubits are needed here"),
    ("x;", "line 4, column 2: expected a qubit or a register of qubits, found ';'"),
    ("x q[0],;", "line 4, column 8: expected a qubit or a register of qubits, found ';'"),
    ("foo q[0];", "line 4, column 1: gate 'foo' is not known"),
    ("cxx q[0], q[1];", "line 4, column 1: gate 'cxx' is not known. Did you mean 'cx'?"),
    ("cx q[0];", "line 4, column 1: gate 'cx' acts on 2 qubits, not 1"),
    ("x q[0],q[1];", "line 4, column 1: gate 'x' acts on 1 qubit, not 2"),
    ("rx q[0];", "line 4, column 1: gate 'rx' takes 1 parameter, not 0"),
    ("u3(1,2) q[0];", "line 4, column 1: gate 'u3' takes 3 parameters, not 2"),
    ("cx q[0],q[0];", "line 4, column 1: gate 'cx' is applied to the same qubit twice"),
    ("cx q,q[0];", "line 4, column 1: gate 'cx' is applied to the same qubit twice"),
    ("qreg r[3]; cx q,r;", "line 4, column 12: registers of different sizes, 3 and 4"),
    ("rx(1 q[0];", "line 4, column 6: expected ')' or ',' after an argument, found 'q[0]'"),
    ("rx() q[0];", "line 4, column 1: gate 'rx' takes 1 parameter, not 0"),
    ("measure q[0];", "line 4, column 13: expected '->' between the qubits and the bits"),
    ("measure q -> c[0];", "line 4, column 1: a measurement of 4 qubits does not fit 1 bits"),
    ("measure q[0] -> q[1];", "line 4, column 1: a measurement goes to bits"),
    ("measure c[0] -> c[1];", "line 4, column 9: qubits are needed here"),
    ("reset c;", "line 4, column 7: qubits are needed here"),
    ("barrier;", "line 4, column 8: expected a qubit or a register of qubits, found ';'"),
    ("qreg q[2];", "line 4, column 6: 'q' is declared twice"),
    ("creg q[2];", "line 4, column 6: 'q' is declared twice"),
    ("qreg r;", "line 4, column 7: expected the size of the register in brackets, found ';'"),
    ("qreg r[0];", "line 4, column 6: a register has at least 1 element, not 0"),
    ("qreg r[9997];", "line 4, column 6: a program has at most 10,000 qubits"),
    ("creg d[9997];", "line 4, column 6: a program has at most 10,000 classical bits"),
    ("qreg pi[2];", "line 4, column 6: expected a name for the register, found 'pi[2]'"),
    ("include qelib1;", "line 4, column 9: expected the name of a file in quotes"),
    ('include "qelib1.inc"', "line 4, column 21: expected ';' after the name of the file"),
    ("gate g a { g a; }", "line 4, column 12: gate 'g' calls itself"),
    ("gate g a { later a; }", "line 4, column 12: gate 'later' is not known"),
    ("gate g a { x b; }", "line 4, column 12: only the qubits of gate 'g' can be used"),
    ("gate g a { x q[0]; }", "line 4, column 12: only the qubits of gate 'g' can be used"),
    ("gate g a { cx a,a; }", "line 4, column 12: a gate is applied to the same qubit twice"),
    ("gate g a { rx a; }", "line 4, column 12: gate 'rx' takes 1 parameter, not 0"),
    ("gate g a { cx a; } g q[0];", "line 4, column 12: gate 'cx' acts on 2 qubits, not 1"),
    ("gate g a { rx(t) a; } g q[0];", "line 4, column 15: 't' is not declared"),
    ("gate g a { measure a -> c[0]; }", "line 4, column 12: 'measure' is not allowed"),
    ("gate g a { reset a; }", "line 4, column 12: 'reset' is not allowed in a gate body"),
    ("gate g a { if(c==1) x a; }", "line 4, column 12: 'if' is not allowed in a gate body"),
    ("if(c==1) ; x q[0];", "line 4, column 10: expected a statement, found ';'"),
    ("gate g a { x a;", "line 4, column 16: expected '}' at the end of the block"),
    ("gate g { }", "line 4, column 8: expected the qubits of the gate, found '{'"),
    ("gate g(a,a) b { }", "line 4, column 10: 'a' is there twice"),
    ("gate g a,a { }", "line 4, column 10: 'a' is there twice"),
    ("gate g a { } gate g a { }", "line 4, column 19: gate 'g' is defined twice"),
    ("opaque g a; gate g a { }", "line 4, column 18: gate 'g' is defined twice"),
    ("gate q a { }", "line 4, column 6: 'q' is declared twice"),
    ("gate g a { } creg g[1];", "line 4, column 19: 'g' is declared twice"),
    ("gate measure a { }", "line 4, column 6: 'measure' is a word of the language"),
    ("gate 2 a { }", "line 4, column 6: expected a name for the gate, found '2'"),
    ("ctrl @ x q[0],q[1];", "line 4, column 6: expected a qubit or a register"),
    ("for i in [0:1] {}", "line 4, column 7: expected ';' after the gate, found 'in'"),
    ("qubit[2] r;", "line 4, column 1: expected the name of a gate, found 'qubit[2]'"),
    ("}", "line 4, column 1: expected a statement, found '}'"),
    ("OPENQASM 2.0;", "line 4, column 1: expected a statement, found 'OPENQASM'"),
    ("pragma x", "line 4, column 1: 'pragma x' is not supported: no pragma is known here"),
    ("qreg pragma[2]; qreg r[2];", "line 4, column 6: expected a name for the register"),
    ("rz(pragma[2]; qreg r[2];", "line 4, column 4: expected a value, found 'pragma[2]"),
    ("x pragma[2]; qreg r[2];", "line 4, column 3: expected a qubit or a register"),
    ("x $0;", "line 4, column 3: expected a qubit or a register of qubits, found '$0'"),
    ("c = 1;", "line 4, column 3: expected a qubit or a register of qubits, found '='"),
]


def test_wrong_statement_is_refused_with_its_place(subtests: pytest.Subtests) -> None:
    for body, reason in WRONG:
        with subtests.test(body):
            assert why2(body).startswith(reason)


def test_a_plus_may_be_a_sign() -> None:
    found = angles(with2("rx(+0.1-0.4) q[0]; rx(+ +pi/2) q[0]; rx(-+1) q[0]; rx(+(2)^+2) q[0];"))
    assert found == pytest.approx([-0.3, math.pi / 2, -1, 4])
    assert "expected a value" in why3("rx(+1) q[0];")


def test_a_text_of_the_other_version_is_refused() -> None:
    with pytest.raises(InvalidProgram) as refusal:
        read2("OPENQASM 3.0; qreg q[1];")
    expected = "line 1, column 10: expected version 2.0 of OpenQASM, found '3.0'"
    assert refusal.value.detail == expected


def test_a_text_without_qubits_is_refused() -> None:
    with pytest.raises(InvalidProgram, match="line 3, column 1: the program declares no qubits"):
        read2(HEAD_2)


def test_version_2_takes_no_inputs() -> None:
    with pytest.raises(InvalidProgram, match="the program has no input 'theta'"):
        read_openqasm2(b"qreg q[1];", Limits(), {"theta": 1.0})
