"""The report of what is measured: what it marks, and what a run of some of the tests keeps."""

from __future__ import annotations

import pytest

from support.figures import Figure, Run, update

CONDITIONS = ["c0ffee", "a machine", "0.1", "3.11"]


def run(began: str, *figures: Figure, **state: object) -> Run:
    return Run(began, CONDITIONS, [*figures], **state)  # type: ignore[arg-type]


def seconds(name: str, value: float, at_most: float = 10) -> Figure:
    return Figure(name, value, at_most, "s")


def test_a_figure_is_beside_its_bound_the_last_one_and_a_mark() -> None:
    first = update(run("1", seconds("even", 4), seconds("slower", 4), seconds("none", 0)), "")
    assert "| slower | 4 s | 10 | – |  | 1 |" in first
    more = [seconds("even", 4.9), seconds("slower", 5), seconds("slower", 3), seconds("none", 11)]
    second = update(run("2", *more), first)
    assert "| even | 4.9 s | 10 | 4 s |  | 2 |" in second
    assert "| slower | 5 s | 10 | 4 s | worse | 2 |" in second
    assert "| none | 11 s | 10 | 0 s | over, worse | 2 |" in second
    assert "| 2 | c0ffee | a machine | 0.1 | 3.11 |" in second
    assert "| 1 |" not in second


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_run_of_some_tests_keeps_the_other_rows_and_their_run(*, is_whole: bool) -> None:
    first = update(run("1", seconds("a", 1), seconds("b", 2)), "")
    second = update(run("2", seconds("a", 1), is_whole=is_whole), first)
    assert ("| b | 2 s | 10 | – |  | 1 |" in second) is not is_whole
    assert ("| 1 | c0ffee |" in second) is not is_whole
    assert "| a | 1 s | 10 | 1 s |  | 2 |" in second


@pytest.mark.parametrize("failed", ["test_a.py::test_a[x]", "test_a.py"])
def test_a_failed_test_has_a_row_until_it_passes_and_its_figures_stay(failed: str) -> None:
    first = update(run("1", seconds("a", 1)), "")
    second = update(run("2", failed={failed}, is_whole=False), first)
    assert f"| `{failed}` | – | – | – | failed | 2 |" in second
    assert "| a | 1 s | 10 | – |  | 1 |" in second
    other = update(run("3", passed={"test_a.py_::test_a[x]y"}, is_whole=False), second)
    assert "| failed | 2 |" in other
    mended = update(run("3", passed={"test_a.py::test_a[x]"}, is_whole=False), second)
    assert "| failed |" not in mended.partition("## Figures")[2]
