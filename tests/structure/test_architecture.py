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


def test_each_function_that_the_walk_names_is_in_the_named_file() -> None:
    assert [(file, name) for file, name in NAMED if name not in defined_in(file)] == []


def defined_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "src" / "qwicket" / file).read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def test_each_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`([\w/]+/[\w]+\.py)`", (ROOT / "ARCHITECTURE.md").read_text()))
    folders = (ROOT / "src" / "qwicket", ROOT / "tests")
    assert {each for each in named if not any((top / each).is_file() for top in folders)} == set()


OF_JOBS = [("ARCHITECTURE.md", "When things go wrong"), ("SECURITY.md", "What Qwicket promises")]
"""Sections whose promises are about lost, doubled or leaked jobs, but for those named below."""
NOT_OF_JOBS = ("**Isolation of accounts.**", "**Secrets**", "**Hostile input**", "**Acts of")
OTHERS = [
    ("docs/security/secrets.md", "How secrets are stored"),
    ("docs/security/input.md", "Bounds"),
]


def promises(document: str, section: str) -> list[str]:
    text = (ROOT / document).read_text().split(f"\n## {section}\n")[1]
    text = re.split(r"^##", text, maxsplit=1, flags=re.MULTILINE)[0]
    return re.split(r"^(?:- |\d+\. )", text, flags=re.MULTILINE)[1:]


def proofs_of(promise: str) -> list[Path]:
    named = re.findall(r"`([\w/]+\.py)`", promise.partition("*Tests:*")[2])
    return [ROOT / "tests" / each for each in named]


@pytest.mark.parametrize(("document", "section"), [*OF_JOBS, *OTHERS])
def test_each_promise_names_tests_that_every_change_runs(document: str, section: str) -> None:
    found = promises(document, section)
    assert found
    for promise in found:
        tests = proofs_of(promise)
        assert tests, promise
        assert not [each for each in tests if not each.is_file() or "measured" in each.parts]


def test_what_proves_a_promise_about_jobs_gets_no_second_attempt() -> None:
    proofs = {
        test
        for document, section in OF_JOBS
        for promise in promises(document, section)
        if not promise.startswith(NOT_OF_JOBS)
        for test in proofs_of(promise)
    }
    assert not [each for each in proofs if "mark.promise" not in each.read_text()]
