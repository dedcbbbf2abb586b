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
    chart = (ROOT / "deploy" / "helm" / "qwicket" / "Chart.yaml").read_text()
    (deployed,) = re.findall(r'^appVersion: "(.+)"$', chart, re.MULTILINE)
    assert qwicket.__version__ == cited == deployed == version


def test_the_changelog_tells_of_the_version_on_a_page() -> None:
    (_, *sections) = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert re.match(rf"{re.escape(qwicket.__version__)} \(\d{{4}}-\d\d-\d\d\)\n", sections[0])
    assert [len(each.splitlines()) <= 60 for each in sections] == [True] * len(sections)


def test_workflows_pin_their_actions_by_commit() -> None:
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        used = re.findall(r"uses: (\S+)", workflow.read_text())
        assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each) for each in used), workflow.name


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
