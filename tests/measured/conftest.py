"""What `make measured` runs: figures that depend on the machine, so nothing may run beside them."""

from __future__ import annotations

import time
from typing import Final, Protocol

import pytest

from support import figures
from support.figures import Figure
from support.processes import resident_bytes
from support.waiting import until_machine_is_quiet

_found: Final[list[Figure]] = []


SETTLED_S: Final = 12.0
"""Every 10 s a server gives back the memory that it no longer needs."""


class Record(Protocol):
    """The fixture `record`: notes a figure for the report."""

    def __call__(self, name: str, value: float, *, at_most: float, unit: str) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-report", action="store_true", help="write docs/reports/measured.md")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    terminalreporter.section("measured")
    for line in figures.rows(_found):
        terminalreporter.write_line(line)
    if config.getoption("write_report"):
        figures.write(_found)


@pytest.fixture
def record() -> Record:
    def record(name: str, value: float, *, at_most: float, unit: str) -> None:
        _found.append(Figure(name, value, at_most, unit))

    return record


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Let what earlier tests started end first."""
    until_machine_is_quiet()


def settled_bytes(pid: int) -> int:
    """Return the least memory of a server within `SETTLED_S`."""
    deadline, least = time.monotonic() + SETTLED_S, resident_bytes(pid)
    while time.monotonic() < deadline:
        time.sleep(0.1)
        least = min(least, resident_bytes(pid))
    return least
