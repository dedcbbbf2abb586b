"""What selects tests: one marker, the same targets in each document, no lottery."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = {"fast", "test", "test-all", "measured"}


@pytest.mark.parametrize(
    ("name", "targets"), [("README.md", {"demo", "test"}), ("CONTRIBUTING.md", TARGETS)]
)
def test_a_document_names_the_targets(name: str, targets: set[str]) -> None:
    named = set(re.findall(r"^make ([a-z-]+)", (ROOT / name).read_text(), re.MULTILINE))
    assert named >= targets


def test_the_workflow_and_help_name_the_targets() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert set(re.findall(r"run: make ([a-z-]+)", workflow)) >= TARGETS - {"measured"}
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"^([a-z-]+):.*  ## ", makefile, re.MULTILINE)) >= TARGETS


def test_all_tests_are_selected_by_one_marker() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"-m (\"[^\"]*\"|extended)", makefile)) == {'"not extended"', "extended"}
