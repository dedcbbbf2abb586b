"""Figures as rows of a Markdown table: what was measured, its floor from the same run, its bar."""

from __future__ import annotations

import statistics
import sys
import sysconfig
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


def python_build() -> str:
    """Return how this Python was built, and whether with profile-guided optimisation.

    Without it the same code needs 10 to 17 % more CPU. Distributions build theirs with it, and
    Debian's says so nowhere.
    """
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or "unknown arguments"
    if "--enable-optimizations" in arguments or sys.base_prefix == "/usr":
        return f"Python built with profile-guided optimisation: {arguments}"
    return (
        f"Python built WITHOUT profile-guided optimisation: {arguments}\n"
        "It needs 10 to 17 % more CPU than a distribution's for the same code: compare no figure"
        " with one of another build."
    )


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def both(values: Sequence[float]) -> str:
    """Return p50 and p95 of seconds."""
    return f"{ms(p50(values))} / {ms(p95(values))}"


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"
