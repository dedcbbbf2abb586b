"""Counts outcomes of many branches, and builds the arrays of a result.

Mid-circuit measurements divide the shots among branches. A key is the value of the classical
bits, packed little-endian. The order of shots is drawn last, so it does not depend on branches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from qwicket.circuits.outcomes import (
    COUNTS,
    MEMORY,
    PROBABILITIES,
    SAMPLED_ONLY,
    Array,
    float64_array,
    int64_array,
    key_array,
    key_width,
)
from qwicket.engines.qubit import sampling
from qwicket.engines.qubit.branching import Leaf
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.sampling import Floats, Integers, MeasuredBits, pack_bits
from qwicket.engines.qubit.tasks import EngineResult

Rows = NDArray[np.uint8]
"""Packed keys, one per row."""

_MAX_STATES: Final = 1_024


class Tally:
    """Turns the leaves of a traversal into keys with shots or probabilities.

    Args:
        program: The program whose branches are counted.
    """

    def __init__(self, program: Program) -> None:
        self._reads = program.reads()
        self._width = key_width(program.n_bits)
        # Mask without the bits of the last measurements, which are drawn from a leaf's state.
        self._definite_bits_mask = ~sum(1 << bit for bit in program.measurements)

    def count(self, leaf: Leaf, rng: Generator) -> Iterator[tuple[bytes, int]]:
        """Draw the shots of a leaf."""
        shots = int(leaf.amount)
        if not self._reads.qubits:
            yield self._key(leaf), shots
            return
        drawn = sampling.draw_shots(leaf.state, self._reads, shots, rng)
        yield from zip(self._keys(leaf, drawn.indices), drawn.counts.tolist(), strict=True)

    def weigh(self, leaf: Leaf) -> Iterator[tuple[bytes, float]]:
        """Yield the probabilities of a leaf that are not negligible."""
        if not self._reads.qubits:
            yield self._key(leaf), leaf.amount
            return
        p = leaf.amount * sampling.exact(leaf.state, self._reads)
        likely = np.flatnonzero(p >= sampling.SMALLEST_PROBABILITY)
        yield from zip(self._keys(leaf, likely), p[likely].tolist(), strict=True)

    def _key(self, leaf: Leaf) -> bytes:
        return (leaf.bits & self._definite_bits_mask).to_bytes(self._width, "little")

    def _keys(self, leaf: Leaf, indices: Integers) -> Iterator[bytes]:
        rows = sampling.pack_bits(indices, self._reads)
        rows |= np.frombuffer(self._key(leaf), dtype=np.uint8)
        return split(rows)


def count_shots(
    drawn: Iterator[Integers], reads: MeasuredBits, *, max_states: int = _MAX_STATES
) -> Counter[bytes]:
    """Count shots drawn from many states.

    Args:
        drawn: For each state, one index per shot, over the qubits that are read.
        reads: Qubits that are read, and their bits.
        max_states: Number of states whose samples are counted at once.
    """
    counts: Counter[bytes] = Counter()
    while chunk := list(islice(drawn, max_states)):
        indices, shots = np.unique(np.concatenate(chunk), return_counts=True)
        keys = split(pack_bits(indices, reads))
        for key, n in zip(keys, shots.tolist(), strict=True):
            counts[key] += n
    return counts


def split(rows: Rows) -> Iterator[bytes]:
    """Yield each row as bytes, which are counted several times faster than rows of an array."""
    data, width = rows.tobytes(), rows.shape[1]
    return (data[start : start + width] for start in range(0, len(data), width))


def join_keys(keys: Collection[bytes], width: int) -> Rows:
    """Return keys as rows."""
    return np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), width)


def arrays(
    counts: Mapping[bytes, int],
    p: Mapping[bytes, float] | None,
    n_bits: int,
    outputs: Collection[str],
) -> dict[str, Array]:
    """Return the arrays of an `Outcome`, except its memory.

    Args:
        counts: Shots by key; may be empty if only probabilities are wanted.
        p: Exact probabilities by key, if there are any.
        n_bits: Classical bits.
        outputs: Requested outputs.

    Raises:
        CannotRun: The keys take more than a quarter of MAX_OUTCOME_BYTES.
    """
    made = {}
    keys = sorted(counts.keys() | p.keys() if p else counts, key=_value)
    if COUNTS in outputs or p is not None:
        sampling.check_size(len(keys), n_bits)
        made["keys"] = key_array(b"".join(keys), n_bits)
    if COUNTS in outputs:
        found = np.array([counts.get(key, 0) for key in keys], dtype="<i8")
        made[COUNTS] = int64_array(found.tobytes())
    if p is not None:
        likelihoods: Floats = np.array([p.get(key, 0.0) for key in keys], dtype="<f8")
        made[PROBABILITIES] = float64_array((likelihoods / likelihoods.sum()).tobytes())
    return made


def result_of(
    counts: Counter[bytes],
    p: Mapping[bytes, float] | None,
    n_bits: int,
    wanted: Collection[str],
    rng: Generator,
) -> EngineResult:
    """Return the requested outputs of counted shots.

    Args:
        counts: Shots by key; may be empty if only probabilities are wanted and known.
        p: Exact probabilities by key. If they are wanted but None, counts are returned.
        n_bits: Classical bits.
        wanted: Names of the requested arrays.
        rng: Draws the order of the shots.

    Raises:
        CannotRun: Keys or memory take more than a quarter of MAX_OUTCOME_BYTES.
    """
    outputs = set(wanted)
    notes: tuple[str, ...] = ()
    if PROBABILITIES in outputs and p is None:
        outputs.add(COUNTS)
        notes = (SAMPLED_ONLY,)
    made = arrays(counts, p, n_bits, outputs)
    if MEMORY in outputs:
        made[MEMORY] = memory(counts, n_bits, rng)
    return EngineResult(made, notes)


def memory(counts: Counter[bytes], n_bits: int, rng: Generator) -> Array:
    """Return shots in random order.

    Raises:
        CannotRun: The memory takes more than a quarter of MAX_OUTCOME_BYTES.
    """
    sampling.check_size(counts.total(), n_bits)
    keys = sorted(counts, key=_value)
    order = rng.permutation(np.repeat(np.arange(len(keys)), [counts[key] for key in keys]))
    return key_array(join_keys(keys, key_width(n_bits))[order].tobytes(), n_bits)


def _value(key: bytes) -> bytes:
    """Return bytes that sort like the number."""
    return key[::-1]
