from __future__ import annotations

import io
from typing import Any, cast

import numpy as np
import pytest

from qwicket.circuits.outcomes import Array, Outcome
from qwicket.gateway import JobResults
from qwicket.model.errors import NoResult
from qwicket.model.failures import Failure
from qwicket.model.jobs import Job
from qwicket.vendors.xanadu.dialect import results
from support.for_each import for_each

ARRAYS = [
    np.array([[1, 2], [3, 1 << 40]]),
    np.array([[0.5, -1.5]]),
    np.array([[0.5 - 2j]]),
    np.arange(6.0).reshape(2, 1, 3),
    np.zeros((0, 3), np.int64),
]


def found(array: np.ndarray) -> JobResults:
    packed = Array(array.dtype.str, array.shape, array.tobytes())
    outcome = Outcome(
        registers=(), arrays={"samples": packed}, engine="", engine_version="", seed=0, seconds=0.0
    )
    return JobResults(cast(Job, None), [outcome])


def load(data: bytes) -> Any:
    return np.load(io.BytesIO(data), allow_pickle=False)


@for_each("array", ARRAYS)
def test_samples_come_back_as_they_were(array: np.ndarray) -> None:
    with load(results.npz(found(array))) as archive:
        assert archive.files == ["arr_0"]
        one = archive["arr_0"]
    for each in (one, load(results.npy(found(array)))):
        assert (each.dtype, each.shape) == (array.dtype, array.shape)
        assert (each == array).all()


def test_a_failure_is_no_archive() -> None:
    failed = JobResults(cast(Job, None), [Failure("unsupported", "too many photons")])
    with pytest.raises(NoResult, match="too many photons"):
        results.npz(failed)
