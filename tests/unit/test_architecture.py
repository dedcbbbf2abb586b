"""ARCHITECTURE.md names functions where they are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PAIR = re.compile(r"`([\w/]+\.py)`\s`(\w+)`")
NAMED = sorted(set(_PAIR.findall((ROOT / "ARCHITECTURE.md").read_text())))


def test_the_walk_names_functions() -> None:
    assert len(NAMED) >= 15


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_each_function_that_the_walk_names_is_in_the_named_file(file: str, name: str) -> None:
    tree = ast.parse((ROOT / "src" / "qwicket" / file).read_text())
    defined = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert name in defined


def test_each_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`([\w/]+/[\w]+\.py)`", (ROOT / "ARCHITECTURE.md").read_text()))
    missing = {each for each in named if not (ROOT / "src" / "qwicket" / each).is_file()}
    assert missing == set()
