"""Values of formulas on measured quadratures, for all shots at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from qwicket.circuits.photonic import Formula
from qwicket.engines.failures import CannotRun
from qwicket.vendors.xanadu.engine.gates import Complex, Real

_OPERATORS: Final[Mapping[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}
_IMAGINARY_TOLERANCE: Final = 1e-12
"""Relative imaginary part up to which it counts as rounding."""


def evaluate(formula: Formula, measured: Mapping[str, Real]) -> Real:
    """Return a formula's value in every shot.

    Raises:
        CannotRun: In some shot the value is not a finite real number.
    """
    stack: list[Complex] = []
    with np.errstate(all="ignore"):
        for item in formula.code:
            if not isinstance(item, str):
                stack.append(np.array([complex(*item)]))
            elif item in measured:
                stack.append(measured[item].astype(complex))
            elif item in _OPERATORS:
                right = stack.pop()
                stack.append(_OPERATORS[item](stack.pop(), right))
            else:
                # The parser admits only names from a list of NumPy's functions.
                stack.append(getattr(np, item)(stack.pop()))
    (found,) = stack
    if not np.all(np.isfinite(found)) or np.any(
        np.abs(found.imag) > _IMAGINARY_TOLERANCE * (1 + np.abs(found))
    ):
        text = "a parameter that depends on a measurement is not a finite real number in some shot"
        raise CannotRun("invalid_circuit", text)
    return found.real
