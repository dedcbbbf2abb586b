"""Each regular expression of the server takes time that is linear in its text."""

from __future__ import annotations

import importlib
import re
import time
from pathlib import Path
from typing import Any

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


def modules() -> dict[str, list[str]]:
    """Return the modules of the event loop's process and the patterns of each.

    Programs have parsers.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in ("clients", "cli", "agents", "qiskit", "programs"):
            continue
        names = re.findall(r"^(\w+)[^=\n]*= re\.compile\(", path.read_text(), re.MULTILINE)
        if names:
            found[".".join(("qwicket", *parts)).removesuffix(".__init__")] = names
    return found


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


PATTERNS = modules()
PARTS = sorted({name.split(".")[1] for name in PATTERNS})
"""The packages directly in ours."""


@pytest.mark.parametrize("part", PARTS)
def test_time_is_linear_in_the_text(subtests: pytest.Subtests, part: str) -> None:
    for module in (each for each in PATTERNS if each.split(".")[1] == part):
        loaded = importlib.import_module(module)
        source = Path(str(loaded.__file__)).read_text()
        for name in PATTERNS[module]:
            methods = "search|sub|subn|finditer|findall|split|scanner"
            is_searched = bool(re.search(rf"\b{name}\.({methods})\b", source))
            with subtests.test(f"{module}.{name}"):
                check(getattr(loaded, name), is_searched=is_searched)


def check(pattern: re.Pattern[Any], *, is_searched: bool) -> None:
    """Check that a pattern takes time that is linear in texts of each unit."""
    for unit in UNITS:
        text = unit * (LARGE // len(unit))
        if cpu_s(pattern, text, is_searched=is_searched) > 0.02:
            # linear ones take less, unless something disturbs them
            few, many = (
                min(cpu_s(pattern, text * n, is_searched=is_searched) for _ in range(2))
                for n in (1, FACTOR)
            )
            assert many < 2 * FACTOR * few, (unit, few, many)
