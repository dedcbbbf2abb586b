"""Conditions of Qiskit's circuits: classical expressions of measured bits.

All arithmetic is on unsigned integers and wraps, as Qiskit defines it. What computes with bits
becomes a function of them (`openqasm/logic.py`), as in OpenQASM 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qwicket.circuits.qubit import Relation
from qwicket.programs.json_text import FieldError
from qwicket.programs.openqasm import conditions
from qwicket.programs.openqasm.conditions import Condition
from qwicket.programs.openqasm.logic import Logic, Word, Work, constant, extended, inverted

_DEPTH: Final = 64
"""Limit on the nesting of conditions."""

_RELATIONS: Final[Mapping[str, tuple[Relation, Relation]]] = {
    "EQUAL": ("==", "=="),
    "NOT_EQUAL": ("!=", "!="),
    "LESS": ("<", ">"),
    "LESS_EQUAL": ("<=", ">="),
    "GREATER": (">", "<"),
    "GREATER_EQUAL": (">=", "<="),
}
"""Each comparison, and the same with its sides exchanged."""
_JOINS: Final = {
    "LOGIC_AND": conditions.all_of,
    "LOGIC_OR": conditions.any_of,
    "BIT_AND": conditions.all_of,
    "BIT_OR": conditions.any_of,
    "BIT_XOR": conditions.odd_parity,
    "NOT_EQUAL": conditions.odd_parity,
}
"""Operators on truth values."""
_BITWISE: Final = {
    "BIT_AND": "&",
    "BIT_OR": "|",
    "BIT_XOR": "^",
    "LOGIC_AND": "&",
    "LOGIC_OR": "|",
}


class Expressions:
    """Reads the conditions of the circuits of one file.

    All methods take the number of each classical bit, and raise FieldError for what cannot be run,
    and TooComplex for a condition on too many bits.

    Args:
        max_steps: The limit `openqasm_steps`.
    """

    def __init__(self, max_steps: int) -> None:
        self._logic = Logic(Work(max_steps).count)

    def case(
        self, target: Any, labels: Sequence[Any], clbits: Mapping[Any, int]
    ) -> Condition | bool:
        """Return the condition under which a case of a switch runs."""
        from qiskit.circuit import CASE_DEFAULT
        from qiskit.circuit.classical import expr

        if CASE_DEFAULT in labels:
            return True
        values = [int(label) for label in labels]
        if isinstance(target, expr.Expr) and not isinstance(target, expr.Var):
            word = self._word(target, clbits, 0)
            return conditions.any_of([self._equals(word, value) for value in values])
        bits = _bits(target.var if isinstance(target, expr.Var) else target, clbits)
        return conditions.any_of([conditions.compare(bits, "==", value) for value in values])

    def condition(
        self, expression: Any, clbits: Mapping[Any, int], depth: int = 0
    ) -> Condition | bool:
        """Return a condition on bits."""
        from qiskit.circuit.classical import expr

        _check_depth(depth)
        match expression:
            # A register or bit with a number is the older form, which `if_test` still takes.
            case (bits, value):
                return conditions.compare(_bits(bits, clbits), "==", int(value))
            case expr.Var():
                return conditions.compare(_bits(expression.var, clbits), "!=", 0)
            case expr.Value():
                return bool(expression.value)
            case expr.Cast() if _keeps_value(expression):
                return self.condition(expression.operand, clbits, depth + 1)
            case expr.Unary(op=expr.Unary.Op.LOGIC_NOT):
                return conditions.negate(self.condition(expression.operand, clbits, depth + 1))
            case expr.Unary(op=expr.Unary.Op.BIT_NOT) if _is_bool(expression):
                return conditions.negate(self.condition(expression.operand, clbits, depth + 1))
            case expr.Binary():
                simple = self._simple(expression, clbits, depth)
                if simple is not None:
                    return simple
        word = self._word(expression, clbits, depth)
        return self._logic.condition(self._logic.any_of(word))

    def _simple(
        self, expression: Any, clbits: Mapping[Any, int], depth: int
    ) -> Condition | bool | None:
        """Return a condition that needs no computing, for any number of bits; else None."""
        from qiskit.circuit.classical import expr

        name = expression.op.name
        sides = expression.left, expression.right
        if all(map(_is_bool, sides)) and (name in _JOINS or name == "EQUAL"):
            terms = [self.condition(side, clbits, depth + 1) for side in sides]
            if name == "EQUAL":
                return conditions.negate(conditions.odd_parity(terms))
            return _JOINS[name](terms)
        if name not in _RELATIONS:
            return None
        # A branch has its constant on the right, so `3 < c` becomes `c > 3`.
        usual, turned = _RELATIONS[name]
        match tuple(map(_uncast, sides)):
            case (expr.Var() as left, expr.Value() as right):
                return conditions.compare(_bits(left.var, clbits), usual, int(right.value))
            case (expr.Value() as left, expr.Var() as right):
                return conditions.compare(_bits(right.var, clbits), turned, int(left.value))
            case (expr.Var() as left, expr.Var() as right) if name in ("EQUAL", "NOT_EQUAL"):
                first, second = _bits(left.var, clbits), _bits(right.var, clbits)
                if len(first) == len(second):
                    differ = conditions.differ(first, second)
                    return differ if name == "NOT_EQUAL" else conditions.negate(differ)
        return None

    def _equals(self, word: Word, value: int) -> Condition | bool:
        number = constant(value, max(len(word), value.bit_length()))
        return self._logic.condition(self._logic.compare("==", word, number))

    def _word(self, expression: Any, clbits: Mapping[Any, int], depth: int) -> Word:
        """Return the bits of an expression as functions; a truth value is one bit."""
        from qiskit.circuit.classical import expr, types

        _check_depth(depth)
        width = 1 if _is_bool(expression) else getattr(expression.type, "width", 0)
        if not isinstance(expression.type, types.Bool | types.Uint):
            raise FieldError(
                f"its condition computes with {expression.type}, not with bits", "condition"
            )
        match expression:
            case expr.Var():
                return tuple(map(self._logic.bit, _bits(expression.var, clbits)))
            case expr.Value():
                return constant(int(expression.value), width)
            case expr.Cast():
                word = self._word(expression.operand, clbits, depth + 1)
                return (
                    (self._logic.any_of(word),) if _is_bool(expression) else extended(word, width)
                )
            case expr.Unary(op=expr.Unary.Op.BIT_NOT | expr.Unary.Op.LOGIC_NOT):
                return inverted(self._word(expression.operand, clbits, depth + 1))
            case expr.Index():
                word = self._word(expression.target, clbits, depth + 1)
                place = self._word(expression.index, clbits, depth + 1)
                return self._logic.shift(word, place, is_left=False)[:1]
            case expr.Binary():
                left = self._word(expression.left, clbits, depth + 1)
                right = self._word(expression.right, clbits, depth + 1)
                return self._binary(expression.op.name, left, right)
        raise FieldError(
            f"its condition has a {type(expression).__name__}, which cannot be run", "condition"
        )

    def _binary(self, name: str, left: Word, right: Word) -> Word:
        logic = self._logic
        if name in _BITWISE:
            return logic.bitwise(_BITWISE[name], left, right)
        if name in _RELATIONS:
            return (logic.compare(_RELATIONS[name][0], left, right),)
        match name:
            case "SHIFT_LEFT" | "SHIFT_RIGHT":
                return logic.shift(left, right, is_left=name == "SHIFT_LEFT")
            case "ADD":
                return logic.add(left, right)
            case "SUB":
                return logic.subtract(left, right)
            case "MUL":
                return logic.multiply(left, right)
            case "DIV":
                return logic.divide(left, right)[0]
        raise FieldError(f"its condition has the operator {name}, which cannot be run", "condition")


def _check_depth(depth: int) -> None:
    if depth > _DEPTH:
        raise FieldError("its condition is nested too deeply", "condition")


def _uncast(expression: Any) -> Any:
    """Return the operand of an implicit cast, which Qiskit makes to a wider number."""
    from qiskit.circuit.classical import expr

    return (
        expression.operand
        if isinstance(expression, expr.Cast) and expression.implicit
        else expression
    )


def _keeps_value(cast: Any) -> bool:
    """Return whether a cast makes zero of zero only; one to fewer bits does not."""
    before, after = [getattr(each.type, "width", 0) for each in (cast.operand, cast)]
    return _is_bool(cast) or _is_bool(cast.operand) or 0 < before <= after


def _is_bool(expression: Any) -> bool:
    from qiskit.circuit.classical import types

    return isinstance(expression.type, types.Bool)


def _bits(bits: Any, clbits: Mapping[Any, int]) -> tuple[int, ...]:
    """Return the number of a bit, or those of a register's bits."""
    try:
        return (clbits[bits],) if bits in clbits else tuple([clbits[bit] for bit in bits])
    except (KeyError, TypeError):
        raise FieldError("its condition is on bits that are not there", "condition") from None
