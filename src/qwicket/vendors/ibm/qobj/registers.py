"""Conditions: which memory slots the bits of the classical register stand for.

A measurement writes the same bit to a memory slot and to a register bit; `bfunc` writes the result
of a test of register bits. Engines keep memory only, so a register bit is read from the slot that
still has its value. Qiskit writes each test right before the instruction that depends on the test,
so there always is such a slot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from qwicket.circuits.qubit import Branch, Relation
from qwicket.programs.json_text import FieldError, check_limit

_HEX: Final = re.compile(r"(?:0[xX])?[0-9a-fA-F]+")


class RegisterTest(NamedTuple):
    """A test whether the number in some memory slots is, or is not, a value."""

    slots: tuple[int, ...]
    relation: Relation
    value: int

    def branch(self, skip: int) -> Branch:
        """Return the operation that skips others if the test fails."""
        return Branch(self.slots, self.relation, str(self.value), skip)


def _is_bit(slot: int) -> RegisterTest:
    """Return the test that stands for the bit in a slot."""
    return RegisterTest((slot,), "==", 1)


class _Known(NamedTuple):
    """Known value of a register bit, and the place at which it was written."""

    test: RegisterTest | bool
    since: int


class Registers:
    """Tracks the register bits of one experiment. A place is the index of an instruction.

    Args:
        maximum: Most bits that one test may read, the limit `clbits`.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        # By slot: the place of its last measurement.
        self._written: dict[int, int] = {}
        # By register bit; None where memory does not hold its value. A bit that is absent is 0.
        self._known: dict[int, _Known | None] = {}

    def measure(
        self, slots: Sequence[int], bits: Sequence[int], place: int, *, is_certain: bool
    ) -> None:
        """Record a measurement into slots and, in the same order, register bits if it names any.

        A conditional measurement may not happen. Afterwards a bit that equalled its slot before
        still does; any other bit is unknown.
        """
        # Before the slots are marked as written, because `_equals_slot` looks at their last writes.
        kept = [is_certain or self._equals_slot(*pair) for pair in zip(bits, slots, strict=False)]
        self._written.update(dict.fromkeys(slots, place))
        for bit, slot, is_kept in zip(bits, slots, kept, strict=False):
            self._known[bit] = _Known(_is_bit(slot), place) if is_kept else None

    def _equals_slot(self, bit: int, slot: int) -> bool:
        if bit not in self._known:
            return slot not in self._written
        known = self._known[bit]
        return known is not None and known == (_is_bit(slot), self._written.get(slot))

    def bfunc(self, bit: int, mask: str, relation: str, val: str, place: int) -> int:
        """Record a test of the register's bits under a mask; return how many bits the mask selects.

        Raises:
            FieldError: Mask, relation or value is invalid, or a bit that is read is in no slot.
            LimitExceeded: The test reads too many bits.
        """
        if relation not in ("==", "!="):
            raise FieldError("relation must be == or !=", "relation")
        ones, wanted = _bits(mask, "mask"), _bits(val, "val")
        check_limit("clbits", ones.count("1"), self._maximum)
        slots: list[int] = []
        values: list[bool] = []
        for number in [found.start() for found in re.finditer("1", ones)]:
            test = self._test(number, "mask")
            if isinstance(test, RegisterTest) and test == _is_bit(test.slots[0]):
                slots += test.slots
                values.append(wanted[number : number + 1] == "1")
            # A bit that is certainly 0 adds nothing. The result of another test is in no slot.
            elif test is not False:
                raise FieldError(f"mask reads register {number}, which is itself a test", "mask")
        self._note(bit, slots, values, wanted.count("1"), relation, place)
        return ones.count("1")

    def _note(
        self,
        bit: int,
        slots: Sequence[int],
        values: Sequence[bool],
        n_ones: int,
        relation: str,
        place: int,
    ) -> None:
        """Record a test of slots as the value of a register bit."""
        is_negated = relation == "!="
        # A 1 in `val` outside of the mask, or where the register is 0, is never matched.
        test: RegisterTest | bool = is_negated
        if sum(values) == n_ones:
            value = sum(1 << k for k, is_one in enumerate(values) if is_one)
            test = RegisterTest(tuple(slots), "!=" if is_negated else "==", value)
            test = test if slots else not is_negated  # without slots it compares 0 with 0
        self._known[bit] = _Known(test, place)

    def condition(self, bit: int) -> RegisterTest | bool:
        """Return the condition under which a register bit is 1.

        Raises:
            FieldError: Memory does not hold the bit's value any more.
        """
        return self._test(bit, "conditional")

    def _test(self, bit: int, field: str) -> RegisterTest | bool:
        if bit not in self._known:
            return False
        known = self._known[bit]
        if known is not None:
            test, since = known
            # A slot that was written later no longer has the value that the bit has.
            if isinstance(test, bool) or all(self._written[slot] <= since for slot in test.slots):
                return test
        text = f"register {bit} is read after the memory slots that it was made from have changed"
        raise FieldError(text, field)


def _bits(text: str, field: str) -> str:
    """Return the bits of a hexadecimal number, the lowest first."""
    if not _HEX.fullmatch(text):
        raise FieldError(f"{field} must be a hexadecimal number such as 0x3", field)
    return bin(int(text, 16))[:1:-1]
