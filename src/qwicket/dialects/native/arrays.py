"""Outcome of one circuit as NumPy arrays in an npz file; docs/api.md describes the arrays."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from qwicket.circuits.outcomes import Outcome
from qwicket.model.errors import InvalidRequest, NoResult
from qwicket.model.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NPZ_TYPE: Final = "application/x-npz"


def are_requested(accepted: Iterable[str], params: Mapping[str, str]) -> bool:
    """Return whether a request asks for arrays: by `?format=`, else by the types it accepts.

    Raises:
        InvalidRequest: There is no such format.
    """
    word = params.get("format")
    if word not in (None, "json", "npz"):
        raise InvalidRequest("format must be json or npz.", field="format")
    if word is not None:
        return word == "npz"
    return NPZ_TYPE in [entry.partition(";")[0].strip().lower() for entry in accepted]


def npz(part: Outcome | Failure) -> bytes:
    """Return the arrays of an outcome; must run in a thread.

    Raises:
        NoResult: The circuit failed.
    """
    if isinstance(part, Failure):
        raise NoResult(part.message)
    buffer = io.BytesIO()
    write_npz(buffer, part)
    return buffer.getvalue()


def write_npz(file: Any, part: Outcome) -> None:
    """Write the arrays of an outcome to an open file; must run in a thread."""
    import numpy as np  # late: few servers need it, and it takes 7 MB and 0.1 s

    arrays: dict[str, Any] = {
        name: np.frombuffer(array.data, array.dtype).reshape(array.shape)
        for name, array in sorted(part.arrays.items())
    }
    np.savez(file, **arrays)
