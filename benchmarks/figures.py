"""Figures as rows of a Markdown table: what was measured, its floor from the same run, its bar."""

from __future__ import annotations

import re
import statistics
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

VERDICTS: Final = {None: "", True: "met", False: "**not met**"}
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9,]*(?:\.[0-9]+)?")
_SPREAD: Final = "lowest to highest"
_MIN_RUNS: Final = 3


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
    """A table as it is printed.

    Attributes:
        head: What each column has: names first, then what was measured. A last one without a name
            has the verdicts.
        rows: A text for each column.
    """

    head: list[str]
    rows: list[list[str]]

    @property
    def measured(self) -> int:
        """Number of the column with what was measured."""
        return 2 if self.head[1] in {"database", "engine", "text"} else 1

    @property
    def not_met(self) -> list[list[str]]:
        """The rows whose bar is not met."""
        return [row for row in self.rows if row[-1] == VERDICTS[False]]


def combined(rounds: Sequence[Sequence[Table]]) -> list[Table]:
    """Return the tables of several rounds as one: of each row the round of the median, its spread.

    A bar is met if it was met in more than half of the rounds.
    """
    if len(rounds) == 1:
        return list(rounds[0])
    longest = max(rounds, key=len)
    return [
        _combined([tables[i] for tables in rounds if i < len(tables)]) for i in range(len(longest))
    ]


def _combined(tables: Sequence[Table]) -> Table:
    at = tables[0].measured
    found: dict[tuple[str, ...], list[list[str]]] = {}
    for table in tables:
        for row in table.rows:
            found.setdefault(tuple(row[:at]), []).append(row)
    head = [*tables[0].head[: at + 1], _SPREAD, *tables[0].head[at + 1 :]]
    return Table(head, [_median(rows, at) for rows in found.values()])


def _median(rows: Sequence[list[str]], at: int) -> list[str]:
    ordered = sorted(rows, key=lambda row: number(row[at]) or 0.0)
    row = ordered[len(ordered) // 2]
    spread = f"{leading(ordered[0][at])} to {leading(ordered[-1][at])}"
    rest = row[at + 1 :]
    if rest and rest[-1] in VERDICTS.values():
        verdicts = [each[-1] for each in rows]
        rest[-1] = max(verdicts, key=verdicts.count)
    return [*row[: at + 1], spread, *rest]


def number(text: str) -> float | None:
    """Return the first number of a text."""
    match = _NUMBER.search(text)
    return float(match[0].replace(",", "")) if match else None


def leading(text: str) -> str:
    """Return the first of several quantities."""
    return re.split(r" / |[,;] ", text)[0]


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


def best_ms(run: Callable[[], object], seconds: float) -> float:
    """Return the least CPU time of one run, over about some seconds of them; long runs run once."""
    minimum, spent, n_rounds = float("inf"), 0.0, 0
    while spent < seconds or (n_rounds < _MIN_RUNS and spent < 5 * seconds):
        began = time.process_time()
        run()
        took = time.process_time() - began
        minimum, spent, n_rounds = min(minimum, took), spent + took, n_rounds + 1
    return 1_000 * minimum


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def both(values: Sequence[float]) -> str:
    """Return p50 and p95 of seconds."""
    return f"{ms(p50(values))} / {ms(p95(values))}"


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"
