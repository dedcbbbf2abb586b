"""Mid-circuit measurements: each one divides the shots of a branch between two branches.

A branch has one state and definite classical bits, so a condition only moves its position in the
program. The traversal is depth first, the branch with fewer shots first: each division at least
halves the shots of the branch that goes on, so at most log2(shots) branches are pending.

A pending branch has a copy of its state while `saved_bytes` suffices. Beyond that the
oldest branch loses its copy. It is then computed again from the start along the outcomes that it
took, which gives the same state to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from numpy.random import Generator

from qwicket.circuits.qubit import Gate, Measure, Reset
from qwicket.engines.qubit.cost import SAVED_STATES_BYTES, max_saved_states
from qwicket.engines.qubit.patterns import SampledError
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.rows import ProgramGates
from qwicket.engines.qubit.sampling import SMALLEST_PROBABILITY
from qwicket.engines.qubit.states import Simulator, StateVector, evolve
from qwicket.engines.qubit.steps import (
    AmplitudeDamping,
    GateRange,
    JumpTo,
    JumpUnless,
    ReadoutFlip,
    Step,
)

Divide = Callable[[float, float], tuple[float, float]]
"""From an amount and the probability of the second branch to the amounts of both branches."""


class Leaf(NamedTuple):
    """The end of a branch. All bits are definite, except those that are measured last.

    `amount` is a number of shots or, for exact probabilities, a weight.
    """

    bits: int
    amount: float
    state: StateVector


class _Checkpoint(NamedTuple):
    """A position in a branch from which to continue."""

    step: int
    n_choices: int
    bits: int
    state: StateVector


@dataclass(slots=True)
class _PendingBranch:
    """A branch that is not yet computed: after `n_choices` choices it takes `choice`."""

    amount: float
    n_choices: int
    choice: int
    checkpoint: _Checkpoint | None


def divide_shots(rng: Generator) -> Divide:
    """Return a function that divides whole shots at random."""

    def divide(shots: float, p: float) -> tuple[float, float]:
        if not p:
            return shots, 0
        second = int(rng.binomial(int(shots), p))
        return shots - second, second

    return divide


def divide_weight(weight: float, p: float) -> tuple[float, float]:
    """Divide a probability. A negligible share is added to the other branch."""
    second = weight * p
    if second < SMALLEST_PROBABILITY:
        return weight, 0
    if weight - second < SMALLEST_PROBABILITY:
        return 0, weight
    return weight - second, second


class BranchTraversal:
    """Depth-first traversal of all branches of a program.

    Args:
        simulator: Simulator that evolves the states.
        program: The program.
        steps: The steps of the program.
        divide: Function that divides the amount of a branch.
        saved_bytes: Memory for the states of pending branches.

    Attributes:
        gates: The gates of the program.
    """

    def __init__(
        self,
        simulator: Simulator,
        program: Program,
        steps: Sequence[Step],
        divide: Divide,
        *,
        saved_bytes: int = SAVED_STATES_BYTES,
    ) -> None:
        self._simulator = simulator
        self._program = program
        self._steps = steps
        self._divide = divide
        self.gates = ProgramGates(simulator, program)
        self._max_checkpoints = max_saved_states(program.n_qubits, saved_bytes)
        self._pending: list[_PendingBranch] = []
        self._choices: list[int] = []
        self._errors: Sequence[SampledError] = ()

    def leaves(
        self,
        amount: float,
        errors: Sequence[SampledError] = (),
        begun: StateVector | None = None,
        done: int = 0,
    ) -> Iterator[Leaf]:
        """Yield the ends of all branches.

        The caller should drop a leaf before it asks for the next one, or the states of both are in
        memory.

        Args:
            amount: Shots, or weight, of all branches together.
            errors: Pauli errors that occur among the gates.
            begun: State to start from, which is changed; None for |0…0⟩.
            done: Number of operations, all gates of the first step, that `begun` already includes.
        """
        self._errors = errors
        self._amount = amount
        self._choices.clear()
        self._pending.clear()
        self._start(begun, done)
        del begun  # this frame would keep it alive until the last leaf
        yield self._to_the_end()
        while self._pending:
            self._resume(self._pending.pop())
            yield self._to_the_end()

    def _start(self, state: StateVector | None = None, done: int = 0) -> None:
        self._state = self._simulator.zero_state(self._program.n_qubits) if state is None else state
        self._done = done
        self._step = self._n_choices = self._bits = 0

    def _resume(self, pending: _PendingBranch) -> None:
        self._amount = pending.amount
        self._choices[pending.n_choices :] = [pending.choice]
        if pending.checkpoint is None:
            self._start()
        else:
            self._step, self._n_choices, self._bits, self._state = pending.checkpoint

    def _to_the_end(self) -> Leaf:
        while self._step < len(self._steps):
            self._take(self._steps[self._step])
            self._step += 1
        state = self._state
        del self._state  # Otherwise two states would be in memory when the next branch starts.
        return Leaf(self._bits, self._amount, state)

    def _take(self, step: Step) -> None:
        match step:
            case GateRange(start, stop):
                self.gates.apply(self._state, max(start, self._done), stop, self._errors)
            case Measure(qubit, bit):
                read = self._measure(qubit) if qubit >= 0 else 0
                self._bits = self._bits & ~(1 << bit) | read << bit
            case Reset(qubit):
                if self._measure(qubit):
                    self._flip(qubit)
            case AmplitudeDamping(qubit, gamma):
                self._damp(qubit, gamma)
            case ReadoutFlip(bit, one_for_zero, zero_for_one):
                wrong = zero_for_one if self._bits >> bit & 1 else one_for_zero
                self._bits ^= self._choose(wrong) << bit
            case JumpUnless(number, holds, value, target):
                if not holds(number(self._bits), value):
                    self._step = target - 1
            case JumpTo(target):
                self._step = target - 1

    def _measure(self, qubit: int) -> int:
        p_one = self._state.p_one(qubit)
        outcome = self._choose(p_one)
        if 0 < p_one < 1:
            if outcome:
                self._state.scale(qubit, 0, p_one**-0.5)
            else:
                self._state.scale(qubit, (1 - p_one) ** -0.5, 0)
        return outcome

    def _damp(self, qubit: int, gamma: float) -> None:
        p_one = self._state.p_one(qubit)
        p_decay = gamma * p_one
        if self._choose(p_decay):
            self._state.scale(qubit, 0, p_one**-0.5)
            self._flip(qubit)
        elif p_one:
            norm = (1 - p_decay) ** -0.5
            self._state.scale(qubit, norm, norm * (1 - gamma) ** 0.5)

    def _flip(self, qubit: int) -> None:
        evolve(self._simulator, self._state, (Gate("x", (qubit,)),))

    def _choose(self, p: float) -> int:
        """Return which of two branches to continue; the other becomes pending if it has shots."""
        if self._n_choices == len(self._choices):
            first, second = self._divide(self._amount, p)
            choice = int(not first or 0 < second < first)
            if first and second:
                self._postpone(1 - choice, first if choice else second)
            self._amount = second if choice else first
            self._choices.append(choice)
        choice = self._choices[self._n_choices]
        self._n_choices += 1
        return choice

    def _postpone(self, choice: int, amount: float) -> None:
        n_choices = len(self._choices)
        checkpoint = None
        if self._max_checkpoints:
            if len(self._pending) >= self._max_checkpoints:
                self._pending[-self._max_checkpoints].checkpoint = None
            checkpoint = _Checkpoint(self._step, n_choices, self._bits, self._state.copy())
        self._pending.append(_PendingBranch(amount, n_choices, choice, checkpoint))
