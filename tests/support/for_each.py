"""Tests of many values in one case."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

PARAM = type(pytest.param())
Test = Callable[..., None]


def for_each(name: str, values: Iterable[object]) -> Callable[[Test], Test]:
    """Run a test with each value, all in one case: for values that take at most milliseconds.

    A failure names its value. The fixtures are the same for all values, so that those with the
    scope of a function do not fit. Where values have results of their own, take `parametrize`.

    Args:
        name: Argument of the test.
        values: Its values; of a `pytest.param` the first.
    """
    every = [value.values[0] if isinstance(value, PARAM) else value for value in values]
    assert every, "Without values the test proves nothing."

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            for value in every:
                try:
                    test(**fixtures, **{name: value})
                except BaseException as error:
                    error.add_note(f"{name} = {value!r:.1000}")
                    raise

        signature = inspect.signature(test)
        others = [other for key, other in signature.parameters.items() if key != name]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]  # pytest reads it
        return run

    return decorate
