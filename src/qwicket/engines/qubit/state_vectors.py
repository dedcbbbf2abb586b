"""Runs circuits on a simulator of state vectors, by one of three plans.

Measurements at the end: evolve once, sample once. Mid-circuit measurements: `branching`. Noise: one
walk, as in `branching`, for each `pattern` of Paulis. The patterns share the state before their
first error; amplitude damping branches like a measurement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from qwicket.circuits.outcomes import COUNTS, MEMORY, PROBABILITIES
from qwicket.circuits.qubit import Gate
from qwicket.engines.qubit import sampling
from qwicket.engines.qubit.branching import BranchTraversal, Leaf, divide_shots, divide_weight
from qwicket.engines.qubit.cost import (
    MAX_QUBITS,
    SAVED_STATES_BYTES,
    exact_leaves,
    gate_equivalents,
)
from qwicket.engines.qubit.noise import Noise
from qwicket.engines.qubit.patterns import ErrorSites
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.readout_errors import flips, misread
from qwicket.engines.qubit.rows import ProgramGates
from qwicket.engines.qubit.sampling import Integers
from qwicket.engines.qubit.states import Simulator, StateVector, evolve
from qwicket.engines.qubit.steps import GateRange, Step, has_no_choices, steps
from qwicket.engines.qubit.tally import Tally, count_shots, result_of
from qwicket.engines.qubit.tasks import EngineResult, Task

Amplitudes = NDArray[np.complex128]


class StateVectorEngine:
    """Runs circuits on a simulator of state vectors.

    Args:
        simulator: Simulator that evolves states.
        saved_bytes: Memory for the states of pending branches; it changes no result.
    """

    def __init__(self, simulator: Simulator, *, saved_bytes: int = SAVED_STATES_BYTES) -> None:
        self._simulator = simulator
        self._traversal = partial(BranchTraversal, simulator, saved_bytes=saved_bytes)

    @property
    def name(self) -> str:
        return self._simulator.name

    @property
    def version(self) -> str:
        return self._simulator.version

    def run(self, task: Task) -> EngineResult:
        if task.program.n_qubits > MAX_QUBITS:
            raise MemoryError
        rng = default_rng(task.seed)
        if task.noise is None and task.program.is_straight:
            state = self._evolved(task.program)
            reads = task.program.reads()
            return EngineResult(
                *sampling.arrays(state, reads, task.shots, rng, task.outputs, task.max_outcomes)
            )
        return self._run_branches(task, rng)

    def final_amplitudes(self, n_qubits: int, gates: Sequence[Gate]) -> Amplitudes:
        """Return the state after gates, 2^n complex128; bit q of the index is qubit q."""
        # Simulators leave out global phases, which no measurement sees: that of `gphase`, and
        # Qulacs that of `p`, which it runs as `rz`.
        phase, exact = 0.0, []
        for gate in gates:
            if gate.controls or gate.name not in ("gphase", "p"):
                exact.append(gate)
                continue
            (angle,) = gate.params
            phase += angle if gate.name == "gphase" else angle / 2
            if gate.name == "p":
                exact.append(Gate("rz", gate.targets, gate.params))
        state = self._simulator.zero_state(n_qubits)
        evolve(self._simulator, state, exact)
        turned: Amplitudes = state.amplitudes() * np.exp(1j * phase)
        return turned

    def _evolved(self, program: Program) -> StateVector:
        state = self._simulator.zero_state(program.n_qubits)
        evolve(self._simulator, state, program.gates())
        return state

    def _run_branches(self, task: Task, rng: Generator) -> EngineResult:
        p = None
        if PROBABILITIES in task.outputs and task.noise is None:
            p = self._probabilities(task.program, task.max_outcomes)
        is_counted = p is None or {COUNTS, MEMORY}.intersection(task.outputs)
        counts = self._counts(task, rng) if is_counted else Counter()
        return result_of(counts, p, task.program.n_bits, task.outputs, rng)

    def _probabilities(self, program: Program, max_outcomes: int) -> Mapping[bytes, float] | None:
        """Return exact probabilities, or None where they are too many or take too long."""
        tally = Tally(program)
        maximum = exact_leaves(program.n_qubits, gate_equivalents(program.ops))
        p: defaultdict[bytes, float] = defaultdict(float)
        traversal = self._traversal(program, steps(program), divide_weight)
        for number, leaf in enumerate(traversal.leaves(1.0)):
            if number == maximum:
                return None
            for key, weight in tally.weigh(leaf):
                p[key] += weight
            del leaf
            if len(p) > max_outcomes:
                return None
        return p

    def _counts(self, task: Task, rng: Generator) -> Counter[bytes]:
        made = steps(task.program, task.noise)
        if task.noise is not None and has_no_choices(made):
            counts = count_shots(self._patterns(task, task.noise, rng), task.program.reads())
        else:
            counts = self._count_leaves(task, made, rng)
        if task.noise is None:
            return counts
        found = flips(task.program, task.program.measurements, task.noise)
        return misread(counts, found, task.program.n_bits, rng) if found else counts

    def _patterns(self, task: Task, noise: Noise, rng: Generator) -> Iterator[Integers]:
        """Yield the samples of each pattern of Paulis, for a program of gates only."""
        program, reads = task.program, task.program.reads()
        gates, stop = ProgramGates(self._simulator, program), len(program.ops)
        shared, done = self._simulator.zero_state(program.n_qubits), 0
        for errors, shots in ErrorSites(program, noise).patterns(task.shots, rng):
            state = shared
            if errors:
                reached = errors[0].op_index
                gates.apply(shared, done, reached)
                state, done = shared.copy(), reached
            gates.apply(state, done, stop, errors)
            yield sampling.samples(state, reads, shots, rng)

    def _count_leaves(self, task: Task, made: Sequence[Step], rng: Generator) -> Counter[bytes]:
        counts: Counter[bytes] = Counter()
        tally = Tally(task.program)
        for leaf in self._leaves(task, made, rng):
            for key, shots in tally.count(leaf, rng):
                counts[key] += shots
            del leaf  # or its state would stay in memory beside the next one
        return counts

    def _leaves(self, task: Task, made: Sequence[Step], rng: Generator) -> Iterator[Leaf]:
        program, noise = task.program, task.noise
        traversal = self._traversal(program, made, divide_shots(rng))
        if noise is None:
            yield from traversal.leaves(task.shots)
            return
        shared = self._simulator.zero_state(program.n_qubits)
        done = 0
        last = made[0].stop if made and isinstance(made[0], GateRange) else 0
        for errors, shots in ErrorSites(program, noise).patterns(task.shots, rng):
            if errors:
                reached = min(errors[0].op_index, last)
                traversal.gates.apply(shared, done, reached)
                done = reached
                yield from traversal.leaves(shots, errors, shared.copy(), done)
            else:
                yield from traversal.leaves(shots, (), shared, done)
