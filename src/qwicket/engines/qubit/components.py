"""Simulates groups of qubits that nothing connects apart from each other, and joins their shots.

The groups are independent, with noise as well: the errors after a gate are on its qubits, and a
readout error is on one bit. So shot k of a circuit consists of shot k of each group, if the shots
of all groups but one are in random order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from qwicket.circuits.analysis import MAX_JOINT_QUBITS, components
from qwicket.circuits.outcomes import COUNTS, PROBABILITIES
from qwicket.circuits.qubit import Gate, Measure, Op, Reset
from qwicket.engines.qubit.cost import max_listed
from qwicket.engines.qubit.noise import noise_of
from qwicket.engines.qubit.program import renumbered
from qwicket.engines.qubit.sampling import SMALLEST_PROBABILITY, Floats, Integers
from qwicket.engines.qubit.tally import Rows, result_of, split
from qwicket.engines.qubit.tasks import Engine, EngineResult, Task


class _Shots(NamedTuple):
    """Distinct keys, one per row, and for each shot the index of its key."""

    rows: Rows
    indices: Integers


class ComponentsEngine:
    """Runs each group on an engine of its own; its name and version are those of the widest.

    Args:
        parts: A task for each group, and its engine; the widest is first.
        run: Function that runs a task on an engine.
    """

    def __init__(
        self,
        parts: Sequence[tuple[Engine, Task]],
        run: Callable[[Engine, Task], tuple[Engine, EngineResult]],
    ) -> None:
        self._parts = parts
        self._run = run

    @property
    def name(self) -> str:
        return self._parts[0][0].name

    @property
    def version(self) -> str:
        return self._parts[0][0].version

    def run(self, task: Task) -> EngineResult:
        found = [self._run(engine, part)[1] for engine, part in self._parts]
        rng = default_rng(task.seed)
        first, *others = found
        shots = _shots(first)
        for other in others:
            shots = _joined(shots, _shots(other), rng)
        numbers = np.bincount(shots.indices).tolist()
        counts = Counter(dict(zip(split(shots.rows), numbers, strict=True)))
        p = None
        if PROBABILITIES in task.outputs:
            p = _product(found, max_listed(task.program.n_bits, task.max_outcomes))
        return result_of(counts, p, task.program.n_bits, task.outputs, rng)


def separate(task: Task, *, max_joint: int = MAX_JOINT_QUBITS) -> list[Task]:
    """Return a task for each group of qubits, the widest first, or none if there is one group.

    Up to `max_joint` qubits are one group.

    Groups that are not measured are left out, or all but the smallest. Qubits that no gate touches
    are in the group of their bit, or in the first one.
    """
    program = task.program
    last = [Measure(qubit, bit) for bit, qubit in program.measurements.items()]
    groups = components(chain(program.ops, last), range(program.n_qubits), max_joint=max_joint)
    if len(groups) == 1:
        return []
    group_of = {qubit: number for number, group in enumerate(groups) for qubit in group}
    group_of_bit = {
        op.clbit: group_of[op.qubit]
        for op in chain(program.ops, last)
        if type(op) is Measure and op.qubit >= 0
    }
    kept = sorted({*group_of_bit.values()}) or [len(groups) - 1]

    def group(op: Op) -> int:
        if type(op) is Measure:
            return group_of_bit.get(op.clbit, kept[0])
        operands: tuple[int, ...] = ()
        if type(op) is Gate:
            operands = op.targets + op.controls
        elif type(op) is Reset:
            operands = (op.qubit,)
        return next((group_of[qubit] for qubit in operands if qubit in group_of), kept[0])

    ops: list[list[Op]] = [[] for _ in groups]
    for op in program.ops:
        ops[group(op)].append(op)
    measured: list[dict[int, int]] = [{} for _ in groups]
    for op in last:
        measured[group(op)][op.clbit] = op.qubit
    return [_part(task, number, groups[number], ops[number], measured[number]) for number in kept]


def _part(
    task: Task, number: int, qubits: Sequence[int], ops: Sequence[Op], measured: Mapping[int, int]
) -> Task:
    """Return the task of one group."""
    is_straight = all(type(op) is Gate for op in ops)
    whole = task.program._replace(ops=ops, is_straight=is_straight, measurements=measured)
    origin = [task.program.origin[qubit] for qubit in qubits]
    program = renumbered(whole, qubits)._replace(origin=origin)
    noise = noise_of(task.noise.model, program) if task.noise else None
    seed = SeedSequence(task.seed.entropy, spawn_key=(*task.seed.spawn_key, number))
    outputs: tuple[str, ...] = (COUNTS,)
    if task.noise is None and PROBABILITIES in task.outputs:
        outputs = (COUNTS, PROBABILITIES)
    return task._replace(program=program, noise=noise, seed=seed, outputs=outputs)


def _rows(found: EngineResult) -> Rows:
    keys = found.arrays["keys"]
    return np.frombuffer(keys.data, np.uint8).reshape(keys.shape)


def _shots(found: EngineResult) -> _Shots:
    counts = np.frombuffer(found.arrays[COUNTS].data, "<i8")
    drawn = counts.nonzero()[0]
    return _Shots(_rows(found)[drawn], np.repeat(np.arange(drawn.size), counts[drawn]))


def _joined(one: _Shots, other: _Shots, rng: Generator) -> _Shots:
    """Join shots of two groups; those of the second are put into random order."""
    n = len(other.rows)
    pairs = one.indices * n + rng.permutation(other.indices)
    distinct, indices = np.unique(pairs, return_inverse=True)
    return _Shots(one.rows[distinct // n] | other.rows[distinct % n], indices)


def _product(found: Sequence[EngineResult], max_outcomes: int) -> dict[bytes, float] | None:
    """Return the exact probabilities of all groups together, or None if they are too many."""
    if any(PROBABILITIES not in each.arrays for each in found):
        return None
    rows: Rows = np.zeros((1, _rows(found[0]).shape[1]), np.uint8)
    p: Floats = np.ones(1)
    for each in found:
        if len(rows) * len(_rows(each)) > max_outcomes:
            return None
        rows = (rows[:, np.newaxis] | _rows(each)).reshape(-1, rows.shape[1])
        p = np.outer(p, np.frombuffer(each.arrays[PROBABILITIES].data, "<f8")).ravel()
        likely = p >= SMALLEST_PROBABILITY
        rows, p = rows[likely], p[likely]
    return dict(zip(split(rows), p.tolist(), strict=True))
