"""Results of other clouds in the canonical form."""

from __future__ import annotations

from math import inf, nan
from statistics import mean, stdev

import pytest

from qwicket.circuits.frames import Frame
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import Register
from qwicket.drivers.remote.clouds import InvalidResult
from qwicket.drivers.remote.results import draw_counts, key_of, of_bits
from support.for_each import for_each

ZERO, ONE, THREE = map(key_of, (0, 1, 3))
FRAME = Frame(registers=(Register("c", 2),))


def options(*outputs: str) -> RunOptions:
    return RunOptions(shots=4, seed=1, outputs=outputs)


def test_frequencies_are_the_counts_that_they_were() -> None:
    assert draw_counts({ZERO: 0.25, THREE: 0.75, ONE: 0.0}, 4, 1, is_exact=False) == {
        ZERO: 1,
        THREE: 3,
    }
    assert draw_counts({ZERO: 0.333, ONE: 0.667}, 1000, 1, is_exact=False) == {
        ZERO: 333,
        ONE: 667,
    }


def test_exact_probabilities_are_sampled_by_the_seed() -> None:
    drawn = draw_counts({ZERO: 0.5, ONE: 0.5}, 3, 7, is_exact=False)
    assert sum(drawn.values()) == 3
    assert drawn == draw_counts({ZERO: 0.5, ONE: 0.5}, 3, 7, is_exact=False)
    many = draw_counts({ZERO: 1 / 3, ONE: 2 / 3}, 100_000, 1, is_exact=False)
    assert abs(many[ZERO] - 100_000 / 3) < 5 * (100_000 * 2 / 9) ** 0.5


@pytest.mark.parametrize(
    ("shots", "share"), [(1_000, 0.5), (100_000, 1 / 3)], ids=["Bell", "a third"]
)
def test_shots_of_exact_probabilities_scatter_as_they_should(shots: int, share: float) -> None:
    counts = [
        draw_counts({ZERO: share, THREE: 1 - share}, shots, seed, is_exact=True)[ZERO]
        for seed in range(20)
    ]
    std = (shots * share * (1 - share)) ** 0.5
    assert len(set(counts)) > 10
    assert 0.5 * std < stdev(counts) < 2 * std
    assert abs(mean(counts) - shots * share) < 5 * std / 20**0.5


@for_each("wrong", [{}, {ZERO: 0.5}, {ZERO: 1.5, ONE: -0.5}, {ZERO: nan}, {ZERO: inf}])
def test_what_is_no_probability_is_refused(wrong: dict[bytes, float]) -> None:
    with pytest.raises(InvalidResult):
        draw_counts(wrong, 10, 1, is_exact=False)


def test_counts_are_kept_as_they_are() -> None:
    outcome = of_bits(FRAME, options("counts"), engine="there", counts={THREE: 3, ZERO: 1})
    assert outcome.counts() == {3: 3, 0: 1}
    assert outcome.registers == FRAME.registers


def test_frequencies_stand_for_probabilities_and_a_note_says_so() -> None:
    outcome = of_bits(FRAME, options("probabilities"), engine="there", counts={THREE: 4})
    assert outcome.counts() == {3: 4}
    assert outcome.notes == ("sampled_only",)


def test_exact_probabilities_stay_beside_counts() -> None:
    outcome = of_bits(
        FRAME,
        options("counts", "probabilities"),
        engine="there",
        counts={THREE: 4},
        probabilities={ZERO: 0.5, THREE: 0.5},
    )
    assert outcome.counts() == {3: 4}
    assert outcome.probabilities() == {3: 0.5, 0: 0.5}


@pytest.mark.parametrize("outputs", [("memory",), ("counts",), ("probabilities",)])
def test_a_missing_output_is_refused(outputs: tuple[str, ...]) -> None:
    with pytest.raises(InvalidResult, match="it has no"):
        of_bits(FRAME, options(*outputs), engine="there")


def test_a_key_with_too_many_bits_is_refused() -> None:
    with pytest.raises(InvalidResult, match="more than 2 bits"):
        of_bits(FRAME, options("counts"), engine="there", counts={key_of(256): 4})


def test_a_negative_key_is_refused() -> None:
    with pytest.raises(InvalidResult, match="negative"):
        key_of(-1)
