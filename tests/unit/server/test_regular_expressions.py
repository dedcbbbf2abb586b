"""Each regular expression of the server takes time that is linear in its text."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import qwicket

ROOT = Path(qwicket.__file__).parent
LARGE, FACTOR = 32_000, 4
UNITS = [
    *("a", "A", "0", " ", "\n", "\t", "_", ".", "-", "/", ":", "@", "{", "[", "(", '"', "'", "\\"),
    *(
        "a.",
        "a ",
        " a",
        "a\n",
        "0.",
        "0e",
        "://",
        "://a",
        "/*",
        "*/",
        "//",
        "eyJ",
        "qw_",
        "{a",
        "{ ",
    ),
    *("a:", "a=", "[0", "$1", "`a`", "|a", "1.1.", "type ", "\n ", "    a: b\n     c"),
]
"""What texts are made of: repetitions of what some pattern begins or continues with."""


class Found(NamedTuple):
    """A pattern in our source.

    Attributes:
        module: Name of its module.
        text: Source of the pattern.
        pattern: The pattern.
        is_searched: Whether it is looked for in a text, and not only compared with the whole.
    """

    module: str
    text: str
    pattern: re.Pattern[Any]
    is_searched: bool


MADE_WHILE_RUNNING = {"qwicket.dialects.streaming": "self._secret"}
"""Modules with a pattern that is made while the server runs, and what it is made of: a random text
of ours. Those of test beds are of what tests name."""
STRIPPED = ("qwicket.vendors.xanadu.blackbird.tokens", "qwicket.vendors.braket.reader.pragmas")
"""Modules whose tokens are looked for in texts that were stripped of blanks."""
COMPARED = ("qwicket.testing.cassettes.drift",)
"""Modules with patterns in a mapping, each of which is compared with a whole text."""


def patterns(part: str) -> Iterator[Found]:
    """Yield every pattern of a part of the server; those of `programs` run on its loop, too.

    `guess_format` looks for some of them there, before a parser process reads the program.
    """
    for name, source in SOURCES:
        if name.split(".")[1] == part:
            yield from of_module(name, source)


def sources() -> Iterator[tuple[str, str]]:
    """Yield the name and text of each module of the server that has a pattern."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in ("clients", "cli", "agents", "qiskit"):
            continue
        source = path.read_text()
        if re.search(r"\bre\.", source):
            yield ".".join(("qwicket", *parts)).removesuffix(".__init__"), source


ASSIGNED = (ast.Assign, ast.AnnAssign)
SEARCHES = ("search", "sub", "subn", "finditer", "findall", "split", "scanner")
FUNCTIONS = {f"re.{each}" for each in (*SEARCHES, "compile", "match", "fullmatch")}


def of_module(name: str, source: str) -> Iterator[Found]:
    """Yield the patterns of each call of `re`, wherever it is in a module."""
    tree, scope = ast.parse(source), vars(importlib.import_module(name))
    names = {
        id(node.value): ast.unparse(
            node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        )
        for node in ast.walk(tree)
        if isinstance(node, ASSIGNED)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) in FUNCTIONS):
            continue
        text, function = ast.unparse(node.args[0]), ast.unparse(node.func)
        flags = [each.value for each in node.keywords if each.arg == "flags"]
        if function == "re.compile":
            flags += node.args[1:]
        try:
            made = re.compile(
                eval(text, scope), *(eval(ast.unparse(each), scope) for each in flags)
            )
        except NameError:
            is_of_tests = name.startswith("qwicket.testing.")
            assert is_of_tests or MADE_WHILE_RUNNING.get(name, "?") in text, (name, text)
            continue
        if function != "re.compile":
            is_searched = function not in ("re.fullmatch", "re.match")
        elif known_as := names.get(id(node)):
            methods = "|".join(SEARCHES)
            is_searched = bool(re.search(rf"\b{re.escape(known_as)}\.({methods})\b", source))
        else:
            is_searched = name not in COMPARED
        yield Found(name, text, made, is_searched)


def cpu_s(pattern: re.Pattern[Any], text: str, *, is_searched: bool) -> float:
    """Return how many seconds of the processor a pattern takes for a text."""
    subject = text.encode() if isinstance(pattern.pattern, bytes) else text
    began = time.thread_time()
    if is_searched:
        for _ in pattern.finditer(subject):
            pass
    else:
        pattern.fullmatch(subject)
    return time.thread_time() - began


SOURCES = list(sources())
PARTS = sorted({module.split(".")[1] for module, _ in SOURCES})
"""The packages directly in ours."""


@pytest.mark.parametrize("part", PARTS)
def test_time_is_linear_in_the_text(subtests: pytest.Subtests, part: str) -> None:
    for found in patterns(part):
        is_stripped = found.module in STRIPPED
        with subtests.test(f"{found.module}: {found.text[:80]}"):
            check(found.pattern, is_searched=found.is_searched, is_stripped=is_stripped)


def check(pattern: re.Pattern[Any], *, is_searched: bool, is_stripped: bool = False) -> None:
    """Check that a pattern takes time that is linear in texts of each unit."""

    def took_s(text: str) -> float:
        return cpu_s(pattern, text.strip() if is_stripped else text, is_searched=is_searched)

    for unit in UNITS:
        text = unit * (LARGE // len(unit))
        if took_s(text) > 0.02:
            # linear ones take less, unless something disturbs them
            few, many = (min(took_s(text * n) for _ in range(2)) for n in (1, FACTOR))
            assert many < 2 * FACTOR * few, (unit, few, many)
