"""Arithmetic on constants, which are known when a program is read.

Integers are exact and bounded, floats finite. Integer division truncates and the remainder has
the sign of the dividend, as in C, which the OpenQASM 3 specification follows. A value of type
`angle[n]` has n bits and is computed modulo 2π. Floats are not reduced to [0, 2π), because a
controlled `rz` differs between θ and θ + 2π.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Mapping
from typing import Final

from qwicket.circuits.qubit import SAMPLES_PER_S
from qwicket.programs.openqasm.bounds import MAX_ANGLE_BITS, MAX_INTEGER
from qwicket.programs.openqasm.syntax import Angle, BitString, Constant

Number = bool | int | float

CONSTANTS: Final[Mapping[str, float]] = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}

UNITS_PER_S: Final[Mapping[str, float]] = {
    "dt": SAMPLES_PER_S,
    "ns": 1e9,
    **dict.fromkeys(("us", "µs", "μs"), 1e6),  # the micro sign and the Greek letter
    "ms": 1e3,
    "s": 1,
}
"""Units of durations. A number is divided by these, so that `1us` and `1000ns` are equal."""

NO_UNIT: Final = "a duration has a unit, as in 100ns; the units are ns, us, µs, ms, s and dt"


DEFAULT_WIDTH: Final = 64
"""Bits of a plain `int`, `uint`, `float` or `angle`, which the specification leaves to the
target."""

_FLOAT_FORMATS: Final[Mapping[int, str]] = {16: "<e", 32: "<f", 64: "<d"}


class OperandError(Exception):
    """The operands do not fit the operation; the text says why. Never leaves this package."""


def number(value: Constant) -> Number:
    """Return a constant as a number; bit strings and the bits of angles count as unsigned."""
    return value.value if isinstance(value, BitString | Angle) else value


def unary(symbol: str, value: Constant) -> Constant:
    """Return `-value`, `!value` or `~value`.

    Raises:
        OperandError: The operator does not take such a value.
    """
    if symbol == "!":
        return not number(value)
    if isinstance(value, Angle):
        return _modular(-value.value if symbol == "-" else ~value.value, value.width)
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
    if symbol in _LOGICAL:
        return bool(_LOGICAL[symbol](bool(number(left)), bool(number(right))))
    if isinstance(left, Angle) or isinstance(right, Angle):
        return _on_angles(symbol, left, right)
    if symbol in COMPARISONS:
        return bool(COMPARISONS[symbol](number(left), number(right)))
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
    if function not in _OF_ANGLES and any(isinstance(value, Angle) for value in values):
        raise OperandError(f"'{function}' does not take an angle; cast it to float")
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
        name: One of bool, bit, int, uint, float, angle; no constant becomes a duration.
        size: Bits of the type; None for the default: one of `bit`, else `DEFAULT_WIDTH`.
        value: Value to convert.
        is_cast: True for an explicit cast, which may also drop a fraction.

    Raises:
        OperandError: The value does not fit the type.
    """
    if name == "duration":
        raise OperandError(NO_UNIT)
    if name == "angle":
        return _to_angle(size or DEFAULT_WIDTH, value)
    if name == "bool":
        return bool(number(value))
    if isinstance(value, Angle) and name != "bit" and not (name == "float" and is_cast):
        remedy = "write float(…)" if name == "float" else "cast it to float or bit first"
        raise OperandError(f"an angle is not converted to {name}; {remedy}")
    if name == "float":
        return _to_float(size or DEFAULT_WIDTH, value)
    if name == "bit" and size is None:
        return bool(_to_bit_string(1, value).value if isinstance(value, Angle) else number(value))
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
    bits = size or DEFAULT_WIDTH
    low, high = (-(1 << bits - 1), 1 << bits - 1) if name == "int" else (0, 1 << bits)
    if not low <= plain < high:
        raise OperandError(f"the value does not fit {name}[{bits}]")
    return int(plain)


def to_float(value: Constant) -> float:
    """Return a number, or an angle in radians, as a finite float.

    Raises:
        OperandError: The value is a bit string, or too large for a float.
    """
    if isinstance(value, Angle):
        return value.radians
    if isinstance(value, BitString):
        raise OperandError("a bit string cannot be used as a number; cast it to uint first")
    try:
        return float(value)
    except OverflowError:
        raise OperandError("the number is too large") from None


def kind(value: Constant) -> str:
    """Return the name of a constant's type for errors."""
    if isinstance(value, BitString | Angle):
        return "a bit string" if isinstance(value, BitString) else "an angle"
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


def _on_angles(symbol: str, left: Constant, right: Constant) -> Constant:
    """Compute with the bits of angles as with unsigned integers of their width."""
    if isinstance(left, Angle) and symbol in ("<<", ">>") and type(right) is int:
        if not 0 <= right <= MAX_INTEGER:
            raise OperandError("a shift is by 0 or more bits")
        # A wider shift also leaves no bit, and would first ask for the memory of all its zeros.
        places = min(right, left.width)
        moved = left.value << places if symbol == "<<" else left.value >> places
        return _modular(moved, left.width)
    if symbol in ("*", "/") and isinstance(left, Angle) and type(right) is int:
        if symbol == "*":
            return _modular(left.value * _bounded(right), left.width)
        if right <= 0:
            reason = "division by zero" if not right else "an angle is not divided by a negative"
            raise OperandError(reason)
        return Angle(left.value // right, left.width)
    if symbol == "*" and type(left) is int:
        return _on_angles(symbol, right, left)
    width = max(side.width for side in (left, right) if isinstance(side, Angle))
    # A number is converted where only angles can be meant, as in `a + pi` and `a == pi`.
    is_converted = symbol in COMPARISONS or symbol in ("+", "-")
    allowed = (Angle, int, float) if is_converted else Angle
    if not isinstance(left, allowed) or not isinstance(right, allowed):
        raise OperandError(f"'{symbol}' does not take {kind(left)} and {kind(right)}")
    first, second = [_to_angle(width, side).value for side in (left, right)]
    if symbol in COMPARISONS:
        return bool(COMPARISONS[symbol](first, second))
    if symbol == "/":
        if not second:
            raise OperandError("division by zero")
        return _bounded(first // second)
    compute = _BITWISE.get(symbol) or {"+": operator.add, "-": operator.sub}.get(symbol)
    if compute is None:
        raise OperandError(f"'{symbol}' does not take an angle; cast it to float")
    return _modular(compute(first, second), width)


def _modular(value: int, width: int) -> Angle:
    return Angle(value & (1 << width) - 1, width)


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


def _to_float(width: int, value: Constant) -> float:
    number_format = _FLOAT_FORMATS.get(width)
    if number_format is None:
        raise OperandError(f"float[{width}] is not supported; a float has 16, 32 or 64 bits")
    try:
        rounded = struct.unpack(number_format, struct.pack(number_format, to_float(value)))[0]
    except OverflowError:
        raise OperandError(f"the value does not fit float[{width}]") from None
    return float(rounded)


def _to_angle(width: int, value: Constant) -> Angle:
    """Return the angle of `width` bits that is nearest modulo 2π; ties go to the even one."""
    if isinstance(value, Angle) and value.width == width:
        return value
    if width > MAX_ANGLE_BITS:
        reason = f"angle[{width}] is not supported; an angle has at most {MAX_ANGLE_BITS} bits"
        raise OperandError(reason)
    if isinstance(value, bool):
        raise OperandError("a bool cannot become an angle")
    if isinstance(value, BitString):
        return Angle(_to_bit_string(width, value).value, width)
    if isinstance(value, Angle):
        # Of the two ways that the specification allows for fewer bits, this one rounds as a float.
        return _modular(_nearest(value.value << width, 1 << value.width), width)
    # Exact integers, because a quotient of floats may round to the other side of a tie.
    numerator, denominator = to_float(value).as_integer_ratio()
    turn, per_radian = math.tau.as_integer_ratio()
    return _modular(_nearest(numerator * per_radian << width, denominator * turn), width)


def _nearest(numerator: int, denominator: int) -> int:
    """Return the integer nearest to a fraction, of two the even one."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest + (quotient & 1) > denominator)


def _to_bit_string(width: int, value: Constant) -> BitString:
    if isinstance(value, float):
        raise OperandError("a float cannot become a bit string")
    plain = number(value)
    if isinstance(value, BitString | Angle) and value.width != width:
        noun = kind(value).partition(" ")[2]
        raise OperandError(f"the {noun} has {value.width} bits, not {width}")
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


def _rotate(value: Constant, by: Constant, *, is_left: bool) -> Constant:
    if not isinstance(value, BitString | Angle):
        raise OperandError("a rotation takes bits; cast the number to uint[n] or bit[n]")
    if type(by) is not int:
        raise OperandError(f"a rotation is by an integer, not {kind(by)}")
    places = (by if is_left else -by) % value.width
    turned = value.value << places | value.value >> value.width - places
    return type(value)(turned & (1 << value.width) - 1, value.width)


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
    "rotl": (2, lambda value, by: _rotate(value, by, is_left=True)),
    "rotr": (2, lambda value, by: _rotate(value, by, is_left=False)),
    "sin": (1, _of_float(math.sin)),
    "sqrt": (1, _of_float(math.sqrt)),
    "tan": (1, _of_float(math.tan)),
}
"""Built-in functions with their number of arguments. Inverse functions have two names each,
because both are in use."""

_OF_ANGLES: Final = frozenset({"cos", "popcount", "rotl", "rotr", "sin", "tan"})
"""Functions that take angles, which other functions would take for numbers of radians."""
