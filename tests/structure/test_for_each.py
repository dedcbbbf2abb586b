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


def test_a_test_without_values_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="proves nothing"):
        for_each("a", [])
