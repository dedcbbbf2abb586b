"""Measured figures, each beside its bound and the last one, in docs/reports/measured.md.

A figure over its bound fails nothing. The report marks it, and what got worse since the last one.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

REPORT: Final = Path(__file__).parents[2] / "docs" / "reports" / "measured.md"
WORSE: Final = 1.25
"""A figure is marked as worse from this multiple of the last one: machines differ by less."""

_ROW: Final = re.compile(r"^\| ([^|]+) \| ([\d.e+-]+) [^|]*\|", re.MULTILINE)
_HEAD: Final = """\
# Measured

`make measured` writes this page. Less is better. Nothing here refuses a change, because figures
depend on the machine and its load. *Over* marks a figure over its bound, *worse* one that is
{worse:g} times the last report's or more.

{date:%Y-%m-%d}, {machine}

| what | figure | bound | last | |
|---|---|---|---|---|
"""


class Figure(NamedTuple):
    """What was measured; less is better."""

    name: str
    value: float
    at_most: float
    unit: str


def rows(found: list[Figure], path: Path = REPORT) -> list[str]:
    """Return a row for the greatest figure of each name, beside that of the report."""
    last = read(path.read_text()) if path.exists() else {}
    greatest = {each.name: each for each in sorted(found)}
    return [_row(each, last.get(each.name)) for each in greatest.values()]


def read(report: str) -> dict[str, float]:
    """Return the figures of a report by their names."""
    return {name: float(value) for name, value in _ROW.findall(report)}


def write(found: list[Figure], path: Path = REPORT) -> None:
    """Write the report, in place of the last one; what was not measured now is not in it."""
    head = _HEAD.format(worse=WORSE, date=datetime.now(UTC), machine=machine())
    path.write_text("\n".join([head + "\n".join(rows(found, path)), ""]))


def _row(figure: Figure, last: float | None) -> str:
    name, value, at_most, unit = figure
    is_worse = last is not None and value >= WORSE * last > 0
    marks = [*(["over"] if value > at_most else []), *(["worse"] if is_worse else [])]
    before = "–" if last is None else f"{last:.4g}"
    return f"| {name} | {value:.4g} {unit} | {at_most:.4g} | {before} | {', '.join(marks)} |"


def machine() -> str:
    """Return what the figures depend on: processor, load and build of Python."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = found[1] if found else platform.machine()
    python = sys.version.replace("\n", " ")
    return f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {python}"
