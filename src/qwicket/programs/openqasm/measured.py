"""Values that are computed from measured bits, with the types and rules of OpenQASM 3.

Integers of one width are computed modulo 2^n, and mixed types become one as in C, which the
specification follows. `logic.py` computes, and knows no types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, final

from qwicket.circuits.qubit import Relation
from qwicket.programs.openqasm import arithmetic, conditions
from qwicket.programs.openqasm.conditions import Condition
from qwicket.programs.openqasm.logic import Logic, Word, Work, constant, extended
from qwicket.programs.openqasm.syntax import (
    Angle,
    BitString,
    Call,
    Constant,
    Duration,
    Node,
    Step,
)
from qwicket.programs.openqasm.tokens import Tokens


@final
class Bits(Node, frozen=True):
    """Classical bits by number; their values are known only when the program runs.

    `is_scalar` is false for a register, even of one bit.
    """

    indices: tuple[int, ...]
    is_scalar: bool


@final
class Measured(Node, frozen=True):
    """A value that is computed from classical bits.

    `type_name` is bool, bit, int or uint; `word` has as many functions of bits (`Logic`) as the
    type has bits, in two's complement if it is `int`.
    """

    type_name: str
    word: Word

    @property
    def is_signed(self) -> bool:
        return self.type_name == "int"


@final
class Qubits(Node, frozen=True):
    """Qubits by number."""

    indices: tuple[int, ...]
    is_scalar: bool


Value = Constant | Duration | Bits | Measured | Qubits | Condition

CONSTANT_TYPES: Final = (bool, int, float, BitString, Angle)
IS_QUBIT: Final = "a condition cannot read a qubit; measure it into a bit first"
IS_DURATION: Final = "a duration is no condition; compare it with another"
STEPS_OF_TERM: Final = 30
"""Cost of one term of a condition in steps."""


class MeasuredArithmetic:
    """Computes with measured bits.

    Args:
        tokens: Tokens of the program, for the positions of errors.
        count_steps: Counts work before it is done, for the token at an index.
        max_steps: The limit `openqasm_steps`.
    """

    def __init__(
        self,
        tokens: Tokens,
        count_steps: Callable[[int, int], None],
        max_steps: int,
    ) -> None:
        self._logic = Logic(Work(max_steps).count)
        self._tokens = tokens
        self._count_steps = count_steps

    def clbits(self, value: Measured) -> set[int]:
        """Return the classical bits that a value depends on."""
        return self._logic.clbits(value.word)

    def negative(self, value: Measured, at: int) -> Measured:
        self._check_number("-", value, at)
        return Measured(value.type_name, self._logic.subtract((), value.word))

    def _check_number(self, symbol: str, value: Measured, at: int) -> None:
        if value.type_name in ("bit", "bool"):
            reason = f"'{symbol}' does not take measured bits; cast them to uint"
            raise self._tokens.error(at, reason)

    def combine(self, step: Step, left: Measured, right: Measured) -> Measured:
        """Return `+`, `-`, `*`, `/`, `%`, `<<` or `>>` of two numbers."""
        if step.operator == "**":
            raise self._tokens.error(step.at, "'**' does not take measured bits")
        if step.operator in ("<<", ">>"):
            return self._shift(step, left, right)
        for side in (left, right):
            self._check_number(step.operator, side, step.at)
        logic, symbol = self._logic, step.operator
        name, first, second = _promoted(left, right)
        match symbol:
            case "+":
                return Measured(name, logic.add(first, second))
            case "-":
                return Measured(name, logic.subtract(first, second))
            case "*":
                return Measured(name, logic.multiply(first, second))
        signs = (first[-1], second[-1]) if name == "int" else (0, 0)
        # As in C, the quotient is rounded to zero, and the rest has the sign of the dividend.
        quotient, rest = logic.divide(
            self._negative_if(signs[0], first), self._negative_if(signs[1], second)
        )
        if symbol == "/":
            return Measured(name, self._negative_if(logic.differ(*signs), quotient))
        return Measured(name, self._negative_if(signs[0], rest))

    def _negative_if(self, sign: int, word: Word) -> Word:
        return self._logic.select(sign, self._logic.subtract((), word), word) if sign else word

    def _shift(self, step: Step, left: Measured, right: Measured) -> Measured:
        if (right.is_signed and right.word[-1]) or right.type_name in ("bit", "bool"):
            raise self._tokens.error(step.at, "a shift is by an unsigned integer")
        if left.type_name == "bool":
            raise self._tokens.error(step.at, f"'{step.operator}' does not take a bool")
        is_left = step.operator == "<<"
        fill = left.word[-1] if left.is_signed and not is_left else 0
        word = self._logic.shift(left.word, right.word, is_left=is_left, fill=fill)
        return Measured(left.type_name, word)

    def bitwise(self, step: Step, left: Value, right: Value) -> Measured:
        """Return `&`, `|` or `^` of words, or of a word and a number."""
        symbol, at = step.operator, step.at
        sides = []
        for value, other in ((left, right), (right, left)):
            if isinstance(value, CONSTANT_TYPES):
                value = self._mask(value, self.of(other, at), at)
            sides.append(self.of(value, at))
        first, second = sides
        if "bit" in (first.type_name, second.type_name):
            if len(first.word) != len(second.word):
                sizes = f"{len(first.word)} and {len(second.word)}"
                raise self._tokens.error(at, f"'{symbol}' takes bits of one number, not {sizes}")
            words = "bit", first.word, second.word
        else:
            words = _promoted(first, second)
        return Measured(words[0], self._logic.bitwise(symbol, *words[1:]))

    def _mask(self, value: Constant, other: Measured, at: int) -> Measured:
        """Return a constant as bits that fit those of a measured value."""
        if isinstance(value, BitString):
            return Measured("bit", constant(value.value, value.width))
        number, width = self._integer(value, at), len(other.word)
        if other.type_name != "bit":
            width = max(arithmetic.DEFAULT_WIDTH, width, number.bit_length() + 1)
            return Measured("int", constant(number, width))
        if not 0 <= number < 1 << width:
            raise self._tokens.error(at, f"{number} does not fit the {width} bits beside it")
        return Measured("bit", constant(number, width))

    def compare(
        self, relation: Relation, left: Measured, right: Measured, at: int
    ) -> Condition | bool:
        """Return a comparison of two measured values as a condition."""
        widths = len(left.word), len(right.word)
        if left.type_name == right.type_name == "bit" and widths[0] != widths[1]:
            raise self._tokens.error(at, "registers of different sizes cannot be compared")
        # In C the signed number would become a large one if it is negative.
        if left.is_signed != right.is_signed and widths[left.is_signed] >= widths[right.is_signed]:
            reason = "a signed number is compared with an unsigned one of fewer bits only; cast one"
            raise self._tokens.error(at, reason)
        first, second = self._clbits(left), self._clbits(right)
        # Zeros above make a signed number positive, so either both have some, or none.
        are_alike = not left.is_signed or len(first) - widths[0] == len(second) - widths[1] == 0
        are_bits = first and second and are_alike and left.is_signed == right.is_signed
        if relation in ("==", "!=") and are_bits and len(first) == len(second):
            self._count_steps(len(first) * STEPS_OF_TERM, at)
            differ = conditions.differ(first, second)
            return differ if relation == "!=" else conditions.negate(differ)
        _, *words = _promoted(left, right)
        if left.is_signed or right.is_signed:
            # With the opposite sign bit, the order is that of unsigned numbers.
            words = [(*word[:-1], word[-1] ^ 1) for word in words]
        return self._logic.condition(self._logic.compare(relation, *words))

    def compare_with_number(
        self, relation: Relation, left: Measured, number: int
    ) -> Condition | bool:
        """Return a comparison with a number, of any size and sign, as a condition."""
        clbits = self._clbits(left)
        if clbits and left.is_signed and len(clbits) == len(left.word):
            return conditions.compare_signed(clbits, relation, number)
        if clbits:
            return conditions.compare(clbits, relation, number)
        # One bit more than both need keeps an unsigned number positive.
        width = max(len(left.word), number.bit_length()) + 1
        fill = left.word[-1] if left.is_signed else 0
        words = extended(left.word, width, fill), constant(number, width)
        flipped = [(*word[:-1], word[-1] ^ 1) for word in words]
        return self._logic.condition(self._logic.compare(relation, *flipped))

    def _clbits(self, value: Measured) -> tuple[int, ...]:
        """Return the classical bits that a value is made of, without zeros above; else none."""
        word = value.word
        while len(word) > 1 and not word[-1]:
            word = word[:-1]
        clbits = [self._logic.clbit(literal) for literal in word]
        known = tuple([clbit for clbit in clbits if clbit is not None])
        return known if len(known) == len(clbits) else ()

    def of(self, value: Value, at: int) -> Measured:
        """Return bits or a condition as a value that can be computed with."""
        if isinstance(value, Measured):
            return value
        if isinstance(value, Bits):
            return Measured("bit", tuple(map(self._logic.bit, value.indices)))
        if isinstance(value, Qubits):
            raise self._tokens.error(at, IS_QUBIT)
        if isinstance(value, Duration):
            raise self._tokens.error(at, IS_DURATION)
        assert not isinstance(value, int | float | BitString | Angle)
        return Measured("bool", (self._logic.function(value),))

    def _integer(self, value: Constant, at: int) -> int:
        if isinstance(value, float | Angle):
            reason = f"measured bits cannot be combined with {arithmetic.kind(value)}"
            raise self._tokens.error(at, reason)
        return int(arithmetic.number(value))

    def comparable_integer(self, value: Constant, width: int, at: int) -> int:
        """Return a constant that `width` bits are compared with, as a number."""
        if type(value) is BitString and value.width != width:
            reason = f"{width} bits are compared with a string of {value.width}"
            raise self._tokens.error(at, reason)
        return self._integer(value, at)

    def call(self, node: Call, values: Sequence[Value]) -> Measured:
        """Return `popcount`, `rotl` or `rotr` of measured bits."""
        function, at = node.function, node.at
        n_arguments, _ = arithmetic.FUNCTIONS[function]
        if len(values) != n_arguments:
            reason = f"'{function}' takes {n_arguments} arguments, not {len(values)}"
            raise self._tokens.error(at, reason)
        if isinstance(values[0], CONSTANT_TYPES):
            raise self._tokens.error(at, f"'{function}' takes a constant by a constant only")
        subject = self.of(values[0], at)
        if subject.type_name not in ("bit", "uint"):
            raise self._tokens.error(at, f"'{function}' takes bits or a uint; cast to one of them")
        if function == "popcount":
            word = self._logic.popcount(subject.word)
            return Measured("uint", extended(word, arithmetic.DEFAULT_WIDTH))
        by, width = values[1], len(subject.word)
        if isinstance(by, CONSTANT_TYPES):
            amount = constant(self._integer(by, at) % width, width.bit_length())
        else:
            measured = self.of(by, at)
            if measured.type_name != "uint":
                raise self._tokens.error(at, f"'{function}' is by an integer; cast it to uint")
            amount = measured.word
        word = self._logic.rotate(subject.word, amount, is_left=function == "rotl")
        return Measured(subject.type_name, word)

    def converted(self, name: str, size: int | None, value: Value, at: int) -> Measured:
        """Return measured bits, or what is computed from them, as another type."""
        measured = self.of(value, at)
        width = len(measured.word)
        if name == "bool":
            return Measured("bool", (self._logic.any_of(measured.word),))
        if name == "bit" and size == width:
            return Measured("bit", measured.word)
        if name == "bit":
            raise self._tokens.error(at, f"{width} bits need bit[{width}], not bit[{size or 1}]")
        if name not in ("int", "uint"):
            raise self._tokens.error(at, f"measured bits cannot be cast to '{name}'")
        # One bit more than measured keeps a number of a plain type positive.
        size = size or max(arithmetic.DEFAULT_WIDTH, width + (measured.type_name == "bit"))
        if measured.type_name == "bit" and size < width:
            raise self._tokens.error(at, f"{width} measured bits need {name}[{width}] or wider")
        fill = measured.word[-1] if measured.is_signed else 0
        return Measured(name, extended(measured.word, size, fill))


def is_single(value: Value) -> bool:
    """Return whether a value is one bit or a truth value; constants are numbers of any width."""
    if isinstance(value, Bits):
        return len(value.indices) == 1
    if isinstance(value, Measured):
        return len(value.word) == 1
    return not isinstance(value, Qubits)


def _promoted(left: Measured, right: Measured) -> tuple[str, Word, Word]:
    """Return two numbers as one type, as C does: the wider one, of one width the unsigned."""
    widths = len(left.word), len(right.word)
    wider = left if widths[0] >= widths[1] else right
    is_signed = wider.is_signed and (widths[0] != widths[1] or left.is_signed == right.is_signed)
    first, second = [
        extended(side.word, max(widths), side.word[-1] if side.is_signed else 0)
        for side in (left, right)
    ]
    return "int" if is_signed else "uint", first, second
