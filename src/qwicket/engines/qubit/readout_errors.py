"""Readout errors of the last measurements: bits flip after sampling, each shot on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator

from qwicket.circuits.outcomes import key_width
from qwicket.engines.qubit.noise import Noise
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.tally import Rows, join_keys, split

_CHUNK_SHOTS: Final = 1 << 16


class Flip(NamedTuple):
    """Readout errors of one classical bit."""

    bit: int
    one_for_zero: float
    zero_for_one: float


def flips(program: Program, measurements: Mapping[int, int], noise: Noise) -> list[Flip]:
    """Return the bits that may be recorded wrong; `measurements` maps bits to program qubits."""
    found = []
    for bit, qubit in sorted(measurements.items()):
        error = noise.readout(program.original(qubit))
        if error.one_for_zero or error.zero_for_one:
            found.append(Flip(bit, error.one_for_zero, error.zero_for_one))
    return found


def flip(rows: Rows, flips: Sequence[Flip], rng: Generator) -> None:
    """Flip bits of packed keys in place, one key a shot."""
    for bit, one_for_zero, zero_for_one in flips:
        column, mask = rows[:, bit >> 3], np.uint8(1 << (bit & 7))
        wrong = rng.random(len(rows)) < np.where(column & mask, zero_for_one, one_for_zero)
        column ^= wrong * mask


def misread(
    counts: Mapping[bytes, int],
    flips: Sequence[Flip],
    n_bits: int,
    rng: Generator,
    *,
    chunk_shots: int = _CHUNK_SHOTS,
) -> Counter[bytes]:
    """Return the counts after readout errors.

    Args:
        counts: Shots by key.
        flips: Readout errors of classical bits.
        n_bits: Classical bits.
        rng: Draws the errors.
        chunk_shots: Largest number of shots in memory at once.
    """
    recorded: Counter[bytes] = Counter()
    keys = sorted(counts)
    rows = join_keys(keys, key_width(n_bits))
    ends = np.cumsum([counts[key] for key in keys])
    for start in range(0, int(ends[-1]), chunk_shots):
        shots = np.arange(start, min(start + chunk_shots, int(ends[-1])))
        chunk = rows[np.searchsorted(ends, shots, side="right")]
        flip(chunk, flips, rng)
        recorded.update(split(chunk))
    return recorded
