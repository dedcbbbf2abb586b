"""The parts of a release: one version everywhere, fragments that the changelog gathers."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qwicket

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
KINDS = [kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"]]
FRAGMENTS = sorted(path for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md")


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["project"]["version"]
    (cited,) = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert qwicket.__version__ == cited == version


def test_a_fragment_is_one_paragraph_that_begins_with_its_kind(subtests: pytest.Subtests) -> None:
    for fragment in FRAGMENTS:
        with subtests.test(fragment.name):
            kind = fragment.name.split(".")[-2]
            assert kind in KINDS
            text = fragment.read_text()
            assert text.startswith(f"{kind.title()}: ")
            assert text.rstrip().endswith((".", ")"))
            assert "\n\n" not in text.strip()


def test_the_changelog_gathers_every_fragment() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("- ")]
    assert len(lines) == len(FRAGMENTS)
