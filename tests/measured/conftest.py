"""What `make measured` runs: figures that depend on the machine, so nothing may run beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import pytest

from support import figures
from support.figures import REPORT, Figure, Run
from support.processes import resident_bytes
from support.waiting import until_machine_is_quiet

_FOLDER: Final = Path(__file__).parent
_run: Final = Run.begin()

SETTLED_S: Final = 12.0
"""Every 10 s a server gives back the memory that it no longer needs."""

QUIET_S: Final = 20.0
MAX_VAIN_WAITS: Final = 3


class Record(Protocol):
    """The fixture `record`: notes a figure for the report."""

    def __call__(self, name: str, value: float, *, at_most: float, unit: str) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-report", action="store_true", help="write docs/reports/measured.md")


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _run.is_whole = False


def pytest_collection_finish(session: pytest.Session) -> None:
    if [Path(each).resolve() for each in session.config.args] != [_FOLDER]:
        _run.is_whole = False


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _run.failed.add(_name(report))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _run.failed.add(_name(report))
    elif report.skipped:
        _run.is_whole = False
    elif report.when == "call":
        _run.passed.add(_name(report))


def _name(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.nodeid.removeprefix("tests/measured/")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Print what was measured, and write the report if that is asked for."""
    report = REPORT.read_text() if REPORT.exists() else ""
    found = figures.rows(_run, report)
    terminalreporter.section("measured: figure, bound, last, mark")
    for row in found:
        terminalreporter.write_line(figures.line(row[:-1]))
    marks = ", ".join(f"{sum(each in row[-2] for row in found)} {each}" for each in figures.MARKS)
    terminalreporter.write_line(f"{len(found)} rows: {marks}")
    if found and config.getoption("write_report", default=False):
        _run.is_whole &= exitstatus == pytest.ExitCode.OK
        REPORT.write_text(figures.update(_run, report))
        terminalreporter.write_line(f"written: {REPORT}")


@pytest.fixture
def record() -> Record:
    def record(name: str, value: float, *, at_most: float, unit: str) -> None:
        _run.figures.append(Figure(name, value, at_most, unit))

    return record


@pytest.fixture(scope="session")
def waits() -> list[bool]:
    """Return whether each wait of `quiet` succeeded."""
    return []


@pytest.fixture(autouse=True)
def quiet(waits: list[bool]) -> None:
    """Let servers of earlier tests end; where others never do, do not wait before each test."""
    timeout_s = QUIET_S if waits.count(False) < MAX_VAIN_WAITS else 0
    waits.append(until_machine_is_quiet(timeout_s))


@contextmanager
def timed(record: Record, name: str, *, at_most: float) -> Iterator[None]:
    """Record how many seconds a block takes."""
    began = time.monotonic()
    yield
    record(name, time.monotonic() - began, at_most=at_most, unit="s")


def settled_bytes(pid: int) -> int:
    """Return the least memory of a server within `SETTLED_S`."""
    deadline, least = time.monotonic() + SETTLED_S, resident_bytes(pid)
    while time.monotonic() < deadline:
        time.sleep(0.1)
        least = min(least, resident_bytes(pid))
    return least
