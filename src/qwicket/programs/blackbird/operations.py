"""The operations of Blackbird: their arguments, and what an operation on given modes becomes."""

from __future__ import annotations

from collections.abc import Mapping
from math import asinh, pi
from typing import Final, NamedTuple

from qwicket.circuits.photonic import Formula, Gate, Kind, Measure, Op, Parameter
from qwicket.model.limits import Limits
from qwicket.programs.blackbird import bounds
from qwicket.programs.blackbird.expressions import Array, Number
from qwicket.programs.blackbird.tokens import Line

Argument = Number | Formula | Array
Arguments = Mapping[str, Argument]


class Signature(NamedTuple):
    """Number of modes (0 for any) and arguments of an operation."""

    n_modes: int
    defaults: Mapping[str, float | None]


def _takes(n_modes: int, **defaults: float | None) -> Signature:
    """A default of None means that the argument must be given."""
    return Signature(n_modes, defaults)


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
    **_OPTIONS,
}
_FED: Final = frozenset({"Dgate", "Xgate", "Zgate"})
_SHEARS: Final = frozenset({"Pgate", "CXgate", "CZgate"})
"""A shear by s squeezes by arsinh(s/2)."""
_SQUEEZES: Final[Mapping[str, tuple[int, float]]] = {
    "Sgate": (0, 1.0),
    "S2gate": (0, 1.0),
    "Squeezed": (0, 1.0),
    "DisplacedSqueezed": (2, 1.0),
    **dict.fromkeys(_SHEARS, (0, 1.0)),
}
_DISPLACES: Final[Mapping[str, tuple[int, float]]] = {
    "Dgate": (0, 1.0),
    "Coherent": (0, 1.0),
    "DisplacedSqueezed": (0, 1.0),
    "Xgate": (0, 0.5),
    "Zgate": (0, 0.5),
}
"""Which argument does it, and how much a unit of it."""
_NOT_NEGATIVE: Final = frozenset({"nbar", "T", "dark_counts"})


def operation(line: Line, name: str, modes: tuple[int, ...], arguments: Arguments) -> Op:
    """Return an operation with all its arguments by name in flat form."""
    if name in _MEASUREMENTS:
        return _measurement(line, name, modes, arguments)
    if name in _MATRICES:
        return _matrix(line, name, modes, arguments)
    params = [_parameter(line, name, key, value) for key, value in arguments.items()]
    return Gate(name, modes, tuple(params))


def check_strength(line: Line, gate: Gate, limits: Limits) -> None:
    """Check a gate's squeezing and displacement, as far as its arguments determine them.

    The engine checks gates that are given by a matrix.

    Raises:
        LimitExceeded: It does; the limit is named.
    """
    for which, limit, strength in (
        ("squeezing", limits.photonic.squeezing, _SQUEEZES),
        ("displacement", limits.photonic.displacement, _DISPLACES),
    ):
        place, factor = strength.get(gate.name, (0, 0.0))
        if factor and isinstance(size := gate.params[place], float):
            by = asinh(abs(size) / 2) if gate.name in _SHEARS else abs(size) * factor
            if by > limit:
                raise line.exceed(f"{gate.name}: {which} by {by:g} is too much", limit, which)


def _measurement(line: Line, name: str, modes: tuple[int, ...], arguments: Arguments) -> Measure:
    kind, angle = _MEASUREMENTS[name]
    if "phi" in arguments:
        angle = _real(line, name, "phi", arguments["phi"])
    dark = arguments.get("dark_counts", 0.0)
    means = dark.elements if isinstance(dark, Array) else (dark,) * len(modes)
    if len(means) != len(modes):
        raise line.refuse(f"{name}: dark_counts names {len(means)} modes of {len(modes)}")
    counts = tuple([_real(line, name, "dark_counts", mean) for mean in means])
    return Measure(kind, modes, angle, counts if any(counts) else ())


def _matrix(line: Line, name: str, modes: tuple[int, ...], arguments: Arguments) -> Gate:
    n = len(modes) if name == "Interferometer" else 2 * len(modes)
    params: list[float] = []
    for key, value in arguments.items():
        if key == "r":
            zeros = (0.0,) * n
            found = value.elements if isinstance(value, Array) else zeros
            wanted = n
        else:
            if not isinstance(value, Array):
                raise line.refuse(f"{name}: {key} is an array")
            found, wanted = value.elements, n * n
        if len(found) != wanted:
            text = f"{len(found)} elements, and {wanted} are needed for {len(modes)} modes"
            raise line.refuse(f"{name}: {key} has {text}")
        for element in found:
            if name == "Interferometer":
                params += (complex(element).real, complex(element).imag)
            else:
                params.append(_real(line, name, key, element))
    return Gate(name, modes, tuple(params))


def _parameter(line: Line, name: str, key: str, value: Argument) -> Parameter:
    if isinstance(value, Formula):
        if name not in _FED:
            fed = ", ".join(sorted(_FED))
            raise line.refuse(f"{name}: only {fed} take measured values")
        return value
    return _real(line, name, key, value)


def _real(line: Line, name: str, key: str, value: Argument) -> float:
    if isinstance(value, Array | Formula) or complex(value).imag:
        raise line.refuse(f"{name}: {key} is one real number")
    number = float(complex(value).real)
    if key in _NOT_NEGATIVE and number < 0:
        raise line.refuse(f"{name}: {key} is {number:g}, and must not be negative")
    if key == "T" and number > 1:
        raise line.refuse(f"{name}: T is {number:g}, and must be at most 1")
    if abs(number) > bounds.MAX_INTEGER:
        raise line.exceed(f"{name}: {key} is {number:g}", bounds.MAX_INTEGER)
    return number
