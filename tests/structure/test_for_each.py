from __future__ import annotations

import pytest

from support.for_each import for_each


def test_a_test_runs_with_each_value_until_one_fails() -> None:
    tried = []

    @for_each("b", "xy")
    @for_each("a", [1, pytest.param(2, id="two"), 3])
    def check(a: int, b: str, *, limit: int) -> None:
        tried.append((a, b))
        assert a < limit

    with pytest.raises(AssertionError) as caught:
        check(limit=3)
    assert tried == [(1, "x"), (2, "x"), (3, "x")]
    assert caught.value.__notes__ == ["a = 3", "b = 'x'"]


def test_several_names_take_rows() -> None:
    @for_each("a, b", [(1, "x"), pytest.param(2, "y", id="two")])
    def check(a: int, b: str) -> None:
        assert (a, b) != (2, "y")

    with pytest.raises(AssertionError) as caught:
        check()
    assert caught.value.__notes__ == ["a = 2", "b = 'y'"]


def test_a_row_of_another_length_is_a_mistake() -> None:
    @for_each("a, b", ["xy", "x"])
    def check(a: str, b: str) -> None: ...

    with pytest.raises(ValueError, match="shorter"):
        check()


def test_a_test_without_values_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="proves nothing"):
        for_each("a", [])
