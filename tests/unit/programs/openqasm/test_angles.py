"""Values of type `angle[n]` are n bits modulo 2π; values of type `float[n]` have n bits."""

from __future__ import annotations

import operator
import struct
from fractions import Fraction
from itertools import product
from math import cos, pi, sin, tau

import pytest

from support.for_each import for_each
from unit.programs.openqasm.corpus import HEAD_3
from unit.programs.openqasm.execution import distribution
from unit.programs.openqasm.reading import angles, listing, read3, why3, with3


def turns(declarations: str, expression: str) -> float:
    """The value of an expression, in turns."""
    return angles(with3(f"{declarations} rz({expression}) q[0];"))[0] / tau


def holds(declarations: str, condition: str) -> bool:
    circuit = with3(f"{declarations} if ({condition}) x q[0]; else y q[0];")
    return listing(circuit) == ["x 0"]


# The specification's own examples ("Classical bits and registers", "Angles", "Casting"), with the
# bit patterns that it gives them.
OF_THE_SPECIFICATION = [
    ("angle[20] a = pi / 2;", "a", "0100"),
    ("angle[4] a = 9 * (pi / 8);", "a", "1001"),
    ("angle[4] a = 9 * (pi / 8);", "a << 2", "0100"),
    ("angle[4] a = 9 * (pi / 8);", "a >> 2", "0010"),
    ("angle[4] a = 7 * (pi / 8); angle[4] b = pi / 8;", "a + b", "1000"),
    ("angle[4] a = 7 * (pi / 8); angle[4] b = pi / 8;", "b - a", "1010"),
    ("angle[4] a = 7 * (pi / 8); uint[4] two = 2;", "a / two", "0011"),
    ("angle[4] d = 5 * (pi / 4); uint[4] two = 2;", "two * d", "0100"),
    ("angle[4] a = pi / 4;", "-a", "1110"),
    ("angle[4] a = pi / 4;", "(~a) + pi / 8", "1110"),
    ("angle[6] a = pi;", "angle[4](a)", "1000"),
    ('angle[4] a = angle[4]("1011");', "a", "1011"),
]


@for_each("example", OF_THE_SPECIFICATION)
def test_angles_are_as_in_the_specification(example: tuple[str, str, str]) -> None:
    declarations, expression, bits = example
    assert turns(declarations, expression) == pytest.approx(int(bits, 2) / 16)


@for_each("bits", range(8))
def test_arithmetic_is_that_of_unsigned_integers(bits: int) -> None:
    for other in range(8):
        text = f"angle[3] a = {bits} * pi / 4; angle[3] b = {other} * pi / 4; uint[3] n = {other};"
        results = {
            "a + b": bits + other,
            "a - b": bits - other,
            "-a": -bits,
            "~a": ~bits,
            "a & b": bits & other,
            "a | b": bits | other,
            "a ^ b": bits ^ other,
            "a * n": bits * other,
            "n * a": bits * other,
            "a << n": bits << other,
            "a >> n": bits >> other,
        }
        if other:
            results["a / n"] = bits // other
            assert turns(text, "(a / b) * 1.0") == pytest.approx((bits // other) / tau)
        for expression, result in results.items():
            assert turns(text, expression) == result % 8 / 8, (expression, other)
        for name in ("lt", "le", "eq", "ne", "gt", "ge"):
            symbol = {"lt": "<", "le": "<=", "eq": "==", "ne": "!=", "gt": ">", "ge": ">="}[name]
            assert holds(text, f"a {symbol} b") == getattr(operator, name)(bits, other), symbol


def test_a_float_becomes_the_nearest_angle() -> None:
    for width, value in product((1, 2, 3, 7, 20, 32, 52), (0.1, 1, 2.5, pi, 6.2, 100.0, -0.3)):
        exact = Fraction(value) / Fraction(tau) % 1
        error = abs(Fraction(turns(f"angle[{width}] a = {value};", "a")) - exact)
        assert min(error, 1 - error) <= Fraction(1, 2 << width) + Fraction(1, 10**15)


def test_a_tie_goes_to_the_even_angle() -> None:
    nearest = [turns("", f"angle[2]({k} * pi / 4)") * 4 for k in range(8)]
    assert nearest == [0, 0, 1, 2, 2, 2, 3, 0]
    narrower = [turns(f"angle[3] a = {k} * pi / 4;", "angle[2](a)") * 4 for k in range(8)]
    assert narrower == nearest


@for_each(
    "case",
    [
        # 5π/2 and π/2 are one angle, and -π/2 is 3π/2.
        ("angle[20] a = 5 * pi / 2; angle[20] b = pi / 2;", "a == b", True),
        ("angle[20] a = -pi / 2; angle[20] b = pi / 2;", "a > b", True),
        ("angle[32] d = pi;", "d == pi", True),
        ("angle[32] d = pi;", "pi + tau == d", True),
        ("angle[3] a = 3 * pi / 2;", "2 * a >= a", False),
        ("angle[4] a = pi;", "a == angle[9](a)", True),
        ("angle[4] a = 0;", "!a && !bool(a)", True),
        ("angle[4] a = pi / 8;", "bool(a) && a[0] && !a[1] && a[-4]", True),
        ("angle[4] a = 9 * pi / 8;", 'bit[4](a) == "1001" && a[1:3] == "100"', True),
        ("angle[4] a = 9 * pi / 8;", 'a[{3, 0, 1}] == "011" && popcount(a) == 2', True),
        ("angle[4] a = 5 * pi / 8; angle[4] b = pi / 4;", "a / b == 2", True),
        ("int n = 11;", 'n[0:2] == "011" && n[{3, 2}] == "01"', True),
        ("angle[4] a = 9 * pi / 8;", "rotl(a, 1) == 3 * pi / 8 && rotr(a, 5) == 3 * pi / 2", True),
        (
            "uint[6] b = 37;",
            "popcount(b) == 3 && rotl(b, 3) == 44 && rotr(uint[4](9), -1) == 3",
            True,
        ),
        ("", 'rotl("10001111", 2) == "00111110"', True),
        ("angle[30] a = pi / 3;", "sin(a) == sin(float(a)) && cos(a) < 0.50001", True),
        ("angle[4] a; a = pi / 8; a += pi / 4; a *= 5; a -= pi;", "a == 7 * pi / 8", True),
        ("angle[4] a = pi; a /= 4; a <<= 1; a |= angle[4](pi / 8);", "a == 5 * pi / 8", True),
    ],
)
def test_angles_are_compared_and_cast(case: tuple[str, str, bool]) -> None:
    declarations, condition, expected = case
    assert holds(declarations, condition) is expected


def test_a_plain_angle_has_64_bits() -> None:
    assert turns("angle a = -pi / 2;", "a") == 0.75
    assert holds("angle a = 1.0; angle[64] b = 1.0;", "bit[64](a) == bit[64](b)")
    assert turns("angle a = 1.0;", "a") == pytest.approx(1 / tau, rel=1e-15)


def test_a_gate_gets_the_rounded_angle() -> None:
    head = f"{HEAD_3}qubit[2] q; bit c;"
    rotated = distribution(read3(f"{head} angle[4] a = pi / 3; rx(a) q[0]; c = measure q[0];"))
    assert rotated[(1,)] == pytest.approx(sin(3 * pi / 16) ** 2)
    # As a float, 2π would flip the phase of the control.
    turned = "angle[8] a = 2 * pi; h q[0]; ctrl @ rx(a) q[0], q[1]; h q[0]; c = measure q[0];"
    assert distribution(read3(f"{head} {turned}")) == pytest.approx({(0,): 1})
    given = read3(f"{HEAD_3}input angle[3] a; qubit q; rx(a) q;", inputs={"a": 0.8 + tau})
    assert angles(given) == [pi / 4]


@for_each(
    "case",
    [
        ("angle[4] a; rz(a * 0.5) q[0];", "'*' does not take an angle and a float"),
        ("angle[4] a; rz(0.5 / a) q[0];", "'/' does not take a float and an angle"),
        ("angle[4] a; rz(2 / a) q[0];", "'/' does not take an integer and an angle"),
        ("angle[4] a; rz(a % pi) q[0];", "'%' does not take an angle and a float"),
        ("angle[4] a; rz(a ** a) q[0];", "'**' does not take an angle; cast it to float"),
        ("angle[4] a; rz(a & 1) q[0];", "'&' does not take an angle and an integer"),
        ('angle[4] a; rz(a + "0001") q[0];', "'+' does not take an angle and a bit string"),
        ("angle[4] a; rz(a / 0) q[0];", "division by zero"),
        ("angle[4] a; rz(a / a) q[0];", "division by zero"),
        ("angle[4] a; rz(a / -2) q[0];", "an angle is not divided by a negative"),
        ("angle[4] a; rz(a << -1) q[0];", "a shift is by 0 or more bits"),
        ("angle[4] a; rz(sqrt(a)) q[0];", "'sqrt' does not take an angle; cast it to float"),
        ("angle[4] a; float f = a;", "an angle is not converted to float; write float(…)"),
        ("angle[4] a; int n = int(a);", "an angle is not converted to int; cast it to float or"),
        ("angle[4] a; bool b = true; a = b;", "a bool cannot become an angle"),
        ("angle[4] a; rz(float(bit[3](a))) q[0];", "the angle has 4 bits, not 3"),
        ("angle[4] a; if (bit(a)) x q[0];", "the angle has 4 bits, not 1"),
        ('angle[4] a = angle[4]("101");', "the bit string has 3 bits, not 4"),
        ("angle[4] a; if (a[4]) x q[0];", "index 4 is out of range: the size is 4"),
        ("angle[4] a; x q[a];", "an integer is needed here, not an angle"),
        ("angle[4] a; if (c == a) x q[0];", "measured bits cannot be combined with an angle"),
        ("angle[4] a; switch (c) { case a { x q[0]; } }", "a case is an integer, not an angle"),
        ("angle[0] a;", "a size is 1 to 10,000 bits, not 0"),
        ("angle[65] a;", "angle[65] is not supported; an angle has at most 64 bits"),
        ("float[20] f;", "float[20] is not supported; a float has 16, 32 or 64 bits"),
        ("float[32] f = 1e39;", "the value does not fit float[32]"),
    ],
)
def test_what_no_angle_or_float_can_be_is_refused(case: tuple[str, str]) -> None:
    text, reason = case
    assert reason in why3(text)


@for_each("kind", [(16, "e"), (32, "f"), (64, "d")])
def test_a_float_has_the_bits_of_its_type(kind: tuple[int, str]) -> None:
    width, letter = kind
    (rounded,) = struct.unpack(letter, struct.pack(letter, pi / 3))
    text = f"float[{width}] f = pi / 3; rz(f) q[0]; rz(float[{width}](pi / 3)) q[0];"
    assert angles(with3(text)) == [rounded] * 2
    assert angles(with3("float f = pi / 3; rz(f) q[0];")) == [pi / 3]
    assert cos(rounded) == pytest.approx(0.5, abs=1e-3)
