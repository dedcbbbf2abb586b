"""Figures as rows of a Markdown table: what was measured, its floor from the same run, its bar."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

VERDICTS: Final = {None: "", True: "ok", False: "**over**"}


class Figure(NamedTuple):
    """One row; `is_within` is None for a figure without a bar."""

    name: str
    database: str
    measured: str
    floor: str = ""
    bar: str = ""
    is_within: bool | None = None

    @property
    def verdict(self) -> str:
        return VERDICTS[self.is_within]


class Table(msgspec.Struct, frozen=True):
    """A table as it is printed."""

    head: list[str]
    rows: list[list[str]]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with aligned columns, readable as it stands."""
    table = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    table.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, cells, widths)) + " |" for cells in table)


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def both(values: Sequence[float]) -> str:
    """Return p50 and p95 of seconds."""
    return f"{ms(p50(values))} / {ms(p95(values))}"


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"
