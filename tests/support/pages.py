"""A browser without scripts: it keeps cookies by their paths, and sends forms with their fields."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx

FIELD = re.compile(r'name="csrf" value="([0-9a-f]+)"')
TOKEN = re.compile(r"qw_[A-Za-z0-9]{43}")
ERROR = re.compile(r'<p class="error" role="alert">(.*?)</p>', re.DOTALL)


class Browser(httpx.Client):
    """A browser that follows no redirect by itself."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, timeout=60, verify=False)

    def set_cookie(self, name: str, value: str) -> None:
        """Set a cookie in place of the one that the server has set."""
        self.cookies.set(name, value, domain="127.0.0.1", path="/ui")

    def csrf(self, path: str) -> str:
        """Return the hidden field of the forms of a page."""
        found = FIELD.search(self.get(path).text)
        assert found, path
        return found[1]

    def submit(self, page: str, path: str, **fields: Any) -> httpx.Response:
        """Send a form of a page."""
        return self.post(path, data={"csrf": self.csrf(page), **fields})

    def sign_in(self, name: str, password: str) -> httpx.Response:
        return self.submit("/ui/sign-in", "/ui/sign-in", name=name, password=password)

    def account(self) -> str | None:
        """Return the name of the account that is signed in."""
        response = self.get("/ui")
        if response.status_code == 303:
            assert response.headers["location"] == "/ui/sign-in"
            return None
        found = re.search(r"<dt>Account</dt><dd>(.*?)</dd>", response.text)
        assert found
        return found[1]


def error_of(response: httpx.Response) -> str:
    """Return what a page says is wrong."""
    found = ERROR.search(response.text)
    assert found, response.text
    return unescape(found[1])
