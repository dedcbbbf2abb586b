"""Measured figures, each beside its bound and the last one, in docs/reports/measured.md.

A figure over its bound fails nothing. The report marks it, and what got worse since the last one.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
REPORT: Final = ROOT / "docs" / "reports" / "measured.md"
WORSE: Final = 1.25
"""A figure is marked as worse from this multiple of the last one: machines differ by less."""
MARKS: Final = ("over", "worse", "failed")
NOISE: Final = 0.05
"""A figure that grew by less than this part of its bound is not marked: little is soon doubled."""

_PAGE: Final = """\
# Measured

`make measured` writes this page. Less is better. Nothing here refuses a change, because figures
depend on the machine and its load.

| mark | meaning |
|---|---|
| over | The figure exceeds its bound. |
| worse | It is {worse:g} times the last one or more, and grew by {noise:.0%} of its bound. |
| failed | The test failed. Its figures here may be older. |

## Figures

| what | figure | bound | last | mark | run |
|---|---|---|---|---|---|
{figures}

## Runs

A run of some of the tests keeps the rows of the others. Load is that of the minute before the run.

| run | commit | machine | load | Python |
|---|---|---|---|---|
{runs}
"""


class Figure(NamedTuple):
    """What was measured; less is better."""

    name: str
    value: float
    at_most: float
    unit: str


@dataclass
class Run:
    """A run of tests that measure.

    Attributes:
        began: When it began, in UTC, by which the report names it.
        conditions: Commit, machine, load and Python, as the report shows them.
        figures: What it measured; of each name the greatest counts.
        passed: Tests that passed.
        failed: Tests that failed, and files that could not be imported.
        is_whole: Whether it ran all tests, and all passed.
    """

    began: str
    conditions: list[str]
    figures: list[Figure] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    is_whole: bool = True

    @classmethod
    def begin(cls) -> Run:
        """Return a run that begins now, with the load that others make."""
        load = f"{os.getloadavg()[0]:.1f}"
        return cls(f"{datetime.now(UTC):%Y-%m-%d %H:%M}", [_commit(), _machine(), load, _python()])


def rows(run: Run, report: str) -> list[list[str]]:
    """Return the cells of what a run measured and of its failed tests, beside those of a report."""
    last, _ = _read(report)
    greatest = {each.name: each for each in sorted(run.figures)}
    found = [_row(each, last.get(each.name), run.began) for each in greatest.values()]
    return found + [
        [f"`{test}`", "–", "–", "–", "failed", run.began] for test in sorted(run.failed)
    ]


def update(run: Run, report: str) -> str:
    """Return a report with the rows of a run.

    Other rows stay, unless all tests ran and passed: then nothing measures them any more.
    """
    last, conditions = _read(report)
    kept = {} if run.is_whole else last
    shown = {name: row for name, row in kept.items() if not _has_passed(name, run)}
    shown |= {row[0]: row for row in rows(run, report)}
    conditions[run.began] = [run.began, *run.conditions]
    named = {row[-1] for row in shown.values()}
    return _PAGE.format(
        worse=WORSE,
        noise=NOISE,
        figures=_table(shown),
        runs=_table({name: row for name, row in conditions.items() if name in named}),
    )


def line(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def _table(found: dict[str, list[str]]) -> str:
    return "\n".join(line(found[name]) for name in sorted(found))


def _read(report: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the figures and the runs of a report: the cells of each row, by the first of them."""
    if not report:
        return {}, {}
    _, found, runs = report.split("\n## ")
    return _cells(found), _cells(runs)


def _cells(section: str) -> dict[str, list[str]]:
    lines = [each for each in section.splitlines() if each.startswith("| ")]
    table = [[cell.strip() for cell in each[1:-1].split("|")] for each in lines]
    return {row[0]: row for row in table[1:]}


def _has_passed(name: str, run: Run) -> bool:
    """Return whether a row says that a test or a file failed, which passed in this run."""
    test = name.strip("`")
    return test != name and any(f"{each}::".startswith(f"{test}::") for each in run.passed)


def _row(figure: Figure, last: list[str] | None, run: str) -> list[str]:
    name, value, at_most, unit = figure
    marks = ["over"] if value > at_most else []
    before = last[1] if last else "–"
    if last and _is_worse(value, float(before.split()[0]), at_most):
        marks.append("worse")
    return [name, f"{value:.4g} {unit}".strip(), f"{at_most:.4g}", before, ", ".join(marks), run]


def _is_worse(value: float, last: float, at_most: float) -> bool:
    return value >= WORSE * last and value - last >= NOISE * at_most


def _commit() -> str:
    """Return the commit of the tree, and whether the tree differs from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _machine() -> str:
    """Return what its processor calls itself, how many of its cores may be used, and the system."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = found[1] if found else platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release()}"


def _python() -> str:
    """Return version and build of Python: profiles (PGO) make it faster by a tenth or more."""
    flag = "--enable-optimizations"
    has_profiles = flag in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    configured = f"configured {'with' if has_profiles else 'without'} `{flag}` (PGO)"
    return f"{platform.python_version()}, {platform.python_compiler()}, {configured}"
