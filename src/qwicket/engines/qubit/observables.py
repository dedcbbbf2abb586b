"""Products of observables on states as tensors, in which each qubit is an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits.qubit import Factor

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]

_FACTOR_MATRICES: Final[dict[str, Complexes]] = {
    "i": np.eye(2, dtype=np.complex128),
    "x": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "z": np.diag([1, -1]).astype(np.complex128),
    "h": np.array([[1, 1], [1, -1]], dtype=np.complex128) / np.sqrt(2),
}


def factor_matrix(factor: Factor) -> Complexes:
    """Return the matrix of a factor."""
    if factor.name != "hermitian":
        return _FACTOR_MATRICES[factor.name]
    size = 1 << len(factor.targets)
    flat: Complexes = np.array(factor.matrix).view(np.complex128)
    return flat.reshape(size, size)


def times(product: Sequence[Factor], tensor: Complexes) -> Complexes:
    """Return a product of factors applied to a tensor."""
    for factor in product:
        tensor = apply_matrix(tensor, factor_matrix(factor), factor.targets)
    return tensor


def apply_matrix(tensor: Complexes, matrix: Complexes, axes: Sequence[int]) -> Complexes:
    """Return a tensor with a matrix applied to some axes, the first the most significant."""
    k = len(axes)
    shaped = matrix.reshape((2,) * (2 * k))
    moved = np.tensordot(shaped, tensor, axes=(range(k, 2 * k), axes))
    return np.moveaxis(moved, range(k), axes)
