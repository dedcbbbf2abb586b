"""State vectors in plain NumPy: the reference of the tests, and the fallback without Qulacs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from qwicket.circuits.qubit import Gate
from qwicket.engines.qubit import pauli
from qwicket.engines.qubit.gates import matrix
from qwicket.engines.qubit.sampling import Floats, Integers, search
from qwicket.engines.qubit.states import PreparedGates

Tensor = NDArray[np.complex128]
"""Amplitudes of n qubits: in `NumpyState` of shape (2,) * n, where qubit q is axis n - 1 - q."""


class NumpySimulator:
    """Applies each gate by slices of the state."""

    name: Final = "numpy"
    version: Final = f"2 (numpy {np.__version__})"

    def prepare(self, n_qubits: int, gates: Sequence[Gate]) -> PreparedGates:
        return partial(_apply_row, gates)

    def zero_state(self, n_qubits: int) -> NumpyState:
        tensor = np.zeros((2,) * n_qubits, dtype=np.complex128)
        tensor[(0,) * n_qubits] = 1
        return NumpyState(tensor)


class NumpyState:
    """State vector as a NumPy array.

    Args:
        tensor: Amplitudes, complex128, one axis of length 2 per qubit.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    @property
    def n_qubits(self) -> int:
        return self._tensor.ndim

    def apply(self, prepared: PreparedGates, start: int, stop: int) -> None:
        prepared(self._tensor, start, stop)

    def copy(self) -> NumpyState:
        return NumpyState(self._tensor.copy())

    def p_one(self, qubit: int) -> float:
        return min(1.0, float(abs_squared(self._half(qubit, 1)).sum()))

    def scale(self, qubit: int, factor_0: float, factor_1: float) -> None:
        for bit, factor in enumerate((factor_0, factor_1)):
            half = self._half(qubit, bit)
            half *= factor

    def amplitudes(self) -> Tensor:
        """Return a view of the amplitudes, shape (2^n,); bit q of the index is qubit q."""
        return self._tensor.reshape(-1)

    def probabilities(self) -> Floats:
        return abs_squared(self.amplitudes())

    def sample(self, shots: int, rng: Generator) -> Integers:
        return rng.permutation(search(self.probabilities(), shots, rng))

    def _half(self, qubit: int, bit: int) -> Tensor:
        """Return a view of the amplitudes where a qubit is |bit⟩."""
        return self._tensor[(slice(None),) * (self._tensor.ndim - 1 - qubit) + (bit, ...)]


def abs_squared(amplitudes: Tensor) -> Floats:
    """Return |a|² of each amplitude, with one temporary array of half the state's size."""
    p = amplitudes.real**2
    p += amplitudes.imag**2
    return p


def _apply_row(gates: Sequence[Gate], tensor: Tensor, start: int, stop: int) -> None:
    for gate in gates[start:stop]:
        apply(tensor, gate)


def apply(tensor: Tensor, gate: Gate) -> None:
    """Apply one gate in place, only where all controls are 1."""
    if gate.name == "pauliexp":
        pauli.apply(tensor, gate)
        return
    last = tensor.ndim - 1
    chosen: list[int | slice] = [slice(None)] * tensor.ndim
    for control in gate.controls:
        chosen[last - control] = 1
    parts = []
    for bits in product((0, 1), repeat=len(gate.targets)):
        for target, bit in zip(gate.targets, bits, strict=True):
            chosen[last - target] = bit
        parts.append(tuple(chosen))
    before = [np.array(tensor[part]) for part in parts]
    for part, row in zip(parts, matrix(gate.name, gate.params), strict=True):
        tensor[part] = sum(factor * old for factor, old in zip(row, before, strict=True) if factor)
