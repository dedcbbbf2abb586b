"""Interface of state-vector simulators.

Callers check first that the qubits of each gate exist and differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits.qubit import Gate
from qwicket.engines.qubit import sampling

MAX_UNCHECKED_QUBITS: Final = 20
"""States up to this width fit into any worker's memory."""

PreparedGates = Callable[[Any, int, int], object]
"""Sequence of gates that a simulator has prepared for its own states. A call with a state, `start`
and `stop` applies gates `start` to `stop` - 1. Gates are prepared once and applied many times."""

MAX_PREPARED: Final = 20_000
"""Longer sequences are prepared in parts, because a prepared gate takes some hundred bytes."""


def check_memory(n_qubits: int, amplitude_bytes: int) -> None:
    """Check that the memory of a state is available, by allocating and freeing it.

    Libraries such as Qulacs end the process if their own allocation fails.

    Raises:
        MemoryError: The memory is not available.
    """
    if n_qubits > MAX_UNCHECKED_QUBITS:
        # `np.empty` touches no page, which is enough: a worker's limit is on address space
        # (RLIMIT_AS), which counts untouched pages, too.
        np.empty(amplitude_bytes << n_qubits, dtype=np.uint8)


class StateVector(sampling.State, Protocol):
    """State vector that gates change.

    Callers choose the factors of `scale` so that it stays normalised.
    """

    def apply(self, prepared: PreparedGates, start: int, stop: int) -> None:
        """Apply the prepared gates `start` to `stop` - 1."""

    def copy(self) -> Self:
        """Return an independent copy.

        Raises:
            MemoryError: The state does not fit into memory.
        """

    def amplitudes(self) -> NDArray[np.complex128]:
        """Return the 2^n amplitudes; bit q of the index is qubit q.

        They may be a view of the state, so callers must not change them.
        """

    def p_one(self, qubit: int) -> float:
        """Return the probability of reading 1, between 0 and 1."""

    def scale(self, qubit: int, factor_0: float, factor_1: float) -> None:
        """Multiply amplitudes by `factor_0` where the qubit is |0⟩, by `factor_1` where |1⟩."""


class Simulator(Protocol):
    """Creates states and prepares gates for them."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Version of this code and of the library.

        With the same version and number of threads, equal seeds give equal results.
        """

    def prepare(self, n_qubits: int, gates: Sequence[Gate]) -> PreparedGates:
        """Prepare gates for states of this many qubits.

        Raises:
            CannotRun: No such gate.
        """

    def zero_state(self, n_qubits: int) -> StateVector:
        """Return |0…0⟩.

        Raises:
            MemoryError: The state does not fit into memory.
        """


def evolve(simulator: Simulator, state: StateVector, gates: Sequence[Gate]) -> None:
    """Apply gates to a state, which is changed. Each gate is prepared for this call only."""
    for start in range(0, len(gates), MAX_PREPARED):
        part = gates[start : start + MAX_PREPARED]
        state.apply(simulator.prepare(state.n_qubits, part), 0, len(part))
