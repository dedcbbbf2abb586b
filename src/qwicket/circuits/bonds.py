"""Bounds on the entanglement of circuits, and so on their matrix product states.

Qubits form a row, in the order of their numbers. Cut the row in two: the rank of the state
across the cut, its bond dimension, grows at most by a factor for each gate that acts across the
cut. A gate on qubits that are not adjacent is counted with the swaps that make them adjacent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from qwicket.circuits.qubit import Gate, Op

MAX_OPERANDS: Final = 5
"""Gates on more qubits are not bounded: their circuits count as entangling everything."""

_UNBOUNDED: Final = 1 << 20
_RANK_TWO: Final = frozenset({"rxx", "ryy", "rzz", "zz", "ms"})


class Bonds(NamedTuple):
    """Bounds of a matrix product state.

    Attributes:
        bits: log2 of its largest bond.
        steps: Cost of the gates, in gates on two neighbours.
    """

    bits: int
    steps: int


def bonds(ops: Iterable[Op]) -> Bonds:
    """Bound the bonds of a circuit that measures at its end; only gates are counted."""
    count = _Count()
    for op in ops:
        if type(op) is Gate:
            count.add(op)
    return count.finished()


def neighbourly(gate: Gate) -> Iterator[Gate]:
    """Yield swaps that make a gate's qubits adjacent, the gate, and swaps that undo these."""
    operands = sorted(gate.targets + gate.controls)
    moves = [Gate("swap", pair) for pair in _exchanges(operands)]
    place = {qubit: operands[0] + offset for offset, qubit in enumerate(operands)}
    yield from moves
    yield Gate(
        gate.name,
        tuple([place[qubit] for qubit in gate.targets]),
        gate.params,
        tuple([place[qubit] for qubit in gate.controls]),
        gate.terms,
    )
    yield from reversed(moves)


def _exchanges(operands: Sequence[int]) -> list[tuple[int, int]]:
    """Return the exchanges that bring qubits, in ascending order, beside the first of them."""
    if not operands:
        return []
    first, *others = operands
    return [
        (place - 1, place)
        for offset, qubit in enumerate(others, 1)
        for place in range(qubit, first + offset, -1)
    ]


def _has_rank_two(gate: Gate, n_operands: int) -> bool:
    """Return whether a gate is a sum of two products across any cut."""
    if gate.controls:
        return len(gate.targets) < 2
    return n_operands == 2 and gate.name in _RANK_TWO


class _Count:
    """Adds up gates; `_change` has the difference of bits from one cut to the next.

    `_bits_of_swaps` has the bits that are added while swaps hold qubits away from their places.

    Gates with the same control, and no other gate on that qubit in between, count once for each
    cut. Together they are a sum of two products, one for each value of the control.
    """

    def __init__(self) -> None:
        self._change: defaultdict[int, int] = defaultdict(int)
        self._reach_of: dict[int, tuple[int, int]] = {}
        self._used: set[int] = set()
        self._steps = 0
        self._bits_of_swaps = 0

    def add(self, gate: Gate) -> None:
        operands = gate.targets + gate.controls
        if len(operands) < 2:
            if self._reach_of:
                for qubit in operands:
                    self._reach_of.pop(qubit, None)
            return
        self._used.update(operands)
        first, last, n = min(operands), max(operands), len(operands)
        if n > MAX_OPERANDS:
            self._bits_of_swaps = _UNBOUNDED
            return
        self._steps += 4 ** (n - 2)
        if last - first >= n:
            self._bits_of_swaps = max(self._bits_of_swaps, n - 1)
            # The length of `_exchanges`, not called, because its list has thousands for far qubits.
            places = enumerate(sorted(operands), first)
            self._steps += 2 * sum(qubit - place for place, qubit in places)
        if n == 2 and gate.controls:
            self._add_controlled(gate.controls[0], gate.targets, first, last)
            return
        for qubit in operands:
            self._reach_of.pop(qubit, None)
        self._charge(first, last, 1 if _has_rank_two(gate, n) else 2 * (n // 2))

    def finished(self) -> Bonds:
        bits = crossing = 0
        for _, change in sorted(self._change.items()):
            bits += change
            crossing = max(crossing, bits)
        if self._bits_of_swaps == _UNBOUNDED:
            return Bonds(_UNBOUNDED, self._steps)
        return Bonds(min(crossing + self._bits_of_swaps, len(self._used) // 2), self._steps)

    def _add_controlled(
        self, control: int, targets: tuple[int, ...], first: int, last: int
    ) -> None:
        low, high = self._reach_of.get(control, (control, control))
        if first < low:
            self._charge(first, low, 1)
        if high < last:
            self._charge(high, last, 1)
        self._reach_of[control] = min(low, first), max(high, last)
        for target in targets:
            self._reach_of.pop(target, None)

    def _charge(self, start: int, stop: int, bits: int) -> None:
        """Count bits for the cuts after qubits `start` to `stop` - 1."""
        self._change[start] += bits
        self._change[stop] -= bits
