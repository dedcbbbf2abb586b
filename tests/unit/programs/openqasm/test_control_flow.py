"""Control flow of OpenQASM 3: what is known is settled while reading, the rest becomes jumps."""

from __future__ import annotations

from itertools import product

import pytest

from support.for_each import for_each
from unit.programs.openqasm.execution import path
from unit.programs.openqasm.reading import listing, why3, with3

ALL_BITS = list(product((0, 1), repeat=4))

# --- if -------------------------------------------------------------------------------------------


def test_if_becomes_a_branch_over_its_body() -> None:
    circuit = with3("if (c == 2) { x q[0]; y q[0]; } z q[0];")
    assert listing(circuit) == ["if 0,1,2,3 == 2 else +2", "x 0", "y 0", "z 0"]


def test_else_is_jumped_over() -> None:
    circuit = with3("if (c[1]) x q[0]; else { y q[0]; z q[0]; }")
    assert listing(circuit) == ["if 1 != 0 else +2", "x 0", "+2", "y 0", "z 0"]


def test_a_condition_is_tested_when_its_turn_comes() -> None:
    body = "c[0] = measure q[0]; if (c[0]) { c[0] = measure q[1]; if (c[0]) x q[2]; }"
    assert listing(with3(body)) == [
        *("measure 0 -> 0", "if 0 != 0 else +3"),
        *("measure 1 -> 0", "if 0 != 0 else +1", "x 2"),
    ]


def test_else_if_takes_the_first_that_holds() -> None:
    circuit = with3(
        "if (c == 0) x q[0]; else if (c[0]) { y q[0]; } else if (c == 2) z q[0]; else h q[0];"
        "s q[0];"
    )
    for bits in ALL_BITS:
        if bits == (0, 0, 0, 0):
            expected = "x"
        elif bits[0]:
            expected = "y"
        else:
            expected = "z" if bits == (0, 1, 0, 0) else "h"
        assert path(circuit, bits) == [expected, "s"]


def test_long_chains_of_else_if_are_no_nesting() -> None:
    chain = "if (c == 0) x q[0]; " + " ".join(f"else if (c == {k}) x q[0];" for k in range(1, 200))
    assert len(listing(with3(chain))) == 200 * 3 - 1


def test_settled_branches_leave_no_trace() -> None:
    body = "if (1 > 2) x q[0]; else if (c[0]) y q[0]; else if (true) z q[0]; else h q[0];"
    assert listing(with3(body)) == ["if 0 != 0 else +2", "y 0", "+1", "z 0"]


def test_an_empty_branch_is_allowed() -> None:
    assert path(with3("if (c[0]) {} else x q[0];"), (1, 0, 0, 0)) == []
    assert path(with3("if (c[0]) {} else x q[0];"), (0, 0, 0, 0)) == ["x"]


def test_branches_nest() -> None:
    circuit = with3(
        "if (c[0]) { if (c[1]) { x q[0]; } else { if (c[2]) y q[0]; } z q[0]; } h q[0];"
    )
    for bits in ALL_BITS:
        inner = ["x"] if bits[1] else ["y"] * bits[2]
        assert path(circuit, bits) == ([*inner, "z"] if bits[0] else []) + ["h"]


def test_a_phase_inside_a_branch_stays_there() -> None:
    circuit = with3("gphase(0.5); if (c[0]) { gphase(0.25); } U(0, 0, 0) q[0];")
    assert listing(circuit) == ["gphase(0.5)", "if 0 != 0 else +1", "gphase(0.25)", "u(0,0,0) 0"]


# --- switch ---------------------------------------------------------------------------------------


def test_switch_takes_the_case_that_names_the_number() -> None:
    circuit = with3(
        "const int three = 3; "
        "switch (c) { case 0 { x q[0]; } case 1, 2 { y q[0]; } case three { z q[0]; } "
        'case "0100" { t q[0]; } default { h q[0]; } } s q[0];'
    )
    for bits in ALL_BITS:
        number = sum(bit << k for k, bit in enumerate(bits))
        expected = {0: "x", 1: "y", 2: "y", 3: "z", 4: "t"}.get(number, "h")
        assert path(circuit, bits) == [expected, "s"]


def test_switch_without_default_may_do_nothing() -> None:
    circuit = with3("switch (c[0:1]) { case 1 { x q[0]; } case 5 { y q[0]; } case -1 { z q[0]; } }")
    assert path(circuit, (1, 0, 0, 0)) == ["x"]
    assert path(circuit, (0, 0, 0, 0)) == []


def test_switch_on_a_constant_is_settled() -> None:
    body = "for int i in [0:3] { switch (i) { case 1 { x q[i]; } case 2, 3 { y q[i]; } } }"
    assert listing(with3(body)) == ["x 1", "y 2", "y 3"]


def test_switch_takes_casts_and_single_bits() -> None:
    circuit = with3(
        "switch (uint[4](c)) { case 9 { x q[0]; } } switch (c[1]) { case 1 { y q[0]; } }"
    )
    assert path(circuit, (1, 0, 0, 1)) == ["x"]
    assert path(circuit, (0, 1, 0, 0)) == ["y"]


# --- loops ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "numbers"),
    [
        ("int i in [0:3]", [0, 1, 2, 3]),
        ("uint[8] i in [0:2:3]", [0, 2]),
        ("int i in [3:-1:0]", [3, 2, 1, 0]),
        ("int i in [3:-2:0]", [3, 1]),
        ("int i in [2:1]", []),
        ("int i in [2:2]", [2]),
        ("int i in {3, 1, 1}", [3, 1, 1]),
        ('bit i in "0110"', [0, 1, 1, 0]),
    ],
)
def test_a_loop_runs_over_these_numbers(head: str, numbers: list[int]) -> None:
    listed = listing(with3(f"for {head} {{ rz(i) q[0]; }}"))
    assert listed == [f"rz({number}) 0" for number in numbers]


def test_a_loop_runs_over_floats_and_angles() -> None:
    body = "for float t in {0.5, 1} rz(t) q[0]; for angle a in {pi / 2, pi} rz(a) q[0];"
    assert listing(with3(body)) == ["rz(0.5) 0", "rz(1) 0", "rz(1.5708) 0", "rz(3.14159) 0"]


def test_a_loop_over_measured_bits_tests_each() -> None:
    circuit = with3("for bit b in c[1:3] { if (b) x q[0]; }")
    assert [op for op in listing(circuit) if op != "x 0"] == [
        f"if {k} != 0 else +1" for k in (1, 2, 3)
    ]


def test_loops_nest_and_shadow() -> None:
    body = "int i = 9; for int i in [0:1] { for int j in [i:1] { cx q[i], q[j + 2]; } } x q[i - 8];"
    assert listing(with3(body)) == ["cx 0 2", "cx 0 3", "cx 1 3", "x 1"]


def test_settled_break_and_continue_end_the_unrolling() -> None:
    body = "for int i in [0:9] { if (i == 1) continue; if (i == 3) { break; } x q[i]; } y q[0];"
    assert listing(with3(body)) == ["x 0", "x 2", "y 0"]


def test_break_on_a_measured_bit_jumps_out_of_the_loop() -> None:
    circuit = with3("for int i in [0:3] { if (c[i]) break; rz(i) q[0]; } h q[0];")
    for bits in ALL_BITS:
        n_before = bits.index(1) if 1 in bits else 4
        assert path(circuit, bits) == ["rz"] * n_before + ["h"]


def test_continue_on_a_measured_bit_jumps_to_the_next_turn() -> None:
    circuit = with3("for int i in [0:3] { if (!c[i]) { continue; } x q[i]; } h q[0];")
    for bits in ALL_BITS:
        assert path(circuit, bits) == ["x"] * sum(bits) + ["h"]


def test_break_leaves_the_innermost_loop() -> None:
    circuit = with3(
        "for int i in [0:1] { for int j in [0:1] { if (c[j]) break; x q[j]; } y q[i]; } h q[0];"
    )
    assert path(circuit, (0, 1, 0, 0)) == ["x", "y", "x", "y", "h"]


def test_end_stops_the_program() -> None:
    circuit = with3("x q[0]; if (c[0]) { y q[0]; end; } z q[0]; if (c[1]) end; h q[0];")
    assert path(circuit, (1, 0, 0, 0)) == ["x", "y"]
    assert path(circuit, (0, 1, 0, 0)) == ["x", "z"]
    assert path(circuit, (0, 0, 0, 0)) == ["x", "z", "h"]


def test_a_certain_end_inside_loops_stops_the_program() -> None:
    body = "for int i in [0:3] { for int j in [0:3] { x q[j]; if (j == 1) end; } } y q[0];"
    assert listing(with3(body)) == ["x 0", "x 1"]


def test_what_follows_a_certain_end_must_still_be_well_formed() -> None:
    assert why3("end; x x;;; +") == "line 4, column 13: expected a statement, found '+'"


# --- refusals -------------------------------------------------------------------------------------

DEPENDS = "the value would depend on a measurement; only measured bits can do that"


@for_each(
    "body, reason",
    [
        ("break;", "column 1: 'break' is outside of a loop"),
        ("continue;", "column 1: 'continue' is outside of a loop"),
        ("int n = 1; if (c[0]) { n = 2; }", f"column 26: {DEPENDS}"),
        ("int n = 1; switch (c) { case 1 { n += 2; } }", f"column 36: {DEPENDS}"),
        ("int n = 1; for int i in [0:1] { if (c[i]) break; n += 1; }", f"column 52: {DEPENDS}"),
        ("int n = 1; if (c[0]) end; n = 2;", f"column 29: {DEPENDS}"),
        ("for i in [0:1] {}", "column 5: expected a type such as 'int' after 'for', found 'i'"),
        ("for int i of [0:1] {}", "column 11: expected 'in' after the loop variable, found 'of'"),
        ("for int i in [0] {}", "column 1: a loop runs over '[start:stop]'"),
        ("for int i in [0:] {}", "column 14: the range of a loop needs a start and an end"),
        ("for int i in [0:0:1] {}", "column 14: the step of a range cannot be 0"),
        ("for int i in q {}", "column 1: a loop runs over '[start:stop]'"),
        ("for int i in {} {}", "column 14: the set is empty"),
        ("for float t in [0:1] {}", "column 1: a loop over a range has a variable of type int"),
        ("for uint i in [-1:1] {}", "column 5: the value does not fit uint[64]"),
        ("for int[4] i in [0:8] {}", "column 5: the value does not fit int[4]"),
        ("for int i in {0.5} {}", "column 5: a float is not converted to int"),
        ("for int i in [0:1] { int i = 2; }", "column 26: 'i' is declared twice"),
        ("switch (c) {}", "column 1: 'switch' needs at least one 'case'"),
        ("switch (c) { default {} }", "column 1: 'switch' needs at least one 'case'"),
        ("switch (c) { case 1 {} case 2, 1 {} }", "column 32: case '1' is there twice"),
        ("switch (c) { case 1.5 {} }", "column 19: a case is an integer, not a float"),
        ("switch (c) { case c {} }", "column 19: a value is needed that is known before"),
        ("switch (c) { case 1 x q[0]; }", "column 21: expected '{' before the statements"),
        ("switch (c) { default {} case 1 {} }", "column 25: expected '}' at the end of 'switch'"),
        ("switch (1.5) { case 1 {} }", "column 1: 'switch' needs an integer or a register"),
        ("switch (c == 1) { case 1 {} }", "column 1: 'switch' needs an integer or a register"),
        ("if c x q[0];", "column 4: expected '(' before the condition, found 'c'"),
        ("if (c x q[0];", "column 7: expected ')' after the condition, found 'x'"),
        ("if (c) int n = 1; n = 2;", "column 19: 'n' is not declared"),
    ],
)
def test_wrong_control_flow_is_refused_with_its_place(body: str, reason: str) -> None:
    assert why3(body).startswith(f"line 4, {reason}")


def test_a_variable_of_a_branch_may_change_inside_it() -> None:
    body = "if (c[0]) { int n = 1; n += 1; x q[n]; for int i in [0:1] { n += i; } y q[n]; }"
    assert listing(with3(body)) == ["if 0 != 0 else +2", "x 2", "y 3"]
