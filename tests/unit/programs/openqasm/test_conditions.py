"""Conditions on measured bits: each becomes jumps that take the right way for all bit values."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.qubit import Branch, Gate, Jump, Op, QubitCircuit, Register
from qwicket.model.errors import InvalidProgram
from qwicket.programs.openqasm.conditions import (
    TRUE,
    AllOf,
    AnyOf,
    Condition,
    Decision,
    Flow,
    Label,
    Not,
    OddParity,
    all_of,
    any_of,
    negate,
    odd_parity,
)
from qwicket.programs.openqasm.conditions import Comparison as BitTest
from qwicket.programs.openqasm.conditions import compare as make_test
from qwicket.programs.openqasm.logic import Logic, Work
from support.for_each import for_each
from support.pairwise import pairs
from unit.programs.openqasm.execution import path
from unit.programs.openqasm.reading import listing, read3, why2, why3, with2, with3

Bits = tuple[int, ...]
ALL_BITS = list(product((0, 1), repeat=4))


def signed(bits: Bits) -> int:
    """The bits in two's complement."""
    return number(bits) - 16 * bits[3]


def number(bits: Bits, *places: int) -> int:
    return sum(bits[place] << k for k, place in enumerate(places or range(4)))


RELATIONS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@for_each(
    "relation, value",
    # -8 and 7 are the least and the greatest number of four bits.
    pairs(RELATIONS, [-9, -8, -7, -1, 0, 1, 6, 7, 8, 15, 16], always={-8, 7}),
)
def test_signed_numbers_of_bits_are_in_twos_complement(relation: str, value: int) -> None:
    circuit = with3(f"if (int[4](c) {relation} {value}) x q[0]; h q[1];")
    for bits in ALL_BITS:
        holds = RELATIONS[relation](signed(bits), value)
        assert path(circuit, bits) == ["x"] * holds + ["h"]


BRANCHES: list[tuple[str, Callable[[Bits], object]]] = [
    ("c == 5", lambda b: number(b) == 5),
    ("5 == c", lambda b: number(b) == 5),
    ("c != 5", lambda b: number(b) != 5),
    ("c < 5", lambda b: number(b) < 5),
    ("c <= 5", lambda b: number(b) <= 5),
    ("c > 5", lambda b: number(b) > 5),
    ("c >= 5", lambda b: number(b) >= 5),
    ("5 < c", lambda b: number(b) > 5),
    ("5 >= c", lambda b: number(b) <= 5),
    ("c", lambda b: number(b) != 0),
    ("!c", lambda b: number(b) == 0),
    ("bool(c)", lambda b: number(b) != 0),
    ("c[2]", lambda b: b[2] == 1),
    ("!c[2]", lambda b: b[2] == 0),
    ("~c[2]", lambda b: b[2] == 0),
    ("c[2] == true", lambda b: b[2] == 1),
    ("c[2] == 0", lambda b: b[2] == 0),
    ("true != c[2]", lambda b: b[2] == 0),
    ("c[-1]", lambda b: b[3] == 1),
    ('c == "0011"', lambda b: number(b) == 3),
    ('c[0:1] == "01"', lambda b: number(b, 0, 1) == 1),
    ("c[1:2] == 2", lambda b: number(b, 1, 2) == 2),
    ("c[{3, 0}] == 1", lambda b: number(b, 3, 0) == 1),
    ("-3 < int[4](c)", lambda b: signed(b) > -3),
    ("int[4](c) == int[4](c[{3, 2, 1, 0}])", lambda b: b == b[::-1]),
    ("int[5](c) == 9", lambda b: number(b) == 9),
    ("int(c) > 9", lambda b: number(b) > 9),
    ("!int[4](c)", lambda b: number(b) == 0),
    ("bool(uint[4](c))", lambda b: number(b) != 0),
    ("uint[4](c) == 9", lambda b: number(b) == 9),
    ("int(c[1:3]) > 4", lambda b: number(b, 1, 2, 3) > 4),
    ("int[5](c) >= 0", lambda _b: True),
    ("c == -1", lambda _b: False),
    ("c > -1", lambda _b: True),
    ("c == 16", lambda _b: False),
    ("c == -1 || c < 0", lambda b: number(b) < 0),
    ("c == -1 || c < -2", lambda _b: False),
    ("c != -1 && c > -2", lambda _b: True),
    ("c == -1 ^ c > -2", lambda _b: True),
    ("c == 3 && !c[3]", lambda b: number(b) == 3),
    ("c[0] && c[1] && c[2]", lambda b: b[:3] == (1, 1, 1)),
    ("c[0] || c[1] || c == 12", lambda b: b[0] or b[1] or number(b) == 12),
    ("!(c[0] || c[1])", lambda b: not (b[0] or b[1])),
    ("!(c[0] && c[1])", lambda b: not (b[0] and b[1])),
    ("c[0] && (c[1] || !c[2])", lambda b: b[0] and (b[1] or not b[2])),
    ("c[0] && c[1] || c == 4", lambda b: b[:2] == (1, 1) or number(b) == 4),
    ("true && c[0]", lambda b: b[0]),
    ("false || c[0]", lambda b: b[0]),
    ("c[0] ^ c[1]", lambda b: b[0] ^ b[1]),
    ("c[0] ^ c[1] ^ c[2] ^ c[3]", lambda b: sum(b) % 2),
    ("!(c[0] ^ c[1] ^ c[2])", lambda b: sum(b[:3]) % 2 == 0),
    ("c[0] ^ true", lambda b: not b[0]),
    ("(c[0] ^ c[1]) == 0", lambda b: b[0] == b[1]),
    ("c[0] & c[1] | c[2]", lambda b: b[0] & b[1] | b[2]),
    ("c[0] == c[1]", lambda b: b[0] == b[1]),
    ("c[0] != c[1]", lambda b: b[0] != b[1]),
    ("c[0:1] == c[2:3]", lambda b: b[:2] == b[2:]),
    ("c[0:1] != c[2:3]", lambda b: b[:2] != b[2:]),
    ("(c == 3) == c[0]", lambda b: (number(b) == 3) == bool(b[0])),
    ("(c < 8) != (c > 2)", lambda b: (number(b) < 8) != (number(b) > 2)),
    ("(c == 3) == false", lambda b: number(b) != 3),
]


def test_a_condition_takes_the_right_branch(subtests: pytest.Subtests) -> None:
    for condition, holds in BRANCHES:
        with subtests.test(condition):
            circuit = with3(f"if ({condition}) x q[0]; else y q[0]; z q[0];")
            for bits in ALL_BITS:
                assert path(circuit, bits) == [["y", "x"][bool(holds(bits))], "z"], (
                    condition,
                    bits,
                )


def test_a_condition_of_version_2_compares_a_register() -> None:
    circuit = with2("if(c==5) x q[0]; z q[0];")
    assert [bits for bits in ALL_BITS if path(circuit, bits) == ["x", "z"]] == [(1, 0, 1, 0)]


def test_a_number_may_be_wider_than_64_bits() -> None:
    value = (1 << 100) + 1
    circuit = with3(f"if (c == {value}) x q[0];", n_bits=101)
    branch = circuit.ops[0]
    assert isinstance(branch, Branch)
    assert branch.value == str(value)


@for_each(
    "condition, reason",
    [
        ("q[0]", "a condition cannot read a qubit; measure it into a bit first"),
        ("c == 1.5", "measured bits cannot be combined with a float"),
        ('c == "01"', "4 bits are compared with a string of 2"),
        ("c[0:1] == c", "registers of different sizes cannot be compared"),
        ("c + 1 == 2", "'+' does not take measured bits; cast them to uint"),
        ("-c == 2", "'-' does not take measured bits; cast them to uint"),
        ("uint[4](c) ** 2 == 4", "'**' does not take measured bits"),
        ("uint[4](c) + 1.5 > 2", "measured bits cannot be combined with a float"),
        ("c & 16", "16 does not fit the 4 bits beside it"),
        ("c & -1", "-1 does not fit the 4 bits beside it"),
        ("c & c[0:2]", "'&' takes bits of one number, not 4 and 3"),
        ("(c & 3) == c[0:1]", "registers of different sizes cannot be compared"),
        ("c << 1.0", "measured bits cannot be combined with a float"),
        ("c << -1", "a shift is by an unsigned integer"),
        ("c << c", "a shift is by an unsigned integer"),
        ("(c == 1) << 1", "'<<' does not take a bool"),
        ("rotl(c)", "'rotl' takes 2 arguments, not 1"),
        ("rotl(5, uint[4](c))", "'rotl' takes a constant by a constant only"),
        ("rotl(c, c)", "'rotl' is by an integer; cast it to uint"),
        ("rotr(int[4](c), 1)", "'rotr' takes bits or a uint; cast to one of them"),
        ("popcount(c, c)", "'popcount' takes 1 arguments, not 2"),
        ("bit[3](c)", "4 bits need bit[4], not bit[3]"),
        ("(c & 3)[4]", "index 4 is out of range: the size is 4"),
        ("(c == 1)[0]", "only registers have an index"),
        ("(c == 1) == c", "a truth value is compared with a single bit only"),
        ("sin(c) > 0", "a value is needed that is known before the program runs"),
        ("c[0] & 2", "a bit is 0 or 1"),
        ("int[3](c) == 2", "4 measured bits need int[4] or wider"),
        ("uint[3](c) == 2", "4 measured bits need uint[4] or wider"),
        ("int[4](c) == uint[4](c)", "a signed number is compared with an unsigned one of fewer"),
        ("int[4](c) == c", "a signed number is compared with an unsigned one of fewer bits"),
        ("float(c) == 2", "measured bits cannot be cast to 'float'"),
        ("c[4]", "index 4 is out of range: the size is 4"),
        ("c[0][0]", "only registers have an index"),
        ("measure q[0]", "expected a value, found 'measure'"),
    ],
)
def test_what_no_branch_can_test_is_refused(condition: str, reason: str) -> None:
    assert reason in why3(f"if ({condition}) x q[0];")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("if(c[0]==1) x q[0];", "column 4: expected a register of bits, found 'c[0]'"),
        ("if(c>1) x q[0];", "column 5: expected '==' after the register of a condition"),
        ("if(c==-1) x q[0];", "column 7: expected a plain number, found '-'"),
        (
            "if(q==1) x q[0];",
            "column 5: a condition cannot read a qubit; measure it into a bit first",
        ),
        ("if(c==1) barrier q;", "column 10: expected a gate, 'measure' or 'reset'"),
        ("if(c==1) if(c==2) x q[0];", "column 10: expected a gate, 'measure' or 'reset'"),
    ],
)
def test_version_2_has_one_kind_of_condition(text: str, reason: str) -> None:
    assert reason in why2(text)


# --- the jumps themselves -------------------------------------------------------------------------


def conditions(n_bits: int = 4) -> st.SearchStrategy[Condition | bool]:
    tests = st.builds(
        make_test,
        st.lists(st.integers(0, n_bits - 1), min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        st.integers(-1, 8),
    )
    # Functions of four bits, each as the diagram that the jumps follow.
    logic = Logic(Work(1_000_000).count)
    variables = list(map(logic.bit, range(n_bits)))
    diagrams = st.lists(st.sampled_from(variables), min_size=2, max_size=8).map(
        lambda word: logic.condition(logic.popcount(tuple(word))[0])
    )
    return st.recursive(
        tests | diagrams | st.booleans(),
        lambda inner: st.one_of(
            inner.map(negate),
            *(
                st.lists(inner, min_size=1, max_size=4).map(combine)
                for combine in (all_of, any_of, odd_parity)
            ),
        ),
        max_leaves=12,
    )


def evaluate(condition: Condition | bool, bits: Bits) -> bool:
    """The meaning of a condition, written from the docstrings."""
    if isinstance(condition, bool):
        return condition
    match condition:
        case BitTest(clbits=clbits, relation=relation, value=value):
            return bool(eval(f"{number(bits, *clbits)} {relation} {value}"))
        case Not(term=term):
            return not evaluate(term, bits)
        case AllOf(terms=terms):
            return all(evaluate(term, bits) for term in terms)
        case AnyOf(terms=terms):
            return any(evaluate(term, bits) for term in terms)
        case OddParity(terms=terms):
            return sum(evaluate(term, bits) for term in terms) % 2 == 1
        case Decision(nodes=nodes):
            place = 0
            while place >= 0:
                place = nodes[place].one if bits[nodes[place].clbit] else nodes[place].zero
            return place == TRUE


@settings(derandomize=True)
@given(conditions(), st.booleans())
def test_jumps_follow_any_condition(condition: Condition | bool, wanted: bool) -> None:
    if isinstance(condition, bool):
        return
    ops: list[Op] = []
    flow, label = Flow(ops), Label()
    flow.jump_if(condition, wanted, label)
    ops.append(Gate("x", (0,)))
    flow.place(label)
    circuit = QubitCircuit(1, tuple(ops), (Register("c", 4),))
    for bits in ALL_BITS:
        goes = evaluate(condition, bits) is wanted
        assert path(circuit, bits) == ([] if goes else ["x"])
    assert all(op.skip >= 0 for op in ops if isinstance(op, Branch | Jump))


# --- variables that are measured bits -------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        ("int n = c; if (n == 5) x q[0];", lambda b: number(b) == 5),
        ("uint[4] n = c; if (n > 5) x q[0];", lambda b: number(b) > 5),
        ("int[4] n = c; if (n < 0) x q[0];", lambda b: b[3] == 1),
        ("int n; n = c[1:2]; if (n == 2) x q[0];", lambda b: number(b, 1, 2) == 2),
        ("bool f = c[2]; if (f) x q[0];", lambda b: b[2] == 1),
        ("bool f; f = c[2]; if (!f) x q[0];", lambda b: b[2] == 0),
        ("bool f = c[2]; if (f && c[1]) x q[0];", lambda b: b[2] == b[1] == 1),
        ("bool f = c[2]; if (f ^ c[1]) x q[0];", lambda b: b[2] != b[1]),
        ("bool f = c[2]; if (~f) x q[0];", lambda b: b[2] == 0),
        ("uint[1] f = c[2]; if (~f) x q[0];", lambda b: b[2] == 0),
        ("int n = c; n = 5; if (n == 5) x q[0];", lambda _: True),
        ("int n = c; switch (n) { case 1, 4 { x q[0]; } }", lambda b: number(b) in (1, 4)),
        ("int[4] n = c; switch (n) { case -1, 2, 15 { x q[0]; } }", lambda b: signed(b) in (-1, 2)),
        # as Qiskit writes a `switch` in an `if`
        (
            "int n; if (c[0]) { n = c; switch (n) { case 3 { x q[0]; } default {} } }",
            lambda b: number(b) == 3,
        ),
        (
            "for int i in [0:1] { int n = c; if (n == i + 3) x q[0]; }",
            lambda b: number(b) in (3, 4),
        ),
    ],
)
def test_a_variable_stands_for_the_bits_it_was_given(
    body: str, holds: Callable[[Bits], bool]
) -> None:
    circuit = with3(f"{body} h q[1];")
    for bits in ALL_BITS:
        assert path(circuit, bits) == ["x"] * holds(bits) + ["h"]


@for_each(
    "body",
    [
        "int n = c; c[2] = measure q[0]; if (n == 1) x q[0];",
        "bool f = c[2]; if (c[0]) { c = measure q; } if (f) x q[0];",
        "int n; if (c[0]) { n = c; } if (n == 1) x q[0];",
        "int n; if (c[0]) {} else { n = c; } if (n == 1) x q[0];",
        "int n; switch (c) { case 1 { n = c; } default { n = c; } } if (n == 1) x q[0];",
        "int n; for int i in [0:2] { if (c[0]) { continue; } n = c; } if (n == 1) x q[0];",
        "int n; for int i in [0:2] { if (n == 1) x q[0]; if (c[0]) { continue; } n = c; }",
        "int n; for int i in [0:2] { if (c[0]) { break; } n = c; } if (n == 1) x q[0];",
    ],
)
def test_a_variable_without_a_certain_value_is_refused(body: str) -> None:
    assert "'n' has no certain value here" in why3(body).replace("'f'", "'n'")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("const int n = c;", "a value is needed that is known before the program runs"),
        ("int n; if (c[0]) { n = 1; }", "the value would depend on a measurement"),
        ("float f = c;", "measured bits cannot be cast to 'float'"),
        ("bool f = c;", "measured bits become a 'bool' by a cast, bool(…), only"),
        ("int[3] n = c;", "4 measured bits need int[4] or wider"),
        ("int n = c; n = measure q;", "a measurement goes to bits"),
        ("int n = c; n[0] = measure q[0];", "a measurement goes to bits"),
        ("int n = c; let a = n;", "an alias joins qubits, or bits"),
    ],
)
def test_a_variable_of_bits_is_no_register(body: str, reason: str) -> None:
    assert reason in why3(body)


# --- measurements whose result is dropped ---------------------------------------------------------


def test_a_dropped_result_at_the_end_changes_nothing() -> None:
    assert listing(with3("h q; measure q;")) == ["h 0", "h 1", "h 2", "h 3"]
    text = "for int i in [0:2] { measure q[i]; } x q[3]; c[1] = measure q[1]; barrier q;"
    assert listing(with3(text)) == ["x 3", "measure 1 -> 1"]


def test_a_qubit_whose_result_was_dropped_goes_on_after_a_reset() -> None:
    assert listing(with3("measure q[0]; reset q[0]; x q[0];")) == ["reset 0", "x 0"]


@for_each(
    "body",
    [
        "measure q[0]; x q[0];",
        "measure q[0]; barrier q; cx q[1], q[0];",
        "measure q[0:1]; h q;",
        "gate g a { x a; } measure q[0]; g q[0];",
        "if (c[0]) { measure q[0]; } x q[0];",
        "measure q[0]; if (c[0]) { reset q[0]; } x q[0];",
        "let a = q[1:2]; measure a[0]; x q[1];",
    ],
)
def test_no_gate_may_follow_a_dropped_result(body: str) -> None:
    assert "was measured before and the result dropped" in why3(body)


def test_no_gate_may_follow_the_dropped_result_of_a_physical_qubit() -> None:
    with pytest.raises(InvalidProgram, match="the result dropped"):
        read3('include "stdgates.inc"; measure $0; barrier $0; x $0;')


def test_a_box_is_a_block() -> None:
    assert listing(with3("box { x q[0]; box { y q[0]; } }")) == ["x 0", "y 0"]
