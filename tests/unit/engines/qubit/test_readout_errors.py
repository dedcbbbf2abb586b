"""Readout errors on packed keys."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.random import default_rng

from qwicket.engines.qubit.readout_errors import Flip, flip, misread
from support.qubit_math import assert_follows

SHOTS = 100_000


def test_certain_errors_flip_the_bits_they_name() -> None:
    rows = np.array([[0b0000, 0], [0b1111, 1]], dtype=np.uint8)
    flip(rows, [Flip(1, 1.0, 0.0), Flip(2, 0.0, 1.0), Flip(8, 1.0, 1.0)], default_rng(1))
    assert rows.tolist() == [[0b0010, 1], [0b1011, 0]]


@pytest.mark.parametrize("chunk", [1 << 16, 999])
def test_each_way_has_its_own_rate(chunk: int) -> None:
    """Bit 9 of keys of ten bits, a quarter of which are 1."""
    zero, one = bytes(2), b"\0\2"
    counts = {one: SHOTS // 4, zero: SHOTS - SHOTS // 4}
    found = misread(counts, [Flip(9, 0.1, 0.4)], 10, default_rng(3), chunk_shots=chunk)
    p_one = 0.25 * 0.6 + 0.75 * 0.1
    keys = {int.from_bytes(key, "little"): n for key, n in found.items()}
    assert_follows(keys, {1 << 9: p_one, 0: 1 - p_one}, SHOTS)


def test_bits_flip_independently() -> None:
    found = misread({b"\0": SHOTS}, [Flip(0, 0.2, 0), Flip(3, 0.5, 0)], 4, default_rng(4))
    expected = {0: 0.4, 1: 0.1, 8: 0.4, 9: 0.1}
    assert_follows({key[0]: n for key, n in found.items()}, expected, SHOTS)


def test_shots_stay_as_many() -> None:
    counts = {bytes([key]): key for key in range(1, 9)}
    found = misread(counts, [Flip(0, 0.5, 0.5)], 4, default_rng(5))
    assert isinstance(found, Counter)
    assert found.total() == 36
