"""Conditions: which memory slots the bits of the classical register stand for.

A measurement writes the same bit to a memory slot and to a register bit; `bfunc` writes what a
test of register bits gives. Engines keep memory only, so a register bit is read as the slot that
still has its value. Qiskit tests right before the instruction that depends on it, where this
always holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from qwicket.circuits.qubit import Branch, Relation
from qwicket.programs.json_text import FieldError, check_limit

_HEX: Final = re.compile(r"(?:0[xX])?[0-9a-fA-F]+")


class RegisterTest(NamedTuple):
    """Whether a number in memory slots is, or is not, some value."""

    slots: tuple[int, ...]
    relation: Relation
    value: int

    def branch(self, skip: int) -> Branch:
        """Return the operation that skips others where this does not hold."""
        return Branch(self.slots, self.relation, str(self.value), skip)


def _is_bit(slot: int) -> RegisterTest:
    """Return the test that stands for the bit in a slot."""
    return RegisterTest((slot,), "==", 1)


class _Known(NamedTuple):
    """Known value of a register bit, and the place from which it holds."""

    test: RegisterTest | bool
    since: int


class Registers:
    """Follows one experiment. Places are numbers of instructions, which rise.

    Args:
        maximum: Most bits that one test may read, the limit `clbits`.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._written: dict[int, int] = {}
        self._known: dict[int, _Known | None] = {}

    def measure(
        self, slots: Sequence[int], bits: Sequence[int], place: int, *, is_certain: bool
    ) -> None:
        """Note a measurement into slots and, each where its slot is, register bits.

        A conditional one leaves a bit that had the value of its slot with the value of its slot; of
        any other bit nothing is known afterwards.
        """
        kept = [is_certain or self._stands_for(*pair) for pair in zip(bits, slots, strict=False)]
        self._written.update(dict.fromkeys(slots, place))
        for bit, slot, is_kept in zip(bits, slots, kept, strict=False):
            self._known[bit] = _Known(_is_bit(slot), place) if is_kept else None

    def _stands_for(self, bit: int, slot: int) -> bool:
        if bit not in self._known:
            return slot not in self._written
        known = self._known[bit]
        return known is not None and known == (_is_bit(slot), self._written.get(slot))

    def bfunc(self, bit: int, mask: str, relation: str, val: str, place: int) -> int:
        """Note a test of the register's bits under a mask; return how many they are.

        Raises:
            FieldError: The test makes no sense, or reads what memory does not hold.
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
        """Note a test; its answer is known if `val` has a bit that the register has not."""
        is_negated = relation == "!="
        test: RegisterTest | bool = is_negated
        if sum(values) == n_ones:
            value = sum(1 << k for k, is_one in enumerate(values) if is_one)
            test = RegisterTest(tuple(slots), "!=" if is_negated else "==", value)
            test = test if slots else not is_negated
        self._known[bit] = _Known(test, place)

    def condition(self, bit: int) -> RegisterTest | bool:
        """Return the condition under which a register bit is 1.

        Raises:
            FieldError: Memory does not hold it any more.
        """
        return self._test(bit, "conditional")

    def _test(self, bit: int, field: str) -> RegisterTest | bool:
        if bit not in self._known:
            return False
        known = self._known[bit]
        if known is not None:
            test, since = known
            if isinstance(test, bool) or all(self._written[slot] <= since for slot in test.slots):
                return test
        text = f"register {bit} is read after the memory slots that it was made from have changed"
        raise FieldError(text, field)


def _bits(text: str, field: str) -> str:
    """Return the bits of a hexadecimal number, the lowest first."""
    if not _HEX.fullmatch(text):
        raise FieldError(f"{field} must be a hexadecimal number such as 0x3", field)
    return bin(int(text, 16))[:1:-1]
