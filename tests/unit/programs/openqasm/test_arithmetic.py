"""Constant expressions, as both languages compute them."""

from __future__ import annotations

from math import e, pi, tau

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.for_each import for_each
from unit.programs.openqasm.reading import angles, listing, why2, why3, with2, with3


def angle2(expression: str) -> float:
    return angles(with2(f"rz({expression}) q[0];"))[0]


def angle3(expression: str) -> float:
    return angles(with3(f"rz({expression}) q[0];"))[0]


@for_each(
    "expression, value",
    [
        ("pi", pi),
        ("-pi/2", -pi / 2),
        ("3*pi/4", 3 * pi / 4),
        ("1/2", 0.5),
        ("2^3", 8),
        ("2^3^2", 512),
        ("-2^2", -4),
        ("2^-1", 0.5),
        ("(1+2)*3-4/8", 8.5),
        ("1-2-3", -4),
        ("8/4/2", 1),
        ("--1", 1),
        ("sin(pi/6)", 0.5),
        ("cos(0)+tan(0)", 1),
        ("exp(1)", e),
        ("ln(exp(2))", 2),
        ("sqrt(2)^2", 2),
        ("acos(0)", pi / 2),
        (".5e1", 5),
    ],
)
def test_version_2_computes_with_reals(expression: str, value: float) -> None:
    assert angle2(expression) == pytest.approx(value)


@for_each(
    "expression, value",
    [
        ("π", pi),
        ("tau", tau),
        ("τ/2", pi),
        ("euler", e),
        ("ℇ", e),
        ("2**3**2", 512),
        ("-2**2", -4),
        ("2**-1", 0.5),
        ("1/2", 0),  # integers divide as integers do (specification, "Integers")
        ("-7/2", -3),
        ("7%-4", 3),
        ("-7%4", -3),
        ("1.0/2", 0.5),
        ("7.5%2", 1.5),
        ("1 << 4 >> 1", 8),
        ("6 & 3 | 8 ^ 1", 11),
        ("1 + 2 << 1", 6),
        ("0x1F + 0b11 + 0o7", 41),
        ("1_000", 1000),
        ("arcsin(1)", pi / 2),
        ("arccos(-1)", pi),
        ("arctan(1.0)*4", pi),
        ("log(euler)", 1),
        ("floor(2.7) + ceiling(2.2)", 5),
        ("mod(7, 4)", 3),
        ("mod(-7.5, 2)", -1.5),
        ("pow(2, 10)", 1024),
        ('popcount("1011")', 3),
        ("float(7) / 2", 3.5),
        ("int(2.9)", 2),
        ('uint[4]("1010")', 10),
        ("float(true)", 1),
        ("int[8](bool(5))", 1),
        ("exp(0)", 1),
    ],
)
def test_version_3_computes_with_types(expression: str, value: float) -> None:
    assert angle3(expression) == pytest.approx(value)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("1 < 2", True),
        ("2 <= 1", False),
        ("1 == 1.0", True),
        ("1 != 1 || 2 > 1 && 3 >= 3", True),
        ("!(1 == 1)", False),
        ("!0", True),
        ("~true", False),
        ("true & false | true ^ true", False),
        ('"101" == 5', True),
        ('~"101" == "010"', True),
        ("true == (1 < 2)", True),
        ("false && 1 / 0 == 1 - 1 / 1", False),
    ],
)
def test_conditions_on_constants_are_settled_while_reading(condition: str, holds: bool) -> None:
    names = {True: ["x 0"], False: ["y 0"]}
    text = f"const int zero = 0; if ({condition.replace('/ 0', '/ zero')}) x q[0]; else y q[0];"
    assert listing(with3(text)) == names[holds]


@for_each(
    "expression, reason",
    [
        ("1/0", "column 5: division by zero"),
        ("1 % 0", "column 6: division by zero"),
        ("1.0/0", "column 7: division by zero"),
        ("sqrt(-1)", "column 4: sqrt(-1) is not defined"),
        ("log(0)", "column 4: log(0) is not defined"),
        ("(-8.0)**0.5", "column 10: -8 ** 0.5 is not defined"),
        ("exp(1000)", "column 4: the result is not finite"),
        ("1e308*10", "column 9: the result is not finite"),
        ("1e999", "column 4: the number is too large"),
        ("2**65", "column 5: the integer is too large"),
        ("2**64*2", "column 9: the integer is too large"),
        ("1 << 65", "column 6: a shift is by 0 to 64 bits"),
        ("1 << -1", "column 6: a shift is by 0 to 64 bits"),
        ("1.5 & 2", "column 8: '&' does not take a float"),
        ('"01" + 1', "column 9: '+' does not take a bit string; cast it to uint"),
        ('-"01"', "column 4: '-' does not take a bit string"),
        ("~5", "column 4: '~' does not take an integer"),
        ('"012"', "column 4: a bit string is made of 0 and 1, not '012'"),
        ("sin(1, 2)", "column 4: 'sin' takes 1 arguments, not 2"),
        ("sin()", "column 4: 'sin' takes 1 arguments, not 0"),
        ("1 < 2 < 3", "column 10: comparisons cannot be chained; use parentheses"),
        ("1__0", "column 4: expected a number, found '1__0'"),
        ("popcount(-1)", "column 4: 'popcount' does not take an integer below zero"),
        ("int[4](8)", "column 4: the value does not fit int[4]"),
        ("uint(-1)", "column 4: the value does not fit uint[64]"),
        ("uint[0](1)", "column 4: a size is 1 to 10,000 bits, not 0"),
        ("bool[2](1)", "column 4: 'bool' has no size"),
        ("bit[2](7)", "column 4: the value does not fit bit[2]"),
        ("2pi", "column 5: expected ')' or ',' after an argument, found 'pi'"),
        ("n", "column 4: 'n' is not declared"),
        ("q", "column 1: a value is needed that is known before the program runs"),
        ("c[0] + 1", "'+' does not take measured bits; cast them to uint"),
        ("rotl(5, 1)", "a rotation takes bits; cast the number to uint[n] or bit[n]"),
        ('rotl("01", 1.0)', "a rotation is by an integer, not a float"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_its_place(expression: str, reason: str) -> None:
    assert why3(f"rz({expression}) q[0];").startswith("line 4, ")
    assert reason in why3(f"rz({expression}) q[0];")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1 / n", "column 22: division by zero"),
        ("-s", "'-' does not take a bit string"),
        ("sqrt(n - 1)", "sqrt(-1) is not defined"),
        ("f & n", "'&' does not take a float"),
        ("bit[2](f)", "a float cannot become a bit string"),
        ("1e200 ** (n + 2)", "the result is not finite"),
        ("(f - 1) ** 0.5", "is not defined"),
        ("9" * 400, "the number is too large"),
        (f"{'9' * 400} * (1 + n)", "the integer is too large"),
        ("0b1" + "0" * 70 + " + n", "the integer is too large"),
        ("s", "a bit string cannot be used as a number; cast it to uint first"),
        ("0xg", "expected ')' or ',' after an argument, found 'xg'"),
        ("0x_", "expected a number, found '0x_'"),
        ("1_.5_", "expected a number, found '1_.5_'"),
    ],
)
def test_what_cannot_be_computed_with_names_is_refused_too(expression: str, reason: str) -> None:
    names = 'int n; float f = .5; const bit[2] s = "01";\n'
    assert reason in why3(f"{names}rz(0 * n) q[0]; rz({expression}) q[0];")


def test_constants_in_names_compute_like_literals() -> None:
    body = 'int a = 6; int b = 3; bool t = true; const bit[2] s = "01"; '
    for expression, value in {
        "a & b | a ^ b": 7,
        "a % b + -b * int(t)": -3,
        "a / (b - 1) << 1": 6,
        "mod(a, b + 1) + popcount(s)": 3,
        "int(!t) + int(~s)": 2,
    }.items():
        assert angles(with3(f"{body} rz({expression}) q[0];")) == [value], expression


def test_version_2_names_functions_that_it_lacks() -> None:
    reason = "line 4, column 4: OpenQASM 2 has no function 'arcsin'"
    assert why2("rz(arcsin(1)) q[0];") == reason


def test_long_sums_stay_flat() -> None:
    assert angle3("+".join(["0.5"] * 20_000)) == 10_000
    body = "const float a = 0.5; rz(" + "+".join(["a"] * 20_000) + ") q[0];"
    assert angles(with3(body)) == [10_000]


@settings(derandomize=True)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from("+-*/"))
def test_floats_are_computed_as_python_computes_them(left: float, right: float, sign: str) -> None:
    if sign == "/" and right == 0:
        return
    expected = {"+": left + right, "-": left - right, "*": left * right}.get(sign)
    expected = left / right if expected is None else expected
    if abs(expected) <= 1e100:
        for angle in (angle2, angle3):
            assert angle(f"({left!r}){sign}({right!r})") == expected


@settings(derandomize=True)
@given(st.integers(-1000, 1000), st.integers(-1000, 1000).filter(bool))
def test_quotient_and_remainder_make_up_the_dividend(left: int, right: int) -> None:
    quotient, remainder = angle3(f"({left})/({right})"), angle3(f"({left})%({right})")
    assert quotient * right + remainder == left
    assert abs(remainder) < abs(right)
    assert remainder * left >= 0
