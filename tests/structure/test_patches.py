"""Tests pass values as arguments; they patch no constant of this package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
CONSTANT = re.compile(r"(.*\.)?_?[A-Z][A-Z0-9_]*")
EXCEPTIONS = {
    # pennylane-ionq has no other way to name a server.
    ("vendors/ionq/suites/pennylane_ionq_0_45/test_pennylane_ionq.py", "BASE_URL"),
}


def patched(source: str) -> Iterator[str]:
    """Yield the constants that `setattr`, of pytest or of Python, replaces."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("setattr"):
            for argument in call.args[:2]:
                if isinstance(argument, ast.Constant) and CONSTANT.fullmatch(str(argument.value)):
                    yield str(argument.value)


def test_constants_are_found_in_each_form() -> None:
    source = """
patch.setattr(module, "_LIMIT_S", 1)
patch.setattr("package.module._LIMIT_S", 1)
setattr(module, "LIMIT_2", 1)
patch.setattr(module, "function", "NAME")
"""
    assert sorted(patched(source)) == ["LIMIT_2", "_LIMIT_S", "package.module._LIMIT_S"]


def test_no_constant_is_patched() -> None:
    found = {
        (str(path.relative_to(TESTS)), name)
        for path in TESTS.rglob("*.py")
        if "setattr(" in (source := path.read_text("utf-8"))
        for name in patched(source)
    }
    assert found == EXCEPTIONS
