"""Mitigated counts against the inverse of the full matrix, and against states that are known."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qwicket.circuits.mitigation.counts import (
    MAX_SEEN_ONCE,
    NotConverged,
    ReadoutErrors,
    max_distance,
    quasi_probabilities,
    seen_once,
)

ERRORS = [ReadoutErrors(0.02, 0.1), ReadoutErrors(0.05, 0.0), ReadoutErrors(0.03, 0.06)]


def observed(
    true: NDArray[Any], errors: list[ReadoutErrors], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the different outcomes of shots whose bits are misread, and the counts of each."""
    zero, one = np.array(errors).T
    misread = rng.random(true.shape) < np.where(true, one, zero)
    bits, counts = np.unique(true ^ misread, axis=0, return_counts=True)
    return bits, counts


def parity(bits: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = 1 - 2 * (bits.sum(axis=1) % 2)
    return found


def test_on_few_qubits_it_is_the_inverse_of_the_full_matrix() -> None:
    rng = np.random.default_rng(7)
    bits = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(bool)
    counts = rng.integers(100, 1000, 8)
    # Qubit 0 is the lowest bit of an index, the last factor of the product.
    matrices = [np.array([[1 - zero, one], [zero, 1 - one]]) for zero, one in reversed(ERRORS)]
    full = np.linalg.solve(reduce(np.kron, matrices), counts / counts.sum())
    assert quasi_probabilities(bits, counts, ERRORS) == pytest.approx(full, abs=1e-8)
    order = rng.permutation(8)
    found = quasi_probabilities(bits[order], counts[order], ERRORS)
    assert found == pytest.approx(full[order], abs=1e-8)


def test_pairs_of_outcomes_differ_in_as_many_bits_as_are_ever_misread() -> None:
    """Binomial tails: of 40 bits at 2 %, more than 7 are misread in 0.5 of 10^5 readings."""
    assert max_distance(ERRORS) == 3
    assert max_distance([ReadoutErrors(0.0, 0.02)] * 40) == 7
    assert max_distance([ReadoutErrors(0.0, 0.0)] * 40) == 0


def test_within_its_range_the_values_of_a_ghz_state_are_right() -> None:
    """P(0…0) and ⟨Z…Z⟩ on 8 qubits, over 20 seeds: the mean is closer than 4 standard errors."""
    errors, shots = [ReadoutErrors(0.01, 0.03)] * 8, 20_000
    found, bare = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        true = np.repeat(rng.random(shots)[:, None] < 0.5, 8, axis=1)
        bits, counts = observed(true, errors, rng)
        assert seen_once(counts) <= MAX_SEEN_ONCE
        values = quasi_probabilities(bits, counts, errors)
        assert values.sum() == pytest.approx(1)
        zeros = ~bits.any(axis=1)
        found.append([values[zeros].sum(), values @ parity(bits)])
        bare.append(counts @ parity(bits) / shots)
    means, spread = np.mean(found, axis=0), np.std(found, axis=0)
    assert (np.abs(means - [0.5, 1]) < 4 * spread / np.sqrt(20)).all()
    assert np.mean(bare) < 0.75


def test_shots_on_forty_bits_are_beyond_its_range_because_their_values_are_biased() -> None:
    """Good's estimate of what was not observed is large there, and so is the error."""
    errors, shots = [ReadoutErrors(0.02, 0.02)] * 40, 4096
    rng = np.random.default_rng(7)
    true = np.repeat(rng.random(shots)[:, None] < 0.5, 40, axis=1)
    bits, counts = observed(true, errors, rng)
    assert seen_once(counts) > 6 * MAX_SEEN_ONCE
    values = quasi_probabilities(bits, counts, errors)
    assert values[~bits.any(axis=1)].sum() == pytest.approx(0.5 * (1 - seen_once(counts)), rel=0.05)


def test_readings_that_say_nothing_are_refused() -> None:
    blind = [ReadoutErrors(0.5, 0.5)] * 2
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)
    with pytest.raises(NotConverged):
        quasi_probabilities(bits, np.array([1, 2, 3, 4]), blind)
