"""A person at a real browser: what they see, press and fill in, by the words on the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.browser import Page, browser

_REFUSED = "Failed to load resource"  # a page with an error has a status that says so
_FIND = """(words, tags) => [...document.querySelectorAll(tags)].filter(each =>
    each.checkVisibility() && each.innerText.trim().replace(/\\s+/g, ' ').startsWith(words))"""
_FIELDS = """(words, button) => [...document.querySelectorAll('label')].filter(each =>
    each.checkVisibility() && each.innerText.trim().startsWith(words) && (!button ||
    [...each.closest('form').querySelectorAll('button')].some(
        one => one.innerText.trim().startsWith(button))))"""


class Visitor:
    """A person at a browser of their own.

    Args:
        page: Its only tab.
        url: Address of the server.
        has_scripts: Whether pages may run scripts.
    """

    def __init__(self, page: Page, url: str, *, has_scripts: bool) -> None:
        self.page = page
        self._url = url
        self.has_scripts = has_scripts
        page.call("Emulation.setScriptExecutionDisabled", value=not has_scripts)

    def open(self, path: str) -> None:
        self.page.open(self._url + path, width=1280)
        self._look()

    def press(self, words: str) -> None:
        """Follow the link or press the button whose text begins with these words."""
        self.page.wait_for_load(lambda: self._click(words, "main a, main button, header a"))
        self._look()

    def unfold(self, words: str) -> None:
        """Open what is folded."""
        self._click(words, "summary")

    def fill(self, form: str = "", /, **values: str) -> None:
        """Fill fields in by the beginnings of their labels, with _ for a space.

        Args:
            form: Beginning of the text of the form's button, where labels occur in several forms.
            values: The values.
        """
        for name, value in values.items():
            found = f"({_FIELDS})({json.dumps(name.replace('_', ' '))}, {json.dumps(form)})"
            assert self.page.run(f"{found}.length") == 1, (name, self.page.run("location.href"))
            self.page.run(f"{found}[0].control.value = {json.dumps(value)}")

    def sees(self, *words: str) -> None:
        """Wait until the page shows words; without scripts it is loaded again meanwhile."""
        for each in words:
            condition = f"document.querySelector('main').innerText.includes({json.dumps(each)})"
            if self.has_scripts:
                self.page.wait_for(condition)
                continue
            for _ in range(300):
                if self.page.run(condition):
                    break
                self.page.wait_for_load(self._reload)
            else:
                raise AssertionError(f"{each} is not on {self.page.run('location.href')}")

    def does_not_see(self, words: str) -> None:
        assert words not in self.page.run("document.querySelector('main').innerText")

    def read(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.page.run(f"document.querySelector({json.dumps(selector)}).textContent"))

    def _click(self, words: str, tags: str) -> None:
        found = f"({_FIND})({json.dumps(words)}, {json.dumps(tags)})"
        assert self.page.run(f"{found}.length"), (words, self.page.run("location.href"))
        self.page.run(f"{found}[0].click()")

    def _reload(self) -> None:
        self.page.call("Page.reload")

    def _look(self) -> None:
        """Check what holds on every page that a person comes to."""
        wrong = [each for each in self.page.complaints if not each.startswith(_REFUSED)]
        assert wrong == [], (wrong, self.page.run("location.href"))
        assert self.page.run("document.scrollingElement.scrollWidth") <= 1280


@contextmanager
def visitor(folder: Path, url: str, *, has_scripts: bool = True) -> Iterator[Visitor]:
    """Start a browser with an empty profile, of a person who has never been here."""
    folder.mkdir(parents=True)
    with browser(folder) as page:
        yield Visitor(page, url, has_scripts=has_scripts)
