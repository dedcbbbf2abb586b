"""Arithmetic on constants, which are known when a program is read.

Integers are exact and bounded, floats finite. Integer division truncates and the remainder has
the sign of the dividend, as in C, which the OpenQASM 3 specification follows. Angles are floats
and are not reduced to [0, 2π), because a controlled `rz` differs between θ and θ + 2π.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Final

from qwicket.programs.openqasm.bounds import MAX_INTEGER
from qwicket.programs.openqasm.syntax import BitString, Constant

Number = bool | int | float

CONSTANTS: Final[Mapping[str, float]] = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}


class OperandError(Exception):
    """The operands do not fit the operation; the text says why. Never leaves this package."""


def number(value: Constant) -> Number:
    """Return a constant as a number; a bit string counts as unsigned."""
    return value.value if isinstance(value, BitString) else value


def unary(symbol: str, value: Constant) -> Constant:
    """Return `-value`, `!value` or `~value`.

    Raises:
        OperandError: The operator does not take such a value.
    """
    if symbol == "!":
        return not number(value)
    if symbol == "-" and not isinstance(value, BitString):
        return -_bounded(value) if isinstance(value, int) else -value
    if symbol == "~" and isinstance(value, bool):
        return not value
    if symbol == "~" and isinstance(value, BitString):
        return BitString(~value.value & (1 << value.width) - 1, value.width)
    raise OperandError(f"'{symbol}' does not take {kind(value)}")


def binary(symbol: str, left: Constant, right: Constant) -> Constant:
    """Return `left symbol right`.

    Raises:
        OperandError: The operands do not fit, or the result is out of range.
    """
    # Angles are the usual case, so they come before the tests of all other kinds.
    if type(left) is float and type(right) is float and symbol in _ON_NUMBERS:
        return _finite(_ON_NUMBERS[symbol](left, right))
    if symbol in COMPARISONS:
        return bool(COMPARISONS[symbol](number(left), number(right)))
    if symbol in _LOGICAL:
        return bool(_LOGICAL[symbol](bool(number(left)), bool(number(right))))
    if symbol in _BITWISE and isinstance(left, bool) and isinstance(right, bool):
        return bool(_BITWISE[symbol](left, right))
    if isinstance(left, BitString) or isinstance(right, BitString):
        raise OperandError(f"'{symbol}' does not take a bit string; cast it to uint")
    if isinstance(left, int) and isinstance(right, int):
        return _on_integers(symbol, _bounded(left), _bounded(right))
    return _on_floats(symbol, to_float(left), to_float(right))


def call(function: str, values: tuple[Constant, ...]) -> Constant:
    """Return the value of a built-in function.

    Raises:
        OperandError: Wrong number or kind of arguments, or a result that is not finite.
    """
    n_arguments, compute = FUNCTIONS[function]
    if len(values) != n_arguments:
        raise OperandError(f"'{function}' takes {n_arguments} arguments, not {len(values)}")
    try:
        return compute(*values)
    except (ValueError, ZeroDivisionError):
        arguments = ", ".join(f"{number(value):g}" for value in values)
        raise OperandError(f"{function}({arguments}) is not defined") from None
    except OverflowError:
        raise OperandError("the result is not finite") from None


def convert(name: str, size: int | None, value: Constant, *, is_cast: bool) -> Constant:
    """Return a value as another type.

    Args:
        name: One of bool, bit, int, uint, float, angle.
        size: Bits of the type; None for the default: 64 bits of an integer, one of `bit`.
        value: Value to convert.
        is_cast: True for an explicit cast, which may also drop a fraction.

    Raises:
        OperandError: The value does not fit the type.
    """
    if name in ("float", "angle"):
        return to_float(value)
    if name == "bool" or (name == "bit" and size is None):
        return bool(number(value))
    if name == "bit":
        return _to_bit_string(size or 1, value)
    plain = number(value)
    if isinstance(plain, float):
        if not is_cast:
            raise OperandError(
                f"a float is not converted to {name}; write {name}(…) to drop its fraction"
            )
        # `int` drops the fraction towards zero, as a cast does in C.
        plain = int(plain)
    # The specification leaves the width of a plain `int` to the target; here it is 64.
    bits = size or 64
    low, high = (-(1 << bits - 1), 1 << bits - 1) if name == "int" else (0, 1 << bits)
    if not low <= plain < high:
        raise OperandError(f"the value does not fit {name}[{bits}]")
    return int(plain)


def to_float(value: Constant) -> float:
    """Return a number as a finite float.

    Raises:
        OperandError: The value is a bit string, or too large for a float.
    """
    if isinstance(value, BitString):
        raise OperandError("a bit string cannot be used as a number; cast it to uint first")
    try:
        return float(value)
    except OverflowError:
        raise OperandError("the number is too large") from None


def kind(value: Constant) -> str:
    """Return the name of a constant's type for errors."""
    if isinstance(value, BitString):
        return "a bit string"
    return {bool: "a bool", int: "an integer", float: "a float"}[type(value)]


# --- operators ------------------------------------------------------------------------------------


def _on_integers(symbol: str, left: int, right: int) -> int | float:
    if symbol in ("/", "%"):
        if right == 0:
            raise OperandError("division by zero")
        # `//` rounds down in Python: -7 // 2 is -4, but C truncates to -3.
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if symbol == "/" else left - quotient * right
    if symbol == "**":
        return _integer_power(left, right)
    if symbol in ("<<", ">>"):
        # Checked first: a shift by 10^12 bits would ask for 125 GB before `_bounded` sees it.
        if not 0 <= right <= 64:
            raise OperandError("a shift is by 0 to 64 bits")
        return _bounded(left << right if symbol == "<<" else left >> right)
    compute = _BITWISE[symbol] if symbol in _BITWISE else _ON_NUMBERS[symbol]
    return _bounded(int(compute(left, right)))


def _integer_power(base: int, exponent: int) -> int | float:
    if exponent < 0:
        return _on_floats("**", float(base), float(exponent))
    # Checked first, because Python computes integers of any length; 0, 1 and -1 stay small.
    if abs(base) > 1 and exponent > 64:
        raise OperandError("the integer is too large")
    return _bounded(int(base**exponent))


def _on_floats(symbol: str, left: float, right: float) -> float:
    try:
        if symbol == "**":
            # In Python (-8.0) ** 0.5 is a complex number; `math.pow` raises instead.
            return _finite(math.pow(left, right))
        if symbol == "/":
            return _finite(left / right)
        if symbol == "%":
            # `fmod` has the sign of the dividend, as in C; Python's `%` has that of the divisor.
            return _finite(math.fmod(left, right))
    except ZeroDivisionError:
        raise OperandError("division by zero") from None
    except ValueError:
        raise OperandError(f"{left:g} {symbol} {right:g} is not defined") from None
    except OverflowError:
        raise OperandError("the result is not finite") from None
    compute = _ON_NUMBERS.get(symbol)
    if compute is None:
        raise OperandError(f"'{symbol}' does not take a float")
    return _finite(compute(left, right))


def _bounded(value: int) -> int:
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise OperandError("the integer is too large")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise OperandError("the result is not finite")
    return value


def _to_bit_string(width: int, value: Constant) -> BitString:
    if isinstance(value, float):
        raise OperandError("a float cannot become a bit string")
    plain = number(value)
    if isinstance(value, BitString) and value.width != width:
        raise OperandError(f"the bit string has {value.width} bits, not {width}")
    if not 0 <= plain < 1 << width:
        raise OperandError(f"the value does not fit bit[{width}]")
    return BitString(int(plain), width)


COMPARISONS: Final[Mapping[str, Callable[[Number, Number], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LOGICAL: Final[Mapping[str, Callable[[bool, bool], bool]]] = {
    "&&": operator.and_,
    "||": operator.or_,
}
_BITWISE: Final[Mapping[str, Callable[[int, int], int]]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
_ON_NUMBERS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}

# --- functions ------------------------------------------------------------------------------------


def _of_float(compute: Callable[..., float]) -> Callable[..., Constant]:
    # `math.ceil` and `math.floor` return integers, but in OpenQASM 3 their results are floats.
    return lambda *values: _finite(float(compute(*map(to_float, values))))


def _mod(left: Constant, right: Constant) -> Constant:
    return binary("%", left, right)


def _popcount(value: Constant) -> Constant:
    plain = number(value)
    if isinstance(plain, float) or plain < 0:
        raise OperandError(f"'popcount' does not take {kind(value)} below zero or with a fraction")
    return int(plain).bit_count()


FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., Constant]]]] = {
    "arccos": (1, _of_float(math.acos)),
    "arcsin": (1, _of_float(math.asin)),
    "arctan": (1, _of_float(math.atan)),
    "acos": (1, _of_float(math.acos)),
    "asin": (1, _of_float(math.asin)),
    "atan": (1, _of_float(math.atan)),
    "ceiling": (1, _of_float(math.ceil)),
    "cos": (1, _of_float(math.cos)),
    "exp": (1, _of_float(math.exp)),
    "floor": (1, _of_float(math.floor)),
    "ln": (1, _of_float(math.log)),
    "log": (1, _of_float(math.log)),
    "mod": (2, _mod),
    "popcount": (1, _popcount),
    "pow": (2, lambda base, exponent: binary("**", base, exponent)),
    "sin": (1, _of_float(math.sin)),
    "sqrt": (1, _of_float(math.sqrt)),
    "tan": (1, _of_float(math.tan)),
}
"""Built-in functions with their number of arguments. Inverse functions have two names each,
because both are in use."""
