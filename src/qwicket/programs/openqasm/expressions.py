"""Recursive-descent parser of expressions of OpenQASM 2 and 3.

The depth is bounded at every recursion. Operators and functions of literals are computed while they
are parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.programs.openqasm import arithmetic
from qwicket.programs.openqasm.arithmetic import CONSTANTS, FUNCTIONS, UNITS_PER_S, OperandError
from qwicket.programs.openqasm.bounds import (
    MAX_CLBITS,
    MAX_EXPRESSION_DEPTH,
    MAX_LITERAL_DIGITS,
)
from qwicket.programs.openqasm.keywords import (
    CLASSICAL_TYPES,
    RESERVED_2,
    RESERVED_3,
    UNSUPPORTED,
)
from qwicket.programs.openqasm.syntax import (
    BitString,
    Call,
    Cast,
    Chain,
    Duration,
    Expression,
    Index,
    IndexSet,
    Literal,
    Name,
    PhysicalQubit,
    Range,
    Step,
    Type,
    Unary,
)
from qwicket.programs.openqasm.tokens import Tokens, is_digits, is_name, quoted, split_element

_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")
_PRECEDENCE: Final = (
    *(("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">=")),
    *(("<<", ">>"), ("+", "-"), ("*", "/", "%")),
)
_LEVELS_3: Final[Mapping[str, int]] = {
    symbol: level for level, symbols in enumerate(_PRECEDENCE, start=1) for symbol in symbols
}
"""Precedence of operators (OpenQASM 3, "Evaluation order"): higher levels bind tighter. `**` binds
tighter than a sign, and is not here."""

_LEVELS_2: Final[Mapping[str, int]] = {"+": 9, "-": 9, "*": 10, "/": 10}
_SIGNS: Final[Mapping[int, tuple[tuple[str, ...], str]]] = {
    2: (("-", "+"), "^"),
    3: (("-", "!", "~"), "**"),
}
"""Unary operators and the operator of powers, by version. The grammar of OpenQASM 2 lacks the unary
plus, but Qiskit reads it."""
_FUNCTIONS_2: Final = frozenset({"sin", "cos", "tan", "exp", "ln", "sqrt", "asin", "acos", "atan"})
"""Functions of the OpenQASM 2 paper, and the inverse ones that Qiskit added."""


class ExpressionParser:
    """Reads expressions from tokens.

    Args:
        tokens: The program.
        version: 2 or 3.

    Attributes:
        at: Index of the next token.
    """

    def __init__(self, tokens: Tokens, version: int) -> None:
        self.tokens = tokens
        self.version = version
        self.at = 0
        self._texts = tokens.texts
        self._depth = 0
        self._signs, self._power_sign = _SIGNS[version]
        self._levels = _LEVELS_2 if version == 2 else _LEVELS_3
        self._reserved = RESERVED_2 if version == 2 else RESERVED_3

    # --- tokens -----------------------------------------------------------------------------------

    def take(self, text: str) -> bool:
        """Step over a token if it is the next one."""
        if self._texts[self.at] != text:
            return False
        self.at += 1
        return True

    def need(self, text: str, context: str) -> None:
        """Step over a token, which must be the next one."""
        if self._texts[self.at] != text:
            raise self.tokens.expected_error(self.at, f"'{text}' {context}")
        self.at += 1

    def name(self, expected: str) -> str:
        """Step over a name that is free to be declared."""
        text = self._texts[self.at]
        if not is_name(text):
            raise self.tokens.expected_error(self.at, expected)
        if text in self._reserved or (self.version == 3 and text in CONSTANTS):
            raise self.tokens.error(self.at, f"'{text}' is a word of the language and no name")
        self.at += 1
        return text

    def unsupported_error(self, word: str) -> InvalidProgram:
        """Return the error for an unsupported keyword, with which the next token starts."""
        return self.tokens.error(self.at, f"'{word}' is not supported: {UNSUPPORTED[word]}")

    # --- expressions ------------------------------------------------------------------------------

    def expression(self, level: int = 1) -> Expression:
        """Read an expression whose operators bind at least as tightly as `level`."""
        self._depth += 1
        if self._depth > MAX_EXPRESSION_DEPTH:
            raise self._depth_error()
        left = self._unary()
        levels = self._levels
        while (own := levels.get(self._texts[self.at], 0)) >= level:
            left = self._chain(left, own)
        self._depth -= 1
        return left

    def arguments(self) -> tuple[Expression, ...]:
        """Read expressions up to a closing parenthesis, after the opening one."""
        values: list[Expression] = []
        while not self.take(")"):
            values.append(self.expression())
            if not self.take(","):
                self.need(")", "or ',' after an argument")
                break
        return tuple(values)

    def type(self) -> Type:
        """Read a type such as `int[32]` or `qubit[3]`."""
        at = self.at
        name, digits = split_element(self._texts[at])
        self.at += 1
        if digits:
            return Type(name, Literal(int(digits)), at)
        if not self.take("["):
            return Type(name, None, at)
        size = self.expression()
        self.need("]", "after the size of the type")
        return Type(name, size, at)

    def _depth_error(self) -> LimitExceeded:
        reason = f"the expression is nested deeper than {MAX_EXPRESSION_DEPTH}"
        return self.tokens.limit_error(self.at, reason)

    def _chain(self, first: Expression, level: int) -> Expression:
        """Read operators of one level and their right operands, from left to right."""
        # A loop instead of recursion, so that a sum of thousands of terms is not deep.
        steps: list[Step] = []
        while self._levels.get(self._texts[self.at]) == level:
            symbol, at = self._texts[self.at], self.at
            self.at += 1
            steps.append(Step(symbol, self.expression(level + 1), at))
        if len(steps) > 1 and steps[0].operator in _COMPARISONS:
            raise self.tokens.error(steps[1].at, "comparisons cannot be chained; use parentheses")
        return self._folded(Chain(first, tuple(steps)))

    def _unary(self) -> Expression:
        symbol, at = self._texts[self.at], self.at
        if symbol not in self._signs:
            base = self._primary()
            return self._power(base) if self._texts[self.at] == self._power_sign else base
        self._depth += 1
        if self._depth > MAX_EXPRESSION_DEPTH:
            raise self._depth_error()
        self.at += 1
        operand = self._unary()
        self._depth -= 1
        if symbol == "+":
            return operand
        if type(operand) is Literal:
            try:
                return Literal(arithmetic.unary(symbol, operand.value))
            except OperandError as error:
                raise self.tokens.error(at, str(error)) from None
        return Unary(symbol, operand, at)

    def _power(self, base: Expression) -> Expression:
        at = self.at
        self.at += 1
        self._depth += 1
        if self._depth > MAX_EXPRESSION_DEPTH:
            raise self._depth_error()
        # In OpenQASM 3 powers are right-associative, and the exponent may have a sign: `2**-1`.
        exponent = self._unary()
        self._depth -= 1
        return self._folded(Chain(base, (Step("**", exponent, at),)))

    def _folded(self, chain: Chain) -> Expression:
        """Return a chain, or its value if it is made of literals."""
        if type(chain.first) is not Literal:
            return chain
        # Folded once here, so that a loop does not compute it again.
        value = chain.first.value
        for step in chain.steps:
            if type(step.operand) is not Literal:
                return chain
            try:
                value = arithmetic.binary(step.operator, value, step.operand.value)
            except OperandError as error:
                raise self.tokens.error(step.at, str(error)) from None
        return Literal(value)

    # --- operands ---------------------------------------------------------------------------------

    def _primary(self) -> Expression:
        text, at = self._texts[self.at], self.at
        first = text[:1]
        if is_digits(first) or (first == "." and len(text) > 1):
            self.at += 1
            if self._texts[self.at] in UNITS_PER_S and self.version == 3:
                return self._duration(text, at)
            return Literal(self._number(text, at))
        if self.take("("):
            inner = self.expression()
            self.need(")", "to close the parenthesis")
            return self._indexed(inner)
        if first.isalpha() or first == "_":
            return self._indexed(self._word(text, at))
        if self.version == 3 and first == '"' and len(text) > 1:
            self.at += 1
            return self._indexed(Literal(self._bit_string(text, at)))
        if self.version == 3 and first == "$" and len(text) > 1:
            self.at += 1
            return PhysicalQubit(self._integer(text[1:], at), at)
        raise self.tokens.expected_error(at, "a value")

    def _word(self, text: str, at: int) -> Expression:
        """Read an operand that starts with a name: constant, function, cast, variable, element."""
        word, _ = split_element(text)
        if self.version == 3 and word in CLASSICAL_TYPES:
            type_ = self.type()
            self.need("(", f"after the type '{word}' of a cast")
            operand = self.expression()
            self.need(")", "after the value of a cast")
            return Cast(type_, operand, at)
        if text in FUNCTIONS and self._texts[at + 1] == "(":
            return self._call(text, at)
        if text in CONSTANTS and (self.version == 3 or text == "pi"):
            self.at += 1
            return Literal(CONSTANTS[text])
        if self.version == 3 and text in ("true", "false"):
            self.at += 1
            return Literal(text == "true")
        if self.version == 3 and word in UNSUPPORTED:
            raise self.unsupported_error(word)
        if word in self._reserved or not is_name(word):
            raise self.tokens.expected_error(at, "a value")
        if self._texts[at + 1] == "(":
            known = _FUNCTIONS_2 if self.version == 2 else FUNCTIONS
            raise self.tokens.error(
                at, f"{quoted(text)} is not supported: the functions are {', '.join(sorted(known))}"
            )
        self.at += 1
        return element(text, at)

    def _call(self, function: str, at: int) -> Expression:
        if self.version == 2 and function not in _FUNCTIONS_2:
            raise self.tokens.error(at, f"OpenQASM 2 has no function '{function}'")
        self.at += 2
        arguments = self.arguments()
        values = tuple(item.value for item in arguments if isinstance(item, Literal))
        if len(values) < len(arguments):
            return Call(function, arguments, at)
        try:
            return Literal(arithmetic.call(function, values))
        except OperandError as error:
            raise self.tokens.error(at, str(error)) from None

    def _indexed(self, base: Expression) -> Expression:
        while self._texts[self.at] == "[":
            at = self.at
            self.at += 1
            base = Index(base, self._selector(at), at)
            self.need("]", "after the index")
        return base

    def _selector(self, at: int) -> Expression | Range | IndexSet:
        if self.take("{"):
            return self.index_set(at)
        return self.range_or_expression(at)

    def index_set(self, at: int) -> IndexSet:
        """Read the elements of a set up to its closing brace, after the opening one."""
        items: list[Expression] = []
        while not self.take("}"):
            items.append(self.expression())
            if not self.take(","):
                self.need("}", "or ',' after an element of a set")
                break
        if not items:
            raise self.tokens.error(at, "the set is empty")
        return IndexSet(tuple(items), at)

    def range_or_expression(self, at: int) -> Expression | Range:
        """Read `a`, `a:b` or `a:step:b`; each part of a range may be absent."""
        parts = [None if self._texts[self.at] in (":", "]") else self.expression()]
        while self._texts[self.at] != "]":
            if self.take(":"):
                parts.append(None)
            elif parts[-1] is None:
                parts[-1] = self.expression()
            else:
                break
        if len(parts) == 1 and parts[0] is not None:
            return parts[0]
        if len(parts) == 2:
            return Range(parts[0], None, parts[1], at)
        if len(parts) == 3:
            return Range(parts[0], parts[1], parts[2], at)
        raise self.tokens.error(at, "an index is 'a', 'a:b', 'a:step:b' or a set in braces")

    # --- literals ---------------------------------------------------------------------------------

    def _number(self, text: str, at: int) -> int | float:
        # The usual case: up to 15 digits, integers and floats are both exact.
        if text.isdecimal() and len(text) < 16:
            # Version 2 has real numbers only: `1/2` is 0.5 there, but 0 in version 3.
            return int(text) if self.version == 3 else float(text)
        if not any(mark in text for mark in ".eE") or text[:2] in ("0x", "0X"):
            value = self._integer(text, at)
            return value if self.version == 3 else self._to_float(value, at)
        try:
            return self._to_float(float(text), at)
        except ValueError:
            raise self.tokens.expected_error(at, "a number") from None

    def _duration(self, text: str, at: int) -> Duration:
        """Read the unit after a number, a token of its own even without a blank before it."""
        number = self._to_float(self._number(text, at), at)
        self.at += 1
        return Duration(number / UNITS_PER_S[self._texts[self.at - 1]])

    def _to_float(self, value: float, at: int) -> float:
        # `float` raises for a huge integer, but returns infinity for a text such as `1e999`.
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if number == float("inf"):
            raise self.tokens.error(at, "the number is too large")
        return number

    def _integer(self, text: str, at: int) -> int:
        # Python converts a long integer in quadratic time, and refuses more than 4,300 digits.
        if len(text) > MAX_LITERAL_DIGITS:
            reason = f"an integer has at most {MAX_LITERAL_DIGITS:,} digits"
            raise self.tokens.limit_error(at, reason)
        base = {"0x": 16, "0b": 2, "0o": 8}.get(text[:2].lower(), 10)
        try:
            return int(text, base)
        except ValueError:
            raise self.tokens.expected_error(at, "a number") from None

    def _bit_string(self, text: str, at: int) -> BitString:
        letters = text[1:-1].replace("_", "")
        if not letters or letters.strip("01"):
            reason = f"a bit string is made of 0 and 1, not {quoted(text[1:-1])}"
            raise self.tokens.error(at, reason)
        if len(letters) > MAX_CLBITS:
            raise self.tokens.limit_error(at, f"a bit string has at most {MAX_CLBITS:,} bits")
        # In base 2 the conversion takes linear time, so `MAX_LITERAL_DIGITS` is not needed here.
        return BitString(int(letters, 2), len(letters))


def element(text: str, at: int) -> Expression:
    """Return a name, or the element of a register that one token spells, such as `q[3]`."""
    name, digits = split_element(text)
    if not digits:
        return Name(name, at)
    return Index(Name(name, at), Literal(int(digits)), at)
