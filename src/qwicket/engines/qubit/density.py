"""Exact evolution of narrow circuits under noise. A state holds the means of all Pauli strings.

Only gates on several qubits are applied to the whole state. The operations on one qubit between two
such gates are multiplied into the gate before or, if none is pending, into the one after. A qubit's
axis of the state has length 1 until its first such gate; after the last it has length 2 if the
qubit is read, else length 1 again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from qwicket.engines.qubit.channels import channels, kron
from qwicket.engines.qubit.noise import Noise
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.sampling import Floats

_MAX_GATES: Final = 200
"""Number of gates that are prepared at once, in at most 50 MB."""

_SAME: Final = np.eye(4)
_ZERO: Final = np.array([[1.0], [0.0], [0.0], [1.0]])
"""The state |0⟩, from an axis of length 1."""
_READ: Final = np.array([[0.5, 0.0, 0.0, 0.5], [0.5, 0.0, 0.0, -0.5]])
"""Maps the axis to the probabilities of 0 and 1."""
_UNREAD: Final = np.array([[1.0, 0.0, 0.0, 0.0]])
"""Keeps the mean of the identity only, which sums over both outcomes."""


def probabilities(
    program: Program, noise: Noise, qubits: Sequence[int], *, max_gates: int = _MAX_GATES
) -> Floats:
    """Return the probability of every index over some qubits, without readout errors.

    Args:
        program: Program of gates only, on few qubits each.
        noise: Noise of the gates.
        qubits: Qubits to read, each once; bit i of an index is qubits[i].
        max_gates: Number of gates that are prepared at once.
    """
    gates = program.gates()
    state = _State(program.n_qubits)
    for start in range(0, len(gates), max_gates):
        state.settle()
        for on, channel in channels(gates[start : start + max_gates], noise):
            state.add(on, channel)
    return state.read(qubits)


@dataclass(slots=True)
class _Wire:
    """Operations on one qubit between two gates on several qubits."""

    matrix: Floats


@dataclass(slots=True)
class _Block:
    """A gate on several qubits, and the wires that leave it."""

    qubits: tuple[int, ...]
    matrix: Floats
    wires: list[_Wire]


class _State:
    """A mixed state, and the channels that are not yet applied to it.

    Args:
        n_qubits: Number of qubits, which begin as |0⟩.
    """

    def __init__(self, n_qubits: int) -> None:
        self._order = list(range(n_qubits))
        self._tensor: Floats = np.ones((1,) * n_qubits)
        self._blocks: list[_Block] = []
        self._wires = {qubit: _Wire(_ZERO) for qubit in range(n_qubits)}
        self._free = dict(self._wires)
        """Wires that leave no pending block: they are multiplied into the block that they enter."""

    def add(self, qubits: tuple[int, ...], channel: Floats) -> None:
        """Append a channel on some qubits."""
        if len(qubits) == 1:
            wire = self._wires[qubits[0]]
            wire.matrix = channel @ wire.matrix
            return
        if not self._free.keys().isdisjoint(qubits):
            entering = [self._free.pop(qubit, None) for qubit in qubits]
            channel = channel @ kron([wire.matrix if wire else _SAME for wire in entering])
        wires = [_Wire(_SAME) for _ in qubits]
        self._wires.update(zip(qubits, wires, strict=True))
        self._blocks.append(_Block(qubits, channel, wires))

    def settle(self) -> None:
        """Apply all pending channels except those of free wires."""
        for block in self._blocks:
            parts = [wire.matrix for wire in block.wires]
            self._apply(block.qubits, kron(parts) @ block.matrix, [len(part) for part in parts])
        self._blocks.clear()
        for qubit in self._wires:
            if qubit not in self._free:
                self._free[qubit] = self._wires[qubit] = _Wire(_SAME)

    def read(self, qubits: Sequence[int]) -> Floats:
        """Return the probability of every index over some qubits; call this last."""
        for qubit, wire in self._wires.items():
            wire.matrix = (_READ if qubit in qubits else _UNREAD) @ wire.matrix
        last = dict(self._free)
        self.settle()
        for qubit, wire in last.items():
            self._apply((qubit,), wire.matrix, [len(wire.matrix)])
        p = self._tensor.transpose(self._axes(qubits[::-1])).reshape(-1)
        return np.maximum(p, 0.0)  # rounding can make probabilities slightly negative

    def _apply(self, qubits: Sequence[int], matrix: Floats, lengths: list[int]) -> None:
        """Apply a matrix, after which the axes of its qubits come first and have these lengths."""
        axes = self._axes(qubits)
        columns = self._tensor.transpose(axes).reshape(matrix.shape[1], -1)
        lengths += [self._tensor.shape[axis] for axis in axes[len(qubits) :]]
        self._tensor = (matrix @ columns).reshape(lengths)
        self._order = [self._order[axis] for axis in axes]

    def _axes(self, qubits: Sequence[int]) -> list[int]:
        """Return all axes, those of some qubits first."""
        first = [self._order.index(qubit) for qubit in qubits]
        return first + [axis for axis in range(len(self._order)) if axis not in first]
