"""Numbers in arguments of clients."""

from __future__ import annotations

import operator
from typing import SupportsIndex


def whole(value: SupportsIndex) -> int | None:
    """Return a whole number, such as NumPy's, as an `int`; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
