"""Conditions on measured bits, and the `Branch` and `Jump` operations they become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from qwicket.circuits.qubit import Branch, Jump, Op, Relation
from qwicket.programs.openqasm.syntax import Node


class Comparison(Node, frozen=True):
    """Comparison of the unsigned number in some bits (first bit lowest) with a constant."""

    clbits: tuple[int, ...]
    relation: Relation
    value: int


class Not(Node, frozen=True):
    term: Condition


class AllOf(Node, frozen=True):
    terms: tuple[Condition, ...]


class AnyOf(Node, frozen=True):
    terms: tuple[Condition, ...]


class OddParity(Node, frozen=True):
    """Condition that an odd number of the terms holds."""

    terms: tuple[Condition, ...]


TRUE: Final = -1
FALSE: Final = -2
"""Results of a `Decision`, where its nodes lead to another node otherwise."""


class DecisionNode(Node, frozen=True):
    """Test of one bit, and where it leads: a later place in the diagram, `TRUE` or `FALSE`."""

    clbit: int
    one: int
    zero: int


class Decision(Node, frozen=True):
    """A function of bits as a decision diagram, which begins at its first node."""

    nodes: tuple[DecisionNode, ...]


Condition = Comparison | Not | AllOf | AnyOf | OddParity | Decision

_OPPOSITE: Final[Mapping[Relation, Relation]] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
}


def negate(term: Condition | bool) -> Condition | bool:
    """Return the opposite of a condition."""
    if isinstance(term, bool):
        return not term
    # A double negation is undone, so that `!!c` costs no more than `c`.
    return term.term if isinstance(term, Not) else Not(term)


def compare(clbits: tuple[int, ...], relation: Relation, value: int) -> Condition | bool:
    """Return a comparison of bits, or its truth value if `value` is negative."""
    # The number in the bits is unsigned, so a negative value decides every relation.
    if value < 0:
        return relation in ("!=", ">", ">=")
    return Comparison(clbits, relation, value)


def compare_signed(clbits: tuple[int, ...], relation: Relation, value: int) -> Condition | bool:
    """Return a comparison of bits as a number in two's complement, or its truth value."""
    half = 1 << len(clbits) - 1
    # Engines compare unsigned numbers only. `==` and `<` become such comparisons, `<` also of the
    # sign bit; the other relations follow from these two.
    match relation:
        case "==":
            return -half <= value < half and compare(clbits, "==", value % (2 * half))
        case "<" if value < -half or value >= half:
            return value >= half
        case "<":
            is_negative, unsigned = (
                Comparison(clbits[-1:], "!=", 0),
                compare(clbits, "<", value % (2 * half)),
            )
            return all_of((is_negative, unsigned)) if value < 0 else any_of((is_negative, unsigned))
        case "<=":
            return compare_signed(clbits, "<", value + 1)
    return negate(compare_signed(clbits, _OPPOSITE[relation], value))


def cost_of_bits(condition: Condition | bool) -> int:
    """Return how many steps, or operations, a condition costs: one for four bits.

    Each node of a decision diagram costs two, since it becomes a branch and a jump.
    """
    return _n_bits(condition) // 4


def _n_bits(condition: Condition | bool) -> int:
    match condition:
        case bool():
            return 0
        case Comparison(clbits):
            return len(clbits)
        case Not(term):
            return _n_bits(term)
        case Decision(nodes):
            return 8 * len(nodes)
    return sum(map(_n_bits, condition.terms))


def all_of(terms: Iterable[Condition | bool]) -> Condition | bool:
    """Return the condition that all terms hold."""
    # Branches test bits, so constant terms are decided here and never written.
    open_terms = []
    for term in terms:
        if term is False:
            return False
        if not isinstance(term, bool):
            open_terms.append(term)
    if not open_terms:
        return True
    return open_terms[0] if len(open_terms) == 1 else AllOf(tuple(open_terms))


def any_of(terms: Iterable[Condition | bool]) -> Condition | bool:
    """Return the condition that at least one term holds."""
    open_terms = []
    for term in terms:
        if term is True:
            return True
        if not isinstance(term, bool):
            open_terms.append(term)
    if not open_terms:
        return False
    return open_terms[0] if len(open_terms) == 1 else AnyOf(tuple(open_terms))


def odd_parity(terms: Iterable[Condition | bool]) -> Condition | bool:
    """Return the condition that an odd number of terms holds."""
    open_terms = []
    is_flipped = False
    for term in terms:
        if isinstance(term, bool):
            is_flipped ^= term
        else:
            open_terms.append(term)
    if not open_terms:
        return is_flipped
    condition = open_terms[0] if len(open_terms) == 1 else OddParity(tuple(open_terms))
    return negate(condition) if is_flipped else condition


def differ(left: tuple[int, ...], right: tuple[int, ...]) -> Condition | bool:
    """Return the condition that two registers of one size have different bits."""
    return any_of(
        odd_parity(Comparison((bit,), "!=", 0) for bit in pair)
        for pair in zip(left, right, strict=True)
    )


class Label:
    """A later position whose jumps are completed when it is known."""

    def __init__(self) -> None:
        self.sources: list[int] = []


class Flow:
    """Writes jumps into a list of operations. All jumps go forward, so every circuit ends.

    Args:
        ops: The list to which operations are appended.
    """

    def __init__(self, ops: list[Op]) -> None:
        self._ops = ops

    def jump(self, label: Label) -> None:
        """Append a jump to a label."""
        label.sources.append(len(self._ops))
        self._ops.append(Jump(0))

    def jump_if(self, condition: Condition, expected: bool, label: Label) -> None:
        """Append jumps to a label, taken if a condition is as expected; terms short-circuit."""
        match condition:
            case Comparison(clbits, relation, value):
                label.sources.append(len(self._ops))
                # A branch jumps if its comparison fails, so a jump on true writes the opposite.
                written = _OPPOSITE[relation] if expected else relation
                self._ops.append(Branch(clbits, written, str(value), 0))
            case Not(term):
                self.jump_if(term, not expected, label)
            case AllOf(terms):
                self._jump_if_all(terms, True, expected, label)
            case AnyOf(terms):
                self._jump_if_all(terms, False, not expected, label)
            case OddParity(terms):
                self._jump_if_odd(terms, expected, label)
            case Decision(nodes):
                self._jump_by_diagram(nodes, expected, label)

    def place(self, label: Label) -> None:
        """Let all jumps to a label end here."""
        for source in label.sources:
            jump = self._ops[source]
            skip = len(self._ops) - source - 1
            if isinstance(jump, Branch):
                jump = Branch(jump.clbits, jump.relation, jump.value, skip)
            else:
                jump = Jump(skip)
            self._ops[source] = jump

    def _jump_if_all(
        self, terms: tuple[Condition, ...], term_value: bool, expected: bool, label: Label
    ) -> None:
        """Go to a label if the answer to "is every term `term_value`?" is `expected`."""
        if not expected:
            for term in terms:
                self.jump_if(term, not term_value, label)
            return
        end = Label()
        for term in terms[:-1]:
            self.jump_if(term, not term_value, end)
        self.jump_if(terms[-1], term_value, label)
        self.place(end)

    def _jump_if_odd(self, terms: tuple[Condition, ...], expected: bool, label: Label) -> None:
        """Go to a label by parity: one path of code is for an even number so far, one for odd."""
        # Two paths keep the code linear in the number of terms. Rewriting the parity with `and` and
        # `or` would double the code with each term.
        odd_rail = Label()
        for n_before, term in enumerate(terms):
            next_even, next_odd = Label(), Label()
            self.jump_if(term, True, next_odd)
            if n_before:
                self.jump(next_even)
                self.place(odd_rail)
                self.jump_if(term, True, next_even)
                self.jump(next_odd)
            self.place(next_even)
            odd_rail = next_odd
        end = Label()
        self.jump(end if expected else label)
        self.place(odd_rail)
        if expected:
            self.jump(label)
            self.place(end)

    def _jump_by_diagram(
        self, nodes: tuple[DecisionNode, ...], expected: bool, label: Label
    ) -> None:
        """Go to a label if the bits lead to `expected`."""
        end = Label()
        ends = (label, end) if expected else (end, label)
        # The last two are found by the negative places of `FALSE` and `TRUE`.
        labels = [*(Label() for _ in nodes), ends[1], ends[0]]
        for place, node in enumerate(nodes):
            self.place(labels[place])
            one, zero = labels[node.one], labels[node.zero]
            # What comes next anyway needs no jump.
            following = labels[place + 1] if place + 1 < len(nodes) else end
            is_zero_next = zero is following
            (one if is_zero_next else zero).sources.append(len(self._ops))
            self._ops.append(Branch((node.clbit,), "==" if is_zero_next else "!=", "0", 0))
            if not is_zero_next and one is not following:
                self.jump(one)
        self.place(end)
