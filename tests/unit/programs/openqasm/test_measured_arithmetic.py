"""Conditions that compute with measured bits, compared with Python for all values of the bits."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product
from math import pi, sin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.qubit import Branch, QubitCircuit
from qwicket.model.errors import LimitExceeded
from support.for_each import for_each
from unit.programs.openqasm.corpus import HEAD_3
from unit.programs.openqasm.execution import distribution, path
from unit.programs.openqasm.reading import read3

N = 3
MASK = (1 << N) - 1
PAIRS = list(product(range(1 << N), repeat=2))


def on_registers(body: str) -> QubitCircuit:
    """A program on the registers a and b of three bits each."""
    return read3(f"{HEAD_3}qubit[2] q; bit[{N}] a; bit[{N}] b;\n{body}")


def runs(circuit: QubitCircuit, a: int, b: int) -> bool:
    """Whether `x` runs when the registers have these values."""
    bits = [value >> place & 1 for value in (a, b) for place in range(N)]
    return path(circuit, bits) == ["x"]


def signed(value: int, width: int = N) -> int:
    value &= (1 << width) - 1
    return value - (value >> width - 1 << width)


def rotl(value: int, by: int) -> int:
    return (value << by % N | value >> N - by % N) & MASK


def value(python: str, a: int, b: int) -> bool:
    """The truth of an expression in Python."""
    names = {"a": a, "b": b, "MASK": MASK, "signed": signed, "rotl": rotl}
    return bool(eval(python, names))


# What each condition means, in Python.
CONDITIONS: dict[str, str] = {
    # masks and bits
    "(a & 3) == 1": "a & 3 == 1",
    "(a & 2) == 0": "a & 2 == 0",
    "(5 ^ a) > 3": "a ^ 5 > 3",
    '(a | "001") == b': "a | 1 == b",
    "a & b": "a & b",
    "!(a ^ b)": "a == b",
    "(a & b | 1) == (b ^ 6)": "a & b | 1 == b ^ 6",
    "~a == 2": "~a & MASK == 2",
    "(~a & b) != 0": "~a & b & MASK",
    "(a ^ b)[1]": "(a ^ b) >> 1 & 1",
    "(~a)[0:1] == 2": "~a & 3 == 2",
    '(a & b)[{2, 0}] == "10"': "(a & b) & 5 == 1",
    "a[0] & b[0] ^ (a == b)": "a & b & 1 ^ (a == b)",
    "bool(a & 4) && b[1]": "a & 4 and b & 2",
    # shifts and rotations: bits that leave the type are lost
    "(a << 1) == 2": "a << 1 & MASK == 2",
    "(a >> 1) == (b & 1)": "a >> 1 == b & 1",
    "(uint[3](a) << 2) > 0": "a << 2 & MASK",
    "(a << uint[3](b)) == 4": "(a << b) & MASK == 4",
    "(a >> uint[3](b)) == 1": "a >> b == 1",
    "(1 << uint[3](b)) > 7": "1 << b > 7",
    "(int[3](a) >> 1) == -2": "signed(a) >> 1 == -2",
    "(a << 100) == 0": "True",
    "rotl(a, 1) == 3": "rotl(a, 1) == 3",
    "rotr(a, 1) == b": "rotl(a, -1) == b",
    "rotl(a, -4) == 1": "rotl(a, -4) == 1",
    "rotl(uint[3](a), uint[3](b)) == 5": "rotl(a, b) == 5",
    "popcount(a) == 2": "a.bit_count() == 2",
    "popcount(a) > popcount(b)": "a.bit_count() > b.bit_count()",
    "popcount(a & b) < 1": "not a & b",
    # comparisons
    "a > b": "a > b",
    "a <= b": "a <= b",
    "a[0:1] < b[{0, 2}]": "a & 3 < (b & 1 | b >> 1 & 2)",
    "uint[3](a) >= uint[5](b[0:1])": "a >= b & 3",
    "uint[4](a) == uint[3](b)": "a == b",
    "int[3](a) < int[3](b)": "signed(a) < signed(b)",
    "int[3](a) == int[4](b)": "signed(a) == b",
    "int[4](a) > uint[3](b)": "a > b",
    "int[3](a) >= int[2](b[0:1])": "signed(a) >= signed(b, 2)",
    "int[3](a) != int[2](b[0:1])": "signed(a) != signed(b, 2)",
    "(a < b) == a[0]": "(a < b) == (a & 1)",
    "(a < b) ^ (a > 2)": "(a < b) != (a > 2)",
    # arithmetic of one width wraps; a number in the text is an int of 64 bits, as in C
    "uint[3](a) + uint[3](b) == 2": "(a + b) % 8 == 2",
    "uint[3](a) - uint[3](b) == 6": "(a - b) % 8 == 6",
    "uint[3](a) * uint[3](b) == 4": "a * b % 8 == 4",
    "uint[4](a) + uint[3](b) == 9": "a + b == 9",
    "uint[6](a) * uint[6](b) > 20": "a * b > 20",
    "uint[3](a) + 1 == 8": "a + 1 == 8",
    "uint[3](a) - 3 < 0": "a < 3",
    "2 * uint[3](a) > uint[3](b) + 5": "2 * a > b + 5",
    "uint[3](uint[3](a) + 1) == 0": "a == 7",
    "uint[2](uint[3](a)) == 1": "a & 3 == 1",
    "uint[3](a) / 3 == 1": "a // 3 == 1",
    "uint[3](a) % 3 == uint[3](b) % 2": "a % 3 == b % 2",
    "uint[3](a) / uint[3](b) == 2": "(a // b if b else 7) == 2",
    "uint[3](a) % uint[3](b) == 2": "(a % b if b else a) == 2",
    "7 / uint[3](b) == 7": "b in (0, 1) and b == 1",
    "int[3](a) / 2 == -1": "int(signed(a) / 2) == -1",
    "int[3](a) % 3 == -1": "signed(a) < 0 and signed(a) % -3 == -1",
    "-int[3](a) == 3": "signed(a) == -3",
    "-uint[3](a) == 3": "-a & MASK == 3",
    "~uint[4](a) > 9": "~a & 15 > 9",
    "int[4](a) - int[4](b) < -2": "a - b < -2",
    "uint(a) + uint(b) == 12": "a + b == 12",
    # casts
    "bool(uint[3](a) - uint[3](b))": "a != b",
    "bit[3](uint[3](a) + uint[3](b))[2]": "(a + b) >> 2 & 1",
    "int[8](int[3](a)) + 2 < 0": "signed(a) + 2 < 0",
    "uint[3](int[3](a)) > 4": "a > 4",
    "uint[2](a == b) + uint[2](b > 2) == 2": "a == b > 2",
    "uint[2](a[0]) + uint[2](a[1]) + uint[2](a[2]) >= 2": "a.bit_count() >= 2",
    "int[8](a == 3 && b[1]) == 1": "a == 3 and b & 2",
}


def test_conditions_compute_as_python_does(subtests: pytest.Subtests) -> None:
    for text, holds in CONDITIONS.items():
        with subtests.test(text):
            circuit = on_registers(f"if ({text}) x q[0];")
            wrong = [(a, b) for a, b in PAIRS if runs(circuit, a, b) is not value(holds, a, b)]
            assert wrong == []


PROGRAMS: dict[str, str] = {
    "uint[3] s = uint[3](a) + uint[3](b); if (s == 1) x q[0];": "(a + b) % 8 == 1",
    "uint[2] s = uint[3](a) + 1; if (s == 0) x q[0];": "a % 4 == 3",
    "uint[4] s = a; s += uint[4](b); s <<= 1; if (s == 6) x q[0];": "(a + b) * 2 % 16 == 6",
    "bool f = a < b; if (!f) x q[0];": "a >= b",
    "bool f = a == 3; bool g = f ^ b[0]; if (g && f) x q[0];": "a == 3 and not b & 1",
    "const uint[3] k = 5; if (uint[3](a) + k == 2) x q[0];": "(a + 5) % 8 == 2",
    "uint[3] k = 5; if ((uint[3](a) & k) == 4) x q[0];": "a & 5 == 4",
    "switch (a ^ b) { case 1, 6 { x q[0]; } default {} }": "a ^ b in (1, 6)",
    "switch (uint[3](a) - uint[3](b)) { case 7 { x q[0]; } }": "(a - b) % 8 == 7",
    "for int i in [0:7] { if ((a ^ b) == i && i == 5) { x q[0]; break; } }": "a ^ b == 5",
    "let half = a[1:2]; if ((half | b[0:1]) == 3) x q[0];": "(a >> 1) | (b & 3) == 3",
    "uint[3] n = a; if (n[1] && n[0:1] == 2) x q[0];": "a & 3 == 2",
}


def test_variables_switches_and_loops_hold_computed_values(subtests: pytest.Subtests) -> None:
    for text, holds in PROGRAMS.items():
        with subtests.test(text):
            circuit = on_registers(text)
            wrong = [(a, b) for a, b in PAIRS if runs(circuit, a, b) is not value(holds, a, b)]
            assert wrong == []


Expression = tuple[str, Callable[[int, int], int]]
OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "/": lambda left, right: left // right if right else MASK,
    "%": lambda left, right: left % right if right else left,
}


def joined(symbol: str, left: Expression, right: Expression) -> Expression:
    compute = OPERATORS[symbol]
    return (
        f"({left[0]} {symbol} {right[0]})",
        lambda a, b: compute(left[1](a, b), right[1](a, b)) & MASK,
    )


LEAVES: list[Expression] = [
    ("uint[3](a)", lambda a, _b: a),
    ("uint[3](b)", lambda _a, b: b),
    # Measured, because two constants would make a constant, whose integers have no width.
    *((f"uint[3](uint[3](a) * 0 + {n})", lambda _a, _b, n=n: n) for n in (0, 1, 3, 7)),
]
EXPRESSIONS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.builds(joined, st.sampled_from(list(OPERATORS)), inner, inner),
    max_leaves=8,
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(EXPRESSIONS, st.sampled_from(["==", "<", ">="]), st.integers(0, 7))
def test_any_expression_computes_as_python_does(
    expression: Expression, relation: str, number: int
) -> None:
    text, compute = expression
    circuit = on_registers(f"if ({text} {relation} {number}) x q[0];")
    holds = {"==": operator.eq, "<": operator.lt, ">=": operator.ge}[relation]
    wrong = [(a, b) for a, b in PAIRS if runs(circuit, a, b) is not holds(compute(a, b), number)]
    assert wrong == []


# --- outcomes -------------------------------------------------------------------------------------


@for_each("n", range(4))
def test_a_measured_sum_rotates_a_qubit(n: int) -> None:
    """Each of four equal outcomes turns by as many eighths as its bits say: the mean is exact."""
    text = f"""{HEAD_3}qubit[3] q; bit[2] a; bit d; h q[0]; h q[1]; a = measure q[0:1];
for int i in [1:4] {{ if (uint[2](a) + {n} >= i) ry(pi / 8) q[2]; }} d = measure q[2];"""
    expected = sum(sin(min(k + n, 4) * pi / 16) ** 2 for k in range(4)) / 4
    outcomes = distribution(read3(text))
    assert sum(p for bits, p in outcomes.items() if bits[2]) == pytest.approx(expected)


# --- bounds ---------------------------------------------------------------------------------------


def wide(condition: str, n_bits: int = 10) -> QubitCircuit:
    text = f"qubit q; bit[{n_bits}] a; bit[{n_bits}] b; if ({condition}) x q;"
    return read3(HEAD_3 + text)


@for_each(
    "case",
    [
        # Each is a diagram of few tests for each bit, although the condition is on twenty bits.
        ("a < b", 3, lambda a, b: a < b),
        ("uint[10](a) + uint[10](b) == 300", 6, lambda a, b: (a + b) % 1024 == 300),
        ("(a ^ b) == 77", 3, lambda a, b: a ^ b == 77),
        ("popcount(a) == popcount(b)", 12, lambda a, b: a.bit_count() == b.bit_count()),
        ("(a & 1023) == 5 && b > 7", 3, lambda a, b: a == 5 and b > 7),
    ],
)
def test_a_condition_on_twenty_bits_is_small(
    case: tuple[str, int, Callable[[int, int], bool]],
) -> None:
    condition, tests_of_a_bit, holds = case
    circuit = wide(condition)
    assert sum(isinstance(op, Branch) for op in circuit.ops) <= tests_of_a_bit * 20
    for a, b in [(0, 0), (5, 8), (5, 7), (1023, 1), (700, 624), (77, 0), (512, 589), (300, 0)]:
        bits = [value >> place & 1 for value in (a, b) for place in range(10)]
        assert path(circuit, bits) == ["x"] * holds(a, b), (a, b)


def test_every_shot_tests_each_bit_at_most_once() -> None:
    circuit = wide("uint[10](a) * uint[10](b) % 7 == 3")
    position = tests = 0
    while position < len(circuit.ops):
        op = circuit.ops[position]
        tests += isinstance(op, Branch)
        # Bits that are all 1 never skip.
        position += 1 + (getattr(op, "skip", 0) if not isinstance(op, Branch) else 0)
    assert tests <= 20


def test_a_condition_on_more_bits_is_refused_with_their_number() -> None:
    reason = "the condition computes with 22 measured bits, at most 20 are allowed"
    with pytest.raises(LimitExceeded, match=f"line 3, column 48: {reason}"):
        wide("popcount(a) > popcount(b)", 11)
    # What needs no computing, or fewer bits, is not bounded.
    for condition in ("a == b", "a < 3000", "(a & 3) == (b & 2)", "a[0] ^ b[39]", "(a >> 38) < 2"):
        assert len(wide(condition, 40).ops) < 300


@for_each(
    "body",
    [
        "uint[9999] n = 1; for int i in [0:1000] { n = n & uint[9999](c); }",
        "uint[9999] n = c; for int i in [0:1000] { n = n << 1; }",
        "uint[9999] n = c; for int i in [0:1000] { n = ~n; n = rotl(n, 5); }",
        "for int i in [0:1000] { if (popcount(c) * popcount(c) % (i + 1) == 1) x q; }",
    ],
)
def test_work_on_measured_bits_is_bounded(body: str) -> None:
    with pytest.raises(LimitExceeded, match="more than 2,000,000 steps"):
        read3(f"{HEAD_3}qubit q; bit[20] c; {body}")
