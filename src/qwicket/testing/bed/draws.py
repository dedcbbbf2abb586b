"""Repeatable random numbers: ids count up, and other numbers follow from one seed."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID_BITS: Final = 58
"""Bits that `model.ids.new_id` draws."""
_SEED_BITS: Final = 63
"""Bits of the seed of a job that names none."""


class Draws:
    """Replacement of `model.random_bits.random_bits`.

    Args:
        seed: Equal seeds give equal numbers.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        # One counter for each size, so that the nonce of a lease does not change the next id.
        self._counters: defaultdict[int, Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def bits(self, count: int, /) -> int:
        """Return the next number of `count` bits."""
        number = next(self._counters[count])
        if count == _ID_BITS:
            return number
        text = f"{self._seed}/{count}/{number}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()) >> (256 - count)

    def restart_seeds(self) -> None:
        """Begin the seeds of jobs again; ids continue, because accounts survive a reset."""
        self._counters[_SEED_BITS] = itertools.count(1)

    def install(self) -> None:
        """Replace the function in this process; call it before modules import the function."""
        from qwicket.model import random_bits

        random_bits.random_bits = self.bits  # type: ignore[assignment]  # the name of its argument
