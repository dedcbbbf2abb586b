"""Tests that take turns: with every change a quarter of them, which takes a quarter of the time.

They are an eighth of all tests and take half of the time of all. Each is marked `in_turn`.
"""

from __future__ import annotations

from collections.abc import Collection

TURNS = 4


def others(tests: Collection[str], turn: int) -> set[str]:
    """Return those of these tests that have another turn.

    Neighbours in the order of their names, such as a test on SQLite and the same on PostgreSQL,
    have different turns.
    """
    return {test for place, test in enumerate(sorted(tests)) if (place - turn) % TURNS != 0}
