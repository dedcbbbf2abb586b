from __future__ import annotations

import pytest

from qwicket.pages.queue_places import blocks


@pytest.mark.parametrize(
    ("n_waiting", "position", "shown"),
    [
        (0, 1, []),
        (12, 12, [*range(1, 13)]),
        (13, 1, [1, 2, 3, 4, 5, 0, 13]),
        (20, 7, [1, 2, 0, 5, 6, 7, 8, 9, 0, 20]),
        (13, 13, [1, 2, 0, 9, 10, 11, 12, 13]),
    ],
)
def test_a_long_queue_has_its_ends_and_five_blocks_around_a_job(
    n_waiting: int, position: int, shown: list[int]
) -> None:
    assert blocks(n_waiting, position) == shown
