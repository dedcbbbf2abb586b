"""A stage of the tests: what is tried again, what is red, and what is flaky."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
HEAD = """
import pathlib, pytest
COUNT = pathlib.Path(__file__).with_name("count")
def fails_first(times=1):
    COUNT.open("a").write("x")
    assert len(COUNT.read_text()) > times
"""


def run(folder: Path, stage: str, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a stage of one file; its run is that of other stages in the folder."""
    tests = folder / stage
    tests.mkdir()
    plugin = "from support.results import pytest_addoption, pytest_configure"
    (tests / "conftest.py").write_text(f"{plugin}  # noqa: F401\n")
    (tests / "test_it.py").write_text(HEAD + source)
    (tests / "pytest.ini").write_text("[pytest]\nmarkers = promise\n")
    command = [sys.executable, str(ROOT / "tools" / "stage.py"), stage, "--run", str(folder)]
    return subprocess.run(
        [*command, "--", "-q", *options, str(tests)],
        # Without the plugins that are installed here, pytest starts four times as fast.
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tests,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def test_a(): assert False", "red: test_it.py::test_a"),
        ("@pytest.mark.promise\ndef test_a(): fails_first()", "red: test_it.py::test_a"),
        ("@pytest.mark.parametrize('n', range(11))\ndef test_a(n): fails_first(11)", "test_a[10]"),
        ("import nothing_of_this_name", "1 error"),
    ],
    ids=["twice", "a promise", "eleven", "no tests"],
)
def test_a_stage_is_red(tmp_path: Path, source: str, said: str) -> None:
    done = run(tmp_path, "test", source)
    assert done.returncode != 0
    assert said in done.stdout
    assert "flaky:" not in done.stdout


def test_a_test_whose_process_crashes_gets_no_second_attempt(tmp_path: Path) -> None:
    source = "import os\ndef test_a(): COUNT.exists() or COUNT.touch() or os.abort()"
    done = run(tmp_path, "test", source, "-p", "xdist", "-n1")
    assert done.returncode != 0
    assert "red: test_it.py::test_a" in done.stdout
    assert "once more" not in done.stdout


def test_a_run_has_at_most_three_flaky_tests(tmp_path: Path) -> None:
    source = "def test_a(): fails_first()\ndef test_b(): pass"
    (tmp_path / "flaky.txt").write_text("   1.0 s  earlier  test_it.py::test_a\n" * 2)
    for number in (3, 4):
        done = run(tmp_path, f"stage{number}", source)
        assert f"flaky: failed, and passed alone ({number} of at most 3 in a run)" in done.stdout
        assert done.stdout.count("test_it.py::test_a\n") >= number, "each is named"
        assert done.returncode == (number == 4)


def test_a_stage_says_what_each_folder_cost(tmp_path: Path) -> None:
    done = run(tmp_path, "test", "def test_a(): sum(range(20_000_000))")
    assert done.returncode == 0
    assert "s of processor time" in done.stdout
