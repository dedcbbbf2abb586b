"""Possessive groups, which Python before 3.11.5 matches at wrong places without a last `(?!)`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import qwicket

GROUP_END = re.compile(r"(\S*)\s*\)(?:[*+?]|\{[0-9,]+\})\+")


def patterns() -> Iterator[tuple[Path, str]]:
    """Return all texts of our source that have a group without a number."""
    for path in Path(qwicket.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Constant(value=str(text)) if "(?:" in text:
                    yield path, text


def test_the_last_alternative_of_each_possessive_group_fails_at_its_start() -> None:
    ends = [(path, end[1]) for path, text in patterns() for end in GROUP_END.finditer(text)]
    assert ends
    assert [(path, end) for path, end in ends if not end.endswith("(?!)")] == []
