"""axe-core, which checks pages for people who use screen readers: fetched once from npm."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tempfile
from itertools import product
from pathlib import Path
from typing import Any, Final

from support.browser import Page
from support.installed import installed
from support.repetitions import IS_LONG

VERSION: Final = "4.14.1"
_SHA256: Final = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
_FOLDER: Final = Path(__file__).parents[2] / ".vendor"
_RULES: Final = "wcag2a wcag2aa wcag21a wcag21aa wcag22aa best-practice"

SCREENS: Final = [
    *(product((390, 1440), ("light", "dark")) if IS_LONG else ((390, "light"), (1440, "dark")))
]
"""Widths and colours on which a page is checked: no style depends on both at once."""


def axe() -> str:
    """Return the script, from the registry if it is not there yet."""
    path = _FOLDER / f"axe-core-{VERSION}.js"
    if not path.exists():
        npm = installed("npm")
        _FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            command = [npm, "pack", "--silent", f"axe-core@{VERSION}"]
            subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True)
            (archive,) = Path(folder).glob("*.tgz")
            with tarfile.open(archive) as opened:
                member = opened.extractfile("package/axe.min.js")
                assert member is not None
                content = member.read()
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_bytes(content)
        beside.rename(path)
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == _SHA256, path
    return content.decode()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with the page that is open, and with what it can unfold."""
    if not page.run("'axe' in window"):  # a page is checked on one screen after another
        page.run(axe())
    page.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    options = f"{{runOnly: {_RULES.split()!r}, resultTypes: ['violations']}}"
    answer: dict[str, Any] = page.call(
        "Runtime.evaluate",
        expression=f"axe.run({options}).then(found => found.violations.map(each =>"
        " each.id + ': ' + each.nodes.slice(0, 3).map(node => node.html).join(' ')))",
        awaitPromise=True,
        returnByValue=True,
    )
    assert "exceptionDetails" not in answer, answer
    return list(answer["result"]["value"])
