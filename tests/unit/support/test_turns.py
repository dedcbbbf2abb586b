"""Tests that take turns all have one, and one only."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from support.turns import TURNS, others

TESTS = [
    f"tests/test_{name}.py::test[{kind}]" for name in "abcde" for kind in ("postgres", "sqlite")
]


def test_each_test_has_one_turn() -> None:
    turns = Counter(test for turn in range(TURNS) for test in {*TESTS} - others(TESTS, turn))
    assert turns == Counter(TESTS)


def test_any_number_is_a_turn_and_order_does_not_matter() -> None:
    assert others(TESTS, 7 * TURNS + 2) == others(TESTS[::-1], 2)


def test_a_test_on_one_database_has_another_turn_than_on_the_other() -> None:
    for turn in range(TURNS):
        ran = {*TESTS} - others(TESTS, turn)
        assert len({test.partition("[")[0] for test in ran}) == len(ran)


def test_a_run_with_a_turn_leaves_out_those_of_others_and_no_more() -> None:
    """This module's tests have no turn, those of the store's queue state do."""
    here, there = "tests/unit/support/test_turns.py", "tests/unit/store/test_queue_state.py"

    def collected(*options: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *options, here, there]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [line for line in done.stdout.splitlines() if "::" in line]

    every = collected()
    turns = [collected(f"--turn={turn}") for turn in range(TURNS)]
    mine = {test for test in every if test.startswith(here)}
    rotating = Counter(test for turn in turns for test in turn if test not in mine)
    assert mine
    assert all(mine <= {*turn} for turn in turns)
    assert rotating == Counter({*every} - mine)
