"""Order of an estimator's results: the part and the observable of each expectation value."""

from __future__ import annotations

import math
from typing import NamedTuple

from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.json_text import check_limit
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives.wire import Shape


class ExpectationOrder(NamedTuple):
    """The expectation values of a pub in C order.

    Attributes:
        shape: Shape of parameter values and observables, broadcast.
        parts: Index of the part (set of parameter values) of each expectation value.
        observables: Index of the observable of each expectation value.
    """

    shape: tuple[int, ...]
    parts: list[int]
    observables: list[int]


def broadcast(shape: Shape, limits: Limits) -> ExpectationOrder:
    """Broadcast the values and observables of an estimator's pub.

    Raises:
        InvalidProgram: The two shapes cannot be broadcast together.
        LimitExceeded: The broadcast shape has too many elements.
    """
    import numpy as np

    assert shape.observables is not None
    try:
        whole = np.broadcast_shapes(shape.values, shape.observables)
    except ValueError:
        raise InvalidProgram(
            f"values of shape {shape.values} and observables of shape {shape.observables}"
            " do not broadcast"
        ) from None
    check_limit("pauli_terms", math.prod(whole), limits.of(PrimitiveLimits).pauli_terms)

    def spread(of: tuple[int, ...]) -> list[int]:
        numbers = np.arange(math.prod(of)).reshape(of)
        spread_out: list[int] = np.broadcast_to(numbers, whole).reshape(-1).tolist()
        return spread_out

    return ExpectationOrder(whole, spread(shape.values), spread(shape.observables))
