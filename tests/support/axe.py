"""axe-core, which checks pages for people who use screen readers; a wheel has its script."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

from contract.environments import made
from support.browser import Page
from support.repetitions import IS_LONG

_WHEEL: Final = "axe-playwright-python==0.1.8"
"""Has axe-core 4.12.1. What it depends on, a browser of its own, is not installed."""
_RULES: Final = "wcag2a wcag2aa wcag21a wcag21aa wcag22aa best-practice"

SCREENS: Final = [
    *(product((320, 390, 1280), ("light", "dark")) if IS_LONG else ((320, "light"), (1280, "dark")))
]
"""Widths and colours on which a page is checked: no style depends on both at once, and between
two widths lies one change of the layout."""

_CUT: Final = """[...document.querySelectorAll('pre')].filter(each =>
    each.scrollWidth > each.clientWidth && !(each.tabIndex === 0 && each.role === 'region' &&
    each.ariaLabel && getComputedStyle(each).backgroundImage.includes('gradient'))
).map(each => 'cut: ' + each.outerHTML.slice(0, 200))"""
"""Boxes of code with long lines that no key scrolls, or that do not look as if they scrolled."""


def axe() -> str:
    """Return the script, installed once."""
    python = made("axe", _WHEEL.encode(), "", [[_WHEEL, "--no-deps"]])
    (path,) = python.parents[1].glob("lib/python*/site-packages/axe_playwright_python/axe.min.js")
    return path.read_text()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with the page that is open, and with what it can unfold."""
    if not page.run("'axe' in window"):  # a page is checked on one screen after another
        page.run(axe())
    opened = "document.querySelectorAll('details').forEach(each => {{ each.open = {}; }})"
    page.run(opened.format("!each.classList.contains('menu')"))
    cut: list[str] = page.run(_CUT)
    found = _violations(page, "document") + cut
    # A menu covers what is below it, so it is open on its own.
    for number in range(page.run("document.querySelectorAll('.menu').length")):
        menu = f"document.querySelectorAll('.menu')[{number}]"
        page.run(f"{menu}.open = true")
        found += _violations(page, f"{menu}.querySelector('.menu-list')")
        page.run(f"{menu}.open = false")
    return found


def _violations(page: Page, part: str) -> list[str]:
    options = f"{{runOnly: {_RULES.split()!r}, resultTypes: ['violations']}}"
    answer: dict[str, Any] = page.call(
        "Runtime.evaluate",
        expression=f"axe.run({part}, {options}).then(found => found.violations.map(each =>"
        " each.id + ': ' + each.nodes.slice(0, 3).map(node => node.html).join(' ')))",
        awaitPromise=True,
        returnByValue=True,
    )
    assert "exceptionDetails" not in answer, answer
    return list(answer["result"]["value"])
