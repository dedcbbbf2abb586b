"""OpenQASM 3, statement by statement; control flow and modifiers have modules of their own."""

from __future__ import annotations

from math import pi

import pytest

from qwicket.circuits.qubit import Gate, Register
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from support.for_each import for_each
from unit.programs.openqasm.corpus import HEAD_3
from unit.programs.openqasm.reading import listing, read3, why2, why3, with3


def test_a_version_line_is_not_needed() -> None:
    assert listing(read3("qubit q; U(0, 0, 0) q;")) == ["u(0,0,0) 0"]


@pytest.mark.parametrize("version", ["3", "3.0", "3.1", "3.2", "3.10"])
def test_these_versions_are_read(version: str) -> None:
    assert read3(f"OPENQASM {version}; qubit q;").n_qubits == 1


def test_a_text_of_version_2_is_refused() -> None:
    with pytest.raises(InvalidProgram) as refusal:
        read3("OPENQASM 2.0; qreg q[1];")
    expected = "line 1, column 10: expected version 3.0 of OpenQASM, found '2.0'"
    assert refusal.value.detail == expected


def test_both_standard_libraries_can_be_included() -> None:
    text = HEAD_3 + 'include "qelib1.inc"; qubit[2] q; phase(1) q[0]; rxx(1) q[0], q[1];'
    assert listing(read3(text)) == ["p(1) 0", "rxx(1) 0 1"]


@pytest.mark.parametrize("name", ["/etc/passwd", "stdgates.inc/", "STDGATES.INC", "a\\b"])
def test_no_other_file_can_be_included(name: str) -> None:
    reason = why3(f"include '{name}';")
    assert reason.startswith(
        "line 4, column 9: only 'stdgates.inc' and 'qelib1.inc' can be included, not "
    )


def test_gates_need_their_library() -> None:
    with pytest.raises(InvalidProgram, match=r'is not known; include "stdgates.inc" first'):
        read3("qubit q; h q;")
    with pytest.raises(InvalidProgram, match=r'is not known; include "qelib1.inc" first'):
        read3(HEAD_3 + "qubit[2] q; rxx(1) q[0], q[1];")


# --- qubits and bits ------------------------------------------------------------------------------


def test_registers_are_numbered_in_order() -> None:
    circuit = read3("bit a; qubit q; bit[3] b; qubit[2] r; qreg s[2]; creg d[2]; CX q, s[1];")
    assert circuit.n_qubits == 5
    assert circuit.registers == (Register("a", 1), Register("b", 3), Register("d", 2))
    assert listing(circuit) == ["cx 0 4"]


def test_sizes_may_be_expressions() -> None:
    circuit = read3(
        "const int n = 3; qubit[2 * n] q; bit[n - 1] c; qreg r[n]; CX q[n + 2], r[n - 1];"
    )
    assert circuit.n_qubits == 9
    assert circuit.registers == (Register("c", 2),)
    assert listing(circuit) == ["cx 5 8"]


def test_bits_may_start_as_zero() -> None:
    text = 'qubit q; bit a = 0; bit b = false; bit[2] c = "00"; bit d = 1 - 1;'
    assert len(read3(text).registers) == 4


def test_a_declaration_may_measure() -> None:
    text = HEAD_3 + "qubit[2] q; bit[2] c = measure q; bit d = measure q[1];"
    assert listing(read3(text)) == ["measure 0 -> 0", "measure 1 -> 1", "measure 1 -> 2"]


@for_each(
    "body, expected",
    [
        ("x q;", ["x 0", "x 1", "x 2", "x 3"]),
        ("x q[-1];", ["x 3"]),
        ("x q[1:2];", ["x 1", "x 2"]),
        ("x q[:1];", ["x 0", "x 1"]),
        ("x q[2:];", ["x 2", "x 3"]),
        ("x q[:];", ["x 0", "x 1", "x 2", "x 3"]),
        ("x q[0:2:3];", ["x 0", "x 2"]),
        ("x q[::2];", ["x 0", "x 1", "x 2"]),
        ("x q[3:-2:0];", ["x 3", "x 1"]),
        ("x q[:-1:];", ["x 3", "x 2", "x 1", "x 0"]),
        ("x q[-3:-2];", ["x 1", "x 2"]),
        ("x q[{3, 0, -2}];", ["x 3", "x 0", "x 2"]),
        ("x q[1:3][0];", ["x 1"]),
        ("x q[{3, 1}][1:1];", ["x 1"]),
        ("cx q[0:1], q[2:3];", ["cx 0 2", "cx 1 3"]),
        ("cx q[0], q[1:3];", ["cx 0 1", "cx 0 2", "cx 0 3"]),
        ("let a = q[1:2]; x a; y a[1];", ["x 1", "x 2", "y 2"]),
        ("let a = q[0]; x a;", ["x 0"]),
        ("let a = q[2:3] ++ q[0]; let b = a[{2, 0}]; x b;", ["x 0", "x 2"]),
        ("qubit r; let a = q ++ r; x a[4];", ["x 4"]),
        ("let d = c[2:3] ++ c[0]; d[1:2] = measure q[0:1];", ["measure 0 -> 3", "measure 1 -> 0"]),
        ("c = measure q;", [f"measure {k} -> {k}" for k in range(4)]),
        ("c[1] = measure q[2];", ["measure 2 -> 1"]),
        ("c[0:1] = measure q[2:3];", ["measure 2 -> 0", "measure 3 -> 1"]),
        ("measure q -> c;", [f"measure {k} -> {k}" for k in range(4)]),
        ("measure q[0] -> c[3];", ["measure 0 -> 3"]),
        ("reset q[1:2];", ["reset 1", "reset 2"]),
        ("barrier q[0], q[2:3]; barrier q; barrier; nop q; nop;", []),
        ("cx q[0], q[1],;", ["cx 0 1"]),
        ("{ x q[0]; { y q[0]; } }", ["x 0", "y 0"]),
        ("gphase(0.5);", ["gphase(0.5)"]),
        ("gphase(0.5); x q[0]; gphase(-0.25);", ["gphase(0.25)", "x 0"]),
        ("gphase(0.5); gphase(-0.5);", []),
        ("U(pi, 0, pi) q[0];", ["gphase(1.5708)", "u(3.14159,0,3.14159) 0"]),
        ("end; x q[0];", []),
    ],
)
def test_statement_becomes_these_operations(body: str, expected: list[str]) -> None:
    assert listing(with3(body)) == expected


def test_physical_qubits_are_numbered_as_they_are_called() -> None:
    circuit = read3(HEAD_3 + "bit c; x $3; cx $0, $3; c = measure $3; reset $1;")
    assert circuit.n_qubits == 4
    assert listing(circuit) == ["x 3", "cx 0 3", "measure 3 -> 0", "reset 1"]


@pytest.mark.parametrize("text", ["qubit q; x $0;", "x $0; qubit q;"])
def test_physical_and_declared_qubits_do_not_mix(text: str) -> None:
    with pytest.raises(InvalidProgram, match="declared and physical qubits cannot be mixed"):
        read3(HEAD_3 + text)


def test_a_physical_qubit_has_a_bounded_number() -> None:
    with pytest.raises(LimitExceeded, match="at most 10,000 qubits"):
        read3(HEAD_3 + "x $10000;")


# --- variables ------------------------------------------------------------------------------------


@for_each(
    "declaration, expected",
    [
        ("const int n = 2;", 2),
        ("const int[8] n = -2;", -2),
        ("const uint[4] n = 15;", 15),
        ("const float n = 2.5;", 2.5),
        ("const float[64] n = 2;", 2),
        ("const angle n = pi / 4;", pi / 4),
        ("const angle[20] n = 3 * pi;", pi),
        ("const bool b = true; const int n = int(b);", 1),
        ("const bit b = 1; const int n = int(b);", 1),
        ('const bit[4] b = "1010"; const int n = int(b[1]) + 2 * int(b[-1]) + 4 * int(b[0]);', 3),
        ("uint[4] a = 5; const int n = int(a[0]) + 2 * int(a[1]) + 4 * int(a[2]);", 5),
        ("int n = 3; n = n + 1;", 4),
        ("int n = 3; n += 2; n *= 3; n -= 1; n /= 4;", 3),
        ("int n = 3; n **= 2; n %= 5; n <<= 3; n >>= 1; n |= 1; n &= 25; n ^= 3;", 18),
        ("float n; n = 1.5;", 1.5),
        ("int n;", 0),
        ("int m = 1; { int m = 5; m = 7; } int n = m;", 1),
        ("int n = 1; { n = 5; }", 5),
        ("int n = 0; for int i in [1:4] { n += i; }", 10),
    ],
)
def test_variables_have_their_values_while_reading(declaration: str, expected: float) -> None:
    circuit = with3(f"{declaration} rz(n) q[0];")
    (gate,) = circuit.ops
    assert isinstance(gate, Gate)
    assert gate.params == pytest.approx((expected,))


def test_inputs_get_their_values_from_outside() -> None:
    text = (
        HEAD_3
        + "input float theta; input angle[32] phi; input int[8] n; input bool flip; qubit[4] q;\n"
        "gate g a { rx(theta) a; } g q[n]; rz(phi * 2) q[0]; if (flip) x q[1];"
    )
    inputs = {"theta": 0.5, "phi": 1, "n": 2.0, "flip": True}
    assert listing(read3(text, inputs=inputs)) == ["rx(0.5) 2", "rz(2) 0", "x 1"]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "line 3, column 13: the input 'theta' has no value"),
        ({"theta": float("nan")}, "the value of the input 'theta' is not a number, or too large"),
        ({"theta": float("inf")}, "the value of the input 'theta' is not a number, or too large"),
        ({"theta": 10**400}, "the value of the input 'theta' is not a number, or too large"),
        ({"theta": "1"}, "the value of the input 'theta' is not a number, or too large"),
        ({"theta": 1, "n": 2.5}, "a float is not converted to int"),
        ({"theta": 1, "n": 300}, "the value does not fit int[8]"),
        ({"theta": 1, "n": 1, "phi": 2, "a'b": 1}, "the program has no input"),
    ],
)
def test_wrong_inputs_are_refused(inputs: dict[str, float], reason: str) -> None:
    text = HEAD_3 + "input float theta; input int[8] n; qubit q;"
    with pytest.raises(InvalidProgram) as refusal:
        read3(text, inputs=inputs)
    assert reason in refusal.value.detail


def test_a_gate_body_sees_constants_and_nothing_that_may_change() -> None:
    assert listing(with3("const float a = 0.5; gate g b { rx(a) b; } g q[0];")) == ["rx(0.5) 0"]
    assert "'a' is not visible in a gate body" in why3(
        "float a = 0.5; gate g b { rx(a) b; } g q[0];"
    )


def test_a_gate_body_may_hold_loops_and_settled_conditions() -> None:
    body = (
        "gate g(t) a, b { for int i in [1:3] { if (i == 2) { continue; } rx(t * i) a; } "
        "{ cx a, b; } if (t > 1) z b; else y b; gphase(t); }\n"
        "g(2) q[0], q[1]; g(0.5) q[0], q[1];"
    )
    assert listing(with3(body)) == [
        "gphase(2.5)",
        *("rx(2) 0", "rx(6) 0", "cx 0 1", "z 1"),
        *("rx(0.5) 0", "rx(1.5) 0", "cx 0 1", "y 1"),
    ]


def test_names_have_a_limit() -> None:
    assert read3(f"qubit {'q' * 255};").n_qubits == 1
    with pytest.raises(LimitExceeded, match=r"at most 255 characters \(limit 'name_chars'\)"):
        read3(f"qubit {'q' * 256};")


def test_phases_count_as_operations_inside_branches() -> None:
    head = HEAD_3 + "qubit q; bit c; "
    text = head + "if (c) end; " + "U(1, 2, 3) q; " * 4
    assert len(read3(text, Limits.from_names(operations=10)).ops) == 10
    for limit in (9, 8, 5):
        with pytest.raises(LimitExceeded, match=f"more than {limit} operations"):
            read3(text, Limits.from_names(operations=limit))


def test_phases_that_nothing_controls_are_no_operations() -> None:
    body = f"gate g a {{ x a; {'gphase(0.5); ' * 20} }} g q; g q; g q;"
    circuit = read3(HEAD_3 + f"qubit q; {body}", Limits.from_names(operations=4))
    assert listing(circuit) == [f"gphase({30 - 10 * pi:.6g})", "x 0", "x 0", "x 0"]


def test_what_stays_below_the_limits_is_read() -> None:
    assert listing(with3(f"rz({'(' * 98}1{')' * 98}) q[0];")) == ["rz(1) 0"]
    assert listing(with3(f"rz({'-' * 98}1) q[0];")) == ["rz(1) 0"]
    assert listing(with3(f"{'{' * 50}x q[0];{'}' * 50}")) == ["x 0"]
    chain = "".join(f"gate g{k} a {{ g{k - 1} a; }} " for k in range(1, 100))
    assert listing(with3(f"gate g0 a {{ x a; }} {chain} g99 q[0];")) == ["x 0"]
    assert len(read3(HEAD_3 + "qubit[10000] q; bit[10000] c; c = measure q;").ops) == 10_000


# --- time -----------------------------------------------------------------------------------------


@for_each(
    "waiting",
    [
        *(f"delay[{duration}] q[0];" for duration in ("300ns", "1.5 us", "2µs", "2μs", "1e-3ms")),
        *(f"delay[{duration}] q;" for duration in ("1s", "0s", "100dt", "0ns", ".5ns", "1_000ns")),
        "delay[1ns];",
        "delay[1ns] q[0], q[2:3];",
        "const duration d = 100ns; delay[d] q; delay[2 * d - d / 2 + 1us] q;",
        "duration d = 100ns; d += 1us; d *= 2; d -= 5dt; delay[d] q;",
        "duration d; delay[d] q;",
        "for int i in [1:3] delay[i * 100ns] q[0];",
        "box[100ns] { delay[10ns] q[0]; }",
        "box[300ns] { delay[100ns] q; delay[200ns] q[0]; }",
        "box[100ns] { if (c[0]) delay[60ns] q; delay[60ns] q; }",
        "const duration d = 1us; box[d / 2] { barrier q; }",
        "if (c[0]) delay[1us] q[1];",
    ],
)
def test_delays_have_no_effect_on_an_ideal_simulator(waiting: str) -> None:
    found = listing(with3(f"{waiting} x q[0];").without_delays())
    assert [line for line in found if "if" not in line] == ["x 0"]


def test_a_box_with_a_duration_is_a_block() -> None:
    assert listing(with3("box[100ns] { int n = 1; x q[n]; } int n = 2; x q[n];")) == ["x 1", "x 2"]


@for_each(
    "condition",
    [
        "1us == 1000ns",
        "1ms == 1000us",
        "1s == 1000 ms",
        "9dt == 2ns",
        "-1ns < 0ns",
        "1µs != 2µs",
        "3us / 2us == 1.5",
        "int(10us / 3us) == 3",
        "300ns * 2 >= 2 * 300ns",
    ],
)
def test_durations_are_compared_and_divided(condition: str) -> None:
    assert listing(with3(f"if ({condition}) x q[0]; else y q[0];")) == ["x 0"]


def test_durations_give_angles() -> None:
    assert listing(with3("duration t = 250ns; rz(2 * pi * (t / 1us)) q[0];")) == ["rz(1.5708) 0"]


def test_units_are_names_elsewhere() -> None:
    assert listing(with3("int ms = 1; int dt = 2; rx(ms + dt) q[0]; s q[1];")) == ["rx(3) 0", "s 1"]


def test_openqasm_2_has_no_time() -> None:
    assert why2("rx(1 s) q[0];").startswith("line 4, column 6: expected ')' or ',' after an arg")


# --- refusals -------------------------------------------------------------------------------------


WRONG = [
    ("while (c[0]) x q[0];", "column 1: 'while' is not supported: a loop without a known end"),
    ("def f(qubit a) { x a; }", "column 1: 'def' is not supported: subroutines"),
    ("return 1;", "column 1: 'return' is not supported: subroutines"),
    ("extern f(int) -> int;", "column 1: 'extern' is not supported: functions"),
    ("defcal x $0 {}", "column 1: 'defcal' is not supported: pulse-level definitions"),
    ("cal {}", "column 1: 'cal' is not supported: pulse-level definitions"),
    ('defcalgrammar "openpulse";', "column 1: 'defcalgrammar' is not supported: pulse-level"),
    ("stretch s;", "column 1: 'stretch' is not supported: times that a compiler computes"),
    ("delay[durationof({x q[0];})] q;", "column 7: 'durationof' is not supported: times that"),
    ("delay[100] q[0];", "column 1: a duration has a unit, as in 100ns; the units are ns, us, "),
    ("delay[2 * 50] q[0];", "column 1: a duration has a unit"),
    ("box[100] { x q[0]; }", "column 1: a duration has a unit"),
    ("box[1 + 1] { x q[0]; }", "column 1: a duration has a unit"),
    (
        "box[100ns] { delay[60ns] q; delay[60ns] q[0]; }",
        "column 1: a box of 1e-07 s has delays of 1.2e-07 s on a qubit",
    ),
    ("duration d = 5;", "column 10: a duration has a unit"),
    ("const duration d = 0.5 * 2;", "column 16: a duration has a unit"),
    ("duration d = c;", "column 10: a duration has a unit"),
    ("duration d = duration(5);", "column 14: a duration has a unit"),
    ("delay[1ps] q[0];", "column 8: expected ']' after the duration, found 'ps'"),
    ("delay q[0];", "column 7: expected '[' and a duration after 'delay', found 'q[0]'"),
    ("delay[] q[0];", "column 7: expected a value, found ']'"),
    ("delay[1ns] q[9];", "column 12: index 9 is out of range: the size is 4"),
    ("delay[1ns] c[0];", "column 12: qubits are needed here"),
    ("delay[1ns] q[0]", "column 16: expected ';' after 'delay', found the end of the program"),
    ("box[1ns] x q[0];", "column 10: expected '{' before the statements of a box, found 'x'"),
    ("box x q[0];", "column 5: expected '{' before the statements of a box, found 'x'"),
    ("delay[-1ns] q[0];", "column 1: the duration must be 0 to 1e+09 s, not -1e-09 s"),
    ("delay[2e9s] q[0];", "column 1: the duration must be 0 to 1e+09 s, not 2e+09 s"),
    ("delay[1e308s * 1e308] q[0];", "column 14: the result is not finite"),
    ("delay[1e999s] q[0];", "column 7: the number is too large"),
    ("delay[1ns + 1] q[0];", "column 11: '+' does not take a duration here"),
    ("delay[1ns * 1ns] q[0];", "column 11: '*' does not take a duration here"),
    ("delay[1 / 1ns] q[0];", "column 9: '/' does not take a duration here"),
    ("delay[1ns / 0] q[0];", "column 11: division by zero"),
    ("delay[1ns / c] q[0];", "column 11: a value is needed that is known before the program runs"),
    ("delay[~1ns] q[0];", "column 7: a duration is no condition; compare it with another"),
    ("if (1ns) x q[0];", "column 1: a duration is no condition; compare it with another"),
    ("if (1ns == 1) x q[0];", "column 9: '==' does not take a duration here"),
    ("bool b = !1ns;", "column 10: a duration is no condition; compare it with another"),
    ("rx(1ns) q[0];", "column 1: a number is needed here, not a duration; d / 1ns is the number"),
    ("int n = 1ns;", "column 1: a number is needed here, not a duration"),
    ("float f = float(1ns);", "column 11: a number is needed here, not a duration"),
    ("x q[1ns];", "column 4: a number is needed here, not a duration"),
    ("rx(sin(1ns)) q[0];", "column 4: a number is needed here, not a duration"),
    ("duration d = 1ns; d += 1;", "column 21: '+' does not take a duration here"),
    ("duration d = 1ns; d = 1;", "column 21: a duration has a unit"),
    ("duration d = 1ns; if (c[0]) d = 2ns;", "column 31: the value would depend on a measurement"),
    ("for duration d in {1ns} x q[0];", "column 1: a number is needed here, not a duration"),
    ("duration[32] d = 1ns;", "column 1: 'duration' has no size"),
    ("input duration d;", "column 16: an input is a number or a bool, not a duration"),
    ("gate g a { delay[1ns] a; }", "column 12: 'delay' is not allowed in a gate body"),
    ("int delay = 3;", "column 5: 'delay' is a word of the language and no name"),
    ("array[int[8], 3] a;", "column 1: 'array' is not supported: arrays"),
    ("int n = sizeof(c);", "column 9: 'sizeof' is not supported: arrays"),
    ("float f = cosh(1);", "column 11: 'cosh' is not supported: the functions are acos, arccos,"),
    ("if (parity(c) == 1) x q[0];", "column 5: 'parity' is not supported: the functions are"),
    ("complex[float[64]] z;", "column 1: 'complex' is not supported: complex numbers"),
    ("const complex z = 1;", "column 7: 'complex' is not supported: complex numbers"),
    ("output bit d;", "column 1: 'output' is not supported: a choice of outputs"),
    ("input array[int, 2] a;", "column 7: 'array' is not supported: arrays"),
    ("pragma braket noise x", "column 1: 'pragma braket noise x' is not supported"),
    ("#pragma x", "column 1: '#pragma x' is not supported: no pragma is known here"),
    ("opaque g a;", "column 10: expected ';' after the gate, found 'a'"),
    ("input bit b;", "column 11: an input is a number or a bool, not a bit"),
    ("input qubit b;", "column 7: expected a type such as 'int' after 'input', found 'qubit'"),
    ("bit d = 1;", "column 5: 'd' starts as 0: only measurements set bits; a 'bool' or"),
    ('bit[2] d = "10";', "column 8: 'd' starts as 0: only measurements set bits; a 'bool' or"),
    ("bit[2] d = c;", "column 8: 'd' starts as 0: only measurements set bits; a 'bool' or"),
    ("bit d = c == 3;", "column 5: 'd' starts as 0: only measurements set bits; a 'bool' or"),
    ('bit[3] d = "00";', "column 8: the bit string has 2 bits, not 3"),
    ("bit[2] d = measure q;", "column 8: a measurement of 4 qubits does not fit 2 bits"),
    ("c = 3;", "column 3: only measurements set bits; a 'bool' or 'uint' can hold"),
    ("c[0] = 1;", "column 6: only measurements set bits; a 'bool' or 'uint' can hold"),
    ("c[0] = c[1];", "column 6: only measurements set bits; a 'bool' or 'uint' can hold"),
    ("q = 3;", "column 3: this is not a variable that can change"),
    ("const int n = 1; n = 2;", "column 20: this is not a variable that can change"),
    ("int n = 1; n[0] = 1;", "column 17: only whole variables can be assigned"),
    ("n = 1;", "column 1: 'n' is not declared"),
    ("const int n = c;", "column 11: a value is needed that is known before the program runs"),
    (
        "int n = 2.5;",
        "column 1: a float is not converted to int; write int(…) to drop its fraction",
    ),
    ("int n = 1; n /= 2.0;", "column 14: a float is not converted to int"),
    ("uint n = -1;", "column 1: the value does not fit uint[64]"),
    ("int[4] n = 8;", "column 1: the value does not fit int[4]"),
    ("int[4] n = 7; n += 1;", "column 17: the value does not fit int[4]"),
    ("const int n;", "column 12: expected '=' and a value after the name of a constant"),
    ("const qubit n;", "column 7: expected a type such as 'int' after 'const', found 'qubit'"),
    ("int n = 1; int n = 2;", "column 16: 'n' is declared twice"),
    ("int q = 1;", "column 5: 'q' is declared twice"),
    ("int pi = 3;", "column 5: 'pi' is a word of the language and no name"),
    ("int for = 3;", "column 5: 'for' is a word of the language and no name"),
    ("int 3;", "column 5: expected a name for the variable, found '3'"),
    ("qubit q[3];", "column 7: expected a name for the qubits, found 'q[3]'"),
    ("qubit[0] r;", "column 10: a register has at least 1 element, not 0"),
    ("qubit[-1] r;", "column 11: a register has at least 1 element, not -1"),
    ("qubit[1.5] r;", "column 12: an integer is needed here, not a float"),
    ("qubit[10000] r;", "column 14: a program has at most 10,000 qubits"),
    ("bit[10000] r;", "column 12: a program has at most 10,000 classical bits"),
    ("let a = q ++ c;", "column 5: an alias joins qubits, or bits, and nothing else"),
    ("let a = 3;", "column 5: an alias joins qubits, or bits, and nothing else"),
    ("let a = q ++ q[0];", "column 5: an alias holds the same element twice"),
    ("let q = q;", "column 5: 'q' is declared twice"),
    ("x q[{}];", "column 4: the set is empty"),
    ("x q[2:1];", "column 4: the range selects nothing"),
    ("x q[0:0:1];", "column 4: the step of a range cannot be 0"),
    ("x q[0:4];", "column 4: index 4 is out of range: the size is 4"),
    ("x q[-5];", "column 4: index -5 is out of range: the size is 4"),
    ("x q[{0, 4}];", "column 4: index 4 is out of range: the size is 4"),
    ("x q[1.0];", "column 4: an integer is needed here, not a float"),
    ("x q[c[0]];", "column 4: a value is needed that is known before the program runs"),
    ("x q[];", "column 4: an index is 'a', 'a:b', 'a:step:b' or a set in braces"),
    ("x q[1:2:3:4];", "column 4: an index is 'a', 'a:b', 'a:step:b' or a set in braces"),
    ("x q[1,2];", "column 6: expected ']' after the index, found ','"),
    ("x q[0][0];", "column 7: only registers have an index"),
    ("x {q[0]};", "column 3: expected a qubit or a register of qubits, found '{'"),
    ("gate g a { x a[0]; }", "column 12: only the qubits of gate 'g' can be used in its body"),
    ("gate g a { c = measure a; }", "column 12: expected a gate, found 'c'"),
    ("gate g a { int n = 1; }", "column 12: 'int' is not allowed in a gate body"),
    ("gate g a { end; }", "column 12: 'end' is not allowed in a gate body"),
    ("gate g a { x $0; }", "column 14: expected a qubit or a register of qubits, found '$0'"),
    ("{ gate g a {} }", "column 3: 'gate' is allowed at the top level only"),
    ("{ qubit r; }", "column 3: 'qubit' is allowed at the top level only"),
    ("{ bit r; }", "column 3: 'bit' is allowed at the top level only"),
    ('if (true) include "stdgates.inc";', "column 11: 'include' is allowed at the top level"),
    ("case 1 {}", "column 1: expected a statement, found 'case'"),
    ("if (c[0]) ; x q[0];", "column 11: expected a statement, found ';'"),
    ("if (c[0]) x q[0]; else ; x q[0];", "column 24: expected a statement, found ';'"),
    ("for int i in {1} ; x q[0];", "column 18: expected a statement, found ';'"),
    ("else x q[0];", "column 1: expected a statement, found 'else'"),
    ("int[8](3);", "column 7: expected a name for the variable, found '('"),
    ("sin(3);", "column 7: expected a qubit or a register of qubits, found ';'"),
    ("3;", "column 1: expected a statement, found '3'"),
    ("@", "column 1: expected a statement, found '@'"),
    ("x q[0] ++ q[1];", "column 8: expected ';' after the gate, found '++'"),
    ("c + 1;", "column 3: expected a qubit or a register of qubits, found '+'"),
    ("c[0] + 1;", "column 6: expected '=' to assign a value"),
    ("{ x q[0];", "column 10: expected '}' at the end of the block"),
    ("gphase(1) q[0];", "column 1: gate 'gphase' acts on 0 qubits, not 1"),
]


def test_wrong_statement_is_refused_with_its_place(subtests: pytest.Subtests) -> None:
    for body, reason in WRONG:
        with subtests.test(body):
            assert why3(body).startswith(f"line 4, {reason}")


def test_the_limit_of_operations_counts_what_is_expanded() -> None:
    limits = Limits.from_names(operations=10)
    assert len(read3(HEAD_3 + "qubit[10] q; x q;", limits).ops) == 10
    for text in (
        "qubit[11] q; x q;",
        "qubit q; for int i in [0:10] { x q; }",
        "qubit q; gate g a { x a; x a; x a; } gate k a { g a; g a; } k q; k q;",
        "qubit q; pow(11) @ g q;".replace("pow", "gate g a { x a; y a; } pow"),
        "qubit q; " + "x q; " * 11,
        "qubit[11] q; bit[11] c; c = measure q;",
        "qubit[11] q; reset q;",
        "qubit q; bit c; " + "if (c) x q; " * 6,
        "qubit q; " + "x q; " * 10 + "gphase(1);",
    ):
        with pytest.raises(LimitExceeded, match=r"more than 10 operations \(limit 'operations'\)"):
            read3(HEAD_3 + text, limits)
