"""Select pairs of test inputs: the number of tests is about their sum, not their product."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable
from typing import Any, TypeVar

import pytest

Row = TypeVar("Row")
Value = TypeVar("Value")


def pairs(
    rows: Iterable[Row],
    values: Iterable[Value],
    *,
    per: Callable[[Row], Hashable] | None = None,
    always: Container[Value] = (),
    keep: Callable[[Row, Value], bool] | None = None,
) -> list[tuple[Row, Value]]:
    """Return pairs in which each row occurs, and each value once per group of rows.

    The selection depends on the arguments alone. Values rotate: neighbouring rows get different
    ones, and each group starts with another one.

    Args:
        rows: What is tested with one value each, such as routes.
        values: What rotates, such as wrong tokens.
        per: Names the group of a row, such as the dialect of a route; all are one group without.
        always: Values that every row gets besides.
        keep: Returns whether to keep a pair besides, because the value has its own meaning there.
    """
    every_row, every_value = list(rows), list(values)
    groups: dict[Hashable, list[int]] = {}
    for place, row in enumerate(every_row):
        groups.setdefault(per and per(row), []).append(place)
    chosen = {
        (members[turn % len(members)], (turn + shift) % len(every_value))
        for shift, members in enumerate(groups.values())
        for turn in range(max(len(members), len(every_value)))
    }
    chosen |= {
        (place, number)
        for place, row in enumerate(every_row)
        for number, value in enumerate(every_value)
        if value in always or (keep and keep(row, value))
    }
    return [(every_row[place], every_value[number]) for place, number in sorted(chosen)]


def by_row(found: Iterable[tuple[Row, Value]]) -> list[Any]:
    """Return each row with the list of its values, as parameters of a test named by the row."""
    values: dict[str, tuple[Row, list[Value]]] = {}
    for row, value in found:
        values.setdefault(str(row), (row, []))[1].append(value)
    return [pytest.param(*each, id=text) for text, each in values.items()]
