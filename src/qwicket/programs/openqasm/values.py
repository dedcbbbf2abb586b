"""Evaluator of expressions, and the visible names. It knows neither gates nor operations.

Values that are known when the program is read become constants, and tests of measured bits become
conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, final

from qwicket.circuits.qubit import Relation
from qwicket.model.errors import InvalidProgram
from qwicket.programs.openqasm import arithmetic, conditions
from qwicket.programs.openqasm.arithmetic import OperandError
from qwicket.programs.openqasm.bounds import MAX_ANGLE, MAX_CLBITS, MAX_INTEGER, MAX_STEPS
from qwicket.programs.openqasm.conditions import Condition
from qwicket.programs.openqasm.syntax import (
    Angle,
    BitString,
    Call,
    Cast,
    Chain,
    Constant,
    Expression,
    Index,
    IndexSet,
    Literal,
    Name,
    Node,
    PhysicalQubit,
    Range,
    Step,
    Type,
    Unary,
)
from qwicket.programs.openqasm.tokens import Tokens, quoted


@final
class Bits(Node, frozen=True):
    """Classical bits by number; their values are known only when the program runs.

    `is_scalar` is false for a register, even of one bit.
    """

    indices: tuple[int, ...]
    is_scalar: bool


@final
class MeasuredInteger(Node, frozen=True):
    """Classical bits read as an integer, first bit lowest; in two's complement if signed.

    `is_bit` says whether its type has one bit, so that `~` negates it; a wider type adds zeros.
    """

    bits: tuple[int, ...]
    is_signed: bool
    is_bit: bool


@final
class Qubits(Node, frozen=True):
    """Qubits by number."""

    indices: tuple[int, ...]
    is_scalar: bool


Value = Constant | Bits | MeasuredInteger | Qubits | Condition

_CONSTANT: Final = (bool, int, float, BitString, Angle)
_MIRRORED: Final[dict[str, Relation]] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
# Maps each relation to itself, which narrows a `str` to `Relation` for the type checker.
_RELATIONS: Final[dict[str, Relation]] = {_MIRRORED[name]: _MIRRORED[name] for name in _MIRRORED}
_STEPS_OF_TERM: Final = 30
"""Cost of one term of a condition in steps."""
_AT_RUN_TIME: Final = "measured bits can be compared and combined with && || ! & | ^ only"


class Variable:
    """Meaning of a name.

    Attributes:
        value: The present value; None once `Evaluator.invalidate_…` has invalidated it.
        type_name: Name of the classical type; empty for registers, aliases and parameters.
        size: Number of bits of the type, if it was given.
        is_constant: Whether gate bodies see it: True for constants and inputs.
        branch_depth: Number of branches around its declaration whose condition depends on a
            measurement.
    """

    __slots__ = ("branch_depth", "is_constant", "size", "type_name", "value")

    def __init__(
        self,
        value: Value | None,
        type_name: str = "",
        size: int | None = None,
        *,
        is_constant: bool = False,
        branch_depth: int = 0,
    ) -> None:
        self.value = value
        self.type_name = type_name
        self.size = size
        self.is_constant = is_constant
        self.branch_depth = branch_depth


Names = dict[str, Variable]


class Scopes:
    """The visible names, innermost scope last.

    Args:
        outside: Global names, of which a gate body sees the constants; None outside of gates.
    """

    def __init__(self, outside: Names | None = None) -> None:
        self.stack: list[Names] = [{}]
        self.outside = outside

    def find(self, name: str) -> Variable | None:
        for names in reversed(self.stack):
            if name in names:
                return names[name]
        # A variable may change between the definition of a gate and its call, so of the global
        # names a gate body sees only the constants.
        if self.outside is not None:
            variable = self.outside.get(name)
            if variable is not None and variable.is_constant:
                return variable
        return None


class Evaluator:
    """Evaluator of expressions.

    Args:
        tokens: Tokens of the program, for the positions of errors.
        physical: Function that declares a physical qubit (number, position) and returns its index.

    Attributes:
        tentative: Variables that were set inside a branch on measured bits that is still open.
    """

    def __init__(self, tokens: Tokens, physical: Callable[[int, int], int]) -> None:
        self.scopes = Scopes()
        self._tokens = tokens
        self._physical = physical
        self._steps_left = MAX_STEPS - len(tokens.texts)
        self._readings: dict[int, list[tuple[Variable, MeasuredInteger]]] = {}
        self.tentative: list[Variable] = []
        # A dictionary by type instead of `match`, because long programs evaluate a million nodes.
        self._evaluators: Mapping[type[Expression], Callable[[Any], Value]] = {
            Index: self._index,
            Name: self._name,
            Literal: attrgetter("value"),
            Chain: self._chain,
            Unary: self._unary,
            Call: self._call,
            Cast: self._cast,
            PhysicalQubit: self._physical_qubit,
        }

    @property
    def steps(self) -> int:
        """Tokens of the program, and the work that was counted so far."""
        return MAX_STEPS - self._steps_left

    def count_steps(self, steps: int, at: int) -> None:
        """Count work before it is done, so that a short text cannot take long to read.

        Reading one token is one step.
        """
        self._steps_left -= steps
        if self._steps_left < 0:
            reason = f"with its loops and gates, the program is longer than {MAX_STEPS:,} tokens"
            raise self._tokens.limit_error(at, reason)

    def value(self, node: Expression) -> Value:
        """Return the value of an expression."""
        return self._evaluators[type(node)](node)

    def constant(self, node: Expression, at: int) -> Constant:
        """Return a value that is known now."""
        return self._known(self.value(node), at)

    def value_for(
        self, name: str, size: int | None, node: Expression, at: int
    ) -> Constant | MeasuredInteger:
        """Return an expression as a value of the type of this name and size.

        The value is known now, or read from measured bits.
        """
        value = self.value(node)
        if isinstance(value, Bits | MeasuredInteger):
            return self._as_number(name, size, value, at)
        return self.fit(name, size, self._known(value, at), at)

    def set_value(self, variable: Variable, value: Constant | MeasuredInteger, at: int) -> None:
        """Set a variable, and record the measured bits that its value depends on.

        The bits are not copied, so the next measurement into them invalidates the value.
        """
        variable.value = value
        if isinstance(value, MeasuredInteger):
            # Each assignment adds an entry for each bit, so a loop of them would fill the memory.
            self.count_steps(len(value.bits) * _STEPS_OF_TERM, at)
            for bit in value.bits:
                self._readings.setdefault(bit, []).append((variable, value))

    def invalidate_readings(self, bits: Sequence[int]) -> None:
        """Invalidate the variables that depend on bits about to be measured again."""
        for bit in bits if self._readings else ():
            for variable, value in self._readings.pop(bit, ()):
                # A variable that was assigned again since then no longer depends on these bits.
                if variable.value is value:
                    variable.value = None

    def invalidate_tentative(self, n_before: int) -> None:
        """Invalidate all tentative variables but the first `n_before`, at the end of a block."""
        for variable in self.tentative[n_before:]:
            variable.value = None
        del self.tentative[n_before:]

    def _known(self, value: Value, at: int) -> Constant:
        if not isinstance(value, _CONSTANT):
            raise self._tokens.error(at, "a value is needed that is known before the program runs")
        return value

    def integer(self, node: Expression, at: int) -> int:
        """Return an integer that is known now."""
        value = self.constant(node, at)
        if isinstance(value, float | BitString | Angle):
            raise self._tokens.error(at, f"an integer is needed here, not {arithmetic.kind(value)}")
        if abs(value) > MAX_INTEGER:
            raise self._tokens.error(at, "the integer is too large")
        return int(value)

    def real(self, node: Expression, at: int) -> float:
        """Return a finite float that is known now."""
        value = self.value(node)
        if type(value) is float:
            return value  # the usual case, without the checks below
        if not isinstance(value, _CONSTANT):
            value = self.constant(node, at)
        try:
            return arithmetic.to_float(value)
        except OperandError as why:
            raise self._error(at, why) from None

    def angle(self, node: Expression, at: int) -> float:
        """Return an angle that is known now, in radians."""
        angle = self.real(node, at)
        if not -MAX_ANGLE <= angle <= MAX_ANGLE:
            raise self._tokens.error(at, f"an angle is at most {MAX_ANGLE:g} in size")
        return angle

    def truth(self, node: Expression, at: int) -> Condition | bool:
        """Return an expression as a condition, or as its truth value if that is known now."""
        return self._truth(self.value(node), at)

    def equals(self, subject: Bits | MeasuredInteger, value: int) -> Condition | bool:
        """Return the condition that bits have the value of a number."""
        if isinstance(subject, MeasuredInteger) and subject.is_signed:
            return conditions.compare_signed(subject.bits, "==", value)
        bits = subject.bits if isinstance(subject, MeasuredInteger) else subject.indices
        return conditions.compare(bits, "==", value)

    def size(self, type_: Type) -> int | None:
        """Return the number of bits of a type, if it has one."""
        if type_.size is None:
            return None
        if type_.name == "bool":
            raise self._tokens.error(type_.at, "'bool' has no size")
        # Values are checked against 2^size, so without a bound a short text makes a huge number.
        size = self.integer(type_.size, type_.at)
        if not 1 <= size <= MAX_CLBITS:
            raise self._tokens.error(type_.at, f"a size is 1 to {MAX_CLBITS:,} bits, not {size}")
        return size

    def convert(self, type_: Type, value: Constant, *, is_cast: bool = False) -> Constant:
        """Return a constant as another type."""
        return self.fit(type_.name, self.size(type_), value, type_.at, is_cast=is_cast)

    def fit(
        self, name: str, size: int | None, value: Constant, at: int, *, is_cast: bool = False
    ) -> Constant:
        """Return a constant converted to the type of this name and size."""
        try:
            return arithmetic.convert(name, size, value, is_cast=is_cast)
        except OperandError as why:
            raise self._error(at, why) from None

    def binary(self, symbol: str, left: Constant, right: Constant, at: int) -> Constant:
        """Return `left symbol right` for constants."""
        try:
            return arithmetic.binary(symbol, left, right)
        except OperandError as why:
            raise self._error(at, why) from None

    def integers(self, range_: Range, size: int | None = None) -> range:
        """Return a range's integers; in a register of `size`, negative ends count from its end."""
        ends = [
            None if part is None else self.integer(part, range_.at)
            for part in (range_.start, range_.stop, range_.step)
        ]
        start, stop, step = ends[0], ends[1], 1 if ends[2] is None else ends[2]
        if step == 0:
            raise self._tokens.error(range_.at, "the step of a range cannot be 0")
        if size is not None:
            low, high = (0, size - 1) if step > 0 else (size - 1, 0)
            start = low if start is None else start + size * (start < 0)
            stop = high if stop is None else stop + size * (stop < 0)
        if start is None or stop is None:
            raise self._tokens.error(range_.at, "the range of a loop needs a start and an end")
        # Both ends belong to a range of OpenQASM 3, unlike in Python.
        return range(start, stop + (1 if step > 0 else -1), step)

    # --- registers --------------------------------------------------------------------------------

    def _physical_qubit(self, node: PhysicalQubit) -> Qubits:
        return Qubits((self._physical(node.index, node.at),), True)

    def _name(self, node: Name) -> Value:
        variable = self.scopes.find(node.name)
        if variable is not None and variable.value is not None:
            return variable.value
        if variable is not None:
            # Using the old value would be wrong on some runs, so the program is refused.
            reason = (
                f"{quoted(node.name)} has no certain value here: its bits were measured again,"
                " or only a branch gave it one"
            )
            raise self._tokens.error(node.at, reason)
        reason = f"{quoted(node.name)} is not declared"
        if self.scopes.outside is not None and node.name in self.scopes.outside:
            reason = (
                f"{quoted(node.name)} is not visible in a gate body, which sees its own parameters "
                "and qubits, and constants"
            )
        raise self._tokens.error(node.at, reason)

    def _index(self, node: Index) -> Value:
        base = self.value(node.base)
        if type(base) is BitString or type(base) is Angle or type(base) is int:
            return self._bits_of_constant(base, node)
        if not (type(base) is Bits or type(base) is Qubits) or base.is_scalar:
            raise self._tokens.error(node.at, "only registers have an index")
        make, indices, selector = type(base), base.indices, node.selector
        if type(selector) is Range or type(selector) is IndexSet:
            places = self._places(selector, len(indices))
            return make(tuple([indices[place] for place in places]), False)
        # An integer in range is the usual case; `_place` handles negative numbers and errors.
        index = selector.value if type(selector) is Literal else self.value(selector)
        if type(index) is not int or not 0 <= index < len(indices):
            index = self._place(self.integer(selector, node.at), len(indices), node.at)
        return make((indices[index],), True)

    def _bits_of_constant(self, base: int | BitString | Angle, node: Index) -> bool | BitString:
        # The size of an integer's type is not known here.
        width = arithmetic.DEFAULT_WIDTH if isinstance(base, int) else base.width
        number = base if isinstance(base, int) else base.value
        if isinstance(node.selector, Range | IndexSet):
            places = self._places(node.selector, width)
            bits = sum((number >> place & 1) << k for k, place in enumerate(places))
            return BitString(bits, len(places))
        place = self._place(self.integer(node.selector, node.at), width, node.at)
        return bool(number >> place & 1)

    def _places(self, selector: Range | IndexSet, size: int) -> Sequence[int]:
        if isinstance(selector, IndexSet):
            self.count_steps(len(selector.items), selector.at)
            items = [self.integer(item, selector.at) for item in selector.items]
            return [self._place(item, size, selector.at) for item in items]
        places = self.integers(selector, size)
        if not places:
            raise self._tokens.error(selector.at, "the range selects nothing")
        # A range is monotonic, so its ends suffice, and a huge range is refused before it is built.
        self._place(places[0], size, selector.at)
        self._place(places[-1], size, selector.at)
        self.count_steps(len(places), selector.at)
        return places

    def _place(self, index: int, size: int, at: int) -> int:
        if not -size <= index < size:
            reason = f"index {index} is out of range: the size is {size}"
            raise self._tokens.error(at, reason)
        return index % size

    # --- operators --------------------------------------------------------------------------------

    def _unary(self, node: Unary) -> Value:
        value = self.value(node.operand)
        if isinstance(value, _CONSTANT):
            try:
                return arithmetic.unary(node.operator, value)
            except OperandError as why:
                raise self._error(node.at, why) from None
        is_bit = True
        if isinstance(value, Bits):
            is_bit = value.is_scalar
        elif isinstance(value, MeasuredInteger):
            is_bit = value.is_bit
        if node.operator == "!" or (node.operator == "~" and is_bit):
            return conditions.negate(self._truth(value, node.at))
        raise self._tokens.error(node.at, _AT_RUN_TIME)

    def _chain(self, node: Chain) -> Value:
        symbol = node.steps[0].operator
        if symbol in ("&&", "||"):
            return self._logical(symbol, node)
        if symbol in ("&", "|", "^"):
            return self._bitwise(symbol, node)
        value = self.value(node.first)
        for step in node.steps:
            value = self._binary(step, value, self.value(step.operand))
        return value

    def _binary(self, step: Step, left: Value, right: Value) -> Value:
        # `is not Bits` first: a negative `isinstance` of a struct takes five times as long.
        if type(left) is not Bits and isinstance(left, _CONSTANT) and isinstance(right, _CONSTANT):
            return self.binary(step.operator, left, right, step.at)
        if step.operator in _RELATIONS:
            return self._compare(step, left, right)
        raise self._tokens.error(step.at, _AT_RUN_TIME)

    def _logical(self, symbol: str, node: Chain) -> Condition | bool:
        settled = symbol == "||"
        terms = [self.truth(node.first, node.steps[0].at)]
        for step in node.steps:
            # Short-circuit as at run time: the rest may contain what is an error if evaluated.
            if terms[-1] is settled:
                return settled
            self.count_steps(_STEPS_OF_TERM, step.at)
            terms.append(self.truth(step.operand, step.at))
        return conditions.any_of(terms) if settled else conditions.all_of(terms)

    def _bitwise(self, symbol: str, node: Chain) -> Value:
        value = self.value(node.first)
        values = [value, *(self.value(step.operand) for step in node.steps)]
        # On constants these are integer operators; on measured bits they combine single bits.
        if all(isinstance(value, _CONSTANT) for value in values):
            for step, right in zip(node.steps, values[1:], strict=True):
                value = self._binary(step, value, right)
            return value
        at = node.steps[0].at
        self.count_steps(len(values) * _STEPS_OF_TERM, at)
        terms = [self._single(value, at) for value in values]
        combine = {"&": conditions.all_of, "|": conditions.any_of, "^": conditions.odd_parity}[
            symbol
        ]
        return combine(terms)

    def _single(self, value: Value, at: int) -> Condition | bool:
        """Return one bit or truth value as a condition."""
        if isinstance(value, MeasuredInteger):
            value = Bits(value.bits, False)
        if isinstance(value, Bits) and not value.is_scalar and len(value.indices) > 1:
            raise self._tokens.error(at, "a whole register is not allowed here, only single bits")
        if isinstance(value, _CONSTANT) and arithmetic.number(value) not in (0, 1):
            raise self._tokens.error(at, "a bit is 0 or 1")
        return self._truth(value, at)

    def _truth(self, value: Value, at: int) -> Condition | bool:
        if type(value) is Qubits:
            raise self._tokens.error(
                at, "a condition cannot read a qubit; measure it into a bit first"
            )
        if type(value) is Bits:
            return conditions.compare(value.indices, "!=", 0)
        if type(value) is MeasuredInteger:
            return conditions.compare(value.bits, "!=", 0)
        if type(value) is not conditions.Comparison and isinstance(value, _CONSTANT):
            return bool(arithmetic.number(value))
        return value

    def _compare(self, step: Step, left: Value, right: Value) -> Condition | bool:
        relation = _RELATIONS[step.operator]
        # A branch compares bits with a constant on the right, so `3 < c` becomes `c > 3`.
        if (type(right) is Bits or type(right) is MeasuredInteger) and isinstance(left, _CONSTANT):
            left, right, relation = right, left, _MIRRORED[relation]
        if type(left) is MeasuredInteger and left.is_signed and isinstance(right, _CONSTANT):
            return conditions.compare_signed(left.bits, relation, self._integer(right, step.at))
        left, right = self._bits_of(left, right, step.at)
        if type(left) is Bits and isinstance(right, _CONSTANT):
            return conditions.compare(
                left.indices, relation, self._comparable_integer(right, left, step.at)
            )
        if relation not in ("==", "!="):
            raise self._tokens.error(step.at, "measured bits can be ordered by a constant only")
        if isinstance(left, Bits) and isinstance(right, Bits):
            differ = self._registers_differ(left, right, step.at)
        else:
            differ = conditions.odd_parity(
                (self._single(left, step.at), self._single(right, step.at))
            )
        return differ if relation == "!=" else conditions.negate(differ)

    def _bits_of(self, left: Value, right: Value, at: int) -> tuple[Value, Value]:
        """Return the two sides of a comparison with bits in place of integers.

        Two signed integers, or two unsigned ones, are equal if their bits are equal. A signed and
        an unsigned integer of the same bits may differ, so their comparison is refused.
        """
        numbers = [side for side in (left, right) if type(side) is MeasuredInteger]
        if any(side.is_signed for side in numbers) and (
            len(numbers) < 2 or numbers[0].is_signed is not numbers[1].is_signed
        ):
            raise self._tokens.error(at, "signed numbers are compared with constants only")
        return _with_bits(left), _with_bits(right)

    def _integer(self, value: Constant, at: int) -> int:
        if isinstance(value, float | Angle):
            reason = f"measured bits cannot be compared with {arithmetic.kind(value)}"
            raise self._tokens.error(at, reason)
        return int(arithmetic.number(value))

    def _comparable_integer(self, value: Constant, bits: Bits, at: int) -> int:
        """Return a constant that bits are compared with, as a number."""
        if type(value) is BitString and value.width != len(bits.indices):
            reason = f"{len(bits.indices)} bits are compared with a string of {value.width}"
            raise self._tokens.error(at, reason)
        return self._integer(value, at)

    def _registers_differ(self, left: Bits, right: Bits, at: int) -> Condition | bool:
        if len(left.indices) != len(right.indices):
            raise self._tokens.error(at, "registers of different sizes cannot be compared")
        self.count_steps(len(left.indices) * _STEPS_OF_TERM, at)
        pairs = zip(left.indices, right.indices, strict=True)
        return conditions.any_of(
            conditions.odd_parity(conditions.compare((bit,), "!=", 0) for bit in pair)
            for pair in pairs
        )

    # --- calls and casts --------------------------------------------------------------------------

    def _call(self, node: Call) -> Constant:
        values = tuple(self.constant(argument, node.at) for argument in node.arguments)
        try:
            return arithmetic.call(node.function, values)
        except OperandError as why:
            raise self._error(node.at, why) from None

    def _cast(self, node: Cast) -> Value:
        value = self.value(node.operand)
        if isinstance(value, _CONSTANT):
            return self.convert(node.type, value, is_cast=True)
        size, name = self.size(node.type), node.type.name
        if name == "bool" or (name == "bit" and size is None):
            return self._truth(value, node.at)
        return self._as_number(name, size, value, node.at)

    def _as_number(self, name: str, size: int | None, value: Value, at: int) -> MeasuredInteger:
        """Return measured bits as an integer type or bool."""
        is_plain = isinstance(value, Bits) or (
            isinstance(value, MeasuredInteger) and not value.is_signed
        )
        bits = value.indices if isinstance(value, Bits) else getattr(value, "bits", ())
        if is_plain and name == "bool" and len(bits) == 1:
            return MeasuredInteger(bits, False, True)
        if not is_plain or name not in ("int", "uint"):
            raise self._tokens.error(at, f"measured bits cannot be cast to '{name}'")
        # One bit more than measured keeps the number positive, so it needs no two's complement.
        width = size or max(64, len(bits) + 1)
        if width < len(bits):
            reason = f"{len(bits)} measured bits need {name}[{len(bits)}] or wider"
            raise self._tokens.error(at, reason)
        return MeasuredInteger(bits, name == "int" and width == len(bits), width == 1)

    def _error(self, at: int, why: OperandError) -> InvalidProgram:
        return self._tokens.error(at, str(why))


def _with_bits(side: Value) -> Value:
    """Return a measured integer as its bits, and any other value unchanged."""
    return Bits(side.bits, False) if type(side) is MeasuredInteger else side
