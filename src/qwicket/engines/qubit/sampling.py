"""Samples a final state: which bits are read, how shots are drawn, how keys are packed.

A state is simulated once and all shots are drawn from it; the cost hardly grows with their number.
An index is a basis state of some qubits, as an integer. A key is the value of the classical bits,
packed little-endian (see `circuits.outcomes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from qwicket.circuits.outcomes import (
    COUNTS,
    MAX_OUTCOME_BYTES,
    MEMORY,
    PROBABILITIES,
    SAMPLED_ONLY,
    Array,
    float64_array,
    int64_array,
    key_array,
    key_width,
)
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit.cost import SAMPLER_QUBITS
from qwicket.model.limits import Limits

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SMALLEST_PROBABILITY: Final = 1e-12
"""Exact probabilities leave out outcomes less likely than this that no shot has.

`branching.divide_weight` adds a branch's smaller share to the other branch.
"""
_MULTINOMIAL_SIZE: Final = 1 << 9
"""A multinomial draw is faster for at most this many indices, or no more indices than shots."""


class State(Protocol):
    """A final state. Bit q of an index is qubit q."""

    @property
    def n_qubits(self) -> int: ...

    def probabilities(self) -> Floats:
        """Return 2^n probabilities, normalised up to rounding."""

    def sample(self, shots: int, rng: Generator) -> Integers:
        """Return one index per shot, in shot order, with little memory beyond the state."""


class MeasuredBits(NamedTuple):
    """The qubit that is read into each classical bit at the end of a circuit.

    Attributes:
        qubits: Each read qubit once, sorted by the highest classical bit that shows it, so that
            ascending indices have ascending keys.
        bits: Pairs of a classical bit and the position in `qubits` of the qubit that it shows.
        n_bits: Number of classical bits; those in no pair stay 0.
        is_plain: Whether an index over `qubits` is the key: bit i shows qubits[i], and there are
            no other bits.
    """

    qubits: tuple[int, ...]
    bits: tuple[tuple[int, int], ...]
    n_bits: int
    is_plain: bool


class Drawn(NamedTuple):
    """Shots, counted: `indices` ascend; `in_order` has one index per shot.

    If shot order was not requested, `in_order` may be sorted or None.
    """

    indices: Integers
    counts: Integers
    in_order: Integers | None


def measured_bits(measurements: Mapping[int, int], n_bits: int) -> MeasuredBits:
    """Return the measured bits of a map from classical bits to the qubits that they show."""
    bits_of, qubits_of = tuple(measurements), tuple(measurements.values())
    if bits_of == qubits_of == tuple(range(n_bits)):
        return MeasuredBits(qubits_of, tuple(measurements.items()), n_bits, True)
    highest: dict[int, int] = {}
    for bit in sorted(measurements):
        highest[measurements[bit]] = bit
    qubits = tuple(sorted(highest, key=highest.__getitem__))
    index_of = {qubit: i for i, qubit in enumerate(qubits)}
    bits = tuple([(bit, index_of[qubit]) for bit, qubit in measurements.items()])
    return MeasuredBits(qubits, bits, n_bits, len(qubits) == len(measurements) == n_bits)


def arrays(
    state: State,
    reads: MeasuredBits,
    shots: int,
    rng: Generator,
    outputs: Collection[str],
    max_outcomes: int = Limits().jobs.outcomes,
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the arrays of an `Outcome` and its notes.

    Args:
        state: The final state.
        reads: Qubits to read, and their bits.
        shots: Number of shots.
        rng: Source of the randomness of shots.
        outputs: Requested outputs.
        max_outcomes: If more outcomes than this have at least SMALLEST_PROBABILITY, shots are
            counted instead and probabilities are left out.

    Raises:
        CannotRun: Keys or memory take more than a quarter of MAX_OUTCOME_BYTES.
    """
    ordered = MEMORY in outputs
    if PROBABILITIES not in outputs:
        return _arrays(draw_shots(state, reads, shots, rng, ordered), None, reads, outputs), ()
    p = exact(state, reads)
    likely = p >= SMALLEST_PROBABILITY
    if np.count_nonzero(likely) > max_outcomes:
        drawn = draw(p, shots, rng, ordered)
        return _arrays(drawn, None, reads, {COUNTS, *outputs}), (SAMPLED_ONLY,)
    drawn = draw(p, shots, rng, ordered) if ordered or COUNTS in outputs else _nothing()
    merged = _merge(drawn, np.flatnonzero(likely))
    return _arrays(merged, p[merged.indices], reads, outputs), ()


def arrays_of(samples: Integers, reads: MeasuredBits, outputs: Collection[str]) -> dict[str, Array]:
    """Return the arrays of an `Outcome` from one index over all qubits per shot.

    The samples must be in shot order if memory is requested.

    Raises:
        CannotRun: Keys or memory take more than a quarter of MAX_OUTCOME_BYTES.
    """
    return _arrays(_counted(_gather(samples, reads.qubits)), None, reads, outputs)


def draw_shots(
    state: State, reads: MeasuredBits, shots: int, rng: Generator, ordered: bool = False
) -> Drawn:
    """Draw shots from a state, as indices over the qubits that are read.

    If `ordered`, `in_order` is in shot order.
    """
    if state.n_qubits > SAMPLER_QUBITS:
        return _counted(samples(state, reads, shots, rng))
    return draw(exact(state, reads), shots, rng, ordered)


def samples(state: State, reads: MeasuredBits, shots: int, rng: Generator) -> Integers:
    """Draw one index over the qubits that are read for each shot.

    They are in shot order if the state has more than SAMPLER_QUBITS qubits; otherwise they ascend.
    """
    if state.n_qubits > SAMPLER_QUBITS:
        return _gather(state.sample(shots, rng), reads.qubits)
    return search(_marginal(state.probabilities(), state.n_qubits, reads.qubits), shots, rng)


def exact(state: State, reads: MeasuredBits) -> Floats:
    """Return the probability of every index over the qubits that are read."""
    p = _marginal(state.probabilities(), state.n_qubits, reads.qubits)
    p /= p.sum()
    return p


def draw(p: Floats, shots: int, rng: Generator, ordered: bool) -> Drawn:
    """Draw shots from probabilities that add up to 1.

    If `ordered`, `in_order` is in shot order.
    """
    if p.size > max(_MULTINOMIAL_SIZE, shots):
        found = search(p, shots, rng)
        return _counted(rng.permutation(found) if ordered else found)
    dense = rng.multinomial(shots, p)
    indices = dense.nonzero()[0]
    counts = dense[indices]
    in_order = rng.permutation(np.repeat(indices, counts)) if ordered else None
    return Drawn(indices, counts, in_order)


def search(p: Floats, shots: int, rng: Generator) -> Integers:
    """Draw one index per shot, ascending, by inverting the cumulative distribution.

    The random numbers are sorted first, as sorted ones are found several times faster.
    """
    cumulative = p.cumsum()
    drawn = rng.random(shots)
    drawn.sort()
    # Random numbers are at most 1 - 2^-53, so their products with the total are below the total.
    drawn *= cumulative[-1]
    found: Integers = cumulative.searchsorted(drawn, side="right")
    return found


def _counted(samples: Integers) -> Drawn:
    """Count samples, shape (shots,): indices over the qubits that are read."""
    if samples.size and int(samples.max()) < 4 * samples.size:
        dense = np.bincount(samples)
        indices = dense.nonzero()[0]
        return Drawn(indices, dense[indices], samples)
    indices, counts = np.unique(samples, return_counts=True)
    return Drawn(indices, counts, samples)


def _nothing() -> Drawn:
    """Return no shots."""
    empty = np.zeros(0, dtype=np.int64)
    return Drawn(empty, empty, None)


def _merge(drawn: Drawn, support: Integers) -> Drawn:
    """Return the counts of all indices in `support` or drawn; those never drawn have 0."""
    indices = np.union1d(support, drawn.indices) if drawn.indices.size else support
    counts = np.zeros(indices.size, dtype=np.int64)
    counts[np.searchsorted(indices, drawn.indices)] = drawn.counts
    return Drawn(indices, counts, drawn.in_order)


def _marginal(p: Floats, n_qubits: int, qubits: tuple[int, ...]) -> Floats:
    """Sum over the qubits that are not read; bit i of the new index is qubits[i]."""
    if qubits == tuple(range(n_qubits)):
        return p
    unread = tuple(n_qubits - 1 - qubit for qubit in range(n_qubits) if qubit not in qubits)
    kept = sorted(qubits, reverse=True)
    order = [kept.index(qubit) for qubit in reversed(qubits)]
    summed: Floats = p.reshape((2,) * n_qubits).sum(axis=unread)
    return summed.transpose(order).reshape(-1)


def _gather(samples: Integers, qubits: tuple[int, ...]) -> Integers:
    """Take the bits of the qubits that are read; bit i of the new index is qubits[i]."""
    if qubits == tuple(range(len(qubits))):
        return samples & (1 << len(qubits)) - 1
    gathered = np.zeros_like(samples)
    for index, qubit in enumerate(qubits):
        gathered |= ((samples >> qubit) & 1) << index
    return gathered


def _arrays(
    drawn: Drawn, p: Floats | None, reads: MeasuredBits, outputs: Collection[str]
) -> dict[str, Array]:
    """Return the requested arrays; `p` has a probability for each index of `drawn`."""
    made = {}
    if COUNTS in outputs or p is not None:
        made["keys"] = _keys(drawn.indices, reads)
    if COUNTS in outputs:
        made[COUNTS] = int64_array(drawn.counts.astype("<i8", copy=False).tobytes())
    if p is not None:
        made[PROBABILITIES] = float64_array(p.astype("<f8", copy=False).tobytes())
    if MEMORY in outputs and drawn.in_order is not None:
        made[MEMORY] = _keys(drawn.in_order, reads)
    return made


def check_size(n_keys: int, n_bits: int, *, max_bytes: int = MAX_OUTCOME_BYTES) -> None:
    """Refuse keys that take more than a quarter of `max_bytes`; other arrays need the rest.

    Args:
        n_keys: Number of keys.
        n_bits: Classical bits of a key.
        max_bytes: Limit on all arrays of an `Outcome` together.

    Raises:
        CannotRun: The keys take more than that.
    """
    if n_keys * key_width(n_bits) > max_bytes // 4:
        text = f"{n_keys} bit strings of {n_bits} bits are more than a result may hold"
        raise CannotRun("outcome_too_large", text)


def pack_bits(indices: Integers, reads: MeasuredBits) -> NDArray[np.uint8]:
    """Pack the classical bits that each index stands for, a row each."""
    width = key_width(reads.n_bits)
    if reads.is_plain and width == 1:
        return indices.astype(np.uint8).reshape(-1, 1)
    if reads.is_plain:
        return indices.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width]
    rows = np.zeros((indices.size, width), dtype=np.uint8)
    for bit, index in reads.bits:
        rows[:, bit >> 3] |= (((indices >> index) & 1) << (bit & 7)).astype(np.uint8)
    return rows


def _keys(indices: Integers, reads: MeasuredBits) -> Array:
    check_size(indices.size, reads.n_bits)
    return key_array(pack_bits(indices, reads).tobytes(), reads.n_bits)
