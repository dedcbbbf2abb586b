"""A simulator of small circuits with measurements and conditions: NumPy, and no code of ours.

A circuit is a text: `h 0; rx(pi/3) 1; cx 0 1; m 0 2; if c2 == 1: x 1; r 0`. Each leading `c` of a
gate's name is a control. `m 0 2` measures qubit 0 into bit 2. A condition is an expression of
Python over the bits `c0`, `c1` and so on, and of all bits as one number, `c`.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.complex128]

_STEP = re.compile(
    r"(?:if (?P<test>[^:]+): *)?(?P<name>\w+)(?:\((?P<angles>[^ ]*)\))?(?P<on>[\d ]*)"
)
_MATH = {name: getattr(math, name) for name in ("pi", "tau", "sin", "cos", "exp", "sqrt", "log")}
_MATH |= {"acos": math.acos, "asin": math.asin, "atan": math.atan}
_X = np.array([[0, 1], [1, 0]])
_Y = np.array([[0, -1j], [1j, 0]])
_Z = np.diag([1, -1])
_ROOT = math.sqrt(0.5)
_SMALLEST = 1e-12


class _Path(NamedTuple):
    probability: float
    bits: tuple[int, ...]
    state: Array


def number(text: str) -> float:
    """Return the value of a formula such as `sin(pi/8)**2`."""
    return float(eval(text, {"__builtins__": {}}, dict(_MATH)))


def distribution(circuit: str, n_qubits: int, n_bits: int) -> dict[int, float]:
    """Return the exact probability of each value of the bits, bit 0 the lowest."""
    start = np.zeros((2,) * n_qubits, dtype=complex)
    start[(0,) * n_qubits] = 1
    paths = [_Path(1.0, (0,) * n_bits, start)]
    for step in filter(None, map(str.strip, circuit.split(";"))):
        found = _STEP.fullmatch(step)
        assert found, step
        paths = [after for path in paths for after in _walk(path, **found.groupdict())]
    totals: defaultdict[int, float] = defaultdict(float)
    for path in paths:
        totals[_value(path.bits)] += path.probability
    return dict(totals)


def _walk(path: _Path, test: str | None, name: str, angles: str | None, on: str) -> Iterator[_Path]:
    names = {f"c{index}": bit for index, bit in enumerate(path.bits)}
    if test and not eval(test, {"c": _value(path.bits), **names}):
        yield path
        return
    places = [int(each) for each in on.split()]
    if name == "m":
        for value, p, state in _outcomes(path.state, places[0]):
            bits = (*path.bits[: places[1]], value, *path.bits[places[1] + 1 :])
            yield _Path(path.probability * p, bits, state)
    elif name == "r":
        for value, p, state in _outcomes(path.state, places[0]):
            yield _Path(
                path.probability * p,
                path.bits,
                _applied(_X, state, [places[0]]) if value else state,
            )
    else:
        n_controls = len(name) - len(name.lstrip("c"))
        values = [number(each) for each in angles.split(",")] if angles else []
        matrix = _matrix(name[n_controls:], *values)
        size = len(matrix) << n_controls
        whole = np.eye(size, dtype=complex)
        whole[size - len(matrix) :, size - len(matrix) :] = matrix
        yield path._replace(state=_applied(whole, path.state, places))


def _outcomes(state: Array, qubit: int) -> Iterator[tuple[int, float, Array]]:
    for value in (0, 1):
        kept = np.zeros_like(state)
        where: tuple[Any, ...] = (slice(None),) * qubit + (value,)
        kept[where] = state[where]
        p = float(np.vdot(kept, kept).real)
        if p > _SMALLEST:
            yield value, p, kept / math.sqrt(p)


def _applied(matrix: Array, state: Array, qubits: list[int]) -> Array:
    """Apply a matrix whose most significant bit is the first of the qubits."""
    n = len(qubits)
    tensor = matrix.reshape((2,) * 2 * n)
    moved = np.tensordot(tensor, state, axes=(range(n, 2 * n), qubits))
    return np.moveaxis(moved, range(n), qubits)


def _matrix(name: str, *angles: float) -> Any:
    plain = {"i": np.eye(2), "x": _X, "y": _Y, "z": _Z, "h": (_X + _Z) * _ROOT}
    phases = {"s": 0.5, "t": 0.25, "sdg": -0.5, "tdg": -0.25}
    if name in plain:
        return plain[name].astype(complex)
    if name in phases:
        return np.diag([1, np.exp(1j * math.pi * phases[name])])
    if name == "p":
        return np.diag([1, np.exp(1j * angles[0])])
    if name == "gphase":
        return np.exp(1j * angles[0]) * np.eye(1)
    if name == "sx":
        return _turn(_X, math.pi / 2) * np.exp(0.25j * math.pi)
    if name == "swap":
        return np.eye(4, dtype=complex)[[0, 2, 1, 3]]
    paulis = [{"x": _X, "y": _Y, "z": _Z}[letter] for letter in name[1:]]
    return _turn(paulis[0] if len(paulis) == 1 else np.kron(*paulis), angles[0])


def _turn(generator: Any, angle: float) -> Any:
    """Return exp(-iθG/2) of a generator whose square is 1."""
    return math.cos(angle / 2) * np.eye(len(generator)) - 1j * math.sin(angle / 2) * generator


def _value(bits: tuple[int, ...]) -> int:
    return sum(bit << index for index, bit in enumerate(bits))
