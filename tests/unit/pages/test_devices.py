from __future__ import annotations

from collections.abc import Collection

import pytest

from qwicket.pages.devices import blocks


@pytest.mark.parametrize(
    ("n_waiting", "own", "shown"),
    [
        (0, (), []),
        (12, (), [*range(1, 13)]),
        (13, (), [1, 2, 3, 4, 5, 6, 7, 0, 13]),
        (40, (20, 30), [1, 2, 0, 18, 19, 20, 21, 22, 0, 40]),
        (40, (1,), [1, 2, 3, 0, 40]),
        (40, (40,), [1, 2, 0, 38, 39, 40]),
    ],
)
def test_a_long_queue_is_drawn_around_the_persons_first_job(
    n_waiting: int, own: Collection[int], shown: list[int]
) -> None:
    found = blocks(n_waiting, own)
    assert [number for number, _ in found] == shown
    assert [number for number, is_own in found if is_own] == [each for each in shown if each in own]
