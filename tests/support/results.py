"""Results of a run as JSON lines, for `tools/stage.py`: what failed, and what each file cost.

With `--results FILE`, each failed test is a line with its name, its duration and whether it proves
a promise; each file is a line with the processor time that it took, its servers' included.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from support.processes import cpu_s

_CPU: Final = "cpu_s"


class Meter:
    """Measures the files of a test process: it runs them one after another."""

    def __init__(self) -> None:
        self._before_s = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Note what a file took, with its last test: looking at all processes takes 2 ms."""
        try:
            return (yield)
        finally:
            if nextitem is None or nextitem.path != item.path:
                spent_s = cpu_s(os.getpid())
                item.user_properties.append((_CPU, round(spent_s - self._before_s, 2)))
                self._before_s = spent_s


class ResultsWriter:
    """Writes the lines, in the process to which all others report."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        path.write_text("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            # A crash of its process has no keywords: what the test proves is unknown.
            is_promise = "promise" in report.keywords or not report.keywords
            self._write(test=report.nodeid, seconds=report.duration, is_promise=is_promise)
        for name, value in report.user_properties if report.when == "teardown" else ():
            if name == _CPU:
                self._write(file=report.nodeid.partition("::")[0], cpu_s=value)

    def _write(self, **fields: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(fields) + "\n")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", help="file for failed tests and costs, as JSON lines")


def pytest_configure(config: pytest.Config) -> None:
    """Register what this process needs: a worker measures, the first process writes."""
    path: str | None = config.getoption("results")
    if path is None:
        return
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ResultsWriter(Path(path)))
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Meter())
