"""Numbers and lists of numbers in arguments of clients."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import SupportsIndex, TypeVar

T = TypeVar("T")


def whole(value: SupportsIndex) -> int | None:
    """Return a whole number, such as NumPy's, as an `int`; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def listed(values: Iterable[T]) -> list[T] | None:
    """Return the members of a sequence; None for anything else, such as a single number."""
    try:
        return list(values)
    except TypeError:
        return None
