"""Programs as lists of steps: jumps have targets; damping and readout errors are steps.

Pauli errors are not: `patterns` draws them, and `ProgramGates` applies them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Relation, Reset
from qwicket.engines.qubit.noise import Noise
from qwicket.engines.qubit.program import Program


class GateRange(NamedTuple):
    """Consecutive gates: operations `start` to `stop` - 1 of the program."""

    start: int
    stop: int


class AmplitudeDamping(NamedTuple):
    """Amplitude damping: |1⟩ decays with probability `gamma`."""

    qubit: int
    gamma: float


class ReadoutFlip(NamedTuple):
    """Readout error: a bit that was just recorded flips with a probability."""

    bit: int
    one_for_zero: float
    zero_for_one: float


class JumpUnless(NamedTuple):
    """Go to step `target` unless a comparison of bits with `value` holds."""

    number: Callable[[int], int]
    holds: Callable[[int, int], bool]
    value: int
    target: int


class JumpTo(NamedTuple):
    """Go to step `target`."""

    target: int


Step = GateRange | Measure | Reset | AmplitudeDamping | ReadoutFlip | JumpUnless | JumpTo

RELATIONS: Final[Mapping[Relation, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def steps(program: Program, noise: Noise | None = None) -> list[Step]:
    """Return the steps of a program, without steps that change nothing."""
    writer = _Writer(program, noise)
    for index in range(len(program.ops)):
        writer.add(index)
    return writer.finished()


def has_no_choices(made: Sequence[Step]) -> bool:
    """Return whether all steps are gates, so that each shot takes the same path."""
    return all(isinstance(step, GateRange) for step in made)


class _Writer:
    """Writes steps one by one, and merges consecutive gates into one step."""

    def __init__(self, program: Program, noise: Noise | None) -> None:
        self._program = program
        self._noise = noise
        self._entries = {
            index + 1 + op.skip
            for index, op in enumerate(program.ops)
            if isinstance(op, Branch | Jump)
        }
        self._made: list[Step] = []
        self._step_at: dict[int, int] = {}
        self._start: int | None = None

    def add(self, index: int) -> None:
        op = self._program.ops[index]
        if index in self._entries:
            self._end_run(index)
            self._step_at[index] = len(self._made)
        if isinstance(op, Gate):
            self._add_gate(index, op)
            return
        self._end_run(index)
        if isinstance(op, Measure):
            self._made += [op, *_readout_flips(op, self._program, self._noise)]
        elif isinstance(op, Branch):
            target = index + 1 + op.skip
            holds = RELATIONS[op.relation]
            self._made.append(JumpUnless(_number(op.clbits), holds, int(op.value), target))
        elif isinstance(op, Jump):
            self._made.append(JumpTo(index + 1 + op.skip))
        elif op.qubit >= 0:
            self._made.append(op)

    def finished(self) -> list[Step]:
        """Return the steps; the targets of jumps, until now operations, become steps."""
        end = len(self._program.ops)
        self._end_run(end)
        self._step_at[end] = len(self._made)
        return [
            step._replace(target=self._step_at[step.target])
            if isinstance(step, JumpUnless | JumpTo)
            else step
            for step in self._made
        ]

    def _add_gate(self, index: int, gate: Gate) -> None:
        if self._start is None:
            self._start = index
        damping = self._noise.after(gate).damping if self._noise else ()
        if damping:
            self._end_run(index + 1)
            self._made += [AmplitudeDamping(qubit, gamma) for qubit, gamma in damping]

    def _end_run(self, index: int) -> None:
        if self._start is not None:
            self._made.append(GateRange(self._start, index))
            self._start = None


def _number(clbits: tuple[int, ...]) -> Callable[[int], int]:
    """Return a function that reads the number in some bits, the lowest bit first."""
    if not clbits:
        return lambda _: 0
    low, size = clbits[0], len(clbits)
    if clbits == tuple(range(low, low + size)):
        mask = (1 << size) - 1
        return lambda bits: bits >> low & mask
    return lambda bits: sum((bits >> bit & 1) << i for i, bit in enumerate(clbits))


def _readout_flips(op: Measure, program: Program, noise: Noise | None) -> Sequence[ReadoutFlip]:
    if noise is None:
        return ()
    error = noise.readout(program.original(op.qubit))
    if not (error.one_for_zero or error.zero_for_one):
        return ()
    return (ReadoutFlip(op.clbit, error.one_for_zero, error.zero_for_one),)
