"""Tests of many values in one case."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

PARAM = type(pytest.param())
Test = Callable[..., None]


def for_each(names: str, values: Iterable[Any]) -> Callable[[Test], Test]:
    """Run a test with each value, all in one case: for values that take at most milliseconds.

    A failure names its value. The fixtures are the same for all values, so that those with the
    scope of a function do not fit. Where values prove sentences of their own, take `parametrize`.

    Args:
        names: Arguments of the test, separated by commas.
        values: Their values: of one name each value, of several a row.
    """
    keys = [name.strip() for name in names.split(",")]
    rows = [row(value, is_alone=len(keys) == 1) for value in values]
    assert rows, "Without values the test proves nothing."

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            for values in rows:
                given = dict(zip(keys, values, strict=True))
                try:
                    test(**fixtures, **given)
                except BaseException as error:
                    for name, value in given.items():
                        error.add_note(f"{name} = {value!r:.1000}")
                    raise

        signature = inspect.signature(test)
        others = [each for name, each in signature.parameters.items() if name not in keys]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]  # pytest reads it
        return run

    return decorate


def row(value: Any, *, is_alone: bool) -> tuple[Any, ...]:
    if isinstance(value, PARAM):
        return tuple(value.values)
    return (value,) if is_alone else tuple(value)
