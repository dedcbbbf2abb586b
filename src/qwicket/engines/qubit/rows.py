"""The gates of a program, prepared once and applied many times, with Pauli errors in between."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from qwicket.circuits.qubit import Gate
from qwicket.engines.qubit.patterns import SampledError
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.states import MAX_PREPARED, PreparedGates, Simulator, StateVector, evolve

_GAP: Final = Gate("id", (0,))
"""In place of other operations, so that gates keep their indices."""
_op_index: Final = attrgetter("op_index")


class ProgramGates:
    """Applies any part of a program that consists of gates.

    Args:
        simulator: Simulator that evolves states.
        program: Its gates are prepared once, unless there are too many.
    """

    def __init__(self, simulator: Simulator, program: Program) -> None:
        self._simulator = simulator
        self._program = program
        self._ready: PreparedGates | None = None
        if len(program.ops) <= MAX_PREPARED:
            gates = [op if isinstance(op, Gate) else _GAP for op in program.ops]
            self._ready = simulator.prepare(program.n_qubits, gates)

    def apply(
        self, state: StateVector, start: int, stop: int, errors: Sequence[SampledError] = ()
    ) -> None:
        """Apply operations `start` to `stop` - 1, and the errors after any of them."""
        for error in errors[bisect_left(errors, start, key=_op_index) :]:
            if error.op_index >= stop:
                break
            self._apply(state, start, error.op_index + 1)
            evolve(self._simulator, state, error.gates)
            start = error.op_index + 1
        self._apply(state, start, stop)

    def _apply(self, state: StateVector, start: int, stop: int) -> None:
        if self._ready:
            state.apply(self._ready, start, stop)
        else:
            evolve(self._simulator, state, self._program.gates()[start:stop])
