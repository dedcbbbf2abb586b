"""Qiskit's classical expressions, and the same in OpenQASM 3, for all values of the bits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit.classical import expr, types

from qwicket.circuits.qubit import Branch, QubitCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ibm import primitives
from support import pubs
from support.for_each import for_each
from unit.programs.openqasm.corpus import HEAD_3
from unit.programs.openqasm.execution import path
from unit.programs.openqasm.reading import read3

PAIRS = list(product(range(8), repeat=2))
UINT = types.Uint


def read(build: Callable[[QuantumCircuit, Any, Any], Any], width: int = 3) -> QubitCircuit:
    """The circuit that runs `x` where an expression of two registers holds."""
    a, b = ClassicalRegister(width, "a"), ClassicalRegister(width, "b")
    circuit = QuantumCircuit(1)
    circuit.add_register(a, b)
    build(circuit, a, b)
    source = pubs.source("sampler", [pubs.circuit(circuit)])
    (found,) = primitives.read(source, Limits())
    return found


def if_test(condition: Any) -> Callable[[QuantumCircuit, Any, Any], None]:
    def build(circuit: QuantumCircuit, a: Any, b: Any) -> None:
        with circuit.if_test(condition(a, b)):
            circuit.x(0)

    return build


def runs(circuit: QubitCircuit, a: int, b: int, width: int = 3) -> bool:
    bits = [value >> place & 1 for value in (a, b) for place in range(width)]
    return path(circuit, bits) == ["x"]


class Case(NamedTuple):
    """An expression of Qiskit, its text in OpenQASM 3, and its meaning in Python."""

    build: Callable[[Any, Any], Any]
    text: str
    python: str


CASES = [
    Case(lambda a, _b: expr.index(a, 0), "a[0]", "a & 1"),
    Case(lambda a, b: expr.index(a, b), "bool((a >> uint[3](b)) & 1)", "a >> b & 1"),
    Case(lambda a, b: expr.equal(a, b), "a == b", "a == b"),
    Case(lambda a, b: expr.equal(a[0], b[0]), "a[0] == b[0]", "a & 1 == b & 1"),
    Case(lambda a, b: expr.not_equal(a[0], b[2]), "a[0] != b[2]", "a & 1 != b >> 2"),
    Case(lambda a, b: expr.not_equal(a, b), "a != b", "a != b"),
    Case(lambda a, b: expr.less(a, b), "a < b", "a < b"),
    Case(lambda a, b: expr.greater_equal(a, b), "a >= b", "a >= b"),
    Case(lambda a, _b: expr.equal(expr.bit_and(a, 3), 1), "(a & 3) == 1", "a & 3 == 1"),
    Case(lambda a, b: expr.equal(expr.bit_or(a, b), 7), "(a | b) == 7", "a | b == 7"),
    Case(lambda a, b: expr.less(expr.bit_xor(a, b), 4), "(a ^ b) < 4", "a ^ b < 4"),
    Case(lambda a, _b: expr.equal(expr.bit_not(a), 2), "~a == 2", "~a & 7 == 2"),
    Case(lambda a, _b: expr.equal(expr.shift_left(a, 1), 2), "(a << 1) == 2", "a << 1 & 7 == 2"),
    Case(
        lambda a, b: expr.equal(expr.shift_left(a, b), 4),
        "(a << uint[3](b)) == 4",
        "a << b & 7 == 4",
    ),
    Case(
        lambda a, b: expr.equal(expr.shift_right(a, b), 1), "(a >> uint[3](b)) == 1", "a >> b == 1"
    ),
    Case(
        lambda a, b: expr.equal(expr.add(a, b), 2),
        "uint[3](a) + uint[3](b) == 2",
        "(a + b) % 8 == 2",
    ),
    Case(lambda a, _b: expr.equal(expr.add(a, 1), 0), "uint[3](uint[3](a) + 1) == 0", "a == 7"),
    Case(
        lambda a, b: expr.greater(expr.sub(a, b), 5),
        "uint[3](a) - uint[3](b) > 5",
        "(a - b) % 8 > 5",
    ),
    Case(
        lambda a, b: expr.equal(expr.mul(a, b), 4),
        "uint[3](a) * uint[3](b) == 4",
        "a * b % 8 == 4",
    ),
    Case(
        lambda a, b: expr.equal(expr.div(a, b), 2),
        "uint[3](a) / uint[3](b) == 2",
        "(a // b if b else 7) == 2",
    ),
    Case(
        lambda a, _b: expr.equal(expr.cast(a, UINT(2)), 3), "uint[2](uint[3](a)) == 3", "a & 3 == 3"
    ),
    Case(
        lambda a, _b: expr.cast(expr.cast(a, UINT(1)), types.Bool()),
        "bool(uint[1](uint[3](a)))",
        "a & 1",
    ),
    Case(
        lambda a, b: expr.equal(expr.add(expr.cast(a, UINT(5)), expr.cast(b, UINT(5))), 9),
        "uint[5](a) + uint[5](b) == 9",
        "a + b == 9",
    ),
    Case(
        lambda a, b: expr.equal(expr.cast(expr.less(a, b), UINT(3)), expr.bit_and(a, 1)),
        "uint[3](a < b) == uint[3](a & 1)",
        "(a < b) == a & 1",
    ),
    Case(
        lambda a, b: expr.logic_and(expr.less(a, b), expr.logic_not(expr.index(a, 1))),
        "a < b && !a[1]",
        "a < b and not a & 2",
    ),
    Case(
        lambda a, b: expr.bit_xor(expr.less(a, b), expr.equal(expr.bit_and(a, b), 1)),
        "(a < b) ^ ((a & b) == 1)",
        "(a < b) != (a & b == 1)",
    ),
    Case(lambda a, b: expr.cast(expr.bit_and(a, b), types.Bool()), "bool(a & b)", "a & b"),
    Case(lambda a, _b: expr.less(5, expr.bit_or(a, 1)), "5 < (a | 1)", "5 < a | 1"),
]


def test_both_languages_compute_as_python_does() -> None:
    for case in CASES:
        from_qpy = read(if_test(case.build))
        text = f"qubit q; bit[3] a; bit[3] b; if ({case.text}) x q;"
        from_text = read3(HEAD_3 + text)
        for a, b in PAIRS:
            holds = bool(eval(case.python, {"a": a, "b": b}))
            assert runs(from_qpy, a, b) is holds, (case.text, a, b)
            assert runs(from_text, a, b) is holds, (case.text, a, b)


def test_a_switch_may_compute() -> None:
    def build(circuit: QuantumCircuit, a: Any, b: Any) -> None:
        with circuit.switch(expr.bit_xor(a, b)) as case:
            with case(1, 6):
                circuit.x(0)
            with case(case.DEFAULT):
                circuit.y(0)

    circuit = read(build)
    for a, b in PAIRS:
        assert runs(circuit, a, b) is (a ^ b in (1, 6))


def test_a_condition_on_twenty_bits_is_small_and_one_on_more_refused() -> None:
    circuit = read(if_test(lambda a, b: expr.less(a, b)), 10)
    assert sum(isinstance(op, Branch) for op in circuit.ops) <= 60
    assert runs(circuit, 511, 512, 10)
    assert not runs(circuit, 512, 512, 10)
    reason = (
        r"instruction 0 \('if_else'\): the condition computes with 22 measured bits, at most 20"
    )
    with pytest.raises(LimitExceeded, match=reason):
        read(if_test(lambda a, b: expr.less(a, b)), 11)
    assert len(read(if_test(lambda a, b: expr.equal(a, b)), 40).ops) < 300


@for_each(
    "case",
    [
        (lambda a, _b: expr.less(expr.cast(a, types.Float()), 0.5), r"computes with Float\(\)"),
        (lambda _a, _b: expr.less(expr.lift(1.5), 0.5), r"computes with Float\(\)"),
    ],
)
def test_what_is_no_number_of_bits_is_refused(case: tuple[Any, str]) -> None:
    condition, reason = case
    with pytest.raises(InvalidProgram, match=reason):
        read(if_test(condition))
