"""Pytest plugin: records which lines of Qwicket each test runs, as contexts of coverage.py.

`python -m pytest -p tools.contexts --contexts FOLDER`. A context is the id of a test function, or
the path of a test file for fixtures that several of its tests share. Other processes that tests
start are not recorded, because tests share them.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Final

import coverage
import pytest

_NAME: Final = "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contexts", type=Path, required=True, help="folder of the records")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Recorder(config.getoption("--contexts")))


class _Recorder:
    def __init__(self, folder: Path) -> None:
        self._coverage = coverage.Coverage(
            data_file=folder / _NAME,
            data_suffix=True,  # each process of pytest-xdist has a file of its own
            source_pkgs=["qwicket"],
            branch=False,
            config_file=False,
        )
        # The project's own plugin for pytest is imported before.
        harmless = ["module-not-measured", "no-data-collected"]
        self._coverage.set_option("run:disable_warnings", harmless)
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._context = item.nodeid.split("[")[0]
        self._coverage.switch_context(self._context)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object]
    ) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        self._coverage.switch_context(self._context.split("::")[0])
        try:
            return (yield)
        finally:
            self._coverage.switch_context(self._context)

    def pytest_unconfigure(self) -> None:
        self._coverage.stop()
        self._coverage.save()


def at_s(folder: Path) -> float:
    """Return the Unix time of the newest record in a folder; 0 if there is none."""
    path = folder / _NAME
    return path.stat().st_mtime if path.exists() else 0.0


def combine(folder: Path) -> None:
    """Add the records of all processes to those of earlier runs."""
    records = coverage.Coverage(data_file=folder / _NAME, config_file=False)
    records.load()
    records.combine([str(folder)])
    records.save()


def tests_by_line(folder: Path, module: Path) -> dict[int, set[str]]:
    """Return the tests and test files that run each line of a module."""
    if not at_s(folder):
        return {}
    data = coverage.CoverageData(str(folder / _NAME))
    data.read()
    contexts = data.contexts_by_lineno(str(module))
    return {line: {*found} - {""} for line, found in contexts.items()}
