"""Drawing, marginals, packing: against formulas, brute force and statistical bounds."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import pi, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import Gate, Register
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import sampling
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
from support import qubit_math

ALL = ("counts", "memory", "probabilities")


class Given:
    """A state with probabilities of our choosing."""

    def __init__(self, p: list[float] | np.ndarray) -> None:
        self._p = np.array(p, dtype=float)
        self.n_qubits = (len(self._p) - 1).bit_length()

    def probabilities(self) -> np.ndarray:
        return self._p.copy()

    def sample(self, shots: int, rng: Generator) -> np.ndarray:
        return rng.permutation(sampling.search(self._p, shots, rng))


def drawn(
    state: sampling.State,
    measurements: dict[int, int],
    n_bits: int,
    shots: int,
    outputs: tuple[str, ...] = ALL,
    seed: int = 5,
    maximum: int = 1 << 20,
) -> Outcome:
    reads = sampling.measured_bits(measurements, n_bits)
    arrays, notes = sampling.arrays(state, reads, shots, default_rng(seed), outputs, maximum)
    registers = (Register("c", n_bits),)
    return Outcome(
        registers=registers,
        arrays=arrays,
        engine="",
        engine_version="",
        seed=seed,
        seconds=0,
        notes=notes,
    )


def straight(n: int) -> dict[int, int]:
    return {bit: bit for bit in range(n)}


def uneven(size: int, seed: int = 1) -> np.ndarray:
    p = default_rng(seed).random(size) ** 3
    uneven: np.ndarray = p / p.sum()
    return uneven


# --- the numbers drawn ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_qubits", "shots"),
    [(3, 1_000), (3, 1_000_000), (10, 4_000), (14, 1_000), (14, 100_000)],
    ids=["few", "many", "multinomial", "searched", "multinomial-wide"],
)
def test_counts_follow_the_probabilities(n_qubits: int, shots: int) -> None:
    """Total variation stays below its mean E + 3.3/√N in all but one of 10^9 tries."""
    p = uneven(1 << n_qubits)
    found = drawn(Given(p), straight(n_qubits), n_qubits, shots, ("counts",)).counts()
    assert sum(found.values()) == shots
    expected_distance = 0.5 * np.sqrt(2 * p * (1 - p) / (pi * shots)).sum()
    distance = 0.5 * sum(abs(found.get(key, 0) / shots - p[key]) for key in range(len(p)))
    assert distance < expected_distance + 3.3 / sqrt(shots)


def test_sampler_of_wide_states_follows_the_probabilities() -> None:
    """21 qubits: RY(θ) gives 1 with probability sin²(θ/2), for each qubit alone."""
    angles = [0.2 + 0.12 * q for q in range(21)]
    gates = [Gate("ry", (q,), (angle,)) for q, angle in enumerate(angles)]
    shots = 20_000
    for simulator in (QulacsSimulator(), NumpySimulator()):
        state = qubit_math.evolved(simulator, 21, gates)
        outcome = drawn(state, straight(21), 21, shots, ("counts", "memory"))
        found = outcome.counts()
        assert Counter(outcome.memory()) == found
        for q, angle in enumerate(angles):
            share = sum(n for key, n in found.items() if key >> q & 1) / shots
            assert abs(share - np.sin(angle / 2) ** 2) < 3.3 / sqrt(shots)


def test_impossible_outcomes_are_never_drawn() -> None:
    p = np.zeros(1 << 14)
    p[[3, 9, 4_000]] = 0.25, 0.5, 0.25
    for shots in (1_000, 100_000):
        found = drawn(Given(p), straight(14), 14, shots).counts()
        assert found.keys() == {3, 9, 4_000}


class Extremes(Generator):
    """Draws the smallest and the largest number that `random` can give."""

    def random(self, size: Any = None, dtype: Any = float, out: Any = None) -> Any:
        return np.resize([0.0, 1 - 2**-53], size)


@given(st.floats(1e-3, 1))
def test_search_never_leaves_the_support(scale: float) -> None:
    p = np.array([0.0, 0.1, 0.2, 0.7, 0.0, 0.0])
    found = sampling.search(p * scale, 4, Extremes(np.random.PCG64(1)))
    assert found.tolist() == [1, 1, 3, 3]


def test_probabilities_off_by_rounding_are_renormalised() -> None:
    """NumPy's multinomial refuses totals above 1 by rounding."""
    outcome = drawn(Given([0.5 + 1e-9, 0.5, 1e-9, 1e-9]), straight(2), 2, 100)
    assert sum(outcome.probabilities().values()) == pytest.approx(1, abs=1e-15)


def test_equal_seeds_repeat_bit_for_bit_and_others_differ() -> None:
    for n_qubits, shots in ((4, 50), (14, 50)):
        state = Given(uneven(1 << n_qubits))
        one, again, other = (
            drawn(state, straight(n_qubits), n_qubits, shots, seed=seed).arrays
            for seed in (1, 1, 2)
        )
        assert one == again
        assert one["memory"] != other["memory"]


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_qubits", "shots"), [(3, 500), (14, 500)])
def test_memory_and_counts_are_the_same_shots(n_qubits: int, shots: int) -> None:
    outcome = drawn(Given(uneven(1 << n_qubits)), straight(n_qubits), n_qubits, shots)
    assert Counter(outcome.memory()) == outcome.counts()
    assert len(outcome.memory()) == shots


def test_memory_is_in_random_order() -> None:
    """Of N fair bits, about half of the neighbours differ: N/2 ± 6·√N/2."""
    memory = drawn(Given([0.5, 0.5]), straight(1), 1, 10_000).memory()
    changes = sum(a != b for a, b in pairwise(memory))
    assert abs(changes - 5_000) < 300


def test_asking_for_memory_changes_no_count() -> None:
    state = Given(uneven(16))
    with_memory = drawn(state, straight(4), 4, 999, ("counts", "memory"))
    assert with_memory.counts() == drawn(state, straight(4), 4, 999, ("counts",)).counts()


# --- what comes out -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        (("counts",), {"keys", "counts"}),
        (("memory",), {"memory"}),
        (("probabilities",), {"keys", "probabilities"}),
        (("counts", "memory"), {"keys", "counts", "memory"}),
        (ALL, {"keys", "counts", "memory", "probabilities"}),
    ],
)
def test_only_what_was_asked_for_comes_out(outputs: tuple[str, ...], names: set[str]) -> None:
    for n_qubits in (2, 14):
        outcome = drawn(Given(uneven(1 << n_qubits)), straight(n_qubits), n_qubits, 10, outputs)
        assert outcome.arrays.keys() == names


def test_probabilities_leave_out_what_is_below_one_in_a_million_million() -> None:
    p = [0.5, 0.5 - 1e-11 - 1e-13, 1e-11, 1e-13]
    outcome = drawn(Given(p), straight(2), 2, 1, ("probabilities",))
    assert outcome.probabilities() == pytest.approx(dict(enumerate(p[:3])), abs=1e-15)


def test_counts_are_aligned_with_probabilities() -> None:
    outcome = drawn(Given([0.25, 0.0, 0.75, 0.0]), straight(2), 2, 1)
    assert list(outcome.keys()) == [0, 2]
    assert outcome.probabilities() == pytest.approx({0: 0.25, 2: 0.75})
    assert sum(outcome.counts().values()) == 1


def test_what_was_drawn_is_a_key_however_unlikely() -> None:
    p = [1.0, 0.0]
    unlikely = sampling.Drawn(np.array([1]), np.array([3]), None)
    merged = sampling._merge(unlikely, np.flatnonzero(np.array(p) >= 1e-12))
    assert merged.indices.tolist() == [0, 1]
    assert merged.counts.tolist() == [0, 3]


def test_too_many_outcomes_are_sampled_only() -> None:
    flat = [1 / 16] * 16
    outcome = drawn(Given(flat), straight(4), 4, 100, ("probabilities",), maximum=8)
    assert outcome.notes == ("sampled_only",)
    assert outcome.probabilities() == {}
    assert sum(outcome.counts().values()) == 100
    whole = drawn(Given(flat[:8]), straight(3), 3, 100, ("probabilities",), maximum=8)
    assert whole.notes == ()
    assert len(whole.probabilities()) == 8


# --- which bits are read --------------------------------------------------------------------------


def brute_force(p: np.ndarray, measurements: dict[int, int]) -> dict[int, float]:
    """Sum probabilities by key, index by index."""
    summed: Counter[int] = Counter()
    for index, value in enumerate(p):
        summed[sum((index >> qubit & 1) << bit for bit, qubit in measurements.items())] += value
    return dict(summed)


@given(st.dictionaries(st.integers(0, 19), st.integers(0, 3), max_size=6))
@settings(max_examples=100)
def test_any_measure_map_gives_the_marginal(measurements: dict[int, int]) -> None:
    p = uneven(16)
    outcome = drawn(Given(p), measurements, 20, 50)
    expected = brute_force(p, measurements)
    assert outcome.probabilities() == pytest.approx(expected, abs=1e-14)
    assert list(outcome.keys()) == sorted(outcome.keys())
    assert Counter(outcome.memory()) == outcome.counts()
    assert outcome.counts().keys() <= expected.keys()


def test_one_qubit_shows_in_every_bit_it_fills() -> None:
    outcome = drawn(Given([0.25, 0.75]), {0: 0, 1: 0}, 2, 9, ("probabilities",))
    assert outcome.probabilities() == pytest.approx({0b00: 0.25, 0b11: 0.75})


def test_wide_state_reads_the_bits_that_were_asked_for() -> None:
    """22 qubits, 3 and 20 turned on; bit 0 shows qubit 20, bit 9 qubit 3, bit 10 qubit 5."""
    state = qubit_math.evolved(QulacsSimulator(), 22, [Gate("x", (3,)), Gate("x", (20,))])
    outcome = drawn(state, {0: 20, 9: 3, 10: 5}, 12, 7, ("counts", "memory"))
    assert outcome.counts() == {0b01000000001: 7}
    assert outcome.memory() == [0b01000000001] * 7


def test_reading_nothing_gives_zero() -> None:
    assert drawn(Given([0.5, 0.5]), {}, 0, 9).counts() == {0: 9}
    assert drawn(Given([0.5, 0.5]), {}, 70, 9).memory() == [0] * 9


def test_wide_keys_are_little_endian() -> None:
    """Bit 64 alone: eight zero bytes and a one."""
    outcome = drawn(Given([0, 1]), {64: 0}, 65, 1, ("counts",))
    assert outcome.arrays["keys"].data == bytes(8) + b"\1"
    assert outcome.arrays["keys"].shape == (1, 9)


def test_plain_keys_of_two_bytes() -> None:
    p = np.zeros(1 << 10)
    p[0x2FE] = 1
    outcome = drawn(Given(p), straight(10), 10, 2)
    assert outcome.arrays["keys"].data == b"\xfe\x02"
    assert outcome.arrays["memory"].data == b"\xfe\x02\xfe\x02"


def test_more_bits_than_an_outcome_holds_cannot_run() -> None:
    with pytest.raises(CannotRun, match="1000000 bit strings of 10000 bits") as caught:
        drawn(Given([0.5, 0.5]), {9_999: 0}, 10_000, 1_000_000, ("memory",))
    assert caught.value.code == "outcome_too_large"
