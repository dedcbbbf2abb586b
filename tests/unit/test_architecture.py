"""ARCHITECTURE.md names functions where they are; its promises and SECURITY.md's name tests."""

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
    folders = (ROOT / "src" / "qwicket", ROOT / "tests")
    assert {each for each in named if not any((top / each).is_file() for top in folders)} == set()


PROMISES = {
    ("ARCHITECTURE.md", "When things go wrong"): 14,
    ("SECURITY.md", "What Qwicket promises"): 7,
    ("SECURITY.md", "How secrets are stored"): 27,
    ("SECURITY.md", "What hostile input meets"): 23,
}
"""Sections, with the number of their promises."""


@pytest.mark.parametrize(("document", "section"), PROMISES)
def test_each_promise_names_tests_that_exist(document: str, section: str) -> None:
    text = (ROOT / document).read_text().split(f"\n## {section}\n")[1]
    text = re.split(r"^##", text, maxsplit=1, flags=re.MULTILINE)[0]
    promises = re.split(r"^(?:- |\d+\. )", text, flags=re.MULTILINE)[1:]
    assert len(promises) == PROMISES[document, section]
    for promise in promises:
        named = re.findall(r"`([\w/]+\.py)`", promise.partition("*Tests:*")[2])
        assert named, promise
        assert [each for each in named if not (ROOT / "tests" / each).is_file()] == []
