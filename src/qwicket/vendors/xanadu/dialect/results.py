"""Samples as NumPy files. Encoding takes long, so these functions must run in a thread."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits.outcomes import SAMPLES, Outcome
from qwicket.model.errors import NoResult

if TYPE_CHECKING:
    from qwicket.gateway import JobResults

NPY_TYPE: Final = "application/x-numpy"
"""Media type that Strawberry Fields before `xcc` requests: one array, not an npz file."""


def npz(job_results: JobResults) -> bytes:
    """Return an npz file with one array, under the name by which clients find the output."""
    buffer = io.BytesIO()
    np.savez(buffer, arr_0=_samples(job_results))
    return buffer.getvalue()


def npy(job_results: JobResults) -> bytes:
    """Return the array as an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, _samples(job_results), allow_pickle=False)
    return buffer.getvalue()


def _samples(job_results: JobResults) -> NDArray[Any]:
    (part,) = job_results.parts
    if not isinstance(part, Outcome):
        raise NoResult(part.message)
    array = part.arrays[SAMPLES]
    return np.frombuffer(array.data, array.dtype).reshape(array.shape)
