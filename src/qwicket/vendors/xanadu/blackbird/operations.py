"""Operations of Blackbird: their arguments, and their conversion into operations of a circuit.

Names and conventions are those of Strawberry Fields, with ħ = 2 and angles in radians.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import asinh, hypot, pi
from typing import Final, NamedTuple

from qwicket.circuits.photonic import Formula, Gate, Kind, Measure, Op, Parameter
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu.blackbird import bounds
from qwicket.vendors.xanadu.blackbird.expressions import Array, Number
from qwicket.vendors.xanadu.blackbird.tokens import Line

Argument = Number | Formula | Array
Arguments = Mapping[str, Argument]


class Signature(NamedTuple):
    """Modes and arguments of an operation.

    Attributes:
        n_modes: Number of modes on which it acts; 0 allows any number.
        defaults: Default of each argument in order; None marks a required argument.
    """

    n_modes: int
    defaults: Mapping[str, float | None]


def _takes(n_modes: int, **defaults: float | None) -> Signature:
    return Signature(n_modes, defaults)


# Kind and homodyne angle. MeasureX and MeasureP are MeasureHomodyne at 0 and pi/2, MeasureHD is
# short for MeasureHeterodyne.
_MEASUREMENTS: Final[Mapping[str, tuple[Kind, float]]] = {
    "MeasureFock": ("fock", 0.0),
    "MeasureThreshold": ("threshold", 0.0),
    "MeasureHomodyne": ("homodyne", 0.0),
    "MeasureX": ("homodyne", 0.0),
    "MeasureP": ("homodyne", pi / 2),
    "MeasureHeterodyne": ("heterodyne", 0.0),
    "MeasureHD": ("heterodyne", 0.0),
}
_GATES: Final[Mapping[str, Signature]] = {
    "Sgate": _takes(1, r=None, phi=0.0),
    "S2gate": _takes(2, r=None, phi=0.0),
    "Dgate": _takes(1, r=None, phi=0.0),
    "Xgate": _takes(1, x=None),
    "Zgate": _takes(1, p=None),
    "Rgate": _takes(1, theta=None),
    "Fouriergate": _takes(1),
    "BSgate": _takes(2, theta=pi / 4, phi=0.0),
    "MZgate": _takes(2, phi_in=None, phi_ex=None),
    "sMZgate": _takes(2, phi_in=None, phi_ex=None),
    "Pgate": _takes(1, s=None),
    "CXgate": _takes(2, s=None),
    "CZgate": _takes(2, s=None),
    "LossChannel": _takes(1, T=None),
    "ThermalLossChannel": _takes(1, T=None, nbar=None),
    "Vacuum": _takes(0),
    "Coherent": _takes(1, r=0.0, phi=0.0),
    "Squeezed": _takes(1, r=0.0, phi=0.0),
    "DisplacedSqueezed": _takes(1, r_d=0.0, phi_d=0.0, r_s=0.0, phi_s=0.0),
    "Thermal": _takes(1, nbar=None),
}
_MATRICES: Final[Mapping[str, Signature]] = {
    "Interferometer": _takes(0, U=None),
    "GaussianTransform": _takes(0, S=None),
    "Gaussian": _takes(0, V=None, r=0.0),
}
_OPTIONS: Final[Mapping[str, Signature]] = {
    "MeasureFock": _takes(0, dark_counts=0.0),
    "MeasureHomodyne": _takes(0, phi=None),
}
SIGNATURES: Final[Mapping[str, Signature]] = {
    **_GATES,
    **_MATRICES,
    **dict.fromkeys(_MEASUREMENTS, _takes(0)),
    # Last, so that measurements with arguments replace those without.
    **_OPTIONS,
}
_FEED_FORWARD: Final = frozenset({"Dgate", "Xgate", "Zgate"})
"""Gates whose arguments may depend on measured values."""

_SHEARS: Final = frozenset({"Pgate", "CXgate", "CZgate"})
"""Gates whose argument s squeezes by arsinh(s/2)."""

_SQUEEZES: Final[Mapping[str, tuple[int, float]]] = {
    "Sgate": (0, 1.0),
    "S2gate": (0, 1.0),
    "Squeezed": (0, 1.0),
    "DisplacedSqueezed": (2, 1.0),
    **dict.fromkeys(_SHEARS, (0, 1.0)),
}
"""Position of the argument that squeezes, and (except for shears) the squeezing r for each unit."""

_DISPLACES: Final[Mapping[str, tuple[int, float]]] = {
    "Dgate": (0, 1.0),
    "Coherent": (0, 1.0),
    "DisplacedSqueezed": (0, 1.0),
    "Xgate": (0, 0.5),
    "Zgate": (0, 0.5),
}
"""Position of the argument that displaces, and the displacement |α| for each unit of it.

With ħ = 2 a shift of x or p by 1 is a displacement by 1/2. `Gaussian` displaces by its means.
"""

_NOT_NEGATIVE: Final = frozenset({"nbar", "T", "dark_counts"})


def operation(line: Line, name: str, modes: tuple[int, ...], arguments: Arguments) -> Op:
    """Return an operation of a circuit, with its arguments as a flat tuple of numbers.

    Args:
        line: The operation's line, for errors.
        name: A key of `SIGNATURES`.
        modes: The modes on which it acts.
        arguments: All arguments of its signature in order. Those of gates become parameters in
            this order, and matrices are flattened by rows. An element of an `Interferometer`
            becomes two numbers, its real and imaginary part.

    Raises:
        InvalidProgram: An argument has the wrong type, shape or range.
        LimitExceeded: A number is too large.
    """
    if name in _MEASUREMENTS:
        return _measurement(line, name, modes, arguments)
    if name in _MATRICES:
        return _matrix(line, name, modes, arguments)
    params = [_parameter(line, name, key, value) for key, value in arguments.items()]
    return Gate(name, modes, tuple(params))


def in_bin(argument: Argument, time: int) -> Argument:
    """Return an argument for time bin `time`, in which `q0` is the outcome of mode `time`."""
    if not isinstance(argument, Formula):
        return argument
    return Formula(
        tuple(
            [
                f"q{int(each[1:]) + time}" if isinstance(each, str) and each[1:].isdigit() else each
                for each in argument.code
            ]
        )
    )


def check_strength(line: Line, gate: Gate, limits: Limits) -> None:
    """Check the squeezing and displacement of a gate against the limits.

    The engine has its own bounds for gates that are given by a matrix or depend on measured
    values.

    Raises:
        LimitExceeded: The gate squeezes or displaces too much; the detail names the limit.
    """
    photonic = limits.photonic
    for which, limit, by in (
        ("squeezing", photonic.squeezing, _strength(gate, _SQUEEZES)),
        ("displacement", photonic.displacement, _displacement(gate)),
    ):
        if by > limit:
            raise line.limit_error(f"{gate.name}: {which} by {by:g} is too much", limit, which)


def _strength(gate: Gate, strengths: Mapping[str, tuple[int, float]]) -> float:
    """Return by how much a gate squeezes or displaces; 0 if measured values decide it."""
    place, factor = strengths.get(gate.name, (0, 0.0))
    size = gate.params[place] if factor else 0.0
    if isinstance(size, Formula):
        return 0.0
    return asinh(abs(size) / 2) if gate.name in _SHEARS else abs(size) * factor


def _displacement(gate: Gate) -> float:
    if gate.name != "Gaussian":
        return _strength(gate, _DISPLACES)
    n = len(gate.modes)
    means = [each for each in gate.params[-2 * n :] if not isinstance(each, Formula)]
    return max([hypot(x, p) / 2 for x, p in zip(means[:n], means[n:], strict=True)])


def _measurement(line: Line, name: str, modes: tuple[int, ...], arguments: Arguments) -> Measure:
    kind, angle = _MEASUREMENTS[name]
    if "phi" in arguments:
        angle = _real(line, name, "phi", arguments["phi"])
    dark = arguments.get("dark_counts", 0.0)
    means = dark.elements if isinstance(dark, Array) else (dark,) * len(modes)
    if len(means) != len(modes):
        raise line.error(f"{name}: dark_counts must have {len(modes)} elements, not {len(means)}")
    counts = tuple([_real(line, name, "dark_counts", mean) for mean in means])
    return Measure(kind, modes, angle, counts if any(counts) else ())


def _matrix(line: Line, name: str, modes: tuple[int, ...], arguments: Arguments) -> Gate:
    # An interferometer acts on one complex amplitude for each mode, the other matrices on the two
    # real quadratures x and p.
    n = len(modes) if name == "Interferometer" else 2 * len(modes)
    params: list[float] = []
    for key, value in arguments.items():
        wanted = n if key == "r" else n * n
        if key == "r" and value == 0:
            value = Array((0.0,) * n, n)  # the default means
        if not isinstance(value, Array):
            raise line.error(f"{name}: {key} must be an array")
        found = value.elements
        if len(found) != wanted:
            text = f"{wanted} elements for {len(modes)} modes, not {len(found)}"
            raise line.error(f"{name}: {key} must have {text}")
        for element in found:
            if name == "Interferometer":
                params += (complex(element).real, complex(element).imag)
            else:
                params.append(_real(line, name, key, element))
    return Gate(name, modes, tuple(params))


def _parameter(line: Line, name: str, key: str, value: Argument) -> Parameter:
    if isinstance(value, Formula):
        if name not in _FEED_FORWARD:
            allowed = ", ".join(sorted(_FEED_FORWARD))
            raise line.error(f"{name}: only {allowed} may depend on measured values")
        return value
    return _real(line, name, key, value)


def _real(line: Line, name: str, key: str, value: Argument) -> float:
    # A variable of type `complex` may hold a real number, which is as good as any.
    if isinstance(value, Array | Formula) or complex(value).imag:
        raise line.error(f"{name}: {key} must be one real number")
    number = float(complex(value).real)
    if key in _NOT_NEGATIVE and number < 0:
        raise line.error(f"{name}: {key} is {number:g}, but must not be negative")
    # T is the share of light that passes; above 1 a loss would amplify.
    if key == "T" and number > 1:
        raise line.error(f"{name}: T is {number:g}, but must be at most 1")
    if abs(number) > bounds.MAX_INTEGER:
        raise line.limit_error(f"{name}: {key} is {number:g}", bounds.MAX_INTEGER)
    return number
