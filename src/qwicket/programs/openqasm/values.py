"""Evaluator of expressions, and the visible names. It knows neither gates nor operations.

Values that are known when the program is read become constants, and tests of measured bits become
conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from qwicket.circuits.qubit import MAX_SECONDS, Relation
from qwicket.model.errors import InvalidProgram
from qwicket.programs.openqasm import arithmetic, conditions
from qwicket.programs.openqasm.arithmetic import OperandError
from qwicket.programs.openqasm.bounds import MAX_ANGLE, MAX_CLBITS, MAX_INTEGER
from qwicket.programs.openqasm.conditions import Condition
from qwicket.programs.openqasm.logic import TooComplex, constant, inverted
from qwicket.programs.openqasm.measured import (
    CONSTANT_TYPES,
    IS_DURATION,
    IS_QUBIT,
    STEPS_OF_TERM,
    Bits,
    Measured,
    MeasuredArithmetic,
    Qubits,
    Value,
    is_single,
)
from qwicket.programs.openqasm.syntax import (
    Angle,
    BitString,
    Call,
    Cast,
    Chain,
    Constant,
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
from qwicket.programs.openqasm.tokens import Tokens, quoted

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
_OF_WORDS: Final = frozenset({"popcount", "rotl", "rotr"})
"""Functions that take measured bits."""


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
        max_steps: The limit `openqasm_steps`.

    Attributes:
        tentative: Variables that were set inside a branch on measured bits that is still open.
    """

    def __init__(self, tokens: Tokens, physical: Callable[[int, int], int], max_steps: int) -> None:
        self.scopes = Scopes()
        self._tokens = tokens
        self._physical = physical
        self._max_steps = self._steps_left = max_steps
        self._measured = MeasuredArithmetic(tokens, self.count_steps, max_steps)
        self._readings: dict[int, list[tuple[Variable, Measured]]] = {}
        self.tentative: list[Variable] = []
        # A dictionary by type instead of `match`, because long programs evaluate a million nodes.
        self._evaluators: Mapping[type[Expression], Callable[[Any], Value]] = {
            Index: self._index,
            Name: self._name,
            Literal: attrgetter("value"),
            Duration: lambda node: node,
            Chain: self._chain,
            Unary: self._unary,
            Call: self._call,
            Cast: self._cast,
            PhysicalQubit: self._physical_qubit,
        }

    @property
    def steps(self) -> int:
        """Tokens of the program, and the work that was counted so far."""
        return self._tokens.number + self._max_steps - self._steps_left

    def count_steps(self, steps: int, at: int) -> None:
        """Count work before it is done, so that a short text cannot take long to read.

        Reading one token is one step.
        """
        self._steps_left -= steps
        if self._steps_left < 0:
            raise self._tokens.limit_error(
                at,
                f"the program takes more than {self._max_steps:,} steps to read, with all that its"
                " loops and gates repeat (limit openqasm_steps)",
            )

    def value(self, node: Expression) -> Value:
        """Return the value of an expression."""
        try:
            return self._evaluators[type(node)](node)
        except TooComplex as why:
            at = node.steps[0].at if isinstance(node, Chain) else getattr(node, "at", 0)
            raise self._tokens.limit_error(at, str(why)) from None

    def constant(self, node: Expression, at: int) -> Constant:
        """Return a value that is known now."""
        return self._known(self.value(node), at)

    def value_for(
        self, name: str, size: int | None, node: Expression, at: int
    ) -> Constant | Duration | Measured:
        """Return an expression as a value of the type of this name and size.

        The value is known now, or computed from measured bits.
        """
        if name == "duration":
            return self.duration(node, at)
        value = self.value(node)
        if isinstance(value, CONSTANT_TYPES) or type(value) is Duration:
            return self.fit(name, size, self._known(value, at), at)
        if name == "bool" and isinstance(value, Bits | Measured) and not is_single(value):
            raise self._tokens.error(at, "measured bits become a 'bool' by a cast, bool(…), only")
        return self._measured.converted(name, size, value, at)

    def duration(self, node: Expression, at: int) -> Duration:
        """Return a duration that is known now."""
        value = self.value(node)
        if not isinstance(value, Duration):
            raise self._tokens.error(at, arithmetic.NO_UNIT)
        return value

    def seconds(self, node: Expression, at: int) -> float:
        """Return the duration of a `delay` or `box`, in seconds."""
        seconds = self.duration(node, at).seconds
        if not 0 <= seconds <= MAX_SECONDS:
            reason = f"the duration must be 0 to {MAX_SECONDS:g} s, not {seconds:g} s"
            raise self._tokens.error(at, reason)
        return seconds

    def set_value(self, variable: Variable, value: Constant | Duration | Measured, at: int) -> None:
        """Set a variable, and record the measured bits that its value depends on.

        The bits are not copied, so the next measurement into them invalidates the value.
        """
        variable.value = value
        if isinstance(value, Measured):
            try:
                clbits = self._measured.clbits(value)
            except TooComplex as why:
                raise self._tokens.limit_error(at, str(why)) from None
            # Each assignment adds an entry for each bit, so a loop of them would fill the memory.
            self.count_steps(len(clbits) * STEPS_OF_TERM + len(value.word) // 2, at)
            for bit in clbits:
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
        if isinstance(value, Duration):
            reason = "a number is needed here, not a duration; d / 1ns is the number of nanoseconds"
            raise self._tokens.error(at, reason)
        if not isinstance(value, CONSTANT_TYPES):
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
        if not isinstance(value, CONSTANT_TYPES):
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
        try:
            return self._truth(self.value(node), at)
        except TooComplex as why:
            raise self._tokens.limit_error(at, str(why)) from None

    def equals(self, subject: Bits | Measured, value: int, at: int) -> Condition | bool:
        """Return the condition that bits have the value of a number."""
        if type(subject) is Bits:
            return conditions.compare(subject.indices, "==", value)
        try:
            return self._measured.compare_with_number("==", self._measured.of(subject, at), value)
        except TooComplex as why:
            raise self._tokens.limit_error(at, str(why)) from None

    def size(self, type_: Type) -> int | None:
        """Return the number of bits of a type, if it has one."""
        if type_.size is None:
            return None
        if type_.name in ("bool", "duration"):
            raise self._tokens.error(type_.at, f"'{type_.name}' has no size")
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
        if type(base) is Measured and base.type_name != "bool":
            return self._bits_of_measured(base, node)
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

    def _bits_of_measured(self, base: Measured, node: Index) -> Measured:
        if isinstance(node.selector, Range | IndexSet):
            places = self._places(node.selector, len(base.word))
        else:
            index = self.integer(node.selector, node.at)
            places = [self._place(index, len(base.word), node.at)]
        return Measured("bit", tuple([base.word[place] for place in places]))

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
        if isinstance(value, CONSTANT_TYPES):
            try:
                return arithmetic.unary(node.operator, value)
            except OperandError as why:
                raise self._error(node.at, why) from None
        if isinstance(value, Duration) and node.operator == "-":
            return Duration(-value.seconds)
        if node.operator == "!" or (node.operator == "~" and is_single(value)):
            return conditions.negate(self._truth(value, node.at))
        measured = self._measured.of(value, node.at)
        if node.operator == "~":
            return Measured(measured.type_name, inverted(measured.word))
        return self._measured.negative(measured, node.at)

    def _chain(self, node: Chain) -> Value:
        symbol = node.steps[0].operator
        if symbol in ("&&", "||"):
            return self._logical(symbol, node)
        if symbol in ("&", "|", "^"):
            return self._bitwise(symbol, node)
        value, operand = self.value(node.first), node.first
        for step in node.steps:
            value = self._binary(step, value, self.value(step.operand), operand)
            operand = node
        return value

    def _binary(self, step: Step, left: Value, right: Value, left_node: Expression) -> Value:
        # `is not Bits` first: a negative `isinstance` of a struct takes five times as long.
        if (
            type(left) is not Bits
            and isinstance(left, CONSTANT_TYPES)
            and isinstance(right, CONSTANT_TYPES)
        ):
            return self.binary(step.operator, left, right, step.at)
        if type(left) is Duration or type(right) is Duration:
            return self._with_durations(step, left, right)
        if step.operator in _RELATIONS:
            return self._compare(step, left, right)
        sides = [
            self._typed(value, node, step.at) if isinstance(value, CONSTANT_TYPES) else value
            for value, node in ((left, left_node), (right, step.operand))
        ]
        first, second = [self._measured.of(side, step.at) for side in sides]
        return self._measured.combine(step, first, second)

    def _typed(self, value: Constant, node: Expression, at: int) -> Measured:
        """Return a constant integer with its type, which is `int` unless its name or cast says."""
        if isinstance(value, float | Angle | BitString):
            reason = f"measured bits cannot be combined with {arithmetic.kind(value)}"
            raise self._tokens.error(at, reason)
        name, size = self._integer_type(node)
        width = size or arithmetic.DEFAULT_WIDTH
        width = max(width, int(value).bit_length() + (name == "int"))
        return Measured(name, constant(int(value), width))

    def _integer_type(self, node: Expression) -> tuple[str, int | None]:
        name, size = "int", None
        if isinstance(node, Name):
            variable = self.scopes.find(node.name)
            if variable is not None:
                name, size = variable.type_name, variable.size
        elif isinstance(node, Cast):
            name, size = node.type.name, self.size(node.type)
        return (name, size) if name in ("int", "uint") else ("int", None)

    def _with_durations(self, step: Step, left: Value, right: Value) -> Constant | Duration:
        """Return the result of an operator if one operand is a duration, or both are."""
        symbol, at = step.operator, step.at
        if isinstance(left, Duration) and isinstance(right, Duration):
            found = self.binary(symbol, left.seconds, right.seconds, at)
            if symbol in ("+", "-"):
                return Duration(arithmetic.to_float(found))
            if symbol == "/" or symbol in _RELATIONS:
                return found
        elif symbol == "*" or (symbol == "/" and isinstance(left, Duration)):
            one, other = [
                side.seconds if isinstance(side, Duration) else self._known(side, at)
                for side in (left, right)
            ]
            return Duration(arithmetic.to_float(self.binary(symbol, one, other, at)))
        raise self._tokens.error(at, f"'{symbol}' does not take a duration here")

    def _logical(self, symbol: str, node: Chain) -> Condition | bool:
        settled = symbol == "||"
        terms = [self.truth(node.first, node.steps[0].at)]
        for step in node.steps:
            # Short-circuit as at run time: the rest may contain what is an error if evaluated.
            if terms[-1] is settled:
                return settled
            self.count_steps(STEPS_OF_TERM, step.at)
            terms.append(self.truth(step.operand, step.at))
        return conditions.any_of(terms) if settled else conditions.all_of(terms)

    def _bitwise(self, symbol: str, node: Chain) -> Value:
        value = self.value(node.first)
        values = [value, *(self.value(step.operand) for step in node.steps)]
        # On constants these are integer operators; on measured bits they combine single bits.
        if all(isinstance(value, CONSTANT_TYPES) for value in values):
            for step, right in zip(node.steps, values[1:], strict=True):
                value = self._binary(step, value, right, node)
            return value
        at = node.steps[0].at
        self.count_steps(len(values) * STEPS_OF_TERM, at)
        if not all(map(is_single, values)):
            for step, right in zip(node.steps, values[1:], strict=True):
                if isinstance(value, CONSTANT_TYPES) and isinstance(right, CONSTANT_TYPES):
                    value = self.binary(step.operator, value, right, step.at)
                else:
                    value = self._measured.bitwise(step, value, right)
            return value
        terms = [self._single(value, at) for value in values]
        combine = {"&": conditions.all_of, "|": conditions.any_of, "^": conditions.odd_parity}[
            symbol
        ]
        return combine(terms)

    def _single(self, value: Value, at: int) -> Condition | bool:
        """Return one bit or truth value as a condition."""
        if not is_single(value) and not isinstance(value, Qubits):
            raise self._tokens.error(at, "a truth value is compared with a single bit only")
        if isinstance(value, CONSTANT_TYPES) and arithmetic.number(value) not in (0, 1):
            raise self._tokens.error(at, "a bit is 0 or 1")
        return self._truth(value, at)

    def _truth(self, value: Value, at: int) -> Condition | bool:
        if type(value) is Qubits:
            raise self._tokens.error(at, IS_QUBIT)
        if type(value) is Duration:
            raise self._tokens.error(at, IS_DURATION)
        if type(value) is Bits:
            return conditions.compare(value.indices, "!=", 0)
        if type(value) is Measured:
            return self._measured.compare_with_number("!=", value, 0)
        if type(value) is not conditions.Comparison and isinstance(value, CONSTANT_TYPES):
            return bool(arithmetic.number(value))
        return value

    def _compare(self, step: Step, left: Value, right: Value) -> Condition | bool:
        relation = _RELATIONS[step.operator]
        # A branch compares bits with a constant on the right, so `3 < c` becomes `c > 3`.
        if isinstance(left, CONSTANT_TYPES):
            left, right, relation = right, left, _MIRRORED[relation]
        if isinstance(right, CONSTANT_TYPES) and isinstance(left, Bits | Measured):
            width = len(left.indices if isinstance(left, Bits) else left.word)
            number = self._measured.comparable_integer(right, width, step.at)
            if isinstance(left, Bits):
                return conditions.compare(left.indices, relation, number)
            return self._measured.compare_with_number(relation, left, number)
        is_truth = not (isinstance(left, Bits | Measured) and isinstance(right, Bits | Measured))
        if is_truth and relation in ("==", "!="):
            differ = conditions.odd_parity(
                (self._single(left, step.at), self._single(right, step.at))
            )
            return differ if relation == "!=" else conditions.negate(differ)
        return self._measured.compare(
            relation,
            self._measured.of(left, step.at),
            self._measured.of(right, step.at),
            step.at,
        )

    # --- calls and casts --------------------------------------------------------------------------

    def _call(self, node: Call) -> Value:
        values = [self.value(argument) for argument in node.arguments]
        if node.function in _OF_WORDS and not all(
            isinstance(each, CONSTANT_TYPES) for each in values
        ):
            return self._measured.call(node, values)
        constants = [self._known(value, node.at) for value in values]
        is_integer = node.function in ("rotl", "rotr") and type(constants[0]) is int
        if is_integer:
            # An integer has no width of its own, but its name or its cast has one.
            _, size = self._integer_type(node.arguments[0])
            if size is not None:
                constants[0] = self.fit("bit", size, constants[0], node.at)
        try:
            result = arithmetic.call(node.function, tuple(constants))
        except OperandError as why:
            raise self._error(node.at, why) from None
        return int(arithmetic.number(result)) if is_integer else result

    def _cast(self, node: Cast) -> Value:
        value = self.value(node.operand)
        if isinstance(value, CONSTANT_TYPES) or type(value) is Duration:
            return self.convert(node.type, self._known(value, node.at), is_cast=True)
        size, name = self.size(node.type), node.type.name
        if name == "bool" or (name == "bit" and size is None):
            return self._truth(value, node.at)
        return self._measured.converted(name, size, value, node.at)

    def _error(self, at: int, why: OperandError) -> InvalidProgram:
        return self._tokens.error(at, str(why))
