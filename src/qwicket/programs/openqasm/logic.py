"""Boolean functions of measured bits, and arithmetic on words made of them.

A function is a node of an and-inverter graph with exclusive-or gates, which all values of a program
share. Its literal is an integer: twice the number of the node, plus one for the opposite. A word is
a tuple of literals, lowest bit first. `Logic.condition` turns a function into a decision diagram.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Final

from qwicket.programs.openqasm.conditions import (
    FALSE,
    TRUE,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Decision,
    DecisionNode,
    Not,
    OddParity,
)

MAX_CONDITION_BITS: Final = 20
"""Measured bits that a computed condition may depend on: its table has 2^20 entries."""

_CHUNK_BITS: Final = 14
"""Tables are computed in chunks of 2^14 entries, so that those of all gates fit into memory."""

_WORK_OF_GATE: Final = 3
_WORK_OF_NODE: Final = 6
"""Cost of making a gate, and a node of a diagram, in steps. Evaluating a gate for 2^14 entries of a
table is one."""

Word = tuple[int, ...]


class TooComplex(Exception):
    """A condition exceeds a limit; the text says which. Never leaves the readers."""


class Work:
    """Counts the work of one program.

    Args:
        max_steps: The limit `openqasm_steps`.
    """

    def __init__(self, max_steps: int) -> None:
        self._max_steps = self._left = max_steps

    def count(self, steps: int) -> None:
        """Count work before it is done.

        Raises:
            TooComplex: It is more than the limit.
        """
        self._left -= steps
        if self._left < 0:
            raise TooComplex(
                f"computing with measured bits takes more than {self._max_steps:,} steps (limit"
                " openqasm_steps)"
            )


class Logic:
    """Functions of the classical bits of one program.

    Args:
        count_work: Counts work in steps before it is done; raises `TooComplex` beyond a limit.
    """

    def __init__(self, count_work: Callable[[int], None]) -> None:
        # Node 0 is the constant, so that the literals of false and true are 0 and 1. An input is
        # written as (clbit, -1), a gate as its two operands, ordered as in `_gate`.
        self._nodes: list[tuple[int, int]] = [(-1, -1)]
        self._known: dict[tuple[int, int], int] = {}
        self._conditions: dict[int, Condition | bool] = {}
        self._count_work = count_work

    # --- functions --------------------------------------------------------------------------------

    def bit(self, clbit: int) -> int:
        """Return a classical bit."""
        known = self._known.get((clbit, -1))
        return self._gate((clbit, -1)) if known is None else known

    def clbit(self, literal: int) -> int | None:
        """Return the classical bit that a function is equal to, if it is one."""
        first, second = self._nodes[literal >> 1]
        return first if second < 0 <= first and not literal & 1 else None

    def both(self, left: int, right: int) -> int:
        if left > right:
            left, right = right, left
        if left <= 1 or left == right:
            return right if left else 0
        return 0 if left ^ right == 1 else self._gate((left, right))

    def either(self, left: int, right: int) -> int:
        return self.both(left ^ 1, right ^ 1) ^ 1

    def differ(self, left: int, right: int) -> int:
        # The opposite of an operand is the opposite of the result, so only plain ones are stored.
        opposite = (left ^ right) & 1
        low, high = sorted((left & ~1, right & ~1))
        if low == high:
            return opposite
        # The larger operand first marks an exclusive or.
        return (self._gate((high, low)) if low else high) ^ opposite

    def choose(self, which: int, yes: int, no: int) -> int:
        if yes == no:
            return yes
        return self.either(self.both(which, yes), self.both(which ^ 1, no))

    def function(self, condition: Condition | bool) -> int:
        """Return a condition as a function."""
        match condition:
            case bool():
                return int(condition)
            case Comparison(clbits, relation, value):
                word = tuple(map(self.bit, clbits))
                return self.compare(relation, word, constant(value, value.bit_length()))
            case Not(term):
                return self.function(term) ^ 1
            case AllOf(terms):
                return self.all_of(map(self.function, terms))
            case AnyOf(terms):
                return self.all_of(self.function(term) ^ 1 for term in terms) ^ 1
            case OddParity(terms):
                result = 0
                for term in terms:
                    result = self.differ(result, self.function(term))
                return result
            case Decision(nodes):
                results = {TRUE: 1, FALSE: 0}
                for place in reversed(range(len(nodes))):
                    node = nodes[place]
                    results[place] = self.choose(
                        self.bit(node.clbit), results[node.one], results[node.zero]
                    )
                return results[0]

    def all_of(self, literals: Iterable[int]) -> int:
        result = 1
        for literal in literals:
            result = self.both(result, literal)
        return result

    def _gate(self, node: tuple[int, int]) -> int:
        # Counted even if it is known, because a loop may ask for the same gates again and again.
        self._count_work(_WORK_OF_GATE)
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = 2 * len(self._nodes)
            self._nodes.append(node)
        return known

    # --- words ------------------------------------------------------------------------------------

    def add(self, left: Word, right: Word, carry: int = 0) -> Word:
        """Return left + right + carry, in as many bits as the wider of both."""
        result = []
        for a, b in self._pairs(left, right):
            half = self.differ(a, b)
            result.append(self.differ(half, carry))
            carry = self.either(self.both(a, b), self.both(half, carry))
        return tuple(result)

    def subtract(self, left: Word, right: Word) -> Word:
        width = max(len(left), len(right))
        return self.add(left, inverted(extended(right, width)), 1)

    def multiply(self, left: Word, right: Word) -> Word:
        """Return the product in as many bits as the wider of both."""
        width = max(len(left), len(right))
        total: Word = (0,) * width
        for place, bit in enumerate(right):
            if bit:
                row = tuple(self.both(bit, each) for each in left[: width - place])
                total = total[:place] + self.add(total[place:], row)
        return total

    def divide(self, left: Word, right: Word) -> tuple[Word, Word]:
        """Return quotient and remainder; by zero they are 2^n - 1 and the dividend."""
        width = max(len(left), len(right))
        dividend, divisor = _without_zeros(left), _without_zeros(right)
        rest: Word = ()
        quotient: list[int] = []
        for bit in reversed(dividend):
            # Smaller than the divisor before, so one bit more is enough.
            rest = (bit, *rest[: len(divisor)])
            fits = self.less(rest, divisor) ^ 1
            rest = self.select(fits, self.subtract(rest, divisor)[: len(rest)], rest)
            quotient.append(fits)
        some = self.any_of(divisor)
        return (
            self.select(some, extended(tuple(reversed(quotient)), width), (1,) * width),
            self.select(some, extended(rest, width), extended(left, width)),
        )

    def select(self, which: int, yes: Word, no: Word) -> Word:
        return tuple([self.choose(which, a, b) for a, b in self._pairs(yes, no)])

    def shift(self, word: Word, amount: Word, *, is_left: bool, fill: int = 0) -> Word:
        """Return a word moved to higher places, or lower ones, filled up with `fill`."""
        width = len(word)
        for place, bit in enumerate(amount):
            if bit:
                new = (fill,) * min(width, 1 << place if place < 32 else width)
                kept = width - len(new)
                moved = new + word[:kept] if is_left else word[len(new) :] + new
                word = self.select(bit, moved, word)
        return word

    def rotate(self, word: Word, amount: Word, *, is_left: bool) -> Word:
        for place, bit in enumerate(amount):
            if bit:
                by = pow(2, place, len(word))
                if is_left:
                    by = -by % len(word)
                word = self.select(bit, word[by:] + word[:by], word)
        return word

    def popcount(self, word: Word) -> Word:
        total: Word = ()
        width = len(word).bit_length()
        for bit in word:
            total = self.add(extended(total, width), (bit,))
        return total

    def compare(self, relation: str, left: Word, right: Word) -> int:
        """Compare two words as unsigned numbers."""
        match relation:
            case "==" | "!=":
                equal = self.all_of(self.differ(a, b) ^ 1 for a, b in self._pairs(left, right))
                return equal ^ (relation == "!=")
            case "<" | ">=":
                return self.less(left, right) ^ (relation == ">=")
        return self.less(right, left) ^ (relation == "<=")

    def less(self, left: Word, right: Word) -> int:
        result = 0
        for a, b in self._pairs(left, right):
            result = self.choose(self.differ(a, b), b, result)
        return result

    def bitwise(self, symbol: str, left: Word, right: Word) -> Word:
        """Return `&`, `|` or `^` of two words."""
        combine = {"&": self.both, "|": self.either, "^": self.differ}[symbol]
        return tuple([combine(a, b) for a, b in self._pairs(left, right)])

    def any_of(self, word: Word) -> int:
        return self.all_of(inverted(word)) ^ 1

    def _pairs(self, left: Word, right: Word) -> Iterable[tuple[int, int]]:
        # Constant bits make no gate, but take time all the same.
        self._count_work(max(len(left), len(right)))
        return zip_longest(left, right, fillvalue=0)

    # --- conditions -------------------------------------------------------------------------------

    def condition(self, literal: int) -> Condition | bool:
        """Return a function as a condition, or its value if it is the same for all bits.

        Raises:
            TooComplex: It depends on too many bits, or takes too long.
        """
        if literal not in self._conditions:
            self._conditions[literal] = self._condition(literal)
        return self._conditions[literal]

    def _condition(self, literal: int) -> Condition | bool:
        if literal <= 1:
            return bool(literal)
        gates, clbits = self._cone((literal,))
        if not gates:
            return Comparison(tuple(clbits), "==" if literal & 1 else "!=", 0)
        if len(clbits) > MAX_CONDITION_BITS:
            raise TooComplex(
                f"the condition computes with {len(clbits)} measured bits, at most"
                f" {MAX_CONDITION_BITS} are allowed"
            )
        return _diagram(self._table(literal, gates, clbits), clbits, self._count_work)

    def clbits(self, word: Iterable[int]) -> set[int]:
        """Return the classical bits that appear in functions."""
        return set(self._cone(word)[1])

    def _cone(self, word: Iterable[int]) -> tuple[list[int], list[int]]:
        """Return the gates that functions are made of, operands first, and their classical bits.

        The bits come in the order in which they are met from the result on. Bits of one place in
        two words are then neighbours, which keeps the diagrams of sums and comparisons small.
        """
        gates, clbits, found, waiting = [], [], {0}, [literal >> 1 for literal in word]
        while waiting:
            node = waiting.pop()
            if node in found:
                continue
            found.add(node)
            first, second = self._nodes[node]
            if second < 0:
                clbits.append(first)
            else:
                gates.append(node)
                waiting += (second >> 1, first >> 1)
        self._count_work(len(found) // 2)
        return sorted(gates), clbits

    def _table(self, literal: int, gates: Sequence[int], clbits: Sequence[int]) -> int:
        """Return the values of a function as the bits of a number; the first clbit is its top."""
        n_free = min(len(clbits), _CHUNK_BITS)
        n_chunks = 1 << len(clbits) - n_free
        self._count_work(len(gates) * n_chunks + (1 << len(clbits)) // 256)
        ones = (1 << (1 << n_free)) - 1
        inputs = [self._known[clbit, -1] >> 1 for clbit in reversed(clbits)]
        values = {0: 0}
        for place, node in enumerate(inputs[:n_free]):
            # 2^place zeros, 2^place ones, and so on.
            values[node] = ones // ((1 << (1 << place)) + 1) << (1 << place)
        steps = [(gate, *self._nodes[gate]) for gate in gates]
        chunks = []
        for chunk in range(n_chunks):
            for place, node in enumerate(inputs[n_free:]):
                values[node] = ones if chunk >> place & 1 else 0
            for gate, first, second in steps:
                left, right = values[first >> 1], values[second >> 1]
                if first & 1:
                    left ^= ones
                if second & 1:
                    right ^= ones
                values[gate] = left & right if first < second else left ^ right
            chunks.append(values[literal >> 1] ^ (ones if literal & 1 else 0))
        if n_chunks == 1:
            return chunks[0]
        n_bytes = 1 << n_free - 3
        return int.from_bytes(
            b"".join([each.to_bytes(n_bytes, "little") for each in chunks]), "little"
        )


def constant(value: int, width: int) -> Word:
    """Return a number as a word, in two's complement if it is negative."""
    return tuple(value >> place & 1 for place in range(width))


def extended(word: Word, width: int, fill: int = 0) -> Word:
    """Return a word with more bits, or cut to fewer."""
    return word[:width] + (fill,) * (width - len(word))


def _without_zeros(word: Word) -> Word:
    """Return a word without the constant zeros at its top."""
    size = len(word)
    while size and not word[size - 1]:
        size -= 1
    return word[:size]


def inverted(word: Word) -> Word:
    return tuple(literal ^ 1 for literal in word)


def _diagram(
    table: int, clbits: Sequence[int], count_work: Callable[[int], None]
) -> Condition | bool:
    """Return a function as a decision diagram, which tests each bit at most once."""
    levels: list[list[tuple[int, int, int]]] = [[] for _ in clbits]
    ids: dict[tuple[int, int], int] = {}
    n_nodes = 0

    def node_of(values: int, level: int) -> int:
        nonlocal n_nodes
        width = 1 << len(clbits) - level
        while True:
            if values in (0, (1 << width) - 1):
                return TRUE if values else FALSE
            width >>= 1
            zero, one = values & (1 << width) - 1, values >> width
            if zero != one:
                break
            values, level = zero, level + 1
        known = ids.get((level, values))
        if known is None:
            count_work(_WORK_OF_NODE)
            children = node_of(one, level + 1), node_of(zero, level + 1)
            known = ids[level, values] = n_nodes
            n_nodes += 1
            levels[level].append((known, *children))
        return known

    root = node_of(table, 0)
    if root < 0:
        return root == TRUE
    # By level, so that every node comes before those that it leads to.
    places = {TRUE: TRUE, FALSE: FALSE}
    for level in levels:
        for known, _, _ in level:
            places[known] = len(places) - 2
    nodes = [
        DecisionNode(clbit, places[one], places[zero])
        for clbit, level in zip(clbits, levels, strict=True)
        for _, one, zero in level
    ]
    if len(nodes) == 1:
        return Comparison((nodes[0].clbit,), "!=" if nodes[0].one == TRUE else "==", 0)
    return Decision(tuple(nodes))
