"""Select pairs of test inputs: the number of tests is about their sum, not their product."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TypeVar

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


def by_row(found: Iterable[tuple[Row, Value]]) -> list[tuple[Row, list[Value]]]:
    """Return each row with its values, for a test that tries them one after the other.

    Pairs of one row must be neighbours, as those of `pairs` are.
    """
    return [
        (row, [value for _, value in group])
        for row, group in groupby(found, key=lambda pair: pair[0])
    ]


@contextmanager
def naming(value: object) -> Iterator[None]:
    """Add to a failure with which value of several it occurred."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"with the value {value!r}")
        raise
