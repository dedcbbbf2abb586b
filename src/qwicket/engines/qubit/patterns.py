"""Samples Pauli errors before the simulation, because they do not depend on the state.

Shots with the same errors are simulated once and sampled together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator

from qwicket.circuits.qubit import Gate
from qwicket.engines.qubit.noise import Noise
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.sampling import Integers

_PAULIS: Final = ("id", "x", "y", "z")
_CODE_BITS: Final = 4
"""An event is the index of a site and, in its low bits, a Pauli for each of at most two qubits.

A site is one error that may occur after one gate.
"""


class SampledError(NamedTuple):
    """Pauli errors after operation `op_index`."""

    op_index: int
    gates: tuple[Gate, ...]


class ErrorPattern(NamedTuple):
    """Errors, in the order of their operations, and the number of shots that have exactly these."""

    errors: tuple[SampledError, ...]
    shots: int


class ErrorSites:
    """Sites of a program at which Pauli errors may occur.

    Args:
        program: The program.
        noise: Its noise; amplitude damping is not a Pauli error and is left out.
    """

    def __init__(self, program: Program, noise: Noise) -> None:
        self._sites: list[tuple[int, tuple[int, ...]]] = []
        self._sites_by_kind: dict[tuple[float, int, int], list[int]] = {}
        self._errors: dict[int, SampledError] = {}
        for op_index, op in enumerate(program.ops):
            if isinstance(op, Gate):
                self._add_gate(op_index, op, noise)

    def patterns(self, shots: int, rng: Generator) -> Iterator[ErrorPattern]:
        """Draw the errors of all shots; patterns are sorted by their errors, the empty one last."""
        counts = self._draw(shots, rng)
        for events in sorted(counts):
            numbers = np.frombuffer(events, dtype=">i8").tolist()
            yield ErrorPattern(tuple(map(self._error, numbers)), counts[events])
        shots_without_errors = shots - counts.total()
        if shots_without_errors:
            yield ErrorPattern((), shots_without_errors)

    def _add_gate(self, op_index: int, gate: Gate, noise: Noise) -> None:
        for error in noise.after(gate).pauli_errors:
            self._sites_by_kind.setdefault(error.kind, []).append(len(self._sites))
            self._sites.append((op_index, error.qubits))

    def _draw(self, shots: int, rng: Generator) -> Counter[bytes]:
        """Count the shots of each pattern except the empty one; keys are big-endian events."""
        shot_parts, event_parts = [], []
        # A cell is one site in one shot. Sites of one kind have the same probability and range of
        # Paulis, so they are drawn together.
        for (probability, low, high), sites in self._sites_by_kind.items():
            cells = successes(shots * len(sites), probability, rng)
            shot_parts.append(cells // len(sites))
            codes = rng.integers(low, high, cells.size)
            event_parts.append(np.array(sites)[cells % len(sites)] << _CODE_BITS | codes)
        if not shot_parts:
            return Counter()
        shot_numbers = np.concatenate(shot_parts)
        events = np.concatenate(event_parts)
        order = np.lexsort((events, shot_numbers))
        shot_numbers, data = shot_numbers[order], events[order].astype(">i8").tobytes()
        # An event has 8 bytes. The number -1, of no shot, ends the last one.
        ends = np.flatnonzero(np.diff(shot_numbers, append=-1)) + 1
        bounds = pairwise([0, *(8 * ends).tolist()])
        return Counter([data[start:stop] for start, stop in bounds])

    def _error(self, event: int) -> SampledError:
        if event not in self._errors:
            op_index, qubits = self._sites[event >> _CODE_BITS]
            letters = (event & 3, event >> 2 & 3)
            gates = [
                Gate(_PAULIS[letter], (qubit,))
                for letter, qubit in zip(letters, qubits, strict=False)
                if letter
            ]
            self._errors[event] = SampledError(op_index, tuple(gates))
        return self._errors[event]


def successes(n_cells: int, probability: float, rng: Generator) -> Integers:
    """Return the indices (int64) of the successes among `n_cells` trials, ascending.

    The gaps between successes are drawn, which takes time for each success, not for each trial.
    """
    parts = [np.zeros(0, dtype=np.int64)]
    last = -1
    while last < n_cells:
        expected = (n_cells - last) * probability
        gaps = rng.geometric(probability, int(expected + 6 * sqrt(expected)) + 8)
        found = last + np.cumsum(np.minimum(gaps, n_cells + 1))
        last = int(found[-1])
        parts.append(found)
    cells = np.concatenate(parts)
    return cells[: np.searchsorted(cells, n_cells)]
