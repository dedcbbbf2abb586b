"""Expressions of Blackbird, evaluated while they are parsed.

A sign binds tighter than a power, so `-2**2` is 4. Powers are right-associative. An expression that
depends on a measured value `q0` becomes a `Formula`, in postfix order.
"""

from __future__ import annotations

import cmath
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from qwicket.circuits.photonic import Formula
from qwicket.vendors.xanadu.blackbird import bounds
from qwicket.vendors.xanadu.blackbird.tokens import Line, quoted, split_quoted


class Array(NamedTuple):
    """An array's elements, row by row."""

    elements: tuple[Number, ...]
    n_rows: int


Number = bool | int | float | complex
Value = Number | str | Formula | Array

_FUNCTIONS: Final[Mapping[str, str]] = {
    **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt", "log", "exp")},
    **{"arc" + name: "a" + name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
}
FUNCTIONS: Final = frozenset(_FUNCTIONS)
_OPERATORS: Final[Mapping[str, Callable[[complex, complex], Number]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_DIGITS: Final = frozenset("0123456789")
_MEASURED: Final = re.compile(r"q[0-9]{1,9}")


class Expressions:
    """Reads the expressions of one line.

    Args:
        line: The line.
        names: Values of the variables.
        at: Index of the token to begin with.
    """

    def __init__(self, line: Line, names: Mapping[str, Value], at: int = 0) -> None:
        self.line = line
        self.names = names
        self.tokens = line.tokens
        self.at = at
        self._depth = 0

    @property
    def here(self) -> str:
        return self.tokens[self.at]

    def take(self, token: str) -> bool:
        """Skip a token if it is the next one; return whether it was."""
        if self.here != token:
            return False
        self.at += 1
        return True

    def expect(self, token: str) -> None:
        if not self.take(token):
            wanted = quoted(token)
            raise self.line.error(f"expected {wanted}, found {quoted(self.here)}")

    def end(self) -> None:
        if self.here:
            raise self.line.error(f"unexpected {quoted(self.here)}")

    def value(self) -> Value:
        """Read an expression."""
        self._depth += 1
        if self._depth > bounds.MAX_DEPTH:
            raise self.line.limit_error("an expression is nested too deeply", bounds.MAX_DEPTH)
        # A loop, so that only brackets are nested and not each term of a long sum.
        left = self._product()
        while self.here in ("+", "-"):
            left = self._apply(self._next(), left, self._product())
        self._depth -= 1
        return left

    def number(self) -> Number | Formula:
        """Read a number, a number in quotes, or a formula of measurement results."""
        found = self.value()
        if isinstance(found, str):
            return self._unquote(found)
        if isinstance(found, Array):
            raise self.line.error("a number is needed, not an array")
        return found

    def integer(self) -> int:
        """Read an expression that is an integer."""
        found = self.value()
        if isinstance(found, bool) or not isinstance(found, int):
            raise self.line.error("an integer is needed")
        return found

    def _next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def _product(self) -> Value:
        left = self._power()
        while self.here in ("*", "/"):
            left = self._apply(self._next(), left, self._power())
        return left

    def _power(self) -> Value:
        bases = [self._signed()]
        # A loop instead of recursion, because `**` may be repeated as often as a line is long.
        while self.take("**"):
            bases.append(self._signed())
        right = bases.pop()
        while bases:
            right = self._apply("**", bases.pop(), right)
        return right

    def _signed(self) -> Value:
        is_negative = False
        # Also a loop: a line may consist of signs.
        while self.here in ("+", "-"):
            is_negative ^= self._next() == "-"
        found = self._atom()
        return self._apply("*", -1, found) if is_negative else found

    def _atom(self) -> Value:
        word = self._next()
        if word == "(":
            inner = self.value()
            self.expect(")")
            return inner
        if word[:1] in "\"'" and word[1:]:
            return word[1:-1]
        if word[:1] in _DIGITS or (word[:1] == "." and word[1:]):
            return self._literal(word)
        if word == "{":
            raise self.line.error("free parameters in braces must be given a value before")
        if not word.isidentifier():  # also refuses the empty token at the end of a line
            raise self.line.error(f"expected a value, found {quoted(word)}")
        return self._named(word)

    def _literal(self, token: str) -> Number:
        if token[-1] in "jJ":
            return self._finite(complex(0.0, float(token[:-1])))
        if token.isdigit():
            # `int` takes quadratic time, and raises above 4,300 digits.
            return self._finite(int(token) if len(token) <= 10 else bounds.MAX_INTEGER + 1)
        return self._finite(float(token))

    def _named(self, name: str) -> Value:
        if name in self.names:
            found = self.names[name]
            return self._element(found) if isinstance(found, Array) and self.take("[") else found
        if name in FUNCTIONS:
            self.expect("(")
            argument = self.value()
            self.expect(")")
            return self._call(name, argument)
        if name == "pi":
            return math.pi
        if name in ("True", "False"):
            return name == "True"
        if _MEASURED.fullmatch(name):
            return Formula((name,))
        raise self.line.error(f"{quoted(name)} is not known")

    def _element(self, array: Array) -> Number:
        place = self.integer()
        self.expect("]")
        if not 0 <= place < len(array.elements):
            raise self.line.error(f"element {place}: the array has {len(array.elements)}")
        return array.elements[place]

    def _call(self, name: str, argument: Value) -> Value:
        if isinstance(argument, Formula):
            return self._formula(*argument.code, name)
        if isinstance(argument, str | Array):
            raise self.line.error(f"the argument of {name} must be a number")
        # `cmath` makes every result complex, which a declaration as `float` would refuse.
        library = cmath if isinstance(argument, complex) else math
        try:
            return self._finite(getattr(library, _FUNCTIONS[name])(argument))
        except (ValueError, OverflowError):
            raise self.line.error(f"{name}: the result is not a finite number") from None

    def _apply(self, symbol: str, left: Value, right: Value) -> Value:
        if isinstance(left, str | Array) or isinstance(right, str | Array):
            raise self.line.error(f"the operands of {quoted(symbol)} must be numbers")
        if isinstance(left, Formula) or isinstance(right, Formula):
            return self._formula(*_code(left), *_code(right), symbol)
        if symbol == "**" and not isinstance(left, complex):
            left = float(left)  # powers of integers could have millions of digits
        try:
            return self._finite(_OPERATORS[symbol](left, right))
        except ZeroDivisionError:
            raise self.line.error("division by zero") from None
        except OverflowError:
            raise self.line.error("the result is not a finite number") from None

    def _formula(self, *code: tuple[float, float] | str) -> Formula:
        if len(code) > bounds.MAX_FORMULA:
            raise self.line.limit_error("a parameter is too long", bounds.MAX_FORMULA)
        return Formula(code)

    def _finite(self, number: Number) -> Number:
        if isinstance(number, int):
            # Python's integers have no bound: a line of products would grow to thousands of digits.
            if abs(number) > bounds.MAX_INTEGER:
                raise self.line.limit_error("an integer is too large", bounds.MAX_INTEGER)
        elif not cmath.isfinite(number):
            raise self.line.error("the result is not a finite number")
        return number

    def _unquote(self, text: str) -> Number | Formula:
        inner = Expressions(Line(self.line.number, False, split_quoted(text)), self.names)
        found = inner.value()
        if inner.here or isinstance(found, str | Array):
            raise self.line.error(f"{quoted(text)} is not a number")
        return found


def _code(value: Number | Formula) -> tuple[tuple[float, float] | str, ...]:
    if isinstance(value, Formula):
        return value.code
    # A pair, because circuits are packed as msgpack, which has no complex numbers.
    number = complex(value)
    return ((number.real, number.imag),)
