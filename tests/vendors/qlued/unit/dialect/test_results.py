"""Shots as texts: each different shot is worded once, whatever the number of columns."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from qwicket.vendors.qlued.dialect.results import render_shots

SHOTS = arrays(
    np.int16,
    array_shapes(min_dims=2, max_dims=2, max_side=40),
    elements=st.integers(-(1 << 15), (1 << 15) - 1),
)


@settings(max_examples=60)
@given(SHOTS)
def test_words_are_the_numbers_of_each_shot_with_blanks_between(shots: np.ndarray) -> None:
    said = [" ".join(str(number) for number in row) for row in shots]
    found = render_shots(shots)
    assert msgspec.json.decode(found.memory) == said
    assert found.counts == Counter(said)


def test_more_columns_than_a_number_has_digits_for_are_distinguished() -> None:
    """501 levels to the power of 8 are more than 2⁶³: the codes of shots are renumbered."""
    rng = np.random.default_rng(1)
    few = rng.integers(0, 501, (20, 30), dtype=np.int16)
    shots = few[rng.integers(0, 20, 1_000)]
    assert len(render_shots(shots).counts) == 20


def test_numbers_far_apart_are_distinguished() -> None:
    """Differences that 16 bits do not hold must not wrap around."""
    shots = np.array([[1, -20_000], [0, 19_999], [0, -20_000], [1, -5_537]], np.int16)
    assert len(render_shots(shots).counts) == 4


def test_shots_without_columns_and_no_shots_are_an_empty_memory() -> None:
    for shape in ((5, 0), (0, 3), (0, 0)):
        found = render_shots(np.zeros(shape, np.int16))
        assert (bytes(found.memory), found.counts) == (b"[]", {})
