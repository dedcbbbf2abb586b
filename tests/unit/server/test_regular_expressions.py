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


def patterns() -> list[tuple[str, str]]:
    """Return module and name of each pattern of the event loop's process; programs have parsers."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in ("clients", "cli", "agents", "qiskit", "programs"):
            continue
        module = ".".join(("qwicket", *parts)).removesuffix(".__init__")
        found += [
            (module, name)
            for name in re.findall(r"^(\w+)[^=\n]*= re\.compile\(", path.read_text(), re.MULTILINE)
        ]
    return found


@pytest.mark.parametrize(("module", "name"), patterns(), ids=lambda part: part)
def test_time_is_linear_in_the_text(module: str, name: str) -> None:
    loaded = importlib.import_module(module)
    pattern: re.Pattern[Any] = getattr(loaded, name)
    source = Path(str(loaded.__file__)).read_text()
    is_searched = re.search(
        rf"\b{name}\.(search|sub|subn|finditer|findall|split|scanner)\b", source
    )

    def cpu_s(text: str) -> float:
        subject = text.encode() if isinstance(pattern.pattern, bytes) else text
        began = time.thread_time()
        if is_searched:
            for _ in pattern.finditer(subject):
                pass
        else:
            pattern.fullmatch(subject)
        return time.thread_time() - began

    for unit in UNITS:
        text = unit * (LARGE // len(unit))
        if cpu_s(text) > 0.02:  # linear ones take less, unless something disturbs them
            few, many = (min(cpu_s(text * n) for _ in range(2)) for n in (1, FACTOR))
            assert many < 2 * FACTOR * few, (unit, few, many)
